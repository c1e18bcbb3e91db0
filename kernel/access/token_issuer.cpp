#include "kernel/access/token_issuer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace keelson::access {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using Json = nlohmann::json;

std::string document_of(const TokenOrder& order) {
    Json document{{"serviceAccount",
                   {{"namespace", order.namespace_name},
                    {"name", order.service_account.name},
                    {"uid", order.service_account.uid}}},
                  {"audiences", order.audiences},
                  {"expirationSeconds", order.expiration_seconds}};
    if (order.warn_after_seconds > 0) document["warnAfterSeconds"] = order.warn_after_seconds;
    if (order.bound_object)
        document["boundObject"] = {{"kind", order.bound_object->kind},
                                   {"name", order.bound_object->name},
                                   {"uid", order.bound_object->uid}};
    if (order.node) document["node"] = {{"name", order.node->name}, {"uid", order.node->uid}};
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Status malformed(const char* what) {
    return {Reason::internal_error, std::string("the token issuer's answer has no ") + what};
}

std::string text_of(const Json& document, const char* name) {
    if (!document.is_object()) return {};
    const auto found = document.find(name);
    return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> algorithms_of(const Json& keys) {
    std::vector<std::string> algorithms;
    for (const Json& key : keys) {
        std::string algorithm = text_of(key, "alg");
        if (!algorithm.empty()) algorithms.push_back(std::move(algorithm));
    }
    std::ranges::sort(algorithms);
    algorithms.erase(std::unique(algorithms.begin(), algorithms.end()), algorithms.end());
    return algorithms;
}

}  // namespace

bool PluginTokenIssuer::available() const {
    return !plugins_().empty();
}

Task<Result<std::string>> PluginTokenIssuer::call(std::string_view method, std::string request) {
    const std::vector<std::shared_ptr<plugin::Plugin>> plugins = plugins_();
    if (plugins.empty())
        co_return Status(Reason::service_unavailable, "no service account token issuer is configured");
    plugin::Plugin& issuer = *plugins.front();
    plugin::CallOptions options;
    options.timeout = std::chrono::seconds(10);
    auto asking = issuer.call(token_issuer_capability, method, std::move(request), std::move(options));
    auto reply = co_await asking;
    if (!reply) co_return std::move(reply).error();
    co_return std::move(reply->body);
}

Task<Result<IssuedToken>> PluginTokenIssuer::issue(TokenOrder order) {
    std::string request = document_of(order);
    KEELSON_CO_TRY(const std::string body, co_await call("issue", std::move(request)));
    const Json document = Json::parse(body, nullptr, false);
    IssuedToken issued{text_of(document, "token"), text_of(document, "expirationTimestamp")};
    if (issued.token.empty()) co_return malformed("token");
    if (issued.expiration_timestamp.empty()) co_return malformed("expirationTimestamp");
    co_return issued;
}

Task<Result<IssuerKeys>> PluginTokenIssuer::keys() {
    std::string request = "{}";
    KEELSON_CO_TRY(const std::string body, co_await call("keys", std::move(request)));
    const Json document = Json::parse(body, nullptr, false);
    IssuerKeys keys;
    keys.issuer = text_of(document, "issuer");
    if (keys.issuer.empty()) co_return malformed("issuer");
    const auto list = document.find("keys");
    if (list == document.end() || !list->is_array()) co_return malformed("keys");
    keys.algorithms = algorithms_of(*list);
    const Json key_set{{"keys", *list}};
    keys.key_set = key_set.dump();
    co_return keys;
}

}  // namespace keelson::access
