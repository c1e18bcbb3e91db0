#include "kernel/node/pull_secrets.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernel/base/base64.h"

namespace keelson::node {
namespace {

using Json = nlohmann::json;

// "https://index.docker.io/v1/" and the like mean docker.io; schemes and a final slash say nothing.
std::string plain_server(std::string server) {
    for (const std::string_view scheme : {"https://", "http://"})
        if (server.starts_with(scheme)) server.erase(0, scheme.size());
    for (const std::string_view version : {"/v1/", "/v2/", "/v1", "/v2", "/"})
        if (server.ends_with(version)) {
            server.resize(server.size() - version.size());
            break;
        }
    return server == "index.docker.io" || server == "registry-1.docker.io" ? "docker.io" : server;
}

// "*.example.com" stands for one label of a host name each.
bool matches_host(std::string_view pattern, std::string_view host) {
    while (!pattern.empty() || !host.empty()) {
        const std::string_view wanted = pattern.substr(0, pattern.find('.'));
        const std::string_view label = host.substr(0, host.find('.'));
        const auto star = wanted.find('*');
        const bool fits = star == std::string_view::npos ? wanted == label
                                                         : label.size() + 1 >= wanted.size() &&
                                                               label.starts_with(wanted.substr(0, star)) &&
                                                               label.ends_with(wanted.substr(star + 1));
        if (!fits || label.empty() != wanted.empty()) return false;
        pattern.remove_prefix(std::min(wanted.size() + 1, pattern.size()));
        host.remove_prefix(std::min(label.size() + 1, host.size()));
    }
    return true;
}

bool serves(std::string_view server, std::string_view image) {
    const std::string_view wanted_host = server.substr(0, server.find('/'));
    const std::string_view host = image.substr(0, image.find('/'));
    if (!matches_host(wanted_host, host)) return false;
    const std::string_view wanted_path = server.substr(wanted_host.size());
    const std::string_view path = image.substr(host.size());
    return path.starts_with(wanted_path) &&
           (path.size() == wanted_path.size() || wanted_path.empty() || path[wanted_path.size()] == '/' ||
            path[wanted_path.size()] == ':' || path[wanted_path.size()] == '@');
}

std::string text_in(const Json& entry, const char* name) {
    const auto found = entry.find(name);
    return found != entry.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Credentials credentials_of(const Json& entry) {
    Credentials result{text_in(entry, "username"), text_in(entry, "password"),
                       text_in(entry, "identitytoken"), text_in(entry, "registrytoken")};
    const std::string both = base::base64_decode(text_in(entry, "auth")).value_or("");
    if (const auto colon = both.find(':'); colon != std::string::npos) {
        result.username = both.substr(0, colon);
        result.password = both.substr(colon + 1);
    }
    return result;
}

}  // namespace

std::vector<Credentials> credentials_in(std::string_view docker_config_json, std::string_view image) {
    const Json document = Json::parse(docker_config_json, nullptr, false);
    if (!document.is_object()) return {};
    const Json& entries = document.contains("auths") ? document["auths"] : document;
    if (!entries.is_object()) return {};
    std::vector<std::pair<std::string, Credentials>> found;
    for (const auto& [name, entry] : entries.items()) {
        const std::string server = plain_server(name);
        if (entry.is_object() && serves(server, image)) found.emplace_back(server, credentials_of(entry));
    }
    std::ranges::stable_sort(found, std::greater(), [](const auto& one) { return one.first.size(); });
    std::vector<Credentials> result;
    result.reserve(found.size());
    for (auto& [server, credentials] : found) result.push_back(std::move(credentials));
    return result;
}

}  // namespace keelson::node
