#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/access/rbac_authorizer.h"
#include "kernel/base/executor_simulated.h"
#include "kernel/base/sync_wait.h"

namespace keelson::access {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// "get pods/log.apps in a named x", "get /healthz".
Attributes request(const std::string& verb, const std::string& what, const std::string& space = {},
                   const std::string& name = {}) {
    Attributes attributes;
    attributes.verb = verb;
    if (what.starts_with('/')) {
        attributes.path = what;
        return attributes;
    }
    attributes.is_resource_request = true;
    const auto slash = what.find('/');
    const std::string whole = what.substr(0, slash);
    const auto dot = whole.find('.');
    attributes.resource = whole.substr(0, dot);
    if (dot != std::string::npos) attributes.group = whole.substr(dot + 1);
    if (slash != std::string::npos) attributes.subresource = what.substr(slash + 1);
    attributes.namespace_name = space;
    attributes.name = name;
    return attributes;
}

PolicyRule rule(std::vector<std::string> verbs, std::vector<std::string> groups,
                std::vector<std::string> resources, std::vector<std::string> names = {}) {
    return {.verbs = std::move(verbs),
            .groups = std::move(groups),
            .resources = std::move(resources),
            .resource_names = std::move(names),
            .paths = {}};
}

PolicyRule path_rule(std::vector<std::string> paths) {
    return {.verbs = {"get"}, .groups = {}, .resources = {}, .resource_names = {}, .paths = std::move(paths)};
}

struct Case {
    PolicyRule rule;
    Attributes asked;
    bool allowed;
};

TEST(RbacRulesTest, AllowWhatTheySayAndNothingElse) {
    const Case cases[] = {
        {rule({"get"}, {""}, {"pods"}), request("get", "pods"), true},
        {rule({"get"}, {""}, {"pods"}), request("list", "pods"), false},
        {rule({"get"}, {""}, {"pods"}), request("get", "secrets"), false},
        {rule({"get"}, {""}, {"pods"}), request("get", "pods.metrics.k8s.io"), false},
        {rule({"get"}, {""}, {"pods"}), request("get", "pods/log"), false},
        {rule({"get"}, {""}, {"pods/log"}), request("get", "pods/log"), true},
        {rule({"get"}, {""}, {"pods/log"}), request("get", "pods"), false},
        {rule({"*"}, {"*"}, {"*"}), request("escalate", "roles.rbac.authorization.k8s.io"), true},
        {rule({"*"}, {"*"}, {"*"}), request("get", "pods/log"), true},
        {rule({"*"}, {"*"}, {"*"}), request("get", "/healthz"), false},
        {rule({"update"}, {"apps"}, {"*/scale"}), request("update", "deployments.apps/scale"), true},
        {rule({"update"}, {"apps"}, {"*/scale"}), request("update", "deployments.apps/status"), false},
        {rule({"update"}, {"apps"}, {"*/scale"}), request("update", "deployments.apps"), false},
        {rule({"get"}, {""}, {"configmaps"}, {"a"}), request("get", "configmaps", "n", "a"), true},
        {rule({"get"}, {""}, {"configmaps"}, {"a"}), request("get", "configmaps", "n", "b"), false},
        {rule({"list"}, {""}, {"configmaps"}, {"a"}), request("list", "configmaps", "n"), false},
        {rule({"create"}, {""}, {"configmaps"}, {"a"}), request("create", "configmaps", "n"), false},
        {path_rule({"/healthz"}), request("get", "/healthz"), true},
        {path_rule({"/healthz"}), request("get", "/healthz/etcd"), false},
        {path_rule({"/healthz/*"}), request("get", "/healthz/etcd"), true},
        {path_rule({"/healthz/*"}), request("get", "/healthz"), false},
        {path_rule({"/health*"}), request("get", "/healthz"), true},
        {path_rule({"*"}), request("get", "/metrics"), true},
        {path_rule({"*"}), request("post", "/metrics"), false},
        {path_rule({"*"}), request("get", "pods"), false},
    };
    for (const Case& one : cases)
        EXPECT_EQ(allows(one.rule, one.asked), one.allowed)
            << one.asked.verb << " " << one.asked.resource << "/" << one.asked.subresource << one.asked.path
            << " by " << testing::PrintToString(one.rule.resources) << testing::PrintToString(one.rule.paths);
}

struct CoverCase {
    PolicyRule held;
    PolicyRule wanted;
    bool covered;
};

TEST(RbacRulesTest, HoldsWhatIsWantedPieceByPiece) {
    const CoverCase cases[] = {
        {rule({"get", "list"}, {""}, {"pods", "services"}), rule({"list"}, {""}, {"services"}), true},
        {rule({"get"}, {""}, {"pods"}), rule({"get", "list"}, {""}, {"pods"}), false},
        {rule({"*"}, {"*"}, {"*"}), rule({"*"}, {"*"}, {"*"}), true},
        {rule({"get"}, {""}, {"pods"}), rule({"*"}, {""}, {"pods"}), false},
        {rule({"get"}, {""}, {"*"}), rule({"get"}, {""}, {"pods/log"}), true},
        {rule({"get"}, {""}, {"*/log"}), rule({"get"}, {""}, {"pods/log"}), true},
        {rule({"get"}, {""}, {"*/log"}), rule({"get"}, {""}, {"pods"}), false},
        {rule({"get"}, {""}, {"pods"}, {"a"}), rule({"get"}, {""}, {"pods"}, {"a"}), true},
        {rule({"get"}, {""}, {"pods"}, {"a"}), rule({"get"}, {""}, {"pods"}), false},
        {rule({"get"}, {""}, {"pods"}), rule({"get"}, {""}, {"pods"}, {"a"}), true},
        {path_rule({"/apis/*"}), path_rule({"/apis/apps"}), true},
        {path_rule({"/apis/*"}), path_rule({"/apis/*"}), true},
        {path_rule({"/apis/apps"}), path_rule({"/apis/*"}), false},
        {rule({"*"}, {"*"}, {"*"}), path_rule({"/metrics"}), false},
        {path_rule({"*"}), rule({"get"}, {""}, {"pods"}), false},
    };
    for (const CoverCase& one : cases)
        EXPECT_EQ(missing_rules({one.held}, {one.wanted}).empty(), one.covered)
            << testing::PrintToString(one.held.resources) << testing::PrintToString(one.held.paths) << " and "
            << testing::PrintToString(one.wanted.resources) << testing::PrintToString(one.wanted.paths);
}

TEST(RbacRulesTest, SeveralRulesTogetherHoldAnother) {
    const std::vector<PolicyRule> held{rule({"get"}, {""}, {"pods"}), rule({"list"}, {""}, {"pods"})};
    EXPECT_THAT(missing_rules(held, {rule({"get", "list"}, {""}, {"pods"})}), IsEmpty());
}

TEST(RbacRulesTest, WhatIsNotHeldIsNamedInKubernetesWords) {
    const Identity user{"ann", "", {"dev", "system:authenticated"}, {}};
    UserRules held;
    held.rules = {rule({"get"}, {""}, {"pods"})};
    EXPECT_EQ(escalation_problem(user, held, {rule({"get"}, {""}, {"pods"})}), "");
    EXPECT_EQ(escalation_problem(user, held,
                                 {rule({"get", "list", "watch"}, {""}, {"secrets", "pods"}, {"x"}),
                                  path_rule({"/metrics"})}),
              "user \"ann\" (groups=[\"dev\" \"system:authenticated\"]) is attempting to grant RBAC "
              "permissions not currently held:\n"
              "{APIGroups:[\"\"], Resources:[\"pods\"], ResourceNames:[\"x\"], Verbs:[\"list\" \"watch\"]}\n"
              "{APIGroups:[\"\"], Resources:[\"secrets\"], ResourceNames:[\"x\"], Verbs:[\"get\" \"list\" "
              "\"watch\"]}\n"
              "{NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}");
    held.problems = {"clusterroles.rbac.authorization.k8s.io \"gone\" not found"};
    EXPECT_THAT(escalation_problem(user, held, {path_rule({"/metrics"})}),
                testing::EndsWith("Verbs:[\"get\"]}; resolution errors: "
                                  "[clusterroles.rbac.authorization.k8s.io \"gone\" not found]"));
}

class RbacPolicyTest : public ::testing::Test {
  protected:
    RbacPolicyTest() {
        policy.set_role("", "reader", {rule({"get"}, {""}, {"pods"})});
        policy.set_role("a", "reader", {rule({"get"}, {""}, {"services"})});
    }
    Decision ask(const Identity& user, Attributes attributes) {
        attributes.user = user;
        return policy.decide(attributes);
    }
    bool may(const Identity& user, const std::string& verb, const std::string& what,
             const std::string& space = {}) {
        return ask(user, request(verb, what, space)).allowed;
    }

    const Identity ann{"ann", "", {"dev"}, {}};
    const Identity account{
        "system:serviceaccount:a:robot", "", {"system:serviceaccounts", "system:serviceaccounts:a"}, {}};
    RbacPolicy policy;
};

TEST_F(RbacPolicyTest, ABindingOfTheClusterCountsEverywhere) {
    policy.set_binding({"", "b", "ClusterRole", "reader", {{"Group", "dev", ""}}});
    EXPECT_TRUE(may(ann, "get", "pods"));
    EXPECT_TRUE(may(ann, "get", "pods", "anywhere"));
    EXPECT_FALSE(may(ann, "delete", "pods", "anywhere"));
    EXPECT_FALSE(may(account, "get", "pods", "a"));
    EXPECT_EQ(ask(ann, request("get", "pods")).reason,
              R"(RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "dev")");
}

TEST_F(RbacPolicyTest, ABindingOfANamespaceCountsThereOnly) {
    policy.set_binding({"a", "b", "ClusterRole", "reader", {{"User", "bob", ""}, {"User", "ann", ""}}});
    EXPECT_TRUE(may(ann, "get", "pods", "a"));
    EXPECT_FALSE(may(ann, "get", "pods", "b"));
    EXPECT_FALSE(may(ann, "get", "pods"));
    EXPECT_EQ(ask(ann, request("get", "pods", "a")).reason,
              R"(RBAC: allowed by RoleBinding "b/a" of ClusterRole "reader" to User "ann")");
}

TEST_F(RbacPolicyTest, ARoleIsOneOfTheBindingsNamespace) {
    policy.set_binding({"a", "b", "Role", "reader", {{"User", "ann", ""}}});
    policy.set_binding({"z", "b", "Role", "reader", {{"User", "ann", ""}}});
    EXPECT_TRUE(may(ann, "get", "services", "a"));
    EXPECT_FALSE(may(ann, "get", "pods", "a"));
    EXPECT_FALSE(may(ann, "get", "services", "z")) << "there is no such role in z";
    EXPECT_FALSE(may(ann, "get", "pods", "z")) << "the ClusterRole of that name is another one";
}

TEST_F(RbacPolicyTest, AServiceAccountIsItsNamespacesOwnUnlessSaid) {
    policy.set_binding({"a", "own", "Role", "reader", {{"ServiceAccount", "robot", ""}}});
    policy.set_binding({"z", "other", "ClusterRole", "reader", {{"ServiceAccount", "robot", "a"}}});
    EXPECT_TRUE(may(account, "get", "services", "a"));
    EXPECT_TRUE(may(account, "get", "pods", "z"));
    EXPECT_EQ(
        ask(account, request("get", "pods", "z")).reason,
        R"(RBAC: allowed by RoleBinding "other/z" of ClusterRole "reader" to ServiceAccount "robot/a")");
    const Identity other{"system:serviceaccount:b:robot", "", {}, {}};
    EXPECT_FALSE(may(other, "get", "services", "a"));
    policy.set_binding({"", "nobody", "ClusterRole", "reader", {{"ServiceAccount", "robot", ""}}});
    EXPECT_FALSE(may(account, "get", "pods", "q")) << "without a namespace it is nobody";
}

TEST_F(RbacPolicyTest, AMissingRoleGivesNothingAndIsSaid) {
    policy.set_binding({"", "b", "ClusterRole", "gone", {{"User", "ann", ""}}});
    EXPECT_FALSE(may(ann, "get", "pods"));
    EXPECT_EQ(ask(ann, request("get", "pods")).reason,
              R"(RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found)");
    policy.set_binding({"a", "b", "Role", "gone", {{"User", "ann", ""}}});
    EXPECT_EQ(ask(ann, request("get", "pods", "a")).reason,
              R"(RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, )"
              R"(role.rbac.authorization.k8s.io "gone" not found])");
    // Another binding helps all the same.
    policy.set_binding({"a", "c", "ClusterRole", "reader", {{"User", "ann", ""}}});
    EXPECT_TRUE(may(ann, "get", "pods", "a"));
    EXPECT_TRUE(policy.rules_of(ann, "a").incomplete);
}

TEST_F(RbacPolicyTest, WhatIsTakenAwayIsGone) {
    policy.set_binding({"", "b", "ClusterRole", "reader", {{"User", "ann", ""}}});
    policy.set_binding({"", "b", "ClusterRole", "reader", {{"User", "bob", ""}}});
    EXPECT_FALSE(may(ann, "get", "pods"));
    const Identity bob{"bob", "", {}, {}};
    EXPECT_TRUE(may(bob, "get", "pods"));
    policy.remove_binding("", "b");
    EXPECT_FALSE(may(bob, "get", "pods"));
    policy.set_binding({"", "b", "ClusterRole", "reader", {{"User", "ann", ""}}});
    policy.set_role("", "reader", {});
    EXPECT_FALSE(may(ann, "get", "pods"));
    policy.remove_role("", "reader");
    EXPECT_FALSE(may(ann, "get", "pods"));
}

TEST_F(RbacPolicyTest, ListsTheRulesOfEveryBindingOnce) {
    policy.set_binding({"", "b", "ClusterRole", "reader", {{"User", "ann", ""}, {"Group", "dev", ""}}});
    policy.set_binding({"a", "b", "Role", "reader", {{"Group", "dev", ""}}});
    EXPECT_THAT(policy.rules_of(ann, "a").rules,
                ElementsAre(rule({"get"}, {""}, {"pods"}), rule({"get"}, {""}, {"services"})));
    EXPECT_THAT(policy.rules_of(ann, "").rules, ElementsAre(rule({"get"}, {""}, {"pods"})));
    EXPECT_FALSE(policy.rules_of(ann, "a").incomplete);
}

class BrokenSource final : public RbacSource {
  public:
    base::Result<void> read(const std::function<void(const RbacPolicy&)>&) override {
        return base::Status(base::Reason::service_unavailable, "the store is closed");
    }
};

TEST(RbacAuthorizerTest, WhatCannotBeReadAllowsNothing) {
    BrokenSource source;
    RbacAuthorizer authorizer(source);
    base::SimulatedExecutor executor;
    const Decision decision = base::sync_wait(executor, authorizer.authorize(request("get", "pods")));
    EXPECT_FALSE(decision.allowed);
    EXPECT_EQ(decision.reason, "RBAC: the store is closed");
}

TEST(RulesOfUserTest, AdministratorsMayDoEverythingWithoutAnyRole) {
    Authorization authorization;
    authorization.add(std::make_shared<FixedAuthorizer>());
    base::SimulatedExecutor executor;
    const Identity admin{"root", "", {"system:masters"}, {}};
    const UserRules rules = base::sync_wait(executor, authorization.rules_of(admin, "default"));
    EXPECT_EQ(rules.rules, full_authority());
    EXPECT_FALSE(rules.incomplete);
}

}  // namespace
}  // namespace keelson::access
