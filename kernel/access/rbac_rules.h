// Rules of RBAC (https://kubernetes.io/docs/reference/access-authn-authz/rbac/) as plain values, and the two
// questions about them: does one allow a request, and do some hold everything that others give. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/access/identity.h"

namespace keelson::access {

// A PolicyRule: either about resources ("pods", "pods/log", "*/scale", "*"; no resource names: all of them)
// or about paths ("/healthz", "/apis/*", "*").
struct PolicyRule {
    std::vector<std::string> verbs;
    std::vector<std::string> groups;
    std::vector<std::string> resources;
    std::vector<std::string> resource_names;
    std::vector<std::string> paths;
    bool operator==(const PolicyRule&) const = default;
};

// What somebody may do in a namespace, as far as it can be listed.
struct UserRules {
    std::vector<PolicyRule> rules;
    bool incomplete = false;  // more may be allowed, or some role could not be found
    std::vector<std::string> problems;
};

[[nodiscard]] bool allows(const PolicyRule& rule, const Attributes& attributes);

// What `wanted` gives and none of `held` does: rules of one verb, group, resource and name, or of one verb
// and path, each. Empty: everything is held.
[[nodiscard]] std::vector<PolicyRule> missing_rules(const std::vector<PolicyRule>& held,
                                                    const std::vector<PolicyRule>& wanted);

// Why `user`, who holds these rules, may not give away the wanted ones, in Kubernetes' words; empty when he
// may.
[[nodiscard]] std::string escalation_problem(const Identity& user, const UserRules& held,
                                             const std::vector<PolicyRule>& wanted);

// Everything there is: verbs, groups, resources and paths are "*".
[[nodiscard]] std::vector<PolicyRule> full_authority();

// Texts of several problems as one: a single one as it is, more of them "[a, b]", each once.
[[nodiscard]] std::string join_problems(const std::vector<std::string>& problems);

}  // namespace keelson::access
