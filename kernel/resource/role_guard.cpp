#include "kernel/resource/role_guard.h"

#include <optional>
#include <vector>

#include "kernel/resource/errors.h"
#include "kernel/resource/stored_rbac.h"

namespace keelson::resource {
namespace {

using access::PolicyRule;
using base::Result;
using base::Task;
using object::Arena;
using object::Value;

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

bool is_binding(const Call& call) {
    return call.resource->kind == "RoleBinding" || call.resource->kind == "ClusterRoleBinding";
}

// The garbage collector may take owners and finalizers away from a role that it does not hold.
bool is_same_but_for_owners(Value one, Value other) {
    Arena arena;
    const auto stripped = [&arena](Value object) {
        Value copy = object.clone(arena);
        Value metadata = copy.child_map(arena, "metadata");
        for (const std::string_view field :
             {"ownerReferences", "finalizers", "managedFields", "resourceVersion"})
            metadata.erase(field);
        return copy;
    };
    return stripped(one).equals(stripped(other));
}

access::Attributes question(const Call& call, std::string verb, std::string resource, std::string name) {
    access::Attributes attributes;
    attributes.user = call.identity;
    attributes.verb = std::move(verb);
    attributes.is_resource_request = true;
    attributes.group = kGroup;
    attributes.version = "*";
    attributes.namespace_name = call.namespace_name;
    attributes.resource = std::move(resource);
    attributes.name = std::move(name);
    return attributes;
}

Result<access::UserRules> held_rules(access::RbacSource& source, const Call& call) {
    access::UserRules held;
    KEELSON_TRY_VOID(source.read([&](const access::RbacPolicy& policy) {
        held = policy.rules_of(call.identity, call.namespace_name);
    }));
    return held;
}

}  // namespace

bool RoleGuard::concerns(const Call& call) {
    return call.resource->group == kGroup && call.subresource == nullptr;
}

Task<Result<void>> RoleGuard::check(const Call& call, Value object, Value old,
                                    std::string requested_name) const {
    if (call.identity.in_group(access::masters_group)) co_return base::ok();
    if (old.is_set() && is_same_but_for_owners(object, old)) co_return base::ok();
    if (is_binding(call)) co_return co_await check_binding(call, object);
    co_return co_await check_role(call, object, old, std::move(requested_name));
}

Task<Result<void>> RoleGuard::check_role(const Call& call, Value object, Value old,
                                         std::string requested_name) const {
    const access::Attributes escalation =
        question(call, "escalate", std::string(call.resource->name), std::move(requested_name));
    const access::Decision decision = co_await authorization_.authorize(escalation);
    if (decision.allowed) co_return base::ok();
    KEELSON_CO_TRY(const access::UserRules held, held_rules(source_, call));
    const std::string name = object["metadata"]["name"].to_string();
    if (const std::string why = escalation_problem(call.identity, held, policy_rules_of(object));
        !why.empty())
        co_return forbidden(*call.resource, name, why);
    // It gathers whatever roles come later, so nothing less than everything will do.
    const bool aggregates = object["aggregationRule"].is_map() || old["aggregationRule"].is_map();
    if (aggregates && !missing_rules(held.rules, access::full_authority()).empty())
        co_return forbidden(*call.resource, name,
                            "must have cluster-admin privileges to use the aggregationRule");
    co_return base::ok();
}

Task<Result<void>> RoleGuard::check_binding(const Call& call, Value object) const {
    const Value reference = object["roleRef"];
    const std::string role = reference["name"].to_string();
    const bool is_cluster_role = reference["kind"].as_string() != "Role";
    const std::string resource = is_cluster_role ? "clusterroles" : "roles";
    const access::Attributes binding = question(call, "bind", resource, role);
    const access::Decision decision = co_await authorization_.authorize(binding);
    if (decision.allowed) co_return base::ok();
    access::UserRules held;
    std::optional<std::vector<PolicyRule>> wanted;
    KEELSON_CO_TRY_VOID(source_.read([&](const access::RbacPolicy& policy) {
        held = policy.rules_of(call.identity, call.namespace_name);
        const auto* rules = policy.find_role(is_cluster_role ? std::string() : call.namespace_name, role);
        if (rules != nullptr) wanted = *rules;
    }));
    if (!wanted) co_return not_found(*object::find_resource(kGroup, "v1", resource), role);
    if (const std::string why = escalation_problem(call.identity, held, *wanted); !why.empty())
        co_return forbidden(*call.resource, object["metadata"]["name"].as_string(), why);
    co_return base::ok();
}

}  // namespace keelson::resource
