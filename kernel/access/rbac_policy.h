// All roles and bindings of the cluster in memory, found by who they are about: a decision looks at the
// bindings of the user and of his groups only, however many there are.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/access/authorization.h"
#include "kernel/access/rbac_rules.h"

namespace keelson::access {

struct RbacSubject {
    std::string kind;  // "User", "Group", "ServiceAccount"
    std::string name;
    std::string namespace_name;  // of a ServiceAccount; empty: the binding's own
};

// A ClusterRoleBinding when it has no namespace, else a RoleBinding.
struct RbacBinding {
    std::string namespace_name;
    std::string name;
    std::string role_kind;  // "Role", "ClusterRole"
    std::string role_name;
    std::vector<RbacSubject> subjects;
};

// Many may read at the same time; who changes it is alone.
class RbacPolicy {
  public:
    // A ClusterRole has no namespace. What is there already is replaced.
    void set_role(std::string_view namespace_name, std::string_view name, std::vector<PolicyRule> rules);
    void remove_role(std::string_view namespace_name, std::string_view name);
    void set_binding(RbacBinding binding);
    void remove_binding(std::string_view namespace_name, std::string_view name);
    void clear() { *this = RbacPolicy(); }

    // Allowed or no opinion. A binding whose role is missing gives nothing; the reason of a refusal says so.
    [[nodiscard]] Decision decide(const Attributes& attributes) const;
    // The rules of the user for the whole cluster, and for the namespace unless it is empty.
    [[nodiscard]] UserRules rules_of(const Identity& user, std::string_view namespace_name) const;
    // Null when there is no such role.
    [[nodiscard]] const std::vector<PolicyRule>* find_role(std::string_view namespace_name,
                                                           std::string_view name) const;

  private:
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    template <typename Value>
    using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;
    using BindingPointer = std::shared_ptr<const RbacBinding>;
    using Bindings = std::map<std::string, BindingPointer, std::less<>>;  // by name
    struct Scope {
        Bindings all;
        TextMap<Bindings> by_subject;
    };

    [[nodiscard]] const std::vector<PolicyRule>* role_of(const RbacBinding& binding) const;
    [[nodiscard]] const Scope* find_scope(std::string_view namespace_name) const;

    TextMap<std::vector<PolicyRule>> roles_;  // by "namespace/name"
    TextMap<Scope> scopes_;                   // by namespace; "": the cluster's
};

}  // namespace keelson::access
