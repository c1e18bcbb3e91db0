// Who may write roles and bindings, how quickly they are in force, and what every cluster has of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/base/sync_wait.h"
#include "kernel/object/json.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/resource/role_guard.h"
#include "kernel/resource/signer_guard.h"
#include "kernel/resource/stored_rbac.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::string_view kRoles = "rbac.authorization.k8s.io/v1/roles";
constexpr std::string_view kBindings = "rbac.authorization.k8s.io/v1/rolebindings";
constexpr std::string_view kClusterRoles = "rbac.authorization.k8s.io/v1/clusterroles";
constexpr std::string_view kClusterBindings = "rbac.authorization.k8s.io/v1/clusterrolebindings";

std::string role(const std::string& name, const std::string& verbs, const std::string& resources,
                 const std::string& group = {}) {
    return R"({"metadata":{"name":")" + name + R"("},"rules":[{"verbs":[)" + verbs + R"(],"apiGroups":[")" +
           group + R"("],"resources":[)" + resources + "]}]}";
}

std::string binding(const std::string& name, const std::string& kind, const std::string& role,
                    const std::string& user) {
    return R"({"metadata":{"name":")" + name +
           R"("},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":")" + kind + R"(","name":")" +
           role + R"("},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":")" + user +
           R"("}]})";
}

class RbacTest : public ::testing::Test {
  protected:
    RbacTest() {
        authorization.add(std::make_shared<access::FixedAuthorizer>());
        authorization.add(std::make_shared<access::RbacAuthorizer>(rbac));
        cluster.verbs->guard(guard, signers);
    }
    access::Decision ask(const std::string& user, const std::string& verb, const std::string& resource,
                         const std::string& space = "default", const std::string& group = {}) {
        access::Attributes attributes;
        attributes.user = {user, "", {"system:authenticated"}, {}};
        attributes.verb = verb;
        attributes.is_resource_request = true;
        attributes.group = group;
        attributes.resource = resource;
        attributes.namespace_name = space;
        return base::sync_wait(cluster.executor, authorization.authorize(attributes));
    }
    bool may(const std::string& user, const std::string& verb, const std::string& resource,
             const std::string& space = "default") {
        return ask(user, verb, resource, space).allowed;
    }
    void make(const Target& target, const std::string& json) {
        const Outcome outcome = cluster.create(target, json);
        EXPECT_TRUE(outcome.ok()) << outcome.error;
    }
    void make_role(const std::string& json) { make({kRoles, "default", ""}, json); }
    void make_binding(const std::string& json) { make({kBindings, "default", ""}, json); }
    // As ann; the message of the refusal.
    std::string create_as_ann(const Target& target, const std::string& json) {
        Call call = Cluster::call_of(target);
        call.identity = {"ann", "", {"system:authenticated"}, {}};
        object::Arena arena;
        const Body body{*object::parse_json_copy(json, arena), {}};
        const WriteOptions options;
        const auto answer =
            base::sync_wait(cluster.executor, cluster.verbs->create(call, body, options, arena));
        return answer ? std::string() : answer.error().message();
    }
    std::string merge_as_ann(const Target& target, const std::string& json) {
        Call call = Cluster::call_of(target);
        call.identity = {"ann", "", {"system:authenticated"}, {}};
        object::Arena arena;
        const Body body{*object::parse_json_copy(json, arena), {}};
        const WriteOptions options;
        const auto answer =
            base::sync_wait(cluster.executor, cluster.verbs->patch(call, PatchType::merge, body, options));
        return answer ? std::string() : answer.error().message();
    }

    Cluster cluster;
    StoredRbac rbac{*cluster.store};
    access::Authorization authorization;
    RoleGuard guard{authorization, rbac};
    SignerGuard signers{authorization};
};

TEST_F(RbacTest, AChangeIsInForceForTheNextRequest) {
    EXPECT_FALSE(may("ann", "get", "pods"));
    make_role(role("reader", R"("get")", R"("pods")"));
    EXPECT_FALSE(may("ann", "get", "pods"));
    make_binding(binding("b", "Role", "reader", "ann"));
    EXPECT_TRUE(may("ann", "get", "pods"));
    EXPECT_FALSE(may("ann", "get", "pods", "kube-system"));
    (void)cluster.patch({kRoles, "default", "reader"}, PatchType::merge, R"({"rules":[]})");
    EXPECT_FALSE(may("ann", "get", "pods"));
    (void)cluster.patch({kRoles, "default", "reader"}, PatchType::merge,
                        R"({"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["services"]}]})");
    EXPECT_TRUE(may("ann", "get", "services"));
    (void)cluster.remove({kBindings, "default", "b"});
    EXPECT_FALSE(may("ann", "get", "services"));
}

TEST_F(RbacTest, WhatWasThereBeforeTheStartCounts) {
    make_role(role("reader", R"("get")", R"("pods")"));
    make_binding(binding("b", "Role", "reader", "ann"));
    StoredRbac later(*cluster.store);
    access::RbacAuthorizer authorizer(later);
    access::Attributes attributes;
    attributes.user.user = "ann";
    attributes.verb = "get";
    attributes.is_resource_request = true;
    attributes.resource = "pods";
    attributes.namespace_name = "default";
    EXPECT_TRUE(base::sync_wait(cluster.executor, authorizer.authorize(attributes)).allowed);
}

TEST_F(RbacTest, WhoFellBehindReadsAnew) {
    EXPECT_FALSE(may("ann", "get", "pods"));
    make_role(role("reader", R"("get")", R"("pods")"));
    make_binding(binding("b", "Role", "reader", "ann"));
    make({kBindings, "default", ""}, binding("passing", "Role", "reader", "bob"));
    (void)cluster.remove({kBindings, "default", "passing"});
    const auto compacted =
        base::sync_wait(cluster.executor, cluster.store->compact(cluster.store->current()));
    ASSERT_TRUE(compacted);
    EXPECT_TRUE(may("ann", "get", "pods"));
    EXPECT_FALSE(may("bob", "get", "pods"));
    make({kBindings, "default", ""}, binding("c", "Role", "reader", "bob"));
    EXPECT_TRUE(may("bob", "get", "pods"));
}

TEST_F(RbacTest, ThousandsOfBindingsAreAllThere) {
    make_role(role("reader", R"("get")", R"("pods")"));
    for (int i = 0; i < 3000; ++i) {
        const std::string number = std::to_string(i);
        make_binding(binding("b" + number, "Role", "reader", "user" + number));
    }
    StoredRbac fresh(*cluster.store);
    std::size_t allowed = 0;
    ASSERT_TRUE(fresh.read([&](const access::RbacPolicy& policy) {
        for (int i = 0; i < 3000; ++i)
            allowed += policy.rules_of({"user" + std::to_string(i), "", {}, {}}, "default").rules.size();
    }));
    EXPECT_EQ(allowed, 3000U);
    EXPECT_TRUE(may("user2999", "get", "pods"));
    EXPECT_FALSE(may("user3000", "get", "pods"));
}

// ann may write roles and bindings, read pods, and nothing else.
class RoleGuardTest : public RbacTest {
  protected:
    RoleGuardTest() {
        make({kClusterRoles, "", ""},
             role("writer", R"("create","patch","update")", R"("roles","rolebindings","clusterroles")",
                  "rbac.authorization.k8s.io"));
        make({kClusterBindings, "", ""}, binding("writer", "ClusterRole", "writer", "ann"));
        make_role(role("reader", R"("get","list")", R"("pods")"));
        make_binding(binding("reader", "Role", "reader", "ann"));
    }
    void let_ann(const std::string& verb, const std::string& resource) {
        make_role(role(verb, "\"" + verb + "\"", "\"" + resource + "\"", "rbac.authorization.k8s.io"));
        make_binding(binding(verb, "Role", verb, "ann"));
    }
};

TEST_F(RoleGuardTest, WhoWritesARoleHoldsItsRules) {
    EXPECT_EQ(create_as_ann({kRoles, "default", ""}, role("same", R"("get")", R"("pods")")), "");
    EXPECT_EQ(create_as_ann({kRoles, "default", ""}, role("more", R"("get","delete")", R"("pods")")),
              "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"ann\" "
              "(groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently "
              "held:\n{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\"]}");
    EXPECT_THAT(create_as_ann({kRoles, "kube-system", ""}, role("same", R"("get")", R"("pods")")),
                HasSubstr("not currently held"))
        << "what is held in one namespace is not held in another";
    EXPECT_THAT(create_as_ann({kClusterRoles, "", ""}, role("same", R"("get")", R"("pods")")),
                HasSubstr("not currently held"));
}

TEST_F(RoleGuardTest, WhoChangesARoleHoldsItsRules) {
    EXPECT_EQ(create_as_ann({kRoles, "default", ""}, role("same", R"("get")", R"("pods")")), "");
    EXPECT_THAT(merge_as_ann({kRoles, "default", "same"},
                             R"({"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]})"),
                HasSubstr("not currently held"));
    EXPECT_EQ(merge_as_ann({kRoles, "default", "same"}, R"({"rules":[]})"), "");
    make_role(role("strong", R"("delete")", R"("pods")"));
    EXPECT_THAT(merge_as_ann({kRoles, "default", "strong"}, R"({"metadata":{"labels":{"a":"b"}}})"),
                HasSubstr("not currently held"));
    EXPECT_EQ(
        merge_as_ann({kRoles, "default", "strong"}, R"({"metadata":{"finalizers":["example.com/hold"]}})"),
        "");
}

TEST_F(RoleGuardTest, WhoMayEscalateWritesAnyRole) {
    let_ann("escalate", "roles");
    EXPECT_EQ(create_as_ann({kRoles, "default", ""}, role("more", R"("*")", R"("*")")), "");
    EXPECT_THAT(create_as_ann({kRoles, "kube-system", ""}, role("more", R"("*")", R"("*")")),
                HasSubstr("not currently held"));
}

TEST_F(RoleGuardTest, GatheringNeedsEveryRight) {
    EXPECT_THAT(create_as_ann({kClusterRoles, "", ""},
                              R"({"metadata":{"name":"all"},"aggregationRule":{"clusterRoleSelectors":)"
                              R"([{"matchLabels":{"a":"b"}}]}})"),
                HasSubstr("must have cluster-admin privileges to use the aggregationRule"));
}

TEST_F(RoleGuardTest, WhoBindsARoleHoldsIt) {
    EXPECT_EQ(create_as_ann({kBindings, "default", ""}, binding("mine", "Role", "reader", "bob")), "");
    EXPECT_TRUE(may("bob", "list", "pods"));
    EXPECT_THAT(
        create_as_ann({kBindings, "default", ""}, binding("more", "ClusterRole", "cluster-admin", "ann")),
        AllOf(HasSubstr("rolebindings.rbac.authorization.k8s.io \"more\" is forbidden"),
              HasSubstr("{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}"),
              HasSubstr("{NonResourceURLs:[\"*\"], Verbs:[\"*\"]}")));
    EXPECT_EQ(create_as_ann({kBindings, "default", ""}, binding("none", "Role", "missing", "ann")),
              "roles.rbac.authorization.k8s.io \"missing\" not found");
    EXPECT_FALSE(may("ann", "delete", "pods"));
}

TEST_F(RoleGuardTest, WhoMayBindARoleNeedNotHoldIt) {
    make_role(role("strong", R"("delete")", R"("pods")"));
    EXPECT_THAT(create_as_ann({kBindings, "default", ""}, binding("b", "Role", "strong", "ann")),
                HasSubstr("not currently held"));
    let_ann("bind", "roles");
    EXPECT_EQ(create_as_ann({kBindings, "default", ""}, binding("b", "Role", "strong", "ann")), "");
    EXPECT_TRUE(may("ann", "delete", "pods"));
    EXPECT_THAT(
        create_as_ann({kBindings, "default", ""}, binding("c", "ClusterRole", "cluster-admin", "ann")),
        HasSubstr("not currently held"));
}

TEST_F(RoleGuardTest, AReferenceToARoleNeverChanges) {
    const Outcome outcome = cluster.patch({kBindings, "default", "reader"}, PatchType::merge,
                                          R"({"roleRef":{"kind":"ClusterRole","name":"cluster-admin"}})");
    EXPECT_EQ(outcome.code, 422);
    EXPECT_THAT(outcome.error, HasSubstr("cannot change roleRef"));
}

// A PEM certificate request, in base64.
constexpr std::string_view kRequest =
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIR01HNENBUUF3RERFS01BZ0dBMVVFQXd3QmNqQl"
    "pNQk1HQnlxR1NNNDlBZ0VHQ0NxR1NNNDlBd0VIQTBJQQpCQ3FOd2JnbHVuMXBRMGU0MEN4R2EzQytUVHBFQjBzbTRz"
    "ZDFYNG1XMFFqSmxpNFpzdkJkcGdkUWhObGY5a2V0Cm1KbXNPQmxPRW54bWt3Z3orK0RuK2ttZ0FEQUtCZ2dxaGtqT1"
    "BRUURBZ05JQURCRkFpQlFzV3NGSXVsY1pMdmgKUmh3T0szeDJsUHBIR1QwVFN6S2t4Z0E4aS9abTZRSWhBSWFBM0F6"
    "WklmNS9mbU00Z0Q2bHNwRGlhVzBXajVnLwo5OXFoUU5iNUtsdTkKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC"
    "0tLS0tCg==";

// ann may write certificate requests and all that belongs to them.
class SignerGuardTest : public RbacTest {
  protected:
    SignerGuardTest() {
        make({kClusterRoles, "", ""},
             role("requests", R"("*")",
                  R"("certificatesigningrequests","certificatesigningrequests/approval",)"
                  R"("certificatesigningrequests/status")",
                  "certificates.k8s.io"));
        make({kClusterBindings, "", ""}, binding("requests", "ClusterRole", "requests", "ann"));
        const Outcome made = cluster.create({kRequests, "", ""}, request_json());
        EXPECT_TRUE(made.ok()) << made.error;
    }
    static std::string request_json() {
        return R"({"metadata":{"name":"r"},"spec":{"signerName":"example.com/serving","usages":["digital signature"],)"
               R"("request":")" +
               std::string(kRequest) + "\"}}";
    }
    void let_ann(const std::string& verb, const std::string& signer) {
        make({kClusterRoles, "", ""},
             R"({"metadata":{"name":")" + verb + R"("},"rules":[{"verbs":[")" + verb +
                 R"("],"apiGroups":["certificates.k8s.io"],"resources":["signers"],"resourceNames":[")" +
                 signer + R"("]}]})");
        make({kClusterBindings, "", ""}, binding(verb, "ClusterRole", verb, "ann"));
    }
    std::string approve_as_ann() {
        return merge_as_ann(
            {"certificates.k8s.io/v1/certificatesigningrequests/approval", "", "r"},
            R"({"status":{"conditions":[{"type":"Approved","status":"True","reason":"x"}]}})");
    }
    std::string fail_as_ann() {
        return merge_as_ann({"certificates.k8s.io/v1/certificatesigningrequests/status", "", "r"},
                            R"({"status":{"conditions":[{"type":"Failed","status":"True","reason":"x"}]}})");
    }

    static constexpr std::string_view kRequests = "certificates.k8s.io/v1/certificatesigningrequests";
};

TEST_F(SignerGuardTest, WhoApprovesMayDoSoForTheSigner) {
    EXPECT_EQ(
        approve_as_ann(),
        "certificatesigningrequests.certificates.k8s.io \"r\" is forbidden: user not permitted to approve "
        "requests with signerName \"example.com/serving\"");
    let_ann("approve", "example.com/serving");
    EXPECT_EQ(approve_as_ann(), "");
    EXPECT_THAT(fail_as_ann(), HasSubstr("user not permitted to sign requests"));
}

TEST_F(SignerGuardTest, ADomainOfSignersIsEnough) {
    let_ann("sign", "example.com/*");
    EXPECT_EQ(fail_as_ann(), "");
}

TEST_F(SignerGuardTest, AnotherSignerDoesNotCount) {
    let_ann("approve", "kubernetes.io/kube-apiserver-client");
    EXPECT_THAT(approve_as_ann(), HasSubstr("user not permitted to approve"));
}

class DefaultRolesTest : public RbacTest {
  protected:
    void start_again() {
        const BootstrapSettings settings;
        const auto done = base::sync_wait(cluster.executor, bootstrap(*cluster.verbs, settings));
        EXPECT_TRUE(done);
    }
    std::size_t rules_of(std::string_view name) {
        return cluster.get({kClusterRoles, "", name})["rules"].size();
    }
};

TEST_F(DefaultRolesTest, EveryClusterHasThem) {
    for (const std::string_view name :
         {"cluster-admin", "admin", "edit", "view", "system:discovery", "system:basic-user",
          "system:public-info-viewer", "system:node", "system:kube-scheduler", "system:auth-delegator"}) {
        const Outcome found = cluster.get({kClusterRoles, "", name});
        ASSERT_TRUE(found.ok()) << name;
        EXPECT_EQ(found.text({"metadata", "labels", "kubernetes.io/bootstrapping"}), "rbac-defaults");
        EXPECT_EQ(found.text({"metadata", "annotations", "rbac.authorization.kubernetes.io/autoupdate"}),
                  "true");
    }
    EXPECT_TRUE(cluster.get({kClusterBindings, "", "cluster-admin"}).ok());
    EXPECT_TRUE(may("system:kube-scheduler", "patch", "persistentvolumes", ""));
}

TEST_F(DefaultRolesTest, AnotherStartChangesNothing) {
    const store::Revision before = cluster.store->current();
    start_again();
    EXPECT_EQ(cluster.store->current(), before);
}

TEST_F(DefaultRolesTest, AStartAddsWhatIsMissing) {
    const std::size_t rules = rules_of("system:node");
    (void)cluster.patch(
        {kClusterRoles, "", "system:node"}, PatchType::merge,
        R"({"metadata":{"labels":{"mine":"yes"}},"rules":[{"verbs":["get"],"apiGroups":["x"],)"
        R"("resources":["y"]}]})");
    (void)cluster.patch({kClusterBindings, "", "cluster-admin"}, PatchType::merge, R"({"subjects":[]})");
    (void)cluster.remove({kClusterRoles, "", "view"});
    start_again();
    EXPECT_EQ(rules_of("system:node"), rules + 1) << "what somebody has added stays";
    EXPECT_EQ(cluster.get({kClusterRoles, "", "system:node"}).text({"metadata", "labels", "mine"}), "yes");
    EXPECT_EQ(cluster.get({kClusterBindings, "", "cluster-admin"})["subjects"].size(), 1U);
    EXPECT_TRUE(cluster.get({kClusterRoles, "", "view"}).ok());
}

TEST_F(DefaultRolesTest, ABindingToAnotherRoleIsMadeAnew) {
    (void)cluster.remove({kClusterBindings, "", "system:discovery"});
    make({kClusterBindings, "", ""}, binding("system:discovery", "ClusterRole", "cluster-admin", "ann"));
    start_again();
    EXPECT_EQ(cluster.get({kClusterBindings, "", "system:discovery"}).text({"roleRef", "name"}),
              "system:discovery");
    EXPECT_FALSE(may("ann", "delete", "pods"));
}

TEST_F(DefaultRolesTest, WhoForbidsUpdatesIsLeftAlone) {
    (void)cluster.patch(
        {kClusterRoles, "", "system:node"}, PatchType::merge,
        R"({"metadata":{"annotations":{"rbac.authorization.kubernetes.io/autoupdate":"false"}},"rules":[]})");
    start_again();
    EXPECT_EQ(rules_of("system:node"), 0U);
}

}  // namespace
}  // namespace keelson::resource
