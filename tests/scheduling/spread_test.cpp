// Topology spread constraints, asked for and by default.
#include <gtest/gtest.h>

#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

constexpr const char* kHost = "kubernetes.io/hostname";
constexpr const char* kZone = "topology.kubernetes.io/zone";

std::string spread_pod(std::string_view topology, std::string_view more = "", std::string_view spec = "") {
    return "{metadata: {labels: {app: web}}, spec: {" + std::string(spec) +
           " topologySpreadConstraints: [{maxSkew: 1, topologyKey: " + std::string(topology) +
           ", labelSelector: {matchLabels: {app: web}}" + std::string(more) + "}]}}";
}

class SpreadTest : public ::testing::Test {
  protected:
    SpreadTest() { world_.three_nodes(); }
    void web(const char* node, const std::string& name, const std::string& more = "") {
        world_.running(node, "{metadata: {name: " + name + ", labels: {app: web}" + more + "}}");
    }
    World world_;
};

TEST_F(SpreadTest, GoesToTheZoneWithFewer) {
    web("n1", "a");
    EXPECT_TRUE(world_.always_goes_to("n3", spread_pod(kZone)));
}

TEST_F(SpreadTest, RefusesWhatWouldBeTooUneven) {
    web("n1", "a");
    world_.cluster.remove_node("n3");
    world_.node(
        "{metadata: {name: n3, labels: {topology.kubernetes.io/zone: b}}, spec: {unschedulable: true}}");
    EXPECT_EQ(
        world_.outcome(spread_pod(kZone)),
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match pod topology spread "
        "constraints. no new claims to deallocate, preemption: 0/3 nodes are available: 1 Preemption is not "
        "helpful for scheduling, 2 No preemption victims found for incoming pod.");
}

TEST_F(SpreadTest, NodesWithoutTheKeyAreRefused) {
    EXPECT_EQ(
        world_.outcome(spread_pod("rack")),
        "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints (missing required "
        "label). no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not "
        "helpful "
        "for scheduling.");
}

TEST_F(SpreadTest, ZonesThatThePodMayNotUseDoNotCount) {
    web("n1", "a");
    EXPECT_TRUE(
        world_.decide(spread_pod(kZone, "", "nodeSelector: {topology.kubernetes.io/zone: a},")).is_placed());
    EXPECT_FALSE(world_
                     .decide(spread_pod(kZone, ", nodeAffinityPolicy: Ignore",
                                        "nodeSelector: {topology.kubernetes.io/zone: a},"))
                     .is_placed());
}

TEST_F(SpreadTest, TaintedNodesCountUnlessTaintsAreHonored) {
    web("n1", "a");
    world_.node(
        "{metadata: {name: n3, labels: {topology.kubernetes.io/zone: b}}, spec: {taints: [{key: k, effect: "
        "NoSchedule}]}}");
    EXPECT_FALSE(world_.decide(spread_pod(kZone)).is_placed());
    EXPECT_TRUE(world_.decide(spread_pod(kZone, ", nodeTaintsPolicy: Honor")).is_placed());
}

TEST_F(SpreadTest, TooFewDomainsCountAsAnEmptyOne) {
    web("n1", "a");
    web("n3", "b");
    EXPECT_TRUE(world_.decide(spread_pod(kZone)).is_placed());
    EXPECT_FALSE(world_.decide(spread_pod(kZone, ", minDomains: 3")).is_placed());
}

TEST_F(SpreadTest, PodsThatAreGoingDoNotCount) {
    web("n1", "a", ", deletionTimestamp: '2026-01-01T00:00:00Z'");
    web("n3", "b");
    EXPECT_TRUE(world_.always_goes_to(
                    "n1", spread_pod(kHost, "", "nodeSelector: {topology.kubernetes.io/zone: a},")) ||
                world_.always_goes_to("n2", spread_pod(kHost)) ||
                world_.decide(spread_pod(kHost)).node != "n3");
}

TEST_F(SpreadTest, MatchLabelKeysSeparateRevisions) {
    world_.running("n1", "{metadata: {name: a, labels: {app: web, version: '1'}}}");
    world_.running("n3", "{metadata: {name: b, labels: {app: web, version: '2'}}}");
    const std::string pod =
        "{metadata: {labels: {app: web, version: '2'}}, spec: {topologySpreadConstraints: [{maxSkew: 1, "
        "topologyKey: "
        "topology.kubernetes.io/zone, labelSelector: {matchLabels: {app: web}}, matchLabelKeys: "
        "[version]}]}}";
    EXPECT_NE(world_.decide(pod).node, "n3");
}

TEST_F(SpreadTest, SoftConstraintsOnlyPrefer) {
    web("n1", "a");
    web("n2", "b");
    EXPECT_TRUE(world_.always_goes_to("n3", spread_pod(kHost, ", whenUnsatisfiable: ScheduleAnyway")));
    world_.cluster.remove_node("n3");
    EXPECT_TRUE(world_.decide(spread_pod(kHost, ", whenUnsatisfiable: ScheduleAnyway")).is_placed());
}

TEST_F(SpreadTest, PodsOfAServiceSpreadWithoutAsking) {
    object::MapView<std::string_view> labels(world_.parse("{app: web}"));
    world_.cluster.workloads.services["default"].emplace("web", Selector::from_labels(labels));
    web("n1", "a");
    web("n2", "b");
    EXPECT_TRUE(world_.always_goes_to("n3", "{metadata: {labels: {app: web}}}"));
}

TEST_F(SpreadTest, PodsOfAReplicaSetSpreadWithoutAsking) {
    object::MapView<std::string_view> labels(world_.parse("{app: web}"));
    world_.cluster.workloads.controllers.emplace("ReplicaSet/default/web", Selector::from_labels(labels));
    web("n1", "a");
    web("n3", "b");
    EXPECT_TRUE(world_.always_goes_to("n2",
                                      "{metadata: {labels: {app: web}, ownerReferences: [{kind: ReplicaSet, "
                                      "name: web, controller: true}]}}"));
}

}  // namespace
}  // namespace keelson::scheduling
