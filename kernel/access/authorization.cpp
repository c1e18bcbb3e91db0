#include "kernel/access/authorization.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace keelson::access {
namespace {

using List = std::span<const std::string_view>;

bool holds(List list, std::string_view value) {
    return std::ranges::any_of(list, [value](std::string_view item) { return item == "*" || item == value; });
}

// A rule as in RBAC: resources are "pods" or "pods/status"; "*" is any, its subresources included.
struct Rule {
    std::initializer_list<std::string_view> verbs;
    std::initializer_list<std::string_view> groups;
    std::initializer_list<std::string_view> resources;
};

bool allows(const Rule& rule, const Attributes& attributes) {
    std::string resource = attributes.resource;
    if (!attributes.subresource.empty()) resource += "/" + attributes.subresource;
    return holds({rule.verbs.begin(), rule.verbs.size()}, attributes.verb) &&
           holds({rule.groups.begin(), rule.groups.size()}, attributes.group) &&
           holds({rule.resources.begin(), rule.resources.size()}, resource);
}

bool allows(std::span<const Rule> rules, const Attributes& attributes) {
    return std::ranges::any_of(rules, [&](const Rule& rule) { return allows(rule, attributes); });
}

// plugin/pkg/auth/authorizer/rbac/bootstrappolicy: system:kube-scheduler and system:volume-scheduler.
const Rule scheduler_rules[] = {
    {{"create", "patch", "update"}, {"", "events.k8s.io"}, {"events"}},
    {{"create", "get", "list", "update", "watch"}, {"coordination.k8s.io"}, {"leases"}},
    {{"get", "list", "watch"},
     {""},
     {"nodes", "namespaces", "replicationcontrollers", "services", "persistentvolumes",
      "persistentvolumeclaims"}},
    {{"delete", "get", "list", "watch"}, {""}, {"pods"}},
    {{"create"}, {""}, {"bindings", "pods/binding"}},
    {{"patch", "update"}, {""}, {"pods/status"}},
    {{"patch", "update"}, {""}, {"persistentvolumes", "persistentvolumeclaims"}},
    {{"get", "list", "watch"}, {"apps"}, {"replicasets", "statefulsets"}},
    {{"get", "list", "watch"}, {"policy"}, {"poddisruptionbudgets"}},
    {{"get", "list", "watch"},
     {"storage.k8s.io"},
     {"csinodes", "csidrivers", "csistoragecapacities", "storageclasses", "volumeattachments"}},
    {{"get", "list", "watch", "update", "patch"},
     {"resource.k8s.io"},
     {"deviceclasses", "resourceclaims", "resourceclaims/status", "resourceslices"}},
    {{"get", "list", "watch"}, {"scheduling.k8s.io"}, {"priorityclasses"}},
    {{"create"}, {"authentication.k8s.io"}, {"tokenreviews"}},
    {{"create"}, {"authorization.k8s.io"}, {"subjectaccessreviews"}},
};

// All built-in controllers share this identity; Kubernetes' roles of the single controllers together reach
// every resource. Approving certificates, impersonating and escalating are left out.
const Rule controller_rules[] = {
    {{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}, {"*"}, {"*"}},
};

// system:node, without the graph that limits a node to the objects of its own pods.
const Rule node_rules[] = {
    {{"create"}, {"authentication.k8s.io"}, {"tokenreviews"}},
    {{"create"}, {"authorization.k8s.io"}, {"subjectaccessreviews", "localsubjectaccessreviews"}},
    {{"get", "list", "watch"},
     {""},
     {"services", "pods", "configmaps", "secrets", "persistentvolumeclaims", "persistentvolumes", "endpoints",
      "namespaces"}},
    {{"create", "get", "list", "watch", "update", "patch"}, {""}, {"nodes", "nodes/status"}},
    {{"create", "delete"}, {""}, {"pods"}},
    {{"update", "patch"}, {""}, {"pods/status"}},
    {{"create"}, {""}, {"pods/eviction", "serviceaccounts/token"}},
    {{"create", "update", "patch"}, {"", "events.k8s.io"}, {"events"}},
    {{"create", "get", "list", "watch", "update", "patch", "delete"}, {"coordination.k8s.io"}, {"leases"}},
    {{"get", "list", "watch"}, {"storage.k8s.io"}, {"csidrivers", "volumeattachments"}},
    {{"create", "delete", "get", "update", "patch"}, {"storage.k8s.io"}, {"csinodes"}},
    {{"get", "list", "watch"}, {"node.k8s.io"}, {"runtimeclasses"}},
    {{"get", "list", "watch"}, {"discovery.k8s.io"}, {"endpointslices"}},
    {{"create", "get", "list", "watch"}, {"certificates.k8s.io"}, {"certificatesigningrequests"}},
    {{"get", "list", "watch", "create", "update", "patch", "delete"},
     {"resource.k8s.io"},
     {"resourceslices"}},
    {{"get"}, {"resource.k8s.io"}, {"resourceclaims"}},
};

// system:public-info-viewer.
bool is_public_information(const Attributes& attributes) {
    static constexpr std::string_view paths[] = {"/healthz", "/livez", "/readyz", "/version", "/version/"};
    return !attributes.is_resource_request && attributes.verb == "get" && holds(paths, attributes.path);
}

// system:service-account-issuer-discovery, which is bound to all service accounts.
bool is_issuer_discovery(const Attributes& attributes) {
    static constexpr std::string_view paths[] = {"/.well-known/openid-configuration",
                                                 "/.well-known/openid-configuration/", "/openid/v1/jwks",
                                                 "/openid/v1/jwks/"};
    return !attributes.is_resource_request && attributes.verb == "get" && holds(paths, attributes.path);
}

// The kernel's own parts read discovery like everybody with an account of theirs.
bool is_discovery(const Attributes& attributes) {
    const std::string_view path = attributes.path;
    return !attributes.is_resource_request && attributes.verb == "get" &&
           (path == "/api" || path.starts_with("/api/") || path == "/apis" || path.starts_with("/apis/") ||
            path.starts_with("/openapi"));
}

std::span<const Rule> rules_of(const Identity& user) {
    if (user.user == controller_manager_user) return controller_rules;
    if (user.user == scheduler_user) return scheduler_rules;
    if (user.user.starts_with(node_user_prefix) && user.in_group(nodes_group)) return node_rules;
    return {};
}

// Kubernetes' sanitizer: the message may end up in a browser.
std::string without_markup(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (c == '&')
            result += "&amp;";
        else if (c == '<')
            result += "&lt;";
        else if (c == '>')
            result += "&gt;";
        else
            result.push_back(c);
    }
    return result;
}

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result.push_back('\\');
        result.push_back(c);
    }
    return result + '"';
}

std::string forbidden_message(const Attributes& attributes) {
    const std::string start = "User " + quoted(attributes.user.user) + " cannot " + attributes.verb;
    if (!attributes.is_resource_request) return start + " path " + quoted(attributes.path);
    std::string resource = attributes.resource;
    if (!attributes.subresource.empty()) resource += "/" + attributes.subresource;
    const std::string what =
        start + " resource " + quoted(resource) + " in API group " + quoted(attributes.group);
    if (attributes.namespace_name.empty()) return what + " at the cluster scope";
    return what + " in the namespace " + quoted(attributes.namespace_name);
}

}  // namespace

base::Task<Decision> FixedAuthorizer::authorize(const Attributes& attributes) {
    if (attributes.user.in_group(masters_group)) co_return Decision{.allowed = true};
    if (is_public_information(attributes)) co_return Decision{.allowed = true};
    if (attributes.user.in_group(service_accounts_group) && is_issuer_discovery(attributes))
        co_return Decision{.allowed = true};
    const std::span<const Rule> rules = rules_of(attributes.user);
    if (rules.empty()) co_return Decision{};
    if (attributes.is_resource_request ? allows(rules, attributes) : is_discovery(attributes))
        co_return Decision{.allowed = true};
    co_return Decision{};
}

base::Task<Decision> Authorization::authorize(const Attributes& attributes) const {
    std::string reasons;
    for (const auto& authorizer : chain_) {
        Decision decision = co_await authorizer->authorize(attributes);
        if (decision.allowed || decision.denied) co_return decision;
        if (!decision.reason.empty()) reasons += (reasons.empty() ? "" : "\n") + decision.reason;
    }
    Decision undecided;
    undecided.reason = reasons;
    co_return undecided;
}

base::Status forbidden(const Attributes& attributes, const std::string& reason) {
    std::string message;
    if (!attributes.resource.empty() || !attributes.group.empty()) {
        message = attributes.resource;
        if (!attributes.group.empty()) message += "." + attributes.group;
        if (!attributes.name.empty()) message += " " + quoted(attributes.name);
        message += " is ";
    }
    message += "forbidden: " + without_markup(forbidden_message(attributes));
    if (!reason.empty()) message += ": " + reason;
    base::Status status(base::Reason::forbidden, std::move(message));
    base::StatusDetails& details = status.mutable_details();
    details.name = attributes.name;
    details.group = attributes.group;
    details.kind = attributes.resource;
    return status;
}

}  // namespace keelson::access
