#include "kernel/control/pod_gc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class PodGcTest : public ::testing::Test {
  protected:
    PodGcTest() {
        plane.add(make_pod_gc_controller(plane.surroundings, 3));
        plane.start();
    }
    void create_node(std::string_view taints = "[]") {
        plane.create({"v1/nodes", "", ""},
                     R"({"metadata":{"name":"n"},"spec":{"taints":)" + std::string(taints) + "}}");
    }
    void create_pod(std::string_view name, std::string_view more_metadata = {},
                    std::string_view more_spec = {}) {
        plane.create({"v1/pods", "default", ""}, resource::pod_json(name, more_metadata, more_spec));
    }
    std::vector<std::string> pods() { return plane.names("v1/pods"); }

    ControlPlane plane;
};

constexpr std::string_view kHeld = R"(,"finalizers":["example.com/hold"])";
constexpr std::string_view kOnNode = R"(,"nodeName":"n")";

TEST_F(PodGcTest, KeepsTheLatestOfThoseThatHaveEnded) {
    for (const std::string_view name : {"a", "b", "c", "d", "e"}) {
        create_pod(name);
        plane.advance(std::chrono::seconds(2));
    }
    for (const std::string_view name : {"e", "d", "c", "b"}) plane.set_pod_phase(name, "Succeeded", false);
    EXPECT_THAT(pods(), ElementsAre("a", "c", "d", "e"));
    plane.set_pod_phase("a", "Failed", false);
    EXPECT_THAT(pods(), ElementsAre("c", "d", "e"));
}

TEST_F(PodGcTest, EndsThePodsOfANodeThatIsGone) {
    create_node();
    create_pod("p", kHeld, kOnNode);
    plane.set_pod_phase("p", "Running", true);
    plane.remove({"v1/nodes", "", "n"});
    plane.advance(std::chrono::seconds(38));
    EXPECT_EQ(plane.get({"v1/pods", "default", "p"}).text({"status", "phase"}), "Running");
    plane.advance(std::chrono::seconds(4));
    const auto pod = plane.get({"v1/pods", "default", "p"});
    EXPECT_EQ(pod.text({"status", "phase"}), "Failed");
    EXPECT_FALSE(pod.text({"metadata", "deletionTimestamp"}).empty());
    bool is_told = false;
    for (const auto condition : pod["status"]["conditions"].items())
        if (condition["type"].as_string() == "DisruptionTarget") {
            EXPECT_EQ(condition["reason"].as_string(), "DeletionByPodGC");
            EXPECT_EQ(condition["message"].as_string(), "PodGC: node no longer exists");
            is_told = true;
        }
    EXPECT_TRUE(is_told);
}

TEST_F(PodGcTest, LeavesThePodsOfANodeThatCameBack) {
    create_node();
    create_pod("p", {}, kOnNode);
    plane.remove({"v1/nodes", "", "n"});
    plane.advance(std::chrono::seconds(20));
    create_node();
    plane.advance(std::chrono::minutes(2));
    EXPECT_THAT(pods(), SizeIs(1));
}

TEST_F(PodGcTest, FreesWhatIsDeletedOnANodeOutOfService) {
    create_node(R"([{"key":"node.kubernetes.io/out-of-service","effect":"NoExecute"}])");
    create_pod("stays", {}, kOnNode);
    create_pod("goes", {}, kOnNode);
    for (const std::string_view name : {"stays", "goes"}) plane.set_pod_phase(name, "Running", true);
    plane.remove({"v1/pods", "default", "goes"});
    EXPECT_THAT(pods(), ElementsAre("stays"));
}

TEST_F(PodGcTest, WaitsForANodeThatIsInService) {
    create_node();
    create_pod("p", {}, kOnNode);
    plane.set_pod_phase("p", "Running", true);
    plane.remove({"v1/pods", "default", "p"});
    EXPECT_THAT(pods(), SizeIs(1));
}

TEST_F(PodGcTest, WritesNothingWhenNothingIsToBeDone) {
    create_node();
    create_pod("p", {}, kOnNode);
    create_pod("held", kHeld);
    plane.remove({"v1/pods", "default", "held"});
    plane.settle();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(10));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

}  // namespace
}  // namespace keelson::control
