// 100,000 pods in one instance of the simulated runtime.
#include <fstream>

#include "tests/plugins/runtime/sim_fixture.h"

namespace keelson::testing {
namespace {

// Sanitizers make everything slower and larger.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kPods = 10'000;
constexpr bool kFullScale = false;
#else
constexpr int kPods = 100'000;
constexpr bool kFullScale = true;
#endif

std::int64_t resident_bytes() {
    std::int64_t total_pages = 0;
    std::int64_t resident_pages = 0;
    std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
    return resident_pages * 4096;
}

TEST(SimScaleTest, HoldsAHundredThousandPods) {
    Sim sim;
    const std::int64_t before = resident_bytes();
    for (int pod = 0; pod < kPods; ++pod) {
        const Json annotations =
            pod % 10 == 0 ? Json{{"run-milliseconds", std::to_string(pod)}} : Json::object();
        ASSERT_TRUE(sim.run_pod(std::to_string(pod), annotations).ok());
    }
    // Also what the allocator keeps for itself; the state alone is smaller.
    const std::int64_t pod_bytes = (resident_bytes() - before) / kPods;
    RecordProperty("bytes_a_pod", std::to_string(pod_bytes));
    if (kFullScale) {
        EXPECT_LT(pod_bytes, 2048);
    }
    sim.advance_ms(kPods);
    EXPECT_EQ(sim.state("7770"), "exited");
    EXPECT_EQ(sim.state("7777"), "running");
    EXPECT_EQ(sim.reconciled().size(), std::size_t(kPods / 10));
    if (kFullScale) {
        EXPECT_EQ(sim.call("list_containers", Json::object()).status, KEELSON_INTERNAL)
            << "an answer has 16 MiB at most: such a list is asked for by sandbox";
    }
    Sim fresh;
    const SimAnswer given = sim.call("give", Json::object(), {}, "keelson.handover/0");
    const SimAnswer adopted =
        fresh.call("adopt", given.document, {given.descriptors.at(0).get()}, "keelson.handover/0");
    ASSERT_TRUE(adopted.ok()) << adopted.message();
    EXPECT_EQ(fresh.container("9999"), sim.container("9999"));
    for (int pod = 0; pod < kPods; ++pod)
        ASSERT_TRUE(sim.call("remove_sandbox", {{"sandboxId", "s-" + std::to_string(pod)}}).ok());
    EXPECT_FALSE(sim.call("info", Json::object()).document.contains("nextChangeMonotonicMicroseconds"));
}

}  // namespace
}  // namespace keelson::testing
