#include "kernel/api/openid_handler.h"

#include <nlohmann/json.hpp>

#include "kernel/api/chain.h"

namespace keelson::api {
namespace {

constexpr std::string_view configuration_path = "/.well-known/openid-configuration";
constexpr std::string_view keys_path = "/openid/v1/jwks";

bool is(std::string_view path, std::string_view wanted) {
    return path == wanted || (path.ends_with('/') && path.substr(0, path.size() - 1) == wanted);
}

std::string configuration(const access::IssuerKeys& keys, const std::string& keys_url) {
    // The order of kube-apiserver's document.
    const nlohmann::ordered_json document{{"issuer", keys.issuer},
                                          {"jwks_uri", keys_url},
                                          {"response_types_supported", {"id_token"}},
                                          {"subject_types_supported", {"public"}},
                                          {"id_token_signing_alg_values_supported", keys.algorithms}};
    return document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

bool OpenIdHandler::handles(const Request& request) {
    return is(request.path, configuration_path) || is(request.path, keys_path);
}

base::Task<void> OpenIdHandler::handle(Exchange& exchange) const {
    if (!issuer_.available()) {
        exchange.respond(page_not_found());
        co_return;
    }
    if (exchange.request().method != "GET") {
        exchange.respond({405, "text/plain; charset=utf-8", "405: Method Not Allowed"});
        co_return;
    }
    auto keys = co_await issuer_.keys();
    if (!keys) {
        exchange.respond(status_response(keys.error()));
        co_return;
    }
    const bool wants_keys = is(exchange.request().path, keys_path);
    Response response = wants_keys ? Response(200, "application/jwk-set+json", keys->key_set)
                                   : Response(200, "application/json", configuration(*keys, keys_url_));
    // Keys change rarely, and an old one stays for as long as its tokens.
    response.headers.push_back({"Cache-Control", "public, max-age=3600"});
    exchange.respond(std::move(response));
}

}  // namespace keelson::api
