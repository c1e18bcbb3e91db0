#include "kernel/access/impersonation.h"

#include <algorithm>

namespace keelson::access {
namespace {

using base::Reason;
using base::Status;

constexpr std::string_view service_account_prefix = "system:serviceaccount:";

Attributes impersonation_of(const Identity& caller, std::string group, std::string resource,
                            std::string name) {
    Attributes attributes;
    attributes.user = caller;
    attributes.verb = "impersonate";
    attributes.is_resource_request = true;
    attributes.group = std::move(group);
    attributes.version = "v1";
    attributes.resource = std::move(resource);
    attributes.name = std::move(name);
    return attributes;
}

// Namespace and name of system:serviceaccount:NAMESPACE:NAME; empty for other users.
std::pair<std::string, std::string> service_account(std::string_view user) {
    if (!user.starts_with(service_account_prefix)) return {};
    user.remove_prefix(service_account_prefix.size());
    const auto colon = user.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == user.size()) return {};
    return {std::string(user.substr(0, colon)), std::string(user.substr(colon + 1))};
}

// Header names are case-insensitive and may not hold every character: keys come in lower case,
// percent-escaped.
std::string extra_key(std::string_view sent) {
    std::string key;
    for (std::size_t i = 0; i < sent.size(); ++i) {
        const auto digit = [](char c) {
            return c >= '0' && c <= '9'                     ? c - '0'
                   : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                            : -1;
        };
        if (sent[i] == '%' && i + 2 < sent.size() && digit(sent[i + 1]) >= 0 && digit(sent[i + 2]) >= 0) {
            key.push_back(static_cast<char>(digit(sent[i + 1]) * 16 + digit(sent[i + 2])));
            i += 2;
        } else {
            key.push_back(sent[i]);
        }
    }
    std::ranges::transform(key, key.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return key;
}

std::vector<Attributes> questions(const Identity& caller, const ImpersonationRequest& request,
                                  Identity& result) {
    std::vector<Attributes> asked;
    const auto [account_namespace, account_name] = service_account(request.user);
    if (account_name.empty()) {
        asked.push_back(impersonation_of(caller, "", "users", request.user));
    } else {
        asked.push_back(impersonation_of(caller, "", "serviceaccounts", account_name));
        asked.back().namespace_name = account_namespace;
        if (request.groups.empty()) {
            result.groups = {"system:serviceaccounts", "system:serviceaccounts:" + account_namespace};
        }
    }
    for (const std::string& group : request.groups) {
        asked.push_back(impersonation_of(caller, "", "groups", group));
        result.groups.push_back(group);
    }
    for (const auto& [sent_key, value] : request.extra) {
        const std::string key = extra_key(sent_key);
        asked.push_back(impersonation_of(caller, "authentication.k8s.io", "userextras", value));
        asked.back().subresource = key;
        const auto found = std::ranges::find(result.extra, key, [](const auto& pair) { return pair.first; });
        if (found == result.extra.end()) {
            result.extra.emplace_back(key, std::vector<std::string>{value});
        } else {
            found->second.push_back(value);
        }
    }
    if (!request.uid.empty()) {
        asked.push_back(impersonation_of(caller, "authentication.k8s.io", "uids", request.uid));
        result.uid = request.uid;
    }
    return asked;
}

}  // namespace

base::Task<base::Result<Identity>> impersonate(const Authorization& authorization, const Identity& caller,
                                               const ImpersonationRequest& request) {
    if (request.user.empty())
        co_return Status(Reason::bad_request,
                         "requested to impersonate groups, a uid or extra without a user");
    Identity result;
    result.user = request.user;
    for (const Attributes& attributes : questions(caller, request, result)) {
        const Decision decision = co_await authorization.authorize(attributes);
        if (!decision.allowed) co_return forbidden(attributes, decision.reason);
    }
    std::ranges::sort(result.extra);
    if (result.user == anonymous_user) {
        if (!result.in_group(unauthenticated_group)) result.groups.emplace_back(unauthenticated_group);
    } else if (!result.in_group(authenticated_group) && !result.in_group(unauthenticated_group)) {
        result.groups.emplace_back(authenticated_group);
    }
    co_return result;
}

}  // namespace keelson::access
