#include "kernel/access/rbac_policy.h"

#include <algorithm>
#include <utility>

namespace keelson::access {
namespace {

std::string role_key(std::string_view namespace_name, std::string_view name) {
    return std::string(namespace_name) + "/" + std::string(name);
}

std::string account_user(std::string_view namespace_name, std::string_view name) {
    return std::string(service_account_user_prefix) + std::string(namespace_name) + ":" + std::string(name);
}

std::string_view namespace_of(const RbacSubject& subject, const RbacBinding& binding) {
    return subject.namespace_name.empty() ? binding.namespace_name : subject.namespace_name;
}

// "u:NAME" or "g:NAME"; a service account is found by its user name. Empty: it is nobody.
std::string subject_key(const RbacSubject& subject, const RbacBinding& binding) {
    if (subject.kind == "User") return "u:" + subject.name;
    if (subject.kind == "Group") return "g:" + subject.name;
    const std::string_view space = namespace_of(subject, binding);
    if (subject.kind != "ServiceAccount" || space.empty()) return {};
    return "u:" + account_user(space, subject.name);
}

bool applies(const RbacSubject& subject, const RbacBinding& binding, const Identity& user) {
    const std::string key = subject_key(subject, binding);
    if (key.starts_with("g:")) return user.in_group(subject.name);
    return key.size() > 2 && std::string_view(key).substr(2) == user.user;
}

std::vector<std::string> keys_of(const Identity& user) {
    std::vector<std::string> keys{"u:" + user.user};
    for (const std::string& group : user.groups) keys.push_back("g:" + group);
    return keys;
}

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

// ClusterRoleBinding "x" of ClusterRole "y" to Group "z"; names of namespaces follow a slash.
std::string describe(const RbacBinding& binding, const Identity& user) {
    const bool is_cluster_wide = binding.namespace_name.empty();
    std::string text = is_cluster_wide ? "ClusterRoleBinding " + quoted(binding.name)
                                       : "RoleBinding " + quoted(binding.name + "/" + binding.namespace_name);
    text += " of " + binding.role_kind + " " + quoted(binding.role_name);
    const auto subject = std::ranges::find_if(
        binding.subjects, [&](const RbacSubject& one) { return applies(one, binding, user); });
    if (subject == binding.subjects.end()) return text;
    std::string name = subject->name;
    if (subject->kind == "ServiceAccount") name += "/" + std::string(namespace_of(*subject, binding));
    return text + " to " + subject->kind + " " + quoted(name);
}

std::string missing_role(const RbacBinding& binding) {
    const std::string_view resource = binding.role_kind == "Role" ? "role" : "clusterrole";
    return std::string(resource) + ".rbac.authorization.k8s.io " + quoted(binding.role_name) + " not found";
}

}  // namespace

void RbacPolicy::set_role(std::string_view namespace_name, std::string_view name,
                          std::vector<PolicyRule> rules) {
    roles_[role_key(namespace_name, name)] = std::move(rules);
}

void RbacPolicy::remove_role(std::string_view namespace_name, std::string_view name) {
    roles_.erase(role_key(namespace_name, name));
}

void RbacPolicy::set_binding(RbacBinding binding) {
    remove_binding(binding.namespace_name, binding.name);
    auto shared = std::make_shared<const RbacBinding>(std::move(binding));
    Scope& scope = scopes_[shared->namespace_name];
    scope.all[shared->name] = shared;
    for (const RbacSubject& subject : shared->subjects)
        if (std::string key = subject_key(subject, *shared); !key.empty())
            scope.by_subject[std::move(key)][shared->name] = shared;
}

void RbacPolicy::remove_binding(std::string_view namespace_name, std::string_view name) {
    const auto scope = scopes_.find(namespace_name);
    if (scope == scopes_.end()) return;
    const auto found = scope->second.all.find(name);
    if (found == scope->second.all.end()) return;
    const BindingPointer binding = found->second;
    scope->second.all.erase(found);
    auto& by_subject = scope->second.by_subject;
    for (const RbacSubject& subject : binding->subjects) {
        const auto same = by_subject.find(subject_key(subject, *binding));
        if (same == by_subject.end()) continue;
        same->second.erase(binding->name);
        if (same->second.empty()) by_subject.erase(same);
    }
    if (scope->second.all.empty()) scopes_.erase(scope);
}

const std::vector<PolicyRule>* RbacPolicy::find_role(std::string_view namespace_name,
                                                     std::string_view name) const {
    const auto found = roles_.find(role_key(namespace_name, name));
    return found == roles_.end() ? nullptr : &found->second;
}

const std::vector<PolicyRule>* RbacPolicy::role_of(const RbacBinding& binding) const {
    const std::string_view space = binding.role_kind == "Role" ? binding.namespace_name : std::string_view();
    // A Role needs a namespace: without this its reference would be taken for one of a ClusterRole.
    if (binding.role_kind == "Role" ? space.empty() : binding.role_kind != "ClusterRole") return nullptr;
    return find_role(space, binding.role_name);
}

const RbacPolicy::Scope* RbacPolicy::find_scope(std::string_view namespace_name) const {
    const auto found = scopes_.find(namespace_name);
    return found == scopes_.end() ? nullptr : &found->second;
}

Decision RbacPolicy::decide(const Attributes& attributes) const {
    const std::vector<std::string> keys = keys_of(attributes.user);
    std::vector<std::string> problems;
    const auto find_binding = [&](std::string_view namespace_name) -> const RbacBinding* {
        const Scope* scope = find_scope(namespace_name);
        if (scope == nullptr) return nullptr;
        for (const std::string& key : keys) {
            const auto bindings = scope->by_subject.find(key);
            if (bindings == scope->by_subject.end()) continue;
            for (const auto& [name, binding] : bindings->second) {
                const auto* rules = role_of(*binding);
                if (rules == nullptr)
                    problems.push_back(missing_role(*binding));
                else if (std::ranges::any_of(*rules,
                                             [&](const auto& rule) { return allows(rule, attributes); }))
                    return binding.get();
            }
        }
        return nullptr;
    };
    const RbacBinding* binding = find_binding({});
    if (binding == nullptr && !attributes.namespace_name.empty())
        binding = find_binding(attributes.namespace_name);
    if (binding != nullptr)
        return {.allowed = true, .reason = "RBAC: allowed by " + describe(*binding, attributes.user)};
    if (problems.empty()) return {};
    return {.reason = "RBAC: " + join_problems(problems)};
}

UserRules RbacPolicy::rules_of(const Identity& user, std::string_view namespace_name) const {
    const std::vector<std::string> keys = keys_of(user);
    UserRules result;
    const auto add_scope = [&](std::string_view space) {
        const Scope* scope = find_scope(space);
        if (scope == nullptr) return;
        Bindings applying;  // each once, in the order of names
        for (const std::string& key : keys)
            if (const auto found = scope->by_subject.find(key); found != scope->by_subject.end())
                applying.insert(found->second.begin(), found->second.end());
        for (const auto& [name, binding] : applying) {
            const auto* rules = role_of(*binding);
            if (rules == nullptr)
                result.problems.push_back(missing_role(*binding));
            else
                result.rules.insert(result.rules.end(), rules->begin(), rules->end());
        }
    };
    add_scope({});
    if (!namespace_name.empty()) add_scope(namespace_name);
    result.incomplete = !result.problems.empty();
    return result;
}

}  // namespace keelson::access
