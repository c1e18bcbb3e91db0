// Many pods: how long they take and what they cost.
#include <chrono>
#include <iostream>
#include <thread>

#include "tests/plugins/runtime/oci/oci_fixture.h"

namespace keelson::testing {
namespace {

class OciScaleTest : public OciTest {};

TEST_F(OciScaleTest, AHundredPods) {
    constexpr int pods = 100;
    constexpr int threads_at_once = 8;
    const auto each = [&](const char* what, const std::function<bool(const std::string&)>& work) {
        std::atomic<int> next = 0;
        std::atomic<int> failed = 0;
        const auto begun = std::chrono::steady_clock::now();
        std::vector<std::thread> threads;
        for (int number = 0; number < threads_at_once; ++number)
            threads.emplace_back([&] {
                for (int pod = next++; pod < pods; pod = next++)
                    if (!work("p" + std::to_string(pod))) ++failed;
            });
        for (std::thread& thread : threads) thread.join();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
        std::cout << what << ": " << took.count() << " s\n";
        EXPECT_EQ(failed, 0) << what;
        return took.count();
    };
    double seconds = each("run_sandbox", [&](const std::string& pod) {
        return oci().call("run_sandbox", sandbox_request(pod)).ok();
    });
    seconds += each("create_container", [&](const std::string& pod) {
        return oci().call("create_container", container_request(pod, "exec sleep 1000")).ok();
    });
    seconds += each("start_container", [&](const std::string& pod) {
        return oci().call("start_container", {{"containerId", id_of(pod)}}).ok();
    });
    std::cout << "all: " << seconds << " s\n";
    EXPECT_EQ(oci().call("list_containers", Json::object()).document["containers"].size(), std::size_t(pods));
    std::int64_t shims_kb = 0;
    for (const pid_t shim : shims()) shims_kb += memory_kb(shim, "Pss");
    std::cout << "shims: " << shims_kb << " kB for " << shims().size() << "\n";
    EXPECT_LE(shims_kb, 300 * pods);
    each("remove_sandbox", [&](const std::string& pod) { return remove_pod(pod).ok(); });
}

}  // namespace
}  // namespace keelson::testing
