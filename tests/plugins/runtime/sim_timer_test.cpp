// The simulated runtime in real time.
#include <thread>

#include "tests/plugins/runtime/sim_fixture.h"

namespace keelson::testing {
namespace {

TEST(SimTimerTest, TellsOfChangesWhenTheyAreDue) {
    Sim sim(Json{{"timer", true}}, true);
    ASSERT_TRUE(sim.run_pod("later", {{"run-milliseconds", "3600000"}}).ok());
    ASSERT_TRUE(sim.run_pod("soon", {{"run-milliseconds", "20"}}).ok());
    EXPECT_TRUE(sim.wait_for_reconcile("pod/uid-soon"));
    EXPECT_EQ(sim.state("soon"), "exited");
    EXPECT_EQ(sim.state("later"), "running");
}

TEST(SimTimerTest, StopAnswersWhenItHasEnded) {
    Sim sim(Json{{"timer", true}}, true);
    ASSERT_TRUE(sim.run_pod("web", {{"stop-milliseconds", "30"}}).ok());
    EXPECT_TRUE(sim.stop("web", 30).ok());
    EXPECT_EQ(sim.container("web")["exitCode"], 143);
}

TEST(SimTimerTest, CallsTakeTheirTime) {
    Sim sim(Json{{"timer", true}, {"callMilliseconds", 15}}, true);
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(sim.run_pod("web").ok());
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(45));
}

TEST(SimTimerTest, CallsBesideEachOther) {
    Sim sim(Json{{"timer", true}, {"jitterMilliseconds", 3}}, true);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&sim, thread] {
            for (int pod = 0; pod < 50; ++pod) {
                const std::string name = std::to_string(thread) + "-" + std::to_string(pod);
                EXPECT_TRUE(sim.run_pod(name, {{"run-milliseconds", "1"}}).ok());
                EXPECT_TRUE(sim.call("list_containers", {{"sandboxId", "s-" + name}}).ok());
                EXPECT_TRUE(sim.stop(name, 1).ok());
                EXPECT_TRUE(sim.call("remove_sandbox", {{"sandboxId", "s-" + name}}).ok());
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(sim.call("list_containers", Json::object()).document["containers"].empty());
}

}  // namespace
}  // namespace keelson::testing
