#include "kernel/control/replica_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::SizeIs;

constexpr std::string_view kSets = "apps/v1/replicasets";

std::string replica_set(std::string_view name, int replicas, std::string_view more_spec = {}) {
    return R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{"replicas":)" +
           std::to_string(replicas) + R"(,"selector":{"matchLabels":{"app":"x"}},)" + std::string(more_spec) +
           R"("template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})";
}

class ReplicaSetTest : public ::testing::Test {
  protected:
    ReplicaSetTest() {
        plane.add(make_replica_set_controller(plane.surroundings));
        plane.start();
    }
    std::int64_t status(std::string_view field, std::string_view name = "r") {
        return plane.get({kSets, "default", name})["status"][field].as_integer();
    }

    ControlPlane plane;
};

TEST_F(ReplicaSetTest, MakesThePodsThatAreMissingAndCountsThem) {
    plane.create({kSets, "default", ""}, replica_set("r", 3));
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(3));
    EXPECT_EQ(status("replicas"), 3);
    EXPECT_EQ(status("fullyLabeledReplicas"), 3);
    EXPECT_EQ(status("readyReplicas"), 0);
    EXPECT_EQ(status("observedGeneration"), 1);
    plane.run_pods();
    EXPECT_EQ(status("readyReplicas"), 3);
    EXPECT_EQ(status("availableReplicas"), 3);
}

TEST_F(ReplicaSetTest, NamesItselfAsTheControllerOfItsPods) {
    plane.create({kSets, "default", ""}, replica_set("r", 1));
    const auto pod = plane.get({"v1/pods", "default", plane.names("v1/pods").at(0)});
    const auto owner = pod["metadata"]["ownerReferences"].at(0);
    EXPECT_EQ(owner["kind"].as_string(), "ReplicaSet");
    EXPECT_EQ(owner["name"].as_string(), "r");
    EXPECT_TRUE(owner["controller"].as_boolean());
    EXPECT_TRUE(owner["blockOwnerDeletion"].as_boolean());
    EXPECT_EQ(pod.text({"metadata", "generateName"}), "r-");
}

TEST_F(ReplicaSetTest, TellsOfEveryPodInAnEvent) {
    plane.create({kSets, "default", ""}, replica_set("r", 1));
    const std::string pod = plane.names("v1/pods").at(0);
    EXPECT_THAT(plane.events_about("r"), ElementsAre("SuccessfulCreate: Created pod: " + pod));
    plane.merge({kSets, "default", "r"}, R"({"spec":{"replicas":0}})");
    EXPECT_THAT(plane.events_about("r"), Contains("SuccessfulDelete: Deleted pod: " + pod));
}

TEST_F(ReplicaSetTest, DeletesThePodsThatAreNotReadyFirst) {
    plane.create({kSets, "default", ""}, replica_set("r", 3));
    const auto pods = plane.names("v1/pods");
    plane.set_pod_phase(pods[1], "Running", true);
    plane.merge({kSets, "default", "r"}, R"({"spec":{"replicas":1}})");
    EXPECT_THAT(plane.names("v1/pods"), ElementsAre(pods[1]));
}

TEST_F(ReplicaSetTest, ReplacesAPodThatFailed) {
    plane.create({kSets, "default", ""}, replica_set("r", 1));
    const std::string failed = plane.names("v1/pods").at(0);
    plane.set_pod_phase(failed, "Failed", false);
    EXPECT_THAT(plane.names("v1/pods"), AllOf(SizeIs(2), Contains(failed)));
    EXPECT_EQ(status("replicas"), 1);
}

TEST_F(ReplicaSetTest, AdoptsAnOrphanThatMatchesInsteadOfMakingOneMore) {
    plane.create({"v1/pods", "default", ""}, resource::pod_json("mine", R"(,"labels":{"app":"x"})"));
    plane.create({kSets, "default", ""}, replica_set("r", 1));
    EXPECT_THAT(plane.names("v1/pods"), ElementsAre("mine"));
    const auto pod = plane.get({"v1/pods", "default", "mine"});
    EXPECT_EQ(pod["metadata"]["ownerReferences"].at(0)["name"].as_string(), "r");
}

TEST_F(ReplicaSetTest, GivesUpAPodWhoseLabelsNoLongerMatch) {
    plane.create({kSets, "default", ""}, replica_set("r", 1));
    const std::string leaving = plane.names("v1/pods").at(0);
    plane.merge({"v1/pods", "default", leaving}, R"({"metadata":{"labels":{"app":"y"}}})");
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(2));
    const auto pod = plane.get({"v1/pods", "default", leaving});
    EXPECT_TRUE(pod["metadata"]["ownerReferences"].empty());
}

TEST_F(ReplicaSetTest, WaitsUntilAReadyPodHasBeenReadyLongEnough) {
    plane.create({kSets, "default", ""}, replica_set("r", 1, R"("minReadySeconds":30,)"));
    plane.run_pods();
    EXPECT_EQ(status("readyReplicas"), 1);
    EXPECT_EQ(status("availableReplicas"), 0);
    plane.advance(std::chrono::seconds(31));
    EXPECT_EQ(status("availableReplicas"), 1);
}

TEST_F(ReplicaSetTest, WritesNothingWhenNothingIsToBeDone) {
    plane.create({kSets, "default", ""}, replica_set("r", 2));
    plane.run_pods();
    plane.settle();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(10));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

TEST_F(ReplicaSetTest, MakesAThousandPodsInBurstsWithoutMakingOneTooMany) {
    plane.create({kSets, "default", ""}, replica_set("r", 1000));
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(1000));
    EXPECT_EQ(status("replicas"), 1000);
}

TEST(ReplicationController, WorksWithItsPlainSelector) {
    ControlPlane plane;
    plane.add(make_replication_controller_controller(plane.surroundings));
    plane.start();
    plane.create({"v1/replicationcontrollers", "default", ""},
                 R"({"metadata":{"name":"r"},"spec":{"replicas":2,"selector":{"app":"x"},"template":)"
                 R"({"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(2));
    const auto controller = plane.get({"v1/replicationcontrollers", "default", "r"});
    EXPECT_EQ(controller["status"]["replicas"].as_integer(), 2);
}

}  // namespace
}  // namespace keelson::control
