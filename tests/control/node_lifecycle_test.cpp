#include "kernel/control/node_lifecycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class NodeTest : public ::testing::Test {
  protected:
    NodeTest() {
        plane.add(make_node_lifecycle_controller(plane.surroundings));
        plane.add(make_taint_eviction_controller(plane.surroundings));
        plane.start();
    }
    void node(const std::string& name) {
        plane.create({"v1/nodes", "", ""}, R"({"metadata":{"name":")" + name + R"("}})");
        report(name, "Ready", "True");
        plane.create({"coordination.k8s.io/v1/leases", "kube-node-lease", ""},
                     R"({"metadata":{"name":")" + name + R"("},"spec":{"holderIdentity":")" + name +
                         R"(","renewTime":"2026-01-01T00:00:00.000000Z"}})");
    }
    void report(const std::string& name, const std::string& type, const std::string& status) {
        plane.cluster.patch({"v1/nodes/status", "", name}, resource::PatchType::strategic,
                            R"({"status":{"conditions":[{"type":")" + type + R"(","status":")" + status +
                                R"(","lastHeartbeatTime":"2026-01-01T00:00:)" +
                                std::to_string(10 + beats_++) + R"(Z"}]}})");
        plane.settle();
    }
    void renew(const std::string& name) {
        plane.merge(
            {"coordination.k8s.io/v1/leases", "kube-node-lease", name},
            R"({"spec":{"renewTime":"2026-01-01T00:01:)" + std::to_string(10 + beats_++) + R"(.000000Z"}})");
    }
    // Time goes on, and these nodes are heard of.
    void pass(int seconds, const std::vector<std::string>& alive) {
        for (int passed = 0; passed < seconds; passed += 10) {
            for (const std::string& name : alive) renew(name);
            plane.advance(std::chrono::seconds(10));
        }
    }
    std::vector<std::string> taints(const std::string& name) {
        std::vector<std::string> texts;
        const auto outcome = plane.get({"v1/nodes", "", name});
        for (const auto taint : outcome["spec"]["taints"].items())
            texts.push_back(taint["key"].to_string() + ":" + taint["effect"].to_string());
        return texts;
    }
    std::string ready(const std::string& name) {
        const auto outcome = plane.get({"v1/nodes", "", name});
        for (const auto condition : outcome["status"]["conditions"].items())
            if (condition["type"].as_string() == "Ready")
                return condition["status"].to_string() + " " + condition["reason"].to_string();
        return "";
    }
    void pod(const std::string& name, const std::string& node, const std::string& tolerations = "[]") {
        plane.create(
            {"v1/pods", "default", ""},
            resource::pod_json(name, "", R"(,"nodeName":")" + node + R"(","tolerations":)" + tolerations));
        plane.set_pod_phase(name, "Running", true);
    }

    ControlPlane plane;
    int beats_ = 0;
};

TEST_F(NodeTest, ANewNodeLosesItsTaintWhenItIsReady) {
    plane.create({"v1/nodes", "", ""}, R"({"metadata":{"name":"n"}})");
    EXPECT_THAT(taints("n"), ElementsAre("node.kubernetes.io/not-ready:NoSchedule"));
    report("n", "Ready", "True");
    EXPECT_THAT(taints("n"), IsEmpty());
}

TEST_F(NodeTest, ConditionsAndCordonsBecomeTaints) {
    node("n");
    report("n", "MemoryPressure", "True");
    plane.merge({"v1/nodes", "", "n"}, R"({"spec":{"unschedulable":true}})");
    EXPECT_THAT(taints("n"), UnorderedElementsAre("node.kubernetes.io/memory-pressure:NoSchedule",
                                                  "node.kubernetes.io/unschedulable:NoSchedule"));
    report("n", "MemoryPressure", "False");
    plane.merge({"v1/nodes", "", "n"}, R"({"spec":{"unschedulable":null}})");
    EXPECT_THAT(taints("n"), IsEmpty());
}

TEST_F(NodeTest, TaintsOfOthersStay) {
    node("n");
    plane.merge(
        {"v1/nodes", "", "n"},
        R"({"spec":{"taints":[{"key":"example.com/mine","effect":"NoSchedule"}],"unschedulable":true}})");
    plane.merge({"v1/nodes", "", "n"}, R"({"spec":{"unschedulable":null}})");
    EXPECT_THAT(taints("n"), ElementsAre("example.com/mine:NoSchedule"));
}

TEST_F(NodeTest, ASilentNodeIsUnknownAndComesBack) {
    node("a");
    node("b");
    pass(40, {"a", "b"});
    EXPECT_THAT(ready("b"), HasSubstr("True"));
    pass(60, {"a"});
    EXPECT_EQ(ready("b"), "Unknown NodeStatusUnknown");
    EXPECT_THAT(taints("b"), UnorderedElementsAre("node.kubernetes.io/unreachable:NoSchedule",
                                                  "node.kubernetes.io/unreachable:NoExecute"));
    report("b", "Ready", "True");
    EXPECT_THAT(taints("b"), IsEmpty());
}

TEST_F(NodeTest, PodsOfASilentNodeAreNotReadyAndLeaveWhenTheirTimeIsUp) {
    node("a");
    node("b");
    pod("p", "b");
    pass(60, {"a"});
    const auto outcome = plane.get({"v1/pods", "default", "p"});
    for (const auto condition : outcome["status"]["conditions"].items())
        if (condition["type"].as_string() == "Ready") {
            EXPECT_EQ(condition["status"].as_string(), "False");
        }
    // Every pod tolerates it for five minutes by default.
    pass(200, {"a"});
    EXPECT_TRUE(plane.get({"v1/pods", "default", "p"}).text({"metadata", "deletionTimestamp"}).empty());
    pass(120, {"a"});
    EXPECT_FALSE(plane.get({"v1/pods", "default", "p"}).text({"metadata", "deletionTimestamp"}).empty());
    EXPECT_THAT(plane.events_about("p"),
                Contains("TaintManagerEviction: Marking for deletion Pod default/p"));
}

TEST_F(NodeTest, WhenNoNodeIsReadyNobodyLeaves) {
    node("a");
    pod("p", "a");
    pass(600, {});
    EXPECT_EQ(ready("a"), "Unknown NodeStatusUnknown");
    EXPECT_THAT(taints("a"), ElementsAre("node.kubernetes.io/unreachable:NoSchedule"));
    EXPECT_TRUE(plane.get({"v1/pods", "default", "p"}).text({"metadata", "deletionTimestamp"}).empty());
}

TEST_F(NodeTest, APodThatToleratesATaintForEverStays) {
    node("a");
    pod("stays", "a", R"([{"operator":"Exists"}])");
    pod("leaves", "a");
    pod("waits", "a",
        R"([{"key":"example.com/out","operator":"Exists","effect":"NoExecute","tolerationSeconds":60}])");
    plane.merge({"v1/nodes", "", "a"},
                R"({"spec":{"taints":[{"key":"example.com/out","effect":"NoExecute"}]}})");
    const auto is_going = [this](const char* name) {
        return !plane.get({"v1/pods", "default", name}).text({"metadata", "deletionTimestamp"}).empty();
    };
    EXPECT_FALSE(is_going("stays"));
    EXPECT_TRUE(is_going("leaves"));
    EXPECT_FALSE(is_going("waits"));
    pass(70, {"a"});
    EXPECT_TRUE(is_going("waits"));
    EXPECT_FALSE(is_going("stays"));
}

TEST_F(NodeTest, WritesNothingWhileNodesAreHeardOf) {
    node("a");
    pass(20, {"a"});
    const auto before = plane.get({"v1/nodes", "", "a"}).version();
    pass(300, {"a"});
    EXPECT_EQ(plane.get({"v1/nodes", "", "a"}).version(), before);
}

}  // namespace
}  // namespace keelson::control
