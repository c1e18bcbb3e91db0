// Searching: how many nodes are looked at, and how what was found is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

TEST(DecisionTest, WithoutNodesThereIsNothingToSay) {
    World world;
    const Decision decision = world.decide("{}");
    EXPECT_EQ(decision.message, "no nodes available to schedule pods");
    EXPECT_TRUE(decision.refused_by.empty());
}

TEST(DecisionTest, ReasonsAreCountedAndSorted) {
    World world;
    world.three_nodes();
    world.node("{metadata: {name: n4}, spec: {taints: [{key: k, effect: NoExecute}]}}");
    world.node("{metadata: {name: n5}, spec: {unschedulable: true}}");
    EXPECT_EQ(world.outcome("{spec: {containers: [{name: c, resources: {requests: {cpu: '64'}}}]}}"),
              "0/5 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 3 "
              "Insufficient cpu. no new claims to deallocate, preemption: 0/5 nodes are available: 5 "
              "Preemption is not "
              "helpful for scheduling.");
}

TEST(DecisionTest, NamesWhoRefused) {
    World world;
    world.node("{metadata: {name: n1}}");
    const Decision decision = world.decide("{spec: {nodeSelector: {a: b}}}");
    EXPECT_TRUE(decision.refused_by.contains(PluginId::node_affinity));
    EXPECT_FALSE(decision.refused_by.contains(PluginId::node_resources_fit));
}

TEST(DecisionTest, SearchesOfLargeClustersTakeTurns) {
    World world;
    for (int number = 0; number < 1000; ++number)
        world.node("{metadata: {name: n" + std::to_string(number) + "}}");
    std::set<std::string> seen;
    for (int count = 0; count < 200; ++count) seen.insert(world.decide("{}").node);
    EXPECT_GT(seen.size(), 150U);
}

TEST(DecisionTest, TheOnlyNodeIsFoundInALargeCluster) {
    World world;
    for (int number = 0; number < 500; ++number)
        world.node("{metadata: {name: n" + std::to_string(number) + "}}");
    world.node("{metadata: {name: last, labels: {disk: ssd}}}");
    EXPECT_EQ(world.decide("{spec: {nodeSelector: {disk: ssd}}}").node, "last");
}

TEST(MessageTest, LongMessagesAreCutForEvents) {
    const std::string note = event_note(std::string(2000, 'x'));
    EXPECT_EQ(note.size(), 1024U);
    EXPECT_TRUE(note.ends_with("x ..."));
    EXPECT_EQ(event_note("short"), "short");
}

}  // namespace
}  // namespace keelson::scheduling
