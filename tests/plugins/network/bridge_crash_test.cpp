// The process ends at any moment: nothing is lost, nothing is given twice, nothing stays.
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>

#include "tests/plugins/network/bridge_fixture.h"

namespace keelson::testing {
namespace {

constexpr int crashes = 40;
constexpr int pods_each = 3;
constexpr long step_ns = 250'000;

class BridgeCrashTest : public BridgeTest {
  protected:
    static Json configuration() {
        return node_document("a", {"192.0.2.1"}, {"10.244.0.0/24", "fd00:1::/64"});
    }

    // Attaches and detaches until it is killed. Says when it begins.
    [[noreturn]] void work(const NetworkNamespace& node, const std::vector<NetworkNamespace>& pods,
                           int ready) {
        BridgePlugin plugin(node, state_.path());
        if (!plugin.configure(configuration()).ok() || ::write(ready, "", 1) != 1) ::_exit(1);
        for (;;) {
            for (std::size_t i = 0; i < pods.size(); ++i) {
                const int port = 8000 + int(i);
                if (!plugin.attach("p" + std::to_string(i), pods[i], {host_port(port, 80)}).ok()) ::_exit(2);
            }
            for (std::size_t i = 0; i < pods.size(); ++i)
                if (!plugin.detach("p" + std::to_string(i)).ok()) ::_exit(3);
        }
    }

    void crash_after(long delay_ns, const NetworkNamespace& node, const std::vector<NetworkNamespace>& pods) {
        int ready[2];
        ASSERT_EQ(::pipe(ready), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) work(node, pods, ready[1]);
        ::close(ready[1]);
        char byte = 0;
        const ssize_t count = ::read(ready[0], &byte, 1);
        ::close(ready[0]);
        const timespec delay{0, delay_ns};
        ::nanosleep(&delay, nullptr);  // where in its work it is killed
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_EQ(count, 1) << "the child has failed to begin";
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child has failed with " << WEXITSTATUS(status);
    }

    TemporaryDirectory state_;
};

TEST_F(BridgeCrashTest, NothingLeaksAndNothingIsGivenTwice) {
    const NetworkNamespace node;
    std::vector<NetworkNamespace> pods(pods_each);
    std::string before;
    {
        BridgePlugin plugin(node, state_.path());
        ASSERT_TRUE(plugin.configure(configuration()).ok());
        before = state_of(node);
    }
    int half_made = 0;
    for (int crash = 0; crash < crashes; ++crash) {
        ASSERT_NO_FATAL_FAILURE(crash_after(crash * step_ns, node, pods));
        BridgePlugin plugin(node, state_.path());
        ASSERT_TRUE(plugin.configure(configuration()).ok());
        const Json found = plugin.list();
        half_made += found.empty() ? 0 : 1;
        // As keelsond does: some go on, the others are taken away.
        std::string second;
        for (std::size_t i = 0; i < pods.size(); ++i) {
            const std::string id = "p" + std::to_string(i);
            const BridgeAnswer attached = plugin.attach(id, pods[i], {host_port(8000 + int(i), 80)});
            ASSERT_TRUE(attached.ok()) << attached.message();
            EXPECT_EQ(attached.document["addresses"], found.value(id, attached.document["addresses"]));
            if (i == 1) second = attached.address();
        }
        EXPECT_NE(connect_between(pods[0], {second, 80}, pods[1], {second, 80}), "");
        const Json attached = plugin.list();
        EXPECT_EQ(attached.size(), pods.size());
        for (const auto& [id, addresses] : attached.items()) ASSERT_TRUE(plugin.detach(id).ok());
        ASSERT_EQ(state_of(node), before) << "after crash " << crash;
    }
    std::printf("[   NOTE   ] %d of %d crashes left something to clean up\n", half_made, crashes);
}

}  // namespace
}  // namespace keelson::testing
