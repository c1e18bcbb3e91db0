#include "kernel/access/node_authorizer.h"

#include <algorithm>
#include <array>
#include <string>

#include "kernel/access/rules.h"

namespace keelson::access {
namespace {

constexpr std::string_view lease_namespace = "kube-node-lease";

// system:node, without what is decided object by object below.
const Rule node_rules[] = {
    {{"create"}, {"authentication.k8s.io"}, {"tokenreviews"}},
    {{"create"}, {"authorization.k8s.io"}, {"subjectaccessreviews", "localsubjectaccessreviews"}},
    {{"get", "list", "watch"}, {""}, {"services", "nodes"}},
    // Its proxy and its DNS server follow these, as system:node-proxier does.
    {{"get", "list", "watch"}, {"discovery.k8s.io"}, {"endpointslices"}},
    {{"create"}, {""}, {"nodes"}},
    {{"create", "delete"}, {""}, {"pods"}},
    {{"update", "patch"}, {""}, {"pods/status"}},
    {{"create"}, {""}, {"pods/eviction"}},
    {{"create", "update", "patch"}, {"", "events.k8s.io"}, {"events"}},
    {{"get", "list", "watch"}, {"storage.k8s.io"}, {"csidrivers"}},
    {{"get", "list", "watch"}, {"node.k8s.io"}, {"runtimeclasses"}},
    {{"create", "get", "list", "watch"}, {"certificates.k8s.io"}, {"certificatesigningrequests"}},
};

Decision allowed() {
    return {.allowed = true};
}

Decision no_opinion(std::string reason = {}) {
    return {.reason = std::move(reason)};
}

bool is_one_of(std::string_view value, std::initializer_list<std::string_view> list) {
    return std::ranges::find(list, value) != list.end();
}

bool is(const Attributes& attributes, std::string_view group, std::string_view resource) {
    return attributes.group == group && attributes.resource == resource;
}

// Whether the selector holds the term field=value, whatever else it asks for: terms narrow each other.
bool selects(std::string_view selector, std::string_view field, std::string_view value) {
    while (!selector.empty()) {
        const auto comma = selector.find(',');
        const std::string_view term = selector.substr(0, comma);
        selector = comma == std::string_view::npos ? std::string_view() : selector.substr(comma + 1);
        if (!term.starts_with(field)) continue;
        std::string_view rest = term.substr(field.size());
        if (rest.starts_with("==")) rest.remove_prefix(1);
        if (rest.starts_with("=") && rest.substr(1) == value) return true;
    }
    return false;
}

// An object that has the node's name: its Node, its Lease, its CSINode. A creation has no name yet.
Decision decide_own(std::string_view node, const Attributes& attributes, std::string_view what) {
    if (!is_one_of(attributes.verb, {"get", "create", "update", "patch", "delete"}))
        return no_opinion("can only get, create, update, patch, or delete " + std::string(what));
    if (attributes.verb != "create" && attributes.name != node)
        return no_opinion("can only access " + std::string(what) +
                          " with the same name as the requesting node");
    return allowed();
}

}  // namespace

std::string_view node_name_of(const Identity& user) {
    if (!user.user.starts_with(node_user_prefix) || !user.in_group(nodes_group)) return {};
    return std::string_view(user.user).substr(node_user_prefix.size());
}

base::Task<Decision> NodeAuthorizer::authorize(const Attributes& attributes) {
    const std::string_view node = node_name_of(attributes.user);
    if (node.empty() || !attributes.is_resource_request) co_return Decision{};
    co_return decide(node, attributes);
}

base::Task<UserRules> NodeAuthorizer::rules_of(const Identity& user, const std::string&) {
    if (node_name_of(user).empty()) co_return UserRules{};
    co_return UserRules{.rules = {},
                        .incomplete = true,
                        .problems = {"node authorizer does not support user rule resolution"}};
}

Decision NodeAuthorizer::decide(std::string_view node, const Attributes& attributes) const {
    static constexpr std::array related{std::string_view("secrets"), std::string_view("configmaps"),
                                        std::string_view("persistentvolumeclaims"),
                                        std::string_view("persistentvolumes"),
                                        std::string_view("serviceaccounts")};
    if (attributes.group.empty() && std::ranges::find(related, attributes.resource) != related.end())
        return decide_related(node, attributes);
    if (is(attributes, "", "pods") && is_one_of(attributes.verb, {"get", "list", "watch"}))
        return decide_pod(node, attributes);
    const bool changes_node = is(attributes, "", "nodes") && is_one_of(attributes.verb, {"update", "patch"});
    if (changes_node && is_one_of(attributes.subresource, {"", "status"}))
        return decide_own(node, attributes, "a node");
    if (is(attributes, "coordination.k8s.io", "leases")) {
        if (attributes.namespace_name != lease_namespace)
            return no_opinion("can only access leases in the \"" + std::string(lease_namespace) +
                              "\" system namespace");
        return decide_own(node, attributes, "a node lease");
    }
    if (is(attributes, "storage.k8s.io", "csinodes") && attributes.subresource.empty())
        return decide_own(node, attributes, "a CSINode");
    return allows(node_rules, attributes) ? allowed() : no_opinion();
}

// Objects that a node reads one by one, by name, because its pods need them. Secrets and ConfigMaps may be
// watched too: a selector of one name counts as a name.
Decision NodeAuthorizer::decide_related(std::string_view node, const Attributes& attributes) const {
    const std::string& resource = attributes.resource;
    if (resource == "serviceaccounts") {
        if (attributes.verb != "create" || attributes.subresource != "token" || attributes.name.empty())
            return no_opinion("can only create tokens for individual service accounts");
    } else if (resource == "secrets" || resource == "configmaps") {
        if (!is_one_of(attributes.verb, {"get", "list", "watch"}) || !attributes.subresource.empty())
            return no_opinion("can only read resources of this type");
        if (attributes.namespace_name.empty())
            return no_opinion("can only read namespaced object of this type");
    } else if (attributes.verb != "get" || !attributes.subresource.empty()) {
        return no_opinion("can only get individual resources of this type");
    }
    if (attributes.name.empty()) return no_opinion("No Object name found");
    if (relations_.uses(node, resource, attributes.namespace_name, attributes.name)) return allowed();
    return no_opinion("no relationship found between node '" + std::string(node) + "' and this object");
}

Decision NodeAuthorizer::decide_pod(std::string_view node, const Attributes& attributes) const {
    if (!attributes.subresource.empty()) return no_opinion("can only read pods, not their subresources");
    const bool is_named = !attributes.name.empty() && !attributes.namespace_name.empty();
    if (is_named && relations_.is_bound(node, attributes.namespace_name, attributes.name)) return allowed();
    if (attributes.verb == "get")
        return no_opinion("no relationship found between node '" + std::string(node) + "' and this object");
    if (selects(attributes.field_selector, "spec.nodeName", node)) return allowed();
    return no_opinion("can only list/watch pods with spec.nodeName field selector");
}

}  // namespace keelson::access
