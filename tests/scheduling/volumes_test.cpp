// Pods with volumes: claims, zones, limits and sharing.
#include <gtest/gtest.h>

#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

constexpr const char* kPod = "{spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}}";

std::string bound(std::string_view volume, std::string_view mode = "ReadWriteOnce") {
    return "{metadata: {name: data, namespace: default, annotations: {pv.kubernetes.io/bind-completed: "
           "'yes'}}, spec: "
           "{volumeName: " +
           std::string(volume) + ", accessModes: [" + std::string(mode) + "]}}";
}

class VolumesTest : public ::testing::Test {
  protected:
    VolumesTest() { world_.three_nodes(); }
    World world_;
};

TEST_F(VolumesTest, AMissingClaimRefusesAtOnce) {
    EXPECT_EQ(world_.outcome(kPod),
              "0/3 nodes are available: persistentvolumeclaim \"data\" not found. not found");
}

TEST_F(VolumesTest, AnUnboundClaimWaitsForItsVolume) {
    world_.claim("{metadata: {name: data}, spec: {}}");
    EXPECT_EQ(world_.outcome(kPod),
              "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found");
}

TEST_F(VolumesTest, ALostClaimIsNamed) {
    world_.claim("{metadata: {name: data}, spec: {volumeName: pv}, status: {phase: Lost}}");
    EXPECT_EQ(world_.outcome(kPod),
              "0/3 nodes are available: persistentvolumeclaim \"data\" bound to non-existent "
              "persistentvolume \"pv\". "
              "not found");
}

TEST_F(VolumesTest, AClaimThatIsGoingIsNotUsed) {
    world_.claim(
        "{metadata: {name: data, deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {volumeName: pv}}");
    EXPECT_EQ(world_.outcome(kPod),
              "0/3 nodes are available: persistentvolumeclaim \"data\" is being deleted. not found");
}

TEST_F(VolumesTest, AnEphemeralVolumeWaitsForItsClaim) {
    EXPECT_EQ(world_.outcome("{spec: {volumes: [{name: v, ephemeral: {volumeClaimTemplate: {spec: {}}}}]}}"),
              "0/3 nodes are available: waiting for ephemeral volume controller to create the "
              "persistentvolumeclaim "
              "\"p-v\". not found");
}

TEST_F(VolumesTest, GoesWhereTheVolumeCanBeReached) {
    world_.claim(bound("pv"));
    world_.volume(
        "{metadata: {name: pv}, spec: {nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: "
        "[{key: "
        "kubernetes.io/hostname, operator: In, values: [n2]}]}]}}}}");
    EXPECT_TRUE(world_.always_goes_to("n2", kPod));
    world_.cluster.remove_node("n2");
    EXPECT_EQ(
        world_.outcome(kPod),
        "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity. no new claims to "
        "deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.");
}

TEST_F(VolumesTest, ABoundClaimWithoutVolumeIsRefused) {
    world_.claim(bound("pv"));
    EXPECT_EQ(world_.outcome(kPod), "0/3 nodes are available: persistentvolume \"pv\" not found. not found");
}

TEST_F(VolumesTest, GoesToTheZoneOfTheVolume) {
    world_.claim(bound("pv"));
    world_.volume("{metadata: {name: pv, labels: {topology.kubernetes.io/zone: b__c}}, spec: {}}");
    EXPECT_TRUE(world_.always_goes_to("n3", kPod));
    world_.volume("{metadata: {name: pv, labels: {topology.kubernetes.io/zone: d}}, spec: {}}");
    EXPECT_NE(world_.outcome(kPod).find("3 node(s) had no available volume zone"), std::string::npos);
}

TEST_F(VolumesTest, AClaimForOnePodIsNotShared) {
    world_.claim(bound("pv", "ReadWriteOncePod"));
    world_.volume("{metadata: {name: pv}, spec: {}}");
    EXPECT_TRUE(world_.decide(kPod).is_placed());
    world_.running(
        "n1",
        "{metadata: {name: other}, spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}}");
    EXPECT_NE(world_.outcome(kPod).find("3 node has pod using PersistentVolumeClaim with the same name and "
                                        "ReadWriteOncePod access mode"),
              std::string::npos);
}

TEST_F(VolumesTest, DisksInUseAreNotShared) {
    const std::string disk = "volumes: [{name: v, gcePersistentDisk: {pdName: d";
    world_.running("n1", "{metadata: {name: a}, spec: {" + disk + "}}]}}");
    world_.running("n2", "{metadata: {name: b}, spec: {" + disk + ", readOnly: true}}]}}");
    world_.running("n3", "{metadata: {name: c}, spec: {" + disk + "}}]}}");
    EXPECT_TRUE(world_.always_goes_to("n2", "{spec: {" + disk + ", readOnly: true}}]}}"));
    EXPECT_NE(world_.outcome("{spec: {" + disk + "}}]}}").find("3 node(s) had no available disk"),
              std::string::npos);
}

TEST_F(VolumesTest, NodesAttachOnlySoManyVolumes) {
    world_.claim(bound("pv"));
    world_.volume("{metadata: {name: pv}, spec: {csi: {driver: d, volumeHandle: h}}}");
    world_.claim(
        "{metadata: {name: data2, annotations: {pv.kubernetes.io/bind-completed: 'yes'}}, spec: {volumeName: "
        "pv2}}");
    world_.volume("{metadata: {name: pv2}, spec: {csi: {driver: d, volumeHandle: h2}}}");
    for (const char* node : {"n1", "n2", "n3"}) {
        world_.cluster.storage.node_limits[node].emplace_back("d", 1);
        world_.running(node,
                       "{metadata: {name: on-" + std::string(node) +
                           "}, spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: data2}}]}}");
    }
    EXPECT_NE(world_.outcome(kPod).find("3 node(s) exceed max volume count"), std::string::npos);
    // The volume that is there already takes no more room.
    EXPECT_TRUE(world_.decide("{spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: data2}}]}}")
                    .is_placed());
}

class WaitingVolumesTest : public VolumesTest {
  protected:
    WaitingVolumesTest() {
        world_.storage_class(
            "{metadata: {name: local}, provisioner: kubernetes.io/no-provisioner, volumeBindingMode: "
            "WaitForFirstConsumer}");
        world_.storage_class(
            "{metadata: {name: made}, provisioner: d, volumeBindingMode: WaitForFirstConsumer, "
            "allowedTopologies: [{matchLabelExpressions: [{key: topology.kubernetes.io/zone, values: "
            "[b]}]}]}");
    }
    void local_volume(const std::string& name, const std::string& node, const std::string& size) {
        world_.volume("{metadata: {name: " + name +
                      "}, spec: {storageClassName: local, accessModes: [ReadWriteOnce], "
                      "capacity: {storage: " +
                      size +
                      "}, nodeAffinity: {required: {nodeSelectorTerms: "
                      "[{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [" +
                      node + "]}]}]}}}, status: {phase: Available}}");
    }
    void waiting_claim(const std::string& storage_class) {
        world_.claim("{metadata: {name: data}, spec: {storageClassName: " + storage_class +
                     ", accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}");
    }
};

TEST_F(WaitingVolumesTest, TakesTheSmallestVolumeOfTheNode) {
    waiting_claim("local");
    local_volume("small", "n2", "512Mi");
    local_volume("large", "n2", "10Gi");
    local_volume("right", "n2", "2Gi");
    const Decision decision = world_.decide(kPod);
    EXPECT_EQ(decision.node, "n2");
    ASSERT_EQ(decision.volumes.bindings.size(), 1U);
    EXPECT_EQ(decision.volumes.bindings[0].second->name, "right");
}

TEST_F(WaitingVolumesTest, WithoutAVolumeNoNodeWillDo) {
    waiting_claim("local");
    EXPECT_EQ(world_.outcome(kPod),
              "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind. no new "
              "claims to "
              "deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.");
}

TEST_F(WaitingVolumesTest, VolumesAreMadeWhereTheClassAllows) {
    waiting_claim("made");
    const Decision decision = world_.decide(kPod);
    EXPECT_EQ(decision.node, "n3");
    EXPECT_EQ(decision.volumes.to_provision.size(), 1U);
}

TEST_F(WaitingVolumesTest, DriversSayWhereTheyHaveRoom) {
    waiting_claim("made");
    world_.cluster.storage.drivers_with_capacity["d"] = true;
    EXPECT_NE(world_.outcome(kPod).find("1 node(s) did not have enough free storage"), std::string::npos);
    world_.cluster.storage.capacities["x"] = read_capacity(api_types::storage_v1::CSIStorageCapacity(
        world_.parse("{storageClassName: made, capacity: 5Gi, nodeTopology: {matchLabels: "
                     "{topology.kubernetes.io/zone: b}}}")));
    EXPECT_EQ(world_.decide(kPod).node, "n3");
}

TEST_F(WaitingVolumesTest, AVolumeThatAnotherPodHasTakenIsLeftAlone) {
    waiting_claim("local");
    local_volume("one", "n2", "2Gi");
    world_.cluster.storage.assumed_volumes["one"] = "default/other";
    EXPECT_FALSE(world_.decide(kPod).is_placed());
}

}  // namespace
}  // namespace keelson::scheduling
