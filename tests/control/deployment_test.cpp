#include "kernel/control/deployment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/control/replica_set.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kDeployments = "apps/v1/deployments";
constexpr std::string_view kSets = "apps/v1/replicasets";

std::string deployment(int replicas, std::string_view more_spec = {}) {
    return R"({"metadata":{"name":"web"},"spec":{"replicas":)" + std::to_string(replicas) +
           R"(,"selector":{"matchLabels":{"app":"x"}},)" + std::string(more_spec) +
           R"("template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"i:1"}]}}}})";
}

std::string image(int version) {
    return R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i:)" + std::to_string(version) +
           R"("}]}}}})";
}

class DeploymentTest : public ::testing::Test {
  protected:
    DeploymentTest() {
        plane.add(make_deployment_controller(plane.surroundings));
        plane.add(make_replica_set_controller(plane.surroundings));
        plane.start();
    }
    resource::Outcome web() { return plane.get({kDeployments, "default", "web"}); }
    void patch(std::string_view json) { plane.merge({kDeployments, "default", "web"}, json); }
    std::string condition(std::string_view type) {
        const auto outcome = web();
        for (const auto item : outcome["status"]["conditions"].items())
            if (item["type"].as_string() == type)
                return item["status"].to_string() + " " + item["reason"].to_string();
        return "";
    }
    // The ReplicaSets that ask for pods, as "image: replicas".
    std::vector<std::string> sizes() {
        std::vector<std::string> texts;
        for (const std::string& name : plane.names(kSets)) {
            const auto set = plane.get({kSets, "default", name});
            const auto spec = set["spec"];
            if (spec["replicas"].as_integer() > 0)
                texts.push_back(spec["template"]["spec"]["containers"].at(0)["image"].to_string() + ": " +
                                std::to_string(spec["replicas"].as_integer()));
        }
        std::ranges::sort(texts);
        return texts;
    }
    // Lets new pods become ready, step by step, until nothing changes.
    void roll_out() {
        for (int step = 0; step < 50; ++step) {
            const auto before = plane.cluster.store->current();
            plane.run_pods();
            plane.settle();
            if (plane.cluster.store->current() == before) return;
        }
        FAIL() << "the rollout does not end";
    }

    ControlPlane plane;
};

TEST_F(DeploymentTest, MakesAReplicaSetNamedAfterItsTemplate) {
    plane.create({kDeployments, "default", ""}, deployment(2));
    const auto sets = plane.names(kSets);
    ASSERT_THAT(sets, SizeIs(1));
    const auto set = plane.get({kSets, "default", sets[0]});
    const std::string hash = set["metadata"]["labels"]["pod-template-hash"].to_string();
    EXPECT_EQ(sets[0], "web-" + hash);
    EXPECT_EQ(set["spec"]["selector"]["matchLabels"]["pod-template-hash"].as_string(), hash);
    EXPECT_EQ(set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_string(), "1");
    EXPECT_EQ(web()["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_string(), "1");
    EXPECT_THAT(plane.events_about("web"),
                ElementsAre("ScalingReplicaSet: Scaled up replica set " + sets[0] + " from 0 to 2"));
}

TEST_F(DeploymentTest, SaysWhenItIsComplete) {
    plane.create({kDeployments, "default", ""}, deployment(2));
    EXPECT_EQ(condition("Available"), "False MinimumReplicasUnavailable");
    roll_out();
    EXPECT_EQ(condition("Available"), "True MinimumReplicasAvailable");
    EXPECT_EQ(condition("Progressing"), "True NewReplicaSetAvailable");
    const auto object = web();
    const auto status = object["status"];
    EXPECT_EQ(status["replicas"].as_integer(), 2);
    EXPECT_EQ(status["updatedReplicas"].as_integer(), 2);
    EXPECT_EQ(status["availableReplicas"].as_integer(), 2);
    EXPECT_EQ(status["observedGeneration"].as_integer(), 1);
}

TEST_F(DeploymentTest, NeverHasMoreOrFewerPodsThanARollingUpdateAllows) {
    plane.create({kDeployments, "default", ""}, deployment(4));
    roll_out();
    patch(image(2));
    for (int step = 0; step < 30; ++step) {
        std::int64_t ready = 0;
        const auto pods = plane.names("v1/pods");
        for (const std::string& name : pods)
            if (plane.get({"v1/pods", "default", name}).text({"status", "phase"}) == "Running") ++ready;
        EXPECT_LE(pods.size(), 5u);
        EXPECT_GE(ready, 3);
        for (const std::string& name : pods)
            if (plane.get({"v1/pods", "default", name}).text({"status", "phase"}) != "Running") {
                plane.set_pod_phase(name, "Running", true);
                break;
            }
    }
    EXPECT_THAT(sizes(), ElementsAre("i:2: 4"));
    EXPECT_EQ(condition("Progressing"), "True NewReplicaSetAvailable");
}

TEST_F(DeploymentTest, TakesDownUnhealthyPodsOfTheOldTemplateFirst) {
    plane.create({kDeployments, "default", ""}, deployment(4));
    patch(image(2));
    // None of the old ones ever became ready: they make room at once.
    EXPECT_THAT(sizes(), Contains("i:2: 2"));
    EXPECT_THAT(sizes(), Not(Contains("i:1: 4")));
    roll_out();
    EXPECT_THAT(sizes(), ElementsAre("i:2: 4"));
}

TEST_F(DeploymentTest, ComesBackToAnOldReplicaSetWithANewRevision) {
    plane.create({kDeployments, "default", ""}, deployment(1));
    roll_out();
    const auto first = plane.names(kSets);
    patch(image(2));
    roll_out();
    patch(image(1));
    roll_out();
    EXPECT_THAT(plane.names(kSets), SizeIs(2));
    const auto set = plane.get({kSets, "default", first[0]});
    EXPECT_EQ(set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_string(), "3");
    EXPECT_EQ(set["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"].as_string(), "1");
    EXPECT_EQ(web()["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_string(), "3");
}

TEST_F(DeploymentTest, KeepsOnlyAsMuchHistoryAsAskedFor) {
    plane.create({kDeployments, "default", ""}, deployment(1, R"("revisionHistoryLimit":1,)"));
    for (int version = 2; version <= 4; ++version) {
        roll_out();
        patch(image(version));
    }
    roll_out();
    EXPECT_THAT(plane.names(kSets), SizeIs(2));
}

TEST_F(DeploymentTest, ScalesTheReplicaSetsOfARolloutInProportion) {
    plane.create({kDeployments, "default", ""}, deployment(10));
    roll_out();
    patch(image(2));
    EXPECT_THAT(sizes(), ElementsAre("i:1: 8", "i:2: 5"));
    patch(R"({"spec":{"replicas":20}})");
    EXPECT_THAT(sizes(), ElementsAre("i:1: 15", "i:2: 10"));
    roll_out();
    EXPECT_THAT(sizes(), ElementsAre("i:2: 20"));
}

TEST_F(DeploymentTest, ARecreatedOneWaitsUntilItsOldPodsAreGone) {
    plane.create({kDeployments, "default", ""}, deployment(2, R"("strategy":{"type":"Recreate"},)"));
    roll_out();
    const auto old_pods = plane.names("v1/pods");
    // A finalizer keeps one of them.
    plane.merge({"v1/pods", "default", old_pods[0]}, R"({"metadata":{"finalizers":["example.com/wait"]}})");
    patch(image(2));
    EXPECT_THAT(plane.names(kSets), SizeIs(1));
    plane.merge({"v1/pods", "default", old_pods[0]}, R"({"metadata":{"finalizers":[]}})");
    EXPECT_THAT(sizes(), ElementsAre("i:2: 2"));
}

TEST_F(DeploymentTest, APausedOneIsScaledButNotRolledOut) {
    plane.create({kDeployments, "default", ""}, deployment(2));
    roll_out();
    patch(R"({"spec":{"paused":true}})");
    EXPECT_EQ(condition("Progressing"), "Unknown DeploymentPaused");
    patch(image(2));
    EXPECT_THAT(plane.names(kSets), SizeIs(1));
    patch(R"({"spec":{"replicas":3}})");
    EXPECT_THAT(sizes(), ElementsAre("i:1: 3"));
    patch(R"({"spec":{"paused":false}})");
    roll_out();
    EXPECT_THAT(sizes(), ElementsAre("i:2: 3"));
}

TEST_F(DeploymentTest, SaysThatItIsStuckAfterItsDeadline) {
    plane.create({kDeployments, "default", ""}, deployment(1, R"("progressDeadlineSeconds":10,)"));
    EXPECT_EQ(condition("Progressing"), "True ReplicaSetUpdated");
    plane.advance(std::chrono::seconds(13));
    EXPECT_EQ(condition("Progressing"), "False ProgressDeadlineExceeded");
    roll_out();
    EXPECT_EQ(condition("Progressing"), "True NewReplicaSetAvailable");
}

TEST_F(DeploymentTest, TakesAnotherNameWhenItsHashIsTaken) {
    plane.create({kDeployments, "default", ""}, deployment(1));
    const std::string name = plane.names(kSets).at(0);
    plane.remove({kDeployments, "default", "web"});
    plane.merge({kSets, "default", name}, R"({"metadata":{"labels":{"app":"other"},"ownerReferences":[]}})");
    plane.create({kDeployments, "default", ""}, deployment(1));
    EXPECT_THAT(plane.names(kSets), SizeIs(2));
    EXPECT_EQ(web()["status"]["collisionCount"].as_integer(), 1);
}

// --- Found by the simulation.

TEST_F(DeploymentTest, WithoutAReplicaSetInANamespaceThatEndsItOnlyWaits) {
    plane.create({"v1/namespaces", "", ""}, R"({"metadata":{"name":"ending"}})");
    plane.create({kDeployments, "ending", ""}, deployment(2, R"("paused":true,)"));
    plane.remove({"v1/namespaces", "", "ending"});
    plane.merge({kDeployments, "ending", "web"}, R"({"spec":{"paused":false}})");
    EXPECT_THAT(plane.names(kSets, "ending"), IsEmpty());
}

TEST_F(DeploymentTest, APausedOneKeepsTheOldReplicaSetThatItHasJustScaled) {
    plane.create({kDeployments, "default", ""}, deployment(0, R"("revisionHistoryLimit":0,)"));
    patch(
        R"({"spec":{"paused":true,"replicas":2,"template":{"spec":{"containers":[{"name":"c","image":"i:2"}]}}}})");
    EXPECT_THAT(sizes(), ElementsAre("i:1: 2"));
}

TEST_F(DeploymentTest, ScaledInTheMiddleOfARolloutThatBecomesARecreationItGoesOn) {
    plane.create({kDeployments, "default", ""}, deployment(4));
    roll_out();
    patch(image(2));
    ASSERT_THAT(sizes(), SizeIs(2));
    patch(R"({"spec":{"replicas":3,"strategy":{"type":"Recreate","rollingUpdate":null}}})");
    // Nobody here stops pods.
    roll_out();
    EXPECT_THAT(sizes(), ElementsAre("i:2: 3"));
}

// The status of a ReplicaSet may be older than its size.
TEST(DeploymentWithSlowReplicaSets, PodsThatAreToGoDoNotCountAsAvailable) {
    ControlPlane plane;
    plane.add(make_deployment_controller(plane.surroundings));
    plane.start();
    const auto size_of = [&plane](const std::string& name) {
        return plane.get({kSets, "default", name})["spec"]["replicas"].as_integer();
    };
    const auto tell = [&plane](const std::string& name, int available) {
        const std::string count = std::to_string(available);
        plane.merge({"apps/v1/replicasets/status", "default", name},
                    R"({"status":{"replicas":)" + count + R"(,"readyReplicas":)" + count +
                        R"(,"availableReplicas":)" + count + "}}");
    };
    plane.create({kDeployments, "default", ""},
                 deployment(4, R"("strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":1}},)"));
    const std::string old = plane.names(kSets).at(0);
    tell(old, 4);
    plane.merge({kDeployments, "default", "web"}, image(2));
    const auto sets = plane.names(kSets);
    ASSERT_THAT(sets, SizeIs(2));
    const std::string current = sets[0] == old ? sets[1] : sets[0];
    ASSERT_EQ(size_of(old), 3);
    ASSERT_EQ(size_of(current), 2);
    tell(current, 1);
    EXPECT_EQ(size_of(old), 2);
}

TEST_F(DeploymentTest, WritesNothingWhenNothingIsToBeDone) {
    plane.create({kDeployments, "default", ""}, deployment(2));
    roll_out();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(20));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

}  // namespace
}  // namespace keelson::control
