#include "kernel/resource/default_roles.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>

#include "kernel/access/rbac_rules.h"
#include "kernel/object/json.h"
#include "kernel/resource/stored_rbac.h"

namespace keelson::resource {
namespace {

using object::Arena;
using object::Value;

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";
constexpr std::string_view kAutoUpdate = "rbac.authorization.kubernetes.io/autoupdate";

constexpr std::string_view kRead = "get list watch";
constexpr std::string_view kWrite = "create delete deletecollection patch update";
constexpr std::string_view kReadWrite = "create delete deletecollection get list patch update watch";

// Lists of words; the group "core" stands for "". Rules with paths have nothing else but verbs.
struct RuleText {
    std::string_view verbs;
    std::string_view groups;
    std::string_view resources;
    std::string_view names = {};
    std::string_view paths = {};
};

constexpr RuleText paths(std::string_view list) {
    return {.verbs = "get", .groups = {}, .resources = {}, .paths = list};
}

struct RoleText {
    std::string_view name;
    std::vector<RuleText> rules;
    std::string_view gathered_by = {};  // "admin": its rules are part of that role
    std::string_view gathers = {};      // "admin": it consists of what is gathered by that name
};

std::vector<RoleText> user_roles() {
    return {
        {.name = "cluster-admin",
         .rules = {{"*", "*", "*"}, {.verbs = "*", .groups = {}, .resources = {}, .paths = "*"}}},
        {.name = "admin", .rules = {}, .gathers = "admin"},
        {.name = "edit", .rules = {}, .gathered_by = "admin", .gathers = "edit"},
        {.name = "view", .rules = {}, .gathered_by = "edit", .gathers = "view"},
        {.name = "system:aggregate-to-admin",
         .rules = {{"create", "authorization.k8s.io", "localsubjectaccessreviews"},
                   {kReadWrite, kGroup, "rolebindings roles"}},
         .gathered_by = "admin"},
        {.name = "system:aggregate-to-edit",
         .rules = {{kRead, "core",
                    "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"},
                   {"impersonate", "core", "serviceaccounts"},
                   {kWrite, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"},
                   {"create", "core", "pods/eviction"},
                   {kWrite, "core",
                    "configmaps events persistentvolumeclaims replicationcontrollers "
                    "replicationcontrollers/scale secrets serviceaccounts services services/proxy"},
                   {"create", "core", "serviceaccounts/token"},
                   {kWrite, "apps",
                    "daemonsets deployments deployments/rollback deployments/scale replicasets "
                    "replicasets/scale statefulsets statefulsets/scale"},
                   {kWrite, "autoscaling", "horizontalpodautoscalers"},
                   {kWrite, "batch", "cronjobs jobs"},
                   {kWrite, "extensions",
                    "daemonsets deployments deployments/rollback deployments/scale ingresses "
                    "networkpolicies replicasets replicasets/scale replicationcontrollers/scale"},
                   {kWrite, "policy", "poddisruptionbudgets"},
                   {kWrite, "networking.k8s.io", "ingresses networkpolicies"},
                   {kReadWrite, "coordination.k8s.io", "leases"},
                   {kWrite, "resource.k8s.io", "resourceclaims resourceclaimtemplates"}},
         .gathered_by = "edit"},
        {.name = "system:aggregate-to-view",
         .rules = {{kRead, "core",
                    "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods "
                    "replicationcontrollers replicationcontrollers/scale serviceaccounts services "
                    "services/status"},
                   {kRead, "core",
                    "bindings events limitranges namespaces/status pods/log pods/status "
                    "replicationcontrollers/status resourcequotas resourcequotas/status"},
                   {kRead, "core", "namespaces"},
                   {kRead, "discovery.k8s.io", "endpointslices"},
                   {kRead, "apps",
                    "controllerrevisions daemonsets daemonsets/status deployments deployments/scale "
                    "deployments/status replicasets replicasets/scale replicasets/status statefulsets "
                    "statefulsets/scale statefulsets/status"},
                   {kRead, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"},
                   {kRead, "batch", "cronjobs cronjobs/status jobs jobs/status"},
                   {kRead, "extensions",
                    "daemonsets daemonsets/status deployments deployments/scale deployments/status "
                    "ingresses ingresses/status networkpolicies replicasets replicasets/scale "
                    "replicasets/status replicationcontrollers/scale"},
                   {kRead, "policy", "poddisruptionbudgets poddisruptionbudgets/status"},
                   {kRead, "networking.k8s.io", "ingresses ingresses/status networkpolicies"},
                   {kRead, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"}},
         .gathered_by = "view"},
    };
}

std::vector<RoleText> common_roles() {
    return {
        {.name = "system:discovery",
         .rules = {paths("/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version "
                         "/version/")}},
        {.name = "system:public-info-viewer", .rules = {paths("/healthz /livez /readyz /version /version/")}},
        {.name = "system:basic-user",
         .rules = {{"create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"},
                   {"create", "authentication.k8s.io", "selfsubjectreviews"}}},
        {.name = "system:monitoring",
         .rules = {paths("/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*")}},
        {.name = "system:service-account-issuer-discovery",
         .rules = {paths("/.well-known/openid-configuration /.well-known/openid-configuration/ "
                         "/openid/v1/jwks /openid/v1/jwks/")}},
        {.name = "system:auth-delegator",
         .rules = {{"create", "authentication.k8s.io", "tokenreviews"},
                   {"create", "authorization.k8s.io", "subjectaccessreviews"}}},
        {.name = "system:kubelet-api-admin",
         .rules = {{kRead, "core", "nodes"},
                   {"proxy", "core", "nodes"},
                   {"*", "core",
                    "nodes/checkpoint nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods "
                    "nodes/proxy nodes/spec nodes/stats"}}},
        {.name = "system:persistent-volume-provisioner",
         .rules = {{"create delete get list watch", "core", "persistentvolumes"},
                   {"get list update watch", "core", "persistentvolumeclaims"},
                   {kRead, "storage.k8s.io", "storageclasses"},
                   {"watch", "core", "events"},
                   {"create patch update", "core events.k8s.io", "events"}}},
        {.name = "system:kube-dns", .rules = {{"list watch", "core", "endpoints services"}}},
        {.name = "system:kube-aggregator", .rules = {{kRead, "core", "endpoints services"}}},
    };
}

std::vector<RoleText> certificate_roles() {
    static constexpr std::string_view group = "certificates.k8s.io";
    const auto approver = [](std::string_view name, std::string_view signer) {
        return RoleText{.name = name, .rules = {{"approve", group, "signers", signer}}};
    };
    return {
        {.name = "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
         .rules = {{"create", group, "certificatesigningrequests/nodeclient"}}},
        {.name = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
         .rules = {{"create", group, "certificatesigningrequests/selfnodeclient"}}},
        approver("system:certificates.k8s.io:kube-apiserver-client-approver",
                 "kubernetes.io/kube-apiserver-client"),
        approver("system:certificates.k8s.io:kube-apiserver-client-kubelet-approver",
                 "kubernetes.io/kube-apiserver-client-kubelet"),
        approver("system:certificates.k8s.io:kubelet-serving-approver", "kubernetes.io/kubelet-serving"),
        approver("system:certificates.k8s.io:legacy-unknown-approver", "kubernetes.io/legacy-unknown"),
    };
}

std::vector<RoleText> node_roles() {
    return {
        {.name = "system:node",
         .rules = {{"create", "authentication.k8s.io", "tokenreviews"},
                   {"create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"},
                   {kRead, "core", "services"},
                   {"create get list watch", "core", "nodes"},
                   {"patch update", "core", "nodes/status"},
                   {"patch update", "core", "nodes"},
                   {"create patch update", "core", "events"},
                   {kRead, "core", "pods"},
                   {"create delete", "core", "pods"},
                   {"patch update", "core", "pods/status"},
                   {"create", "core", "pods/eviction"},
                   {kRead, "core", "configmaps secrets"},
                   {"get", "core", "persistentvolumeclaims persistentvolumes"},
                   {"get", "core", "endpoints"},
                   {"create get list watch", "certificates.k8s.io", "certificatesigningrequests"},
                   {"create delete get patch update", "coordination.k8s.io", "leases"},
                   {"get", "storage.k8s.io", "volumeattachments"},
                   {"create", "core", "serviceaccounts/token"},
                   {"get patch update", "core", "persistentvolumeclaims/status"},
                   {kRead, "storage.k8s.io", "csidrivers"},
                   {"create delete get patch update", "storage.k8s.io", "csinodes"},
                   {kRead, "node.k8s.io", "runtimeclasses"}}},
        {.name = "system:node-bootstrapper",
         .rules = {{"create get list watch", "certificates.k8s.io", "certificatesigningrequests"}}},
        {.name = "system:node-problem-detector",
         .rules = {{"get", "core", "nodes"},
                   {"patch", "core", "nodes/status"},
                   {"create patch update", "core events.k8s.io", "events"}}},
        {.name = "system:node-proxier",
         .rules = {{"list watch", "core", "endpoints services"},
                   {kRead, "core", "nodes"},
                   {"create patch update", "core events.k8s.io", "events"},
                   {"list watch", "discovery.k8s.io", "endpointslices"}}},
    };
}

std::vector<RoleText> control_roles() {
    return {
        {.name = "system:kube-controller-manager",
         .rules = {{"create patch update", "core events.k8s.io", "events"},
                   {"create", "coordination.k8s.io", "leases"},
                   {"get update", "coordination.k8s.io", "leases", "kube-controller-manager"},
                   {"create", "core", "secrets serviceaccounts"},
                   {"delete", "core", "secrets"},
                   {"get", "core", "configmaps namespaces secrets serviceaccounts"},
                   {"update", "core", "secrets serviceaccounts"},
                   {"create", "authentication.k8s.io", "tokenreviews"},
                   {"create", "authorization.k8s.io", "subjectaccessreviews"},
                   {"list watch", "*", "*"},
                   {"create", "core", "serviceaccounts/token"}}},
        {.name = "system:kube-scheduler",
         .rules = {{"create patch update", "core events.k8s.io", "events"},
                   {"create list watch", "coordination.k8s.io", "leases"},
                   {"get update", "coordination.k8s.io", "leases", "kube-scheduler"},
                   {kRead, "core", "nodes"},
                   {"delete get list watch", "core", "pods"},
                   {"create", "core", "bindings pods/binding"},
                   {"patch update", "core", "pods/status"},
                   {kRead, "core", "replicationcontrollers services"},
                   {kRead, "apps extensions", "replicasets"},
                   {kRead, "apps", "statefulsets"},
                   {kRead, "policy", "poddisruptionbudgets"},
                   {kRead, "core", "persistentvolumeclaims persistentvolumes"},
                   {"create", "authentication.k8s.io", "tokenreviews"},
                   {"create", "authorization.k8s.io", "subjectaccessreviews"},
                   {kRead, "storage.k8s.io", "csinodes"},
                   {kRead, "core", "namespaces"},
                   {kRead, "storage.k8s.io", "csidrivers"},
                   {kRead, "storage.k8s.io", "csistoragecapacities"},
                   {kRead, "storage.k8s.io", "volumeattachments"},
                   {kRead, "resource.k8s.io", "deviceclasses resourceclaims resourceslices"},
                   {"patch update", "resource.k8s.io", "resourceclaims/status"},
                   {"patch update", "resource.k8s.io", "resourceclaims"}}},
        {.name = "system:volume-scheduler",
         .rules = {{"get list patch update watch", "core", "persistentvolumes"},
                   {kRead, "storage.k8s.io", "storageclasses"},
                   {"get list patch update watch", "core", "persistentvolumeclaims"}}},
    };
}

struct BindingText {
    std::string_view role;  // the binding has its name
    std::vector<std::string_view> groups = {};
    std::string_view user = {};
    std::string_view service_account = {};  // in kube-system
};

std::vector<BindingText> default_bindings() {
    return {
        {.role = "cluster-admin", .groups = {access::masters_group}},
        {.role = "system:monitoring", .groups = {"system:monitoring"}},
        {.role = "system:discovery", .groups = {access::authenticated_group}},
        {.role = "system:basic-user", .groups = {access::authenticated_group}},
        {.role = "system:public-info-viewer",
         .groups = {access::authenticated_group, access::unauthenticated_group}},
        {.role = "system:service-account-issuer-discovery", .groups = {access::service_accounts_group}},
        {.role = "system:node-proxier", .user = "system:kube-proxy"},
        {.role = "system:kube-controller-manager", .user = access::controller_manager_user},
        {.role = "system:kube-dns", .service_account = "kube-dns"},
        {.role = "system:kube-scheduler", .user = access::scheduler_user},
        {.role = "system:volume-scheduler", .user = access::scheduler_user},
        // Nodes have their rights from the node authorizer, object by object.
        {.role = "system:node"},
    };
}

Value words(Arena& arena, std::string_view list) {
    Value result = Value::list(arena);
    while (!list.empty()) {
        const auto space = list.find(' ');
        const std::string_view word = list.substr(0, space);
        result.push_back(arena, Value::reference(word == "core" ? std::string_view() : word));
        list = space == std::string_view::npos ? std::string_view() : list.substr(space + 1);
    }
    return result;
}

Value rule_value(const RuleText& rule, Arena& arena) {
    Value value = Value::map(arena);
    const auto add = [&](std::string_view field, std::string_view list) {
        if (!list.empty()) value.set(arena, field, words(arena, list));
    };
    add("verbs", rule.verbs);
    add("apiGroups", rule.groups);
    add("resources", rule.resources);
    add("resourceNames", rule.names);
    add("nonResourceURLs", rule.paths);
    return value;
}

std::string gathering_label(std::string_view role) {
    return std::string(kGroup) + "/aggregate-to-" + std::string(role);
}

Value metadata_value(std::string_view name, Arena& arena) {
    Value metadata = Value::map(arena);
    metadata.set(arena, "name", Value::reference(name));
    metadata.child_map(arena, "labels")
        .set(arena, "kubernetes.io/bootstrapping", Value::reference("rbac-defaults"));
    metadata.child_map(arena, "annotations").set(arena, kAutoUpdate, Value::reference("true"));
    return metadata;
}

std::string role_document(const RoleText& role) {
    Arena arena;
    Value metadata = metadata_value(role.name, arena);
    if (!role.gathered_by.empty())
        metadata.child_map(arena, "labels")
            .set(arena, arena.copy(gathering_label(role.gathered_by)), Value::reference("true"));
    Value document = Value::map(arena);
    document.set(arena, "metadata", metadata);
    if (role.gathers.empty()) {
        Value rules = Value::list(arena, role.rules.size());
        for (const RuleText& rule : role.rules) rules.push_back(arena, rule_value(rule, arena));
        document.set(arena, "rules", rules);
    } else {
        Value selector = Value::map(arena);
        selector.child_map(arena, "matchLabels")
            .set(arena, arena.copy(gathering_label(role.gathers)), Value::reference("true"));
        Value selectors = Value::list(arena);
        selectors.push_back(arena, selector);
        document.child_map(arena, "aggregationRule").set(arena, "clusterRoleSelectors", selectors);
    }
    return object::to_json(document);
}

std::string binding_document(const BindingText& binding) {
    Arena arena;
    Value subjects = Value::list(arena);
    const auto add = [&](std::string_view kind, std::string_view name, std::string_view space) {
        Value subject = Value::map(arena);
        subject.set(arena, "kind", Value::reference(kind));
        if (space.empty()) subject.set(arena, "apiGroup", Value::reference(kGroup));
        subject.set(arena, "name", Value::reference(name));
        if (!space.empty()) subject.set(arena, "namespace", Value::reference(space));
        subjects.push_back(arena, subject);
    };
    for (const std::string_view group : binding.groups) add("Group", group, {});
    if (!binding.user.empty()) add("User", binding.user, {});
    if (!binding.service_account.empty()) add("ServiceAccount", binding.service_account, "kube-system");
    Value document = Value::map(arena);
    document.set(arena, "metadata", metadata_value(binding.role, arena));
    if (subjects.size() > 0) document.set(arena, "subjects", subjects);
    Value reference = document.child_map(arena, "roleRef");
    reference.set(arena, "apiGroup", Value::reference(kGroup));
    reference.set(arena, "kind", Value::reference("ClusterRole"));
    reference.set(arena, "name", Value::reference(binding.role));
    return object::to_json(document);
}

bool is_protected(Value present) {
    return present["metadata"]["annotations"][kAutoUpdate].as_string() == "false";
}

// What is there keeps its value.
bool add_missing_members(Value present, Value wanted, std::string_view field, Arena& arena) {
    bool changed = false;
    for (const object::Member& member : wanted["metadata"][field].members()) {
        Value there = present.child_map(arena, "metadata").child_map(arena, field);
        if (there.has(member.name)) continue;
        there.set(arena, arena.copy(member.name), member.value.clone(arena));
        changed = true;
    }
    return changed;
}

bool add_missing_items(Value holder, Value wanted, std::string_view field, Arena& arena) {
    bool changed = false;
    for (const Value item : wanted[field].items()) {
        const auto present = holder[field].items();
        const bool is_there =
            std::any_of(present.begin(), present.end(), [&](Value one) { return one.equals(item); });
        if (is_there) continue;
        if (!holder[field].is_list()) holder.set(arena, field, Value::list(arena));
        holder[field].push_back(arena, item.clone(arena));
        changed = true;
    }
    return changed;
}

// A rule that others cover together need not be there word by word.
bool add_missing_rules(Value present, Value wanted, Arena& arena) {
    const auto missing = access::missing_rules(policy_rules_of(present), policy_rules_of(wanted));
    if (missing.empty()) return false;
    Value lacking = Value::map(arena);
    Value rules = Value::list(arena);
    for (const Value rule : wanted["rules"].items()) {
        Value single = Value::map(arena);
        Value one = Value::list(arena);
        one.push_back(arena, rule);
        single.set(arena, "rules", one);
        if (!access::missing_rules(policy_rules_of(present), policy_rules_of(single)).empty())
            rules.push_back(arena, rule);
    }
    lacking.set(arena, "rules", rules);
    return add_missing_items(present, lacking, "rules", arena);
}

}  // namespace

std::vector<DefaultObject> default_roles() {
    std::vector<DefaultObject> objects;
    for (const auto& roles :
         {user_roles(), common_roles(), certificate_roles(), node_roles(), control_roles()})
        for (const RoleText& role : roles)
            objects.push_back({kGroup, "clusterroles", "kube-apiserver", role_document(role)});
    for (const BindingText& binding : default_bindings())
        objects.push_back({kGroup, "clusterrolebindings", "kube-apiserver", binding_document(binding)});
    return objects;
}

bool add_missing_parts(Value present, Value wanted, Arena& arena) {
    if (is_protected(present)) return false;
    bool changed = add_missing_members(present, wanted, "labels", arena);
    changed |= add_missing_members(present, wanted, "annotations", arena);
    changed |= add_missing_items(present, wanted, "subjects", arena);
    if (const Value rule = wanted["aggregationRule"]; rule.is_map()) {
        // Its rules are the controller's.
        Value there = present.child_map(arena, "aggregationRule");
        return add_missing_items(there, rule, "clusterRoleSelectors", arena) || changed;
    }
    return add_missing_rules(present, wanted, arena) || changed;
}

bool must_be_replaced(Value present, Value wanted) {
    return wanted["roleRef"].is_map() && !is_protected(present) &&
           !present["roleRef"].equals(wanted["roleRef"]);
}

}  // namespace keelson::resource
