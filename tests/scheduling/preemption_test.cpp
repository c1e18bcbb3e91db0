// Which pods go when a more important one needs room.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

using testing::ElementsAre;

std::string pod(const std::string& name, int priority, const std::string& cpu, const std::string& more = "",
                const std::string& status = "") {
    return "{metadata: {name: " + name + ", labels: {app: " + name +
           "}}, spec: {priority: " + std::to_string(priority) + ", " + more +
           " containers: [{name: c, resources: {requests: {cpu: '" + cpu + "'}}}]}, status: {" + status +
           "}}";
}

std::vector<std::string> names(const std::vector<PodPointer>& pods) {
    std::vector<std::string> result;
    for (const PodPointer& one : pods) result.push_back(one->name);
    return result;
}

class PreemptionTest : public ::testing::Test {
  protected:
    void one_node() { world_.node("{metadata: {name: n1}}"); }
    void budget(const std::string& app, std::int64_t allowed) {
        Budget made;
        made.namespace_name = "default";
        made.selector =
            Selector::from_labels(object::MapView<std::string_view>(world_.parse("{app: " + app + "}")));
        made.allowed = allowed;
        world_.cluster.budgets["default/" + app] = made;
    }
    World world_;
};

TEST_F(PreemptionTest, LessImportantPodsMakeRoom) {
    one_node();
    world_.running("n1", pod("low", 1, "3"));
    const Decision decision = world_.decide(pod("high", 10, "2"));
    EXPECT_FALSE(decision.is_placed());
    EXPECT_EQ(decision.message, "0/1 nodes are available: 1 Insufficient cpu.");
    ASSERT_TRUE(decision.preemption.is_found);
    EXPECT_EQ(decision.preemption.node, "n1");
    EXPECT_THAT(names(decision.preemption.victims), ElementsAre("low"));
}

TEST_F(PreemptionTest, PodsOfTheSamePriorityStay) {
    one_node();
    world_.running("n1", pod("low", 10, "3"));
    const Decision decision = world_.decide(pod("high", 10, "2"));
    EXPECT_FALSE(decision.preemption.is_found);
    EXPECT_TRUE(decision.preemption.clears_nomination);
    EXPECT_EQ(
        decision.message,
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are "
        "available: 1 No preemption victims found for incoming pod.");
}

TEST_F(PreemptionTest, AsFewAsPossibleGo) {
    one_node();
    world_.running("n1", pod("a", 1, "1"));
    world_.running("n1", pod("b", 2, "1"));
    world_.running("n1", pod("c", 3, "1"));
    const Decision decision = world_.decide(pod("high", 10, "2"));
    EXPECT_THAT(names(decision.preemption.victims), ElementsAre("a"));
}

TEST_F(PreemptionTest, OfEqualsTheYoungerGoes) {
    one_node();
    world_.running("n1", pod("old", 1, "2", "", "startTime: '2026-01-01T00:00:00Z'"));
    world_.running("n1", pod("young", 1, "2", "", "startTime: '2026-01-02T00:00:00Z'"));
    EXPECT_THAT(names(world_.decide(pod("high", 10, "2")).preemption.victims), ElementsAre("young"));
}

TEST_F(PreemptionTest, BudgetsAreSparedWhenOthersCanGo) {
    one_node();
    world_.running("n1", pod("guarded", 1, "2"));
    world_.running("n1", pod("free", 2, "2"));
    budget("guarded", 0);
    EXPECT_THAT(names(world_.decide(pod("high", 10, "2")).preemption.victims), ElementsAre("free"));
}

TEST_F(PreemptionTest, TheNodeWithoutBrokenBudgetsIsTaken) {
    one_node();
    world_.node("{metadata: {name: n2}}");
    world_.running("n1", pod("guarded", 1, "4"));
    world_.running("n2", pod("free", 5, "4"));
    budget("guarded", 0);
    EXPECT_EQ(world_.decide(pod("high", 10, "2")).preemption.node, "n2");
    budget("guarded", 1);
    EXPECT_EQ(world_.decide(pod("high", 10, "2")).preemption.node, "n1");
}

TEST_F(PreemptionTest, TheNodeWithTheLeastImportantVictimIsTaken) {
    one_node();
    world_.node("{metadata: {name: n2}}");
    world_.running("n1", pod("more", 5, "4"));
    world_.running("n2", pod("less", 1, "4"));
    EXPECT_EQ(world_.decide(pod("high", 10, "2")).preemption.node, "n2");
}

TEST_F(PreemptionTest, TheNodeWithFewerVictimsIsTaken) {
    one_node();
    world_.node("{metadata: {name: n2}}");
    world_.running("n1", pod("a", 1, "2"));
    world_.running("n1", pod("b", 1, "2"));
    world_.running("n2", pod("c", 1, "4"));
    EXPECT_EQ(world_.decide(pod("high", 10, "4")).preemption.node, "n2");
}

TEST_F(PreemptionTest, NeverMeansNever) {
    one_node();
    world_.running("n1", pod("low", 1, "3"));
    const Decision decision = world_.decide(pod("high", 10, "2", "preemptionPolicy: Never,"));
    EXPECT_FALSE(decision.preemption.is_found);
    EXPECT_EQ(decision.message,
              "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not "
              "eligible due "
              "to preemptionPolicy=Never.");
}

TEST_F(PreemptionTest, WhatNoPodCausesIsNotHelped) {
    one_node();
    world_.running("n1", pod("low", 1, "3"));
    EXPECT_EQ(
        world_.outcome(pod("high", 10, "2", "nodeSelector: {disk: tape},")),
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to "
        "deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
}

TEST_F(PreemptionTest, WaitsForVictimsThatAreOnTheirWay) {
    one_node();
    world_.running(
        "n1",
        "{metadata: {name: low, deletionTimestamp: '2026-01-01T00:00:00Z'}, spec: {containers: [{name: c, "
        "resources: {requests: {cpu: '3'}}}]}, status: {conditions: [{type: DisruptionTarget, status: "
        "'True', "
        "reason: PreemptionByScheduler}]}}");
    const Decision decision = world_.decider.decide(*world_.pod(pod("high", 10, "2")), "n1");
    EXPECT_FALSE(decision.preemption.is_found);
    EXPECT_EQ(decision.message,
              "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not "
              "eligible due "
              "to a terminating pod on the nominated node.");
}

TEST_F(PreemptionTest, AntiAffinityIsResolvedToo) {
    one_node();
    world_.running("n1", pod("low", 1, "1"));
    const Decision decision = world_.decide(
        pod("high", 10, "1",
            "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: "
            "{matchLabels: {app: low}}, topologyKey: kubernetes.io/hostname}]}},"));
    EXPECT_THAT(names(decision.preemption.victims), ElementsAre("low"));
}

TEST_F(PreemptionTest, RoomThatIsKeptForAnotherIsNotTaken) {
    one_node();
    const PodPointer waiting = world_.pod(pod("waiting", 10, "3"));
    world_.nominations.set(waiting, "n1");
    EXPECT_FALSE(world_.decide(pod("small", 5, "2")).is_placed());
    EXPECT_TRUE(world_.decide(pod("more-important", 20, "2")).is_placed());
    EXPECT_EQ(world_.decider.decide(*waiting, "n1").node, "n1");
}

}  // namespace
}  // namespace keelson::scheduling
