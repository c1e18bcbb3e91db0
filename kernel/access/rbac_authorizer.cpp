#include "kernel/access/rbac_authorizer.h"

namespace keelson::access {

base::Task<Decision> RbacAuthorizer::authorize(const Attributes& attributes) {
    Decision decision;
    const auto read = source_.read([&](const RbacPolicy& policy) { decision = policy.decide(attributes); });
    // What cannot be read allows nothing.
    if (!read) co_return Decision{.reason = "RBAC: " + read.error().message()};
    co_return decision;
}

base::Task<UserRules> RbacAuthorizer::rules_of(const Identity& user, const std::string& namespace_name) {
    UserRules rules;
    const auto read =
        source_.read([&](const RbacPolicy& policy) { rules = policy.rules_of(user, namespace_name); });
    if (!read) co_return UserRules{.rules = {}, .incomplete = true, .problems = {read.error().message()}};
    co_return rules;
}

}  // namespace keelson::access
