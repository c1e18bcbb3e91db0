#include "kernel/access/authorization.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "kernel/access/node_authorizer.h"
#include "kernel/access/rules.h"

namespace keelson::access {
namespace {

bool holds(std::span<const std::string_view> list, std::string_view value) {
    return std::ranges::find(list, value) != list.end();
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
// every resource. Impersonating is left out. Who gathers the rules of aggregated roles writes rules that he
// does not hold; nodes get their certificates approved and signed.
const Rule controller_rules[] = {
    {{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}, {"*"}, {"*"}},
    {{"escalate"}, {"rbac.authorization.k8s.io"}, {"clusterroles"}},
    {{"approve", "sign"}, {"certificates.k8s.io"}, {"signers"}},
};

// system:node-bootstrapper, for who shows a bootstrap token.
const Rule bootstrapper_rules[] = {
    {{"create", "get", "list", "watch"}, {"certificates.k8s.io"}, {"certificatesigningrequests"}},
};

// system:basic-user: whoever is known may ask who he is and what he may do.
const Rule basic_rules[] = {
    {{"create"}, {"authorization.k8s.io"}, {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}},
    {{"create"}, {"authentication.k8s.io"}, {"selfsubjectreviews"}},
};

// What a machine that joins reads before it knows whom it talks to; kubeadm gives everybody that right.
bool is_cluster_info(const Attributes& attributes) {
    return attributes.is_resource_request && attributes.verb == "get" && attributes.group.empty() &&
           attributes.resource == "configmaps" && attributes.subresource.empty() &&
           attributes.namespace_name == "kube-public" && attributes.name == "cluster-info";
}

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

// system:discovery.
bool is_discovery(const Attributes& attributes) {
    const std::string_view path = attributes.path;
    return !attributes.is_resource_request && attributes.verb == "get" &&
           (path == "/api" || path.starts_with("/api/") || path == "/apis" || path.starts_with("/apis/") ||
            path.starts_with("/openapi"));
}

PolicyRule policy_rule(const Rule& rule) {
    return {.verbs = {rule.verbs.begin(), rule.verbs.end()},
            .groups = {rule.groups.begin(), rule.groups.end()},
            .resources = {rule.resources.begin(), rule.resources.end()},
            .resource_names = {},
            .paths = {}};
}

PolicyRule path_rule(std::vector<std::string> paths) {
    return {.verbs = {"get"}, .groups = {}, .resources = {}, .resource_names = {}, .paths = std::move(paths)};
}

std::span<const Rule> rules_of_user(const Identity& user) {
    if (user.user == controller_manager_user) return controller_rules;
    if (user.user == scheduler_user) return scheduler_rules;
    if (user.in_group(bootstrappers_group)) return bootstrapper_rules;
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
    if (is_public_information(attributes) || is_cluster_info(attributes)) co_return Decision{.allowed = true};
    if (attributes.user.in_group(service_accounts_group) && is_issuer_discovery(attributes))
        co_return Decision{.allowed = true};
    if (attributes.is_resource_request) {
        if (allows(rules_of_user(attributes.user), attributes)) co_return Decision{.allowed = true};
        const bool is_basic =
            attributes.user.in_group(authenticated_group) && allows(basic_rules, attributes);
        co_return Decision{.allowed = is_basic};
    }
    // The kernel's own parts join no groups.
    const bool is_known = attributes.user.in_group(authenticated_group) ||
                          !rules_of_user(attributes.user).empty() || !node_name_of(attributes.user).empty();
    co_return Decision{.allowed = is_known && is_discovery(attributes)};
}

base::Task<UserRules> Authorizer::rules_of(const Identity&, const std::string&) {
    co_return UserRules{.rules = {}, .incomplete = true, .problems = {}};
}

base::Task<UserRules> FixedAuthorizer::rules_of(const Identity& user, const std::string&) {
    UserRules result;
    const auto add = [&result](std::span<const Rule> rules) {
        for (const Rule& rule : rules) result.rules.push_back(policy_rule(rule));
    };
    if (user.in_group(masters_group)) {
        result.rules = full_authority();
        co_return result;
    }
    add(rules_of_user(user));
    if (user.in_group(authenticated_group)) {
        add(basic_rules);
        result.rules.push_back(path_rule({"/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez",
                                          "/openapi", "/openapi/*", "/readyz", "/version", "/version/"}));
    }
    result.rules.push_back(path_rule({"/healthz", "/livez", "/readyz", "/version", "/version/"}));
    if (user.in_group(service_accounts_group))
        result.rules.push_back(
            path_rule({"/.well-known/openid-configuration", "/.well-known/openid-configuration/",
                       "/openid/v1/jwks", "/openid/v1/jwks/"}));
    co_return result;
}

base::Task<UserRules> Authorization::rules_of(const Identity& user, const std::string& namespace_name) const {
    UserRules all;
    for (const auto& authorizer : chain_) {
        UserRules own = co_await authorizer->rules_of(user, namespace_name);
        for (PolicyRule& rule : own.rules)
            if (std::ranges::find(all.rules, rule) == all.rules.end()) all.rules.push_back(std::move(rule));
        all.incomplete |= own.incomplete;
        for (std::string& problem : own.problems) all.problems.push_back(std::move(problem));
    }
    co_return all;
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
