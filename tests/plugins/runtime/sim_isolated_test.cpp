// The simulated runtime in a process of its own, through a swap.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "kernel/base/executor_real.h"
#include "kernel/base/log.h"
#include "kernel/base/metrics.h"
#include "kernel/base/sync_wait.h"
#include "kernel/plugin/plugin_host.h"
#include "tests/plugins/runtime/sim_fixture.h"

namespace keelson::testing {
namespace {

class SimIsolatedTest : public ::testing::Test {
  protected:
    SimIsolatedTest() {
        base::set_log_level(base::LogLevel::off);
        // /tmp is writable for everybody: what is below it is not trusted.
        std::string text = std::string(SIM_DIRECTORY) + "/run-XXXXXX";
        root_ = ::mkdtemp(text.data());
        for (const char* name : {"", "/plugins", "/state"}) {
            std::filesystem::create_directory(root_ + name);
            ::chmod((root_ + name).c_str(), 0755);
        }
        for (const char* name : {"/sim.so", "/sim.yaml"}) {
            const std::string copy = root_ + "/plugins" + name;
            std::filesystem::copy_file(std::string(KEELSON_TEST_PLUGINS) + name, copy);
            ::chmod(copy.c_str(), 0644);
        }
        settings_.directory = root_ + "/plugins";
        settings_.state_directory = root_ + "/state";
        settings_.host_program = HOST_PROGRAM;
        settings_.trusted_user = ::getuid();
        settings_.watch_directory = false;
        host_ = plugin::make_plugin_host(settings_, *executor_, metrics_, {});
        run(host_->start());
    }
    ~SimIsolatedTest() override {
        run(host_->stop(true));
        executor_->stop();
        std::filesystem::remove_all(root_);
    }
    template <typename T>
    T run(base::Task<T> task) {
        return base::sync_wait(*executor_, std::move(task));
    }
    plugin::Reply call(const char* method, const Json& request) {
        auto reply = run(host_->find("sim")->call("keelson.runtime/0", method, request.dump()));
        EXPECT_TRUE(reply) << reply.error().message();
        return reply ? std::move(*reply) : plugin::Reply();
    }

    std::string root_;
    plugin::HostSettings settings_;
    base::Metrics metrics_;
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 4);
    std::shared_ptr<plugin::PluginHost> host_;
};

TEST_F(SimIsolatedTest, GoesOnAfterASwap) {
    const plugin::Info before = host_->list().at(0);
    ASSERT_EQ(before.state, plugin::State::ready) << before.reason;
    const Json sandbox = {{"sandboxId", "s"},
                          {"pod", {{"name", "web"}, {"namespace", "default"}, {"uid", "1"}}},
                          {"logDirectory", ""},
                          {"cgroupParent", ""},
                          {"namespaces", {{"network", "pod"}, {"pid", "pod"}, {"ipc", ""}, {"user", ""}}}};
    EXPECT_EQ(call("run_sandbox", sandbox).descriptors.size(), 1u);
    const std::string listed = call("list_sandboxes", Json::object()).body;
    const auto swapped = run(host_->reload("sim"));
    ASSERT_TRUE(swapped) << swapped.error().message();
    EXPECT_NE(swapped->process_id, before.process_id);
    EXPECT_EQ(call("list_sandboxes", Json::object()).body, listed);
    EXPECT_EQ(call("port_forward", {{"sandboxId", "s"}, {"port", 1}}).descriptors.size(), 1u);
}

}  // namespace
}  // namespace keelson::testing
