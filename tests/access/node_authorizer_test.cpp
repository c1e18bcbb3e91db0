#include "kernel/access/node_authorizer.h"

#include <gtest/gtest.h>

#include <set>

#include "kernel/base/sync_wait.h"

namespace keelson::access {
namespace {

// The pod default/mine is bound to n1 and uses everything in default that is called "used".
class FakeRelations final : public NodeRelations {
  public:
    [[nodiscard]] bool is_bound(std::string_view node, std::string_view space,
                                std::string_view pod) const override {
        return node == "n1" && space == "default" && pod == "mine";
    }
    [[nodiscard]] bool uses(std::string_view node, std::string_view resource, std::string_view space,
                            std::string_view name) const override {
        const bool is_cluster_scoped = resource == "persistentvolumes";
        return node == "n1" && name == "used" && (is_cluster_scoped || space == "default");
    }
};

class NodeAuthorizerTest : public ::testing::Test {
  protected:
    // "secrets", "leases.coordination.k8s.io", "pods/status".
    Decision ask(const std::string& verb, const std::string& resource, const std::string& space = {},
                 const std::string& name = {}, const std::string& selector = {}) {
        Attributes attributes;
        attributes.user = who;
        attributes.verb = verb;
        attributes.is_resource_request = true;
        const auto slash = resource.find('/');
        const std::string whole = resource.substr(0, slash);
        const auto dot = whole.find('.');
        attributes.resource = whole.substr(0, dot);
        if (dot != std::string::npos) attributes.group = whole.substr(dot + 1);
        if (slash != std::string::npos) attributes.subresource = resource.substr(slash + 1);
        attributes.namespace_name = space;
        attributes.name = name;
        attributes.field_selector = selector;
        base::SimulatedExecutor executor;
        return base::sync_wait(executor, authorizer.authorize(attributes));
    }
    bool may(const std::string& verb, const std::string& resource, const std::string& space = {},
             const std::string& name = {}, const std::string& selector = {}) {
        return ask(verb, resource, space, name, selector).allowed;
    }

    Identity who = node_identity("n1");
    FakeRelations relations;
    NodeAuthorizer authorizer{relations};
};

TEST_F(NodeAuthorizerTest, HasNoOpinionAboutOthers) {
    who = node_identity("n1");
    who.groups = {"system:authenticated"};
    EXPECT_FALSE(may("get", "nodes", "", "n1")) << "the name alone gives nothing";
    who = {.user = "system:node:", .uid = {}, .groups = {"system:nodes"}, .extra = {}};
    EXPECT_FALSE(may("get", "nodes", "", "n1"));
    EXPECT_EQ(ask("get", "nodes"), Decision());
}

TEST_F(NodeAuthorizerTest, AllowsWhatItsPodsUseByName) {
    for (const char* resource : {"secrets", "configmaps"}) {
        for (const char* verb : {"get", "list", "watch"}) {
            EXPECT_TRUE(may(verb, resource, "default", "used")) << verb << resource;
            EXPECT_FALSE(may(verb, resource, "default", "other"));
            EXPECT_FALSE(may(verb, resource, "other", "used"));
            EXPECT_FALSE(may(verb, resource, "default"));
            EXPECT_FALSE(may(verb, resource));
        }
        EXPECT_FALSE(may("update", resource, "default", "used"));
    }
    EXPECT_TRUE(may("get", "persistentvolumeclaims", "default", "used"));
    EXPECT_FALSE(may("watch", "persistentvolumeclaims", "default", "used"));
    EXPECT_TRUE(may("get", "persistentvolumes", "", "used"));
    EXPECT_EQ(ask("get", "secrets", "default", "other").reason,
              "no relationship found between node 'n1' and this object");
}

TEST_F(NodeAuthorizerTest, AllowsTokensOfItsPodsAccounts) {
    EXPECT_TRUE(may("create", "serviceaccounts/token", "default", "used"));
    EXPECT_FALSE(may("create", "serviceaccounts/token", "default", "other"));
    EXPECT_FALSE(may("get", "serviceaccounts", "default", "used"));
    EXPECT_FALSE(may("create", "serviceaccounts", "default"));
}

TEST_F(NodeAuthorizerTest, ShowsThePodsThatAreBoundToIt) {
    EXPECT_TRUE(may("get", "pods", "default", "mine"));
    EXPECT_FALSE(may("get", "pods", "default", "other"));
    for (const char* verb : {"list", "watch"}) {
        EXPECT_TRUE(may(verb, "pods", "", "", "spec.nodeName=n1"));
        EXPECT_TRUE(may(verb, "pods", "", "", "status.phase=Running,spec.nodeName==n1"));
        EXPECT_FALSE(may(verb, "pods", "", "", "spec.nodeName=n2"));
        EXPECT_FALSE(may(verb, "pods", "", "", "spec.nodeName!=n1"));
        EXPECT_FALSE(may(verb, "pods", "", "", "spec.nodeName=n11"));
        EXPECT_FALSE(may(verb, "pods"));
    }
    EXPECT_TRUE(may("patch", "pods/status", "default", "mine"));
    EXPECT_TRUE(may("create", "pods/eviction", "default", "mine"));
    EXPECT_FALSE(may("update", "pods", "default", "mine"));
    EXPECT_FALSE(may("create", "pods/binding", "default", "mine"));
    EXPECT_FALSE(may("get", "pods/log", "default", "mine"));
}

TEST_F(NodeAuthorizerTest, LetsItChangeItsOwnNodeAndLeaseOnly) {
    EXPECT_TRUE(may("create", "nodes"));
    for (const char* verb : {"update", "patch"}) {
        for (const char* resource : {"nodes", "nodes/status"}) {
            EXPECT_TRUE(may(verb, resource, "", "n1"));
            EXPECT_FALSE(may(verb, resource, "", "n2"));
        }
        EXPECT_TRUE(may(verb, "leases.coordination.k8s.io", "kube-node-lease", "n1"));
        EXPECT_FALSE(may(verb, "leases.coordination.k8s.io", "kube-node-lease", "n2"));
        EXPECT_FALSE(may(verb, "leases.coordination.k8s.io", "kube-system", "n1"));
        EXPECT_TRUE(may(verb, "csinodes.storage.k8s.io", "", "n1"));
        EXPECT_FALSE(may(verb, "csinodes.storage.k8s.io", "", "n2"));
    }
    EXPECT_TRUE(may("watch", "nodes"));
    EXPECT_FALSE(may("delete", "nodes", "", "n1"));
    EXPECT_FALSE(may("update", "nodes/proxy", "", "n1"));
    EXPECT_FALSE(may("list", "leases.coordination.k8s.io", "kube-node-lease"));
}

TEST_F(NodeAuthorizerTest, AllowsWhatEveryNodeNeeds) {
    EXPECT_TRUE(may("watch", "services"));
    EXPECT_TRUE(may("create", "events", "default"));
    EXPECT_TRUE(may("create", "certificatesigningrequests.certificates.k8s.io"));
    EXPECT_FALSE(may("update", "certificatesigningrequests.certificates.k8s.io/approval", "", "x"));
    EXPECT_FALSE(may("get", "deployments.apps", "default", "d"));
}

}  // namespace
}  // namespace keelson::access
