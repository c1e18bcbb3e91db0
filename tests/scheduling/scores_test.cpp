// Which of the nodes that fit is taken.
#include <gtest/gtest.h>

#include <set>

#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

std::string request(std::string_view cpu, std::string_view memory) {
    return "spec: {containers: [{name: c, resources: {requests: {cpu: '" + std::string(cpu) +
           "', memory: " + std::string(memory) + "}}}]}";
}

TEST(ScoreTest, TheEmptierNodeWins) {
    World world;
    world.three_nodes();
    world.running("n1", "{metadata: {name: a}, " + request("1", "2Gi") + "}");
    world.running("n3", "{metadata: {name: b}, " + request("1", "2Gi") + "}");
    EXPECT_TRUE(world.always_goes_to("n2", "{" + request("1", "2Gi") + "}"));
}

TEST(ScoreTest, PodsThatAskForNothingSpreadToo) {
    World world;
    world.three_nodes();
    world.running("n1", "{metadata: {name: a}, spec: {containers: [{name: c}]}}");
    world.running("n2", "{metadata: {name: b}, spec: {containers: [{name: c}]}}");
    EXPECT_TRUE(world.always_goes_to("n3", "{spec: {containers: [{name: c}]}}"));
}

TEST(ScoreTest, CpuAndMemoryShouldFillTogether) {
    World world;
    world.node("{metadata: {name: n1}}");
    world.node("{metadata: {name: n2}}");
    // The same is left in sum, but on n1 all of it would be memory's.
    world.running("n1", "{metadata: {name: a}, " + request("2", "1") + "}");
    world.running("n2", "{metadata: {name: b}, " + request("1", "2Gi") + "}");
    EXPECT_TRUE(world.always_goes_to("n2", "{" + request("1", "1") + "}") ||
                world.always_goes_to("n2", "{" + request("1", "2Gi") + "}"));
}

TEST(ScoreTest, PreferredNodeLabelsDraw) {
    World world;
    world.three_nodes();
    EXPECT_TRUE(
        world.always_goes_to("n3",
                             "{spec: {affinity: {nodeAffinity: "
                             "{preferredDuringSchedulingIgnoredDuringExecution: [{weight: 10, preference: "
                             "{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}}]}}}}"));
}

TEST(ScoreTest, UnwantedTaintsAreAvoided) {
    World world;
    for (const char* name : {"n1", "n3"})
        world.node("{metadata: {name: " + std::string(name) +
                   "}, spec: {taints: [{key: k, effect: PreferNoSchedule}]}}");
    world.node("{metadata: {name: n2}}");
    EXPECT_TRUE(world.always_goes_to("n2", "{}"));
    std::set<std::string> seen;
    for (int count = 0; count < 50; ++count)
        seen.insert(world.decide("{spec: {tolerations: [{key: k, operator: Exists}]}}").node);
    EXPECT_EQ(seen.size(), 3U);
}

TEST(ScoreTest, NodesWithTheImageAreTaken) {
    World world;
    world.node("{metadata: {name: n1}}");
    world.node("{metadata: {name: n2}, status: {images: [{names: ['web:1'], sizeBytes: 900000000}]}}");
    EXPECT_TRUE(world.always_goes_to("n2", "{spec: {containers: [{name: c, image: 'web:1'}]}}"));
}

TEST(ScoreTest, TiesAreBrokenByTheSeed) {
    const auto run = [](std::uint64_t seed) {
        World world;
        world.three_nodes();
        base::SeededRandom random(seed);
        Decider decider(Profile(), world.cluster, world.nominations, random);
        std::string nodes;
        for (int count = 0; count < 30; ++count) nodes += decider.decide(*world.pod("{}"), "").node;
        return nodes;
    };
    EXPECT_EQ(run(1), run(1));
    EXPECT_NE(run(1), run(2));
    EXPECT_NE(run(1).find("n3"), std::string::npos);
}

}  // namespace
}  // namespace keelson::scheduling
