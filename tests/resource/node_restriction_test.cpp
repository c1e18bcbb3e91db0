// What a node may write, and which objects are its pods' own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/base/sync_wait.h"
#include "kernel/object/json.h"
#include "kernel/resource/node_relations.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using testing::HasSubstr;

class NodeRestrictionTest : public ::testing::Test {
  protected:
    NodeRestrictionTest() {
        make({"v1/nodes", "", ""}, R"({"metadata":{"name":"n1"}})");
        make({"v1/nodes", "", ""}, R"({"metadata":{"name":"n2"}})");
        make({"v1/serviceaccounts", "default", ""}, R"({"metadata":{"name":"default"}})");
    }
    void make(const Target& target, const std::string& json) {
        const Outcome outcome = cluster.create(target, json);
        EXPECT_TRUE(outcome.ok() || outcome.code == 409) << outcome.error;
    }
    void pod(const std::string& name, const std::string& node, const std::string& spec = {}) {
        make({"v1/pods", "default", ""}, pod_json(name, {}, R"(,"nodeName":")" + node + "\"" + spec));
    }
    // As the node n1; the message of the refusal.
    template <typename Do>
    std::string as_node(const Target& target, Do work) {
        Call call = Cluster::call_of(target);
        call.identity = access::node_identity("n1");
        const auto answer = base::sync_wait(cluster.executor, work(call));
        return answer ? std::string() : answer.error().message();
    }
    std::string create(const Target& target, const std::string& json) {
        object::Arena arena;
        const Body body{*object::parse_json_copy(json, arena), {}};
        const WriteOptions options;
        return as_node(target, [&](Call& call) {
            return Subresources::handles(call) ? cluster.subresources->create(call, body, options, arena)
                                               : cluster.verbs->create(call, body, options, arena);
        });
    }
    std::string merge(const Target& target, const std::string& json) {
        object::Arena arena;
        const Body body{*object::parse_json_copy(json, arena), {}};
        const WriteOptions options;
        return as_node(
            target, [&](Call& call) { return cluster.verbs->patch(call, PatchType::merge, body, options); });
    }
    std::string remove(const Target& target) {
        const DeleteOptions options;
        return as_node(target, [&](Call& call) { return cluster.verbs->remove(call, options); });
    }

    Cluster cluster;
    StoredNodeRelations relations{cluster.verbs->lookup()};
};

TEST_F(NodeRestrictionTest, ItsOwnNodeOnly) {
    EXPECT_EQ(merge({"v1/nodes", "", "n1"}, R"({"metadata":{"labels":{"a":"b"}}})"), "");
    EXPECT_EQ(merge({"v1/nodes/status", "", "n1"}, R"({"status":{"capacity":{"cpu":"1"}}})"), "");
    EXPECT_THAT(merge({"v1/nodes", "", "n2"}, R"({"metadata":{"labels":{"a":"b"}}})"),
                HasSubstr(R"(node "n1" is not allowed to modify node "n2")"));
    EXPECT_THAT(create({"v1/nodes", "", ""}, R"({"metadata":{"name":"n3"}})"), HasSubstr("n3"));
    EXPECT_THAT(remove({"v1/nodes", "", "n2"}), HasSubstr("not allowed to modify node"));
}

TEST_F(NodeRestrictionTest, NoLabelsThatDrawPods) {
    for (const char* label :
         {"node-restriction.kubernetes.io/a", "x.node-restriction.kubernetes.io/a",
          "node-role.kubernetes.io/control-plane", "example.k8s.io/a", "kubernetes.io/unknown"})
        EXPECT_THAT(
            merge({"v1/nodes", "", "n1"}, R"({"metadata":{"labels":{")" + std::string(label) + R"(":"b"}}})"),
            HasSubstr("not allowed to modify labels: " + std::string(label)));
    for (const char* label : {"example.org/a", "kubernetes.io/hostname", "node.kubernetes.io/a",
                              "topology.kubernetes.io/zone", "notk8s.io/a"})
        EXPECT_EQ(
            merge({"v1/nodes", "", "n1"}, R"({"metadata":{"labels":{")" + std::string(label) + R"(":"b"}}})"),
            "");
    EXPECT_THAT(merge({"v1/nodes", "", "n1"}, R"({"spec":{"taints":[{"key":"a","effect":"NoSchedule"}]}})"),
                HasSubstr("not allowed to modify taints"));
    EXPECT_THAT(
        merge({"v1/nodes", "", "n1"},
              R"({"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"x","uid":"u"}]}})"),
        HasSubstr("ownerReferences"));
}

TEST_F(NodeRestrictionTest, TheStatusOfItsOwnPodsOnly) {
    pod("mine", "n1");
    pod("other", "n2");
    const std::string status = R"({"status":{"phase":"Running"}})";
    EXPECT_EQ(merge({"v1/pods/status", "default", "mine"}, status), "");
    EXPECT_THAT(merge({"v1/pods/status", "default", "other"}, status),
                HasSubstr("can only update pod status for pods with spec.nodeName set to itself"));
    EXPECT_THAT(merge({"v1/pods", "default", "mine"}, R"({"metadata":{"labels":{"a":"b"}}})"),
                HasSubstr("may not change the spec of pods"));
    EXPECT_THAT(remove({"v1/pods", "default", "other"}), HasSubstr("can only delete pods"));
    EXPECT_EQ(remove({"v1/pods", "default", "mine"}), "");
    EXPECT_THAT(create({"v1/pods/eviction", "default", "other"}, R"({"metadata":{"name":"other"}})"),
                HasSubstr("can only delete pods"));
}

TEST_F(NodeRestrictionTest, MirrorPodsThatReferToNothing) {
    const std::string uid = cluster.get({"v1/nodes", "", "n1"}).text({"metadata", "uid"});
    const std::string mark =
        R"(,"annotations":{"kubernetes.io/config.mirror":"x"},"ownerReferences":[{"apiVersion":"v1",)"
        R"("kind":"Node","name":"n1","controller":true,"uid":")" +
        uid + "\"}]";
    const std::string here = R"(,"nodeName":"n1","automountServiceAccountToken":false)";
    EXPECT_EQ(create({"v1/pods", "default", ""}, pod_json("good", mark, here)), "");
    EXPECT_THAT(create({"v1/pods", "default", ""}, pod_json("plain", {}, here)), HasSubstr("mirror"));
    EXPECT_THAT(create({"v1/pods", "default", ""}, pod_json("there", mark, R"(,"nodeName":"n2")")),
                HasSubstr("spec.nodeName set to itself"));
    EXPECT_THAT(create({"v1/pods", "default", ""},
                       pod_json("thief", mark,
                                here + R"(,"volumes":[{"name":"s","secret":{"secretName":"prize"}}])")),
                HasSubstr("can not create pods that reference"));
}

TEST_F(NodeRestrictionTest, ItsOwnLeaseOnly) {
    const auto lease = [](const std::string& name) { return R"({"metadata":{"name":")" + name + R"("}})"; };
    EXPECT_EQ(create({"coordination.k8s.io/v1/leases", "kube-node-lease", ""}, lease("n1")), "");
    EXPECT_THAT(create({"coordination.k8s.io/v1/leases", "kube-node-lease", ""}, lease("n2")),
                HasSubstr("same name as the requesting node"));
    EXPECT_THAT(create({"coordination.k8s.io/v1/leases", "default", ""}, lease("n1")),
                HasSubstr("system namespace"));
}

TEST_F(NodeRestrictionTest, OthersAreNotRestricted) {
    EXPECT_TRUE(cluster
                    .patch({"v1/nodes", "", "n2"}, PatchType::merge,
                           R"({"metadata":{"labels":{"node-restriction.kubernetes.io/a":"b"}}})")
                    .ok());
}

TEST_F(NodeRestrictionTest, RelationsComeFromBoundPods) {
    pod("mine", "n1",
        R"(,"imagePullSecrets":[{"name":"pull"}],"volumes":[{"name":"s","secret":{"secretName":"vol"}},)"
        R"({"name":"p","projected":{"sources":[{"configMap":{"name":"map"}},{"secret":{"name":"part"}}]}},)"
        R"({"name":"c","persistentVolumeClaim":{"claimName":"claim"}}])");
    EXPECT_TRUE(relations.is_bound("n1", "default", "mine"));
    EXPECT_FALSE(relations.is_bound("n2", "default", "mine"));
    for (const char* secret : {"pull", "vol", "part"}) {
        EXPECT_TRUE(relations.uses("n1", "secrets", "default", secret)) << secret;
        EXPECT_FALSE(relations.uses("n2", "secrets", "default", secret));
        EXPECT_FALSE(relations.uses("n1", "secrets", "kube-system", secret));
        EXPECT_FALSE(relations.uses("n1", "configmaps", "default", secret));
    }
    EXPECT_TRUE(relations.uses("n1", "configmaps", "default", "map"));
    EXPECT_TRUE(relations.uses("n1", "persistentvolumeclaims", "default", "claim"));
    EXPECT_TRUE(relations.uses("n1", "serviceaccounts", "default", "default"));
    EXPECT_FALSE(relations.uses("n1", "secrets", "default", "mine"));
    make({"v1/persistentvolumes", "", ""},
         R"({"metadata":{"name":"pv"},"spec":{"capacity":{"storage":"1Gi"},"accessModes":["ReadWriteOnce"],)"
         R"("claimRef":{"namespace":"default","name":"claim"},"csi":{"driver":"d","volumeHandle":"h",)"
         R"("nodeStageSecretRef":{"name":"stage","namespace":"vault"}}}})");
    EXPECT_TRUE(relations.uses("n1", "persistentvolumes", "", "pv"));
    EXPECT_FALSE(relations.uses("n2", "persistentvolumes", "", "pv"));
    EXPECT_TRUE(relations.uses("n1", "secrets", "vault", "stage"));
    EXPECT_FALSE(relations.uses("n2", "secrets", "vault", "stage"));
}

}  // namespace
}  // namespace keelson::resource
