// What pods ask for, and how pods that are alike share what is known of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

struct RequestCase {
    const char* name;
    const char* spec;
    std::int64_t milli_cpu;
    std::int64_t memory_bytes;
    std::int64_t non_zero_milli_cpu;
};

class PodRequestTest : public ::testing::TestWithParam<RequestCase> {};

TEST_P(PodRequestTest, CountsWhatThePodNeeds) {
    World world;
    const PodPointer pod = world.pod(std::string("{spec: ") + GetParam().spec + "}");
    EXPECT_EQ(pod->shape->request.exact.milli_cpu, GetParam().milli_cpu);
    EXPECT_EQ(pod->shape->request.exact.memory_bytes, GetParam().memory_bytes);
    EXPECT_EQ(pod->shape->request.non_zero_milli_cpu, GetParam().non_zero_milli_cpu);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, PodRequestTest,
    ::testing::Values(
        RequestCase{"ContainersAddUp",
                    "{containers: [{name: a, resources: {requests: {cpu: 100m, memory: 1Ki}}}, "
                    "{name: b, resources: {requests: {cpu: '1'}}}]}",
                    1100, 1024, 1100},
        RequestCase{"NothingCountsAsALittle", "{containers: [{name: a}]}", 0, 0, 100},
        RequestCase{"TheLargestInitContainerCounts",
                    "{initContainers: [{name: i, resources: {requests: {cpu: '2'}}}], "
                    "containers: [{name: a, resources: {requests: {cpu: '1'}}}]}",
                    2000, 0, 2000},
        RequestCase{"SidecarsRunBesideContainers",
                    "{initContainers: [{name: i, restartPolicy: Always, resources: {requests: {cpu: '2'}}}], "
                    "containers: [{name: a, resources: {requests: {cpu: '1'}}}]}",
                    3000, 0, 3000},
        RequestCase{"InitContainersRunBesideEarlierSidecars",
                    "{initContainers: [{name: s, restartPolicy: Always, resources: {requests: {cpu: '1'}}}, "
                    "{name: i, resources: {requests: {cpu: '3'}}}], "
                    "containers: [{name: a, resources: {requests: {cpu: '1'}}}]}",
                    4000, 0, 4000},
        RequestCase{"OverheadComesOnTop",
                    "{overhead: {cpu: 250m}, containers: [{name: a, resources: {requests: {cpu: '1'}}}]}",
                    1250, 0, 1250},
        RequestCase{"PodLevelResourcesReplaceContainers",
                    "{resources: {requests: {cpu: '5'}}, "
                    "containers: [{name: a, resources: {requests: {cpu: '1', memory: 1Ki}}}]}",
                    5000, 1024, 5000}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(PodReaderTest, PodsOfOneTemplateShareTheirShape) {
    World world;
    const std::string rest = "labels: {app: web}}, spec: {containers: [{name: c, image: web:1}]}}";
    const PodPointer one = world.pod("{metadata: {name: a, " + rest);
    const PodPointer two = world.pod("{metadata: {name: b, " + rest);
    const PodPointer other = world.pod("{metadata: {name: c, labels: {app: db}}, spec: {containers: []}}");
    EXPECT_EQ(one->shape, two->shape);
    EXPECT_NE(one->shape, other->shape);
}

TEST(PodReaderTest, ShapesThatNobodyHoldsAreForgotten) {
    World world;
    for (int number = 0; number < 1000; ++number)
        (void)world.pod("{metadata: {labels: {number: n" + std::to_string(number) + "}}}");
    EXPECT_LT(world.reader.shapes(), 200U);
}

TEST(PodReaderTest, ResizedContainersCountWithTheLargerAmount) {
    World world;
    const PodPointer pod = world.pod(
        "{spec: {containers: [{name: a, resources: {requests: {cpu: '1'}}}]}, "
        "status: {containerStatuses: [{name: a, resources: {requests: {cpu: '2'}}}]}}");
    EXPECT_EQ(pod->shape->request.exact.milli_cpu, 2000);
}

TEST(ClusterTest, NodesAccountForTheirPods) {
    World world;
    world.three_nodes();
    const std::string spec =
        "spec: {containers: [{name: c, resources: {requests: {cpu: '1', example.com/gpu: '2'}}}]}";
    const PodPointer pod = world.running("n1", "{metadata: {name: a}, " + spec + "}");
    EXPECT_EQ(world.cluster.node("n1")->requested.milli_cpu, 1000);
    EXPECT_EQ(world.cluster.node("n1")->requested.other("example.com/gpu"), 2);
    world.cluster.remove_pod(pod->uid);
    EXPECT_EQ(world.cluster.node("n1")->requested.milli_cpu, 0);
    EXPECT_TRUE(world.cluster.all_groups().empty());
}

TEST(ClusterTest, AnAssumedPodBecomesARealOneWhenItIsSeen) {
    World world;
    world.three_nodes();
    const PodPointer pod = world.pod("{metadata: {name: a}}");
    world.cluster.assume(pod, "n1");
    EXPECT_TRUE(world.cluster.is_assumed(pod->uid));
    EXPECT_EQ(world.cluster.assumed_count(), 1U);
    world.cluster.set_pod(pod, "n2");
    EXPECT_FALSE(world.cluster.is_assumed(pod->uid));
    EXPECT_TRUE(world.cluster.node("n1")->pods.empty());
    EXPECT_EQ(world.cluster.node("n2")->pods.size(), 1U);
}

TEST(ClusterTest, NodesOfAllZonesComeEarly) {
    World world;
    world.three_nodes();
    std::vector<std::string> names;
    for (const NodeInfo* node : world.cluster.nodes()) names.push_back(node->name);
    EXPECT_THAT(names, ::testing::ElementsAre("n1", "n3", "n2"));
}

TEST(ClusterTest, PodsOfANodeThatIsGoneAreKeptUntilTheyGoToo) {
    World world;
    world.three_nodes();
    const PodPointer pod = world.running("n1", "{metadata: {name: a}}");
    world.cluster.remove_node("n1");
    EXPECT_EQ(world.cluster.node("n1"), nullptr);
    EXPECT_EQ(world.cluster.nodes().size(), 2U);
    EXPECT_TRUE(world.cluster.has_pod(pod->uid));
    world.cluster.remove_pod(pod->uid);
    world.node("{metadata: {name: n4}}");
    EXPECT_EQ(world.cluster.slots(), 3U);
}

}  // namespace
}  // namespace keelson::scheduling
