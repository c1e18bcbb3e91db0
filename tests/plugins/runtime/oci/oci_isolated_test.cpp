// The runtime in a process of its own, confined as its manifest says.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernel/base/executor_real.h"
#include "kernel/base/log.h"
#include "kernel/base/metrics.h"
#include "kernel/base/sync_wait.h"
#include "kernel/plugin/plugin_host.h"
#include "tests/plugins/runtime/oci/oci_fixture.h"

namespace keelson::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OciIsolatedTest : public OciTest {
  protected:
    void SetUp() override {
        OciTest::SetUp();
        if (IsSkipped()) return;
        stop();
        base::set_log_level(base::LogLevel::off);
        for (const char* name : {"/plugins", "/host"}) std::filesystem::create_directory(root_ + name);
        for (const char* name : {"", "/plugins", "/host"}) ::chmod((root_ + name).c_str(), 0755);
        std::filesystem::copy_file(OCI_LIBRARY, root_ + "/plugins/oci.so");
        std::filesystem::copy_file(OCI_MANIFEST, root_ + "/plugins/oci.yaml");
        for (const char* name : {"/plugins/oci.so", "/plugins/oci.yaml"})
            ::chmod((root_ + name).c_str(), 0644);
        plugin::HostSettings settings;
        settings.directory = root_ + "/plugins";
        settings.state_directory = root_ + "/host";
        settings.host_program = HOST_PROGRAM;
        settings.trusted_user = ::getuid();
        settings.watch_directory = false;
        settings.check_documents = true;
        plugin::PluginSettings oci;
        oci.name = "oci";
        oci.config = Json{{"stateDirectory", state_directory()}}.dump();
        settings.plugins.push_back(oci);
        host_ = plugin::make_plugin_host(settings, *executor_, metrics_, {});
        wait(host_->start());
    }
    void TearDown() override {
        if (host_) {
            if (host_->list().at(0).state == plugin::State::ready)
                ask("remove_sandbox", {{"sandboxId", "s-web"}});
            wait(host_->stop(true));
        }
        executor_->stop();
        EXPECT_THAT(leftovers(), ::testing::IsEmpty());
    }
    template <typename T>
    T wait(base::Task<T> task) {
        return base::sync_wait(*executor_, std::move(task));
    }
    Json ask(const char* method, const Json& request) {
        auto reply = wait(host_->find("oci")->call("keelson.runtime/0", method, request.dump()));
        EXPECT_TRUE(reply) << method << ": " << reply.error().message();
        return reply ? Json::parse(reply->body) : Json();
    }

    base::Metrics metrics_;
    std::unique_ptr<base::ThreadExecutor> executor_ = base::make_thread_executor(2, 4);
    std::shared_ptr<plugin::PluginHost> host_;
};

TEST_F(OciIsolatedTest, ContainersAreNotConfinedWithThePlugin) {
    const plugin::Info before = host_->list().at(0);
    ASSERT_EQ(before.state, plugin::State::ready) << before.reason;
    ask("run_sandbox", sandbox_request("web"));
    ask("create_container", container_request("web",
                                              "grep -e NoNewPrivs -e Seccomp: /proc/self/status; umask; "
                                              "cat /proc/1/cgroup; echo end; sleep 1000"));
    ask("start_container", {{"containerId", id_of("web")}});
    ASSERT_TRUE(eventually([&] { return log_text("web").find("F end") != std::string::npos; }));
    EXPECT_THAT(log_text("web"), HasSubstr("NoNewPrivs:\t0"));
    EXPECT_THAT(log_text("web"), HasSubstr("Seccomp:\t0"));
    EXPECT_THAT(log_text("web"), HasSubstr("F 0022"));
    for (const pid_t shim : shims()) {
        const std::string cgroups = file_text("/proc/" + std::to_string(shim) + "/cgroup");
        EXPECT_THAT(cgroups, HasSubstr(cgroup()));
        EXPECT_THAT(cgroups, Not(HasSubstr("keelson/oci"))) << "that is the plugin's";
    }
    const auto swapped = wait(host_->reload("oci"));
    ASSERT_TRUE(swapped) << swapped.error().message();
    EXPECT_NE(swapped->process_id, before.process_id);
    const Json container = ask("list_containers", Json::object())["containers"].at(0);
    EXPECT_EQ(container["state"], "running");
    ask("stop_container", {{"containerId", id_of("web")}, {"graceSeconds", 0}});
    ask("remove_sandbox", {{"sandboxId", "s-web"}});
}

}  // namespace
}  // namespace keelson::testing
