#include "kernel/control/disruption.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/control/deployment.h"
#include "kernel/control/job.h"
#include "kernel/control/replica_set.h"
#include "kernel/object/time_format.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::Contains;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kBudgets = "policy/v1/poddisruptionbudgets";

class DisruptionTest : public ::testing::Test {
  protected:
    DisruptionTest() {
        plane.add(make_deployment_controller(plane.surroundings));
        plane.add(make_replica_set_controller(plane.surroundings));
        plane.add(make_job_controller(plane.surroundings));
        plane.add(make_disruption_controller(plane.surroundings));
        plane.start();
    }
    void create_deployment(int replicas) {
        plane.create({"apps/v1/deployments", "default", ""},
                     R"({"metadata":{"name":"d"},"spec":{"replicas":)" + std::to_string(replicas) +
                         R"(,"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":)"
                         R"({"app":"x"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
        plane.run_pods();
    }
    void create_budget(std::string_view amount) {
        plane.create({kBudgets, "default", ""}, R"({"metadata":{"name":"b"},"spec":{)" + std::string(amount) +
                                                    R"(,"selector":{"matchLabels":{"app":"x"}}}})");
    }
    resource::Outcome get() { return plane.get({kBudgets, "default", "b"}); }
    std::int64_t status(std::string_view field) { return get()["status"][field].as_integer(); }
    resource::Outcome evict(std::string_view pod) {
        plane.settle();
        auto outcome =
            plane.cluster.create({"v1/pods/eviction", "default", pod},
                                 R"({"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":")" +
                                     std::string(pod) + R"("}})");
        plane.settle();
        return outcome;
    }
    std::string reason() { return get()["status"]["conditions"].at(0)["reason"].to_string(); }

    ControlPlane plane;
};

TEST_F(DisruptionTest, CountsWhatIsHealthyAndWhatMayGo) {
    create_deployment(3);
    create_budget(R"("minAvailable":2)");
    EXPECT_EQ(status("expectedPods"), 3);
    EXPECT_EQ(status("desiredHealthy"), 2);
    EXPECT_EQ(status("currentHealthy"), 3);
    EXPECT_EQ(status("disruptionsAllowed"), 1);
    EXPECT_EQ(status("observedGeneration"), 1);
    EXPECT_EQ(reason(), "SufficientPods");
    plane.set_pod_phase(plane.names("v1/pods").at(0), "Running", false);
    EXPECT_EQ(status("disruptionsAllowed"), 0);
    EXPECT_EQ(reason(), "InsufficientPods");
}

TEST_F(DisruptionTest, TakesSharesOfWhatTheOwnersAreToHave) {
    create_deployment(4);
    create_budget(R"("maxUnavailable":"30%")");
    EXPECT_EQ(status("expectedPods"), 4);
    EXPECT_EQ(status("desiredHealthy"), 2);
    EXPECT_EQ(status("disruptionsAllowed"), 2);
    plane.merge({kBudgets, "default", "b"}, R"({"spec":{"maxUnavailable":null,"minAvailable":"51%"}})");
    EXPECT_EQ(status("desiredHealthy"), 3);
    EXPECT_EQ(status("observedGeneration"), 2);
}

TEST_F(DisruptionTest, RefusesAnEvictionThatTheBudgetCannotPay) {
    create_deployment(2);
    create_budget(R"("minAvailable":2)");
    const std::string pod = plane.names("v1/pods").at(0);
    const auto refused = evict(pod);
    EXPECT_EQ(refused.error, "Cannot evict pod as it would violate the pod's disruption budget.");
    plane.merge({kBudgets, "default", "b"}, R"({"spec":{"minAvailable":1}})");
    EXPECT_TRUE(evict(pod).ok());
    // Its replacement is not ready.
    EXPECT_EQ(status("disruptionsAllowed"), 0);
    EXPECT_FALSE(evict(plane.names("v1/pods").at(0)).ok() && evict(plane.names("v1/pods").at(1)).ok());
    plane.run_pods();
    EXPECT_EQ(status("disruptionsAllowed"), 1);
}

TEST_F(DisruptionTest, SaysWhatTheBudgetNeeds) {
    create_deployment(2);
    create_budget(R"("minAvailable":2)");
    const auto refused = evict(plane.names("v1/pods").at(0));
    ASSERT_THAT(refused.causes, SizeIs(1));
    EXPECT_EQ(refused.causes.at(0).message,
              "The disruption budget b needs 2 healthy pods and has 2 currently");
}

TEST_F(DisruptionTest, LetsAPodGoThatIsNotReadyWhileEnoughAre) {
    create_deployment(2);
    create_budget(R"("minAvailable":1)");
    const std::string pod = plane.names("v1/pods").at(0);
    plane.set_pod_phase(pod, "Running", false);
    EXPECT_EQ(status("disruptionsAllowed"), 0);
    EXPECT_TRUE(evict(pod).ok());
}

TEST_F(DisruptionTest, GivesUpOnAnEvictedPodThatStays) {
    create_deployment(2);
    create_budget(R"("minAvailable":1)");
    const std::string pod = plane.names("v1/pods").at(0);
    const std::string now = object::format_time(object::instant_of(plane.surroundings.now()));
    plane.merge({"policy/v1/poddisruptionbudgets/status", "default", "b"},
                R"({"status":{"disruptionsAllowed":0,"disruptedPods":{")" + pod + R"(":")" + now + R"("}}})");
    EXPECT_EQ(status("currentHealthy"), 1);
    EXPECT_TRUE(get()["status"]["disruptedPods"].has(pod));
    plane.advance(std::chrono::minutes(3));
    EXPECT_EQ(status("currentHealthy"), 2);
    EXPECT_FALSE(get()["status"].has("disruptedPods"));
    EXPECT_THAT(plane.events_about(pod),
                Contains(StartsWith("NotDeleted: Pod was expected by PDB default/b")));
}

TEST_F(DisruptionTest, AllowsNothingWhereItCannotCount) {
    plane.create({"batch/v1/jobs", "default", ""},
                 R"({"metadata":{"name":"j"},"spec":{"template":{"metadata":{"labels":{"app":"x"}},"spec":)"
                 R"({"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}})");
    create_budget(R"("maxUnavailable":1)");
    EXPECT_EQ(status("disruptionsAllowed"), 0);
    EXPECT_EQ(reason(), "SyncFailed");
    EXPECT_EQ(get()["status"]["conditions"].at(0)["message"].as_string(),
              "jobs.batch does not implement the scale subresource");
}

TEST_F(DisruptionTest, SaysThatThereAreNoPods) {
    create_budget(R"("minAvailable":1)");
    EXPECT_EQ(status("disruptionsAllowed"), 0);
    EXPECT_THAT(plane.events_about("b"), Contains("NoPods: No matching pods found"));
}

TEST_F(DisruptionTest, WritesNothingWhenNothingIsToBeDone) {
    create_deployment(2);
    create_budget(R"("minAvailable":1)");
    plane.settle();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(30));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

}  // namespace
}  // namespace keelson::control
