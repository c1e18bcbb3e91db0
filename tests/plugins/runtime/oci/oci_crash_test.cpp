// The plugin is killed, or a pod's shim is: what is taken over, and that nothing is left behind.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/plugins/runtime/oci/oci_fixture.h"

namespace keelson::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OciCrashTest : public OciTest {
  protected:
    // The instance runs in a process of its own, which is then killed: after `work` has returned, or at a
    // moment of the test's choice.
    pid_t begin(const std::function<void()>& work) {
        stop();
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        const pid_t process = ::fork();
        if (process == 0) {
            start();
            work();
            (void)!::write(ends[1], "x", 1);
            for (;;) ::pause();
        }
        ::close(ends[1]);
        done_ = base::FileDescriptor(ends[0]);
        return process;
    }
    void kill_after_work(pid_t process) {
        char done = 0;
        EXPECT_EQ(::read(done_.get(), &done, 1), 1);
        kill(process);
    }
    static void kill(pid_t process) {
        ::kill(process, SIGKILL);
        ::waitpid(process, nullptr, 0);
    }
    base::FileDescriptor done_;
};

TEST_F(OciCrashTest, ContainersAreAdopted) {
    const std::string volume = root_ + "/volume";
    std::filesystem::create_directory(volume);
    const Json mounts = {
        {"mounts", {{{"source", volume}, {"path", "/v"}, {"readOnly", false}, {"propagation", "private"}}}}};
    const pid_t process = begin([&] {
        run("web", "n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done", {{"stdin", true}});
        run("ends", "while ! test -e /v/go; do sleep 0.01; done; echo going; exit 9", mounts);
        oci().call("run_sandbox", sandbox_request("empty"));
        oci().call("create_container", container_request("empty", "echo late"));
    });
    kill_after_work(process);
    std::ofstream(volume + "/go") << "";
    const std::string status = state_directory() + "/containers/" + id_of("ends") + "/status";
    ASSERT_TRUE(eventually([&] { return file_text(status).find("state ended") != std::string::npos; }));
    start();
    ASSERT_TRUE(oci().started.ok()) << oci().started.message();
    EXPECT_EQ(container("web")["state"], "running");
    EXPECT_EQ(container("ends")["state"], "exited");
    EXPECT_EQ(container("ends")["exitCode"], 9);
    EXPECT_EQ(container("empty")["state"], "created");
    EXPECT_EQ(execute("web", {"echo", "still here"}).first, "still here\n");
    const std::string before = log_text("web");
    EXPECT_TRUE(eventually([&] { return log_text("web").size() > before.size() + 100; }))
        << "its log goes on";
    EXPECT_EQ(oci().call("run_sandbox", sandbox_request("web")).descriptors.size(), 1u);
    ASSERT_TRUE(oci().call("start_container", {{"containerId", id_of("empty")}}).ok());
    EXPECT_EQ(wait_for_state("empty", "exited")["exitCode"], 0);
    EXPECT_TRUE(oci().wait_for_reconcile("pod/uid-empty"));
    ASSERT_TRUE(stop_container("web", 0).ok());
    EXPECT_EQ(container("web")["exitCode"], 137);
}

// Wherever the instance is killed, the next one can remove everything.
TEST_F(OciCrashTest, NothingIsOrphaned) {
    for (int round = 0; round < 40; ++round) {
        const pid_t process = begin([&] {
            run("a", "sleep 1000");
            oci().call("run_sandbox", sandbox_request("b", {{"namespaces", {{"pid", "pod"}}}}));
            run("b", "sleep 1000 & sleep 1000");
            stop_container("a", 0);
            remove_pod("a");
            remove_pod("b");
        });
        // Not to wait for something: this is the moment at which it is killed.
        std::this_thread::sleep_for(std::chrono::microseconds(15'000 + round * 2'500));
        kill(process);
        start();
        ASSERT_TRUE(oci().started.ok()) << oci().started.message();
        for (const char* pod : {"a", "b"}) {
            const OciAnswer removed = remove_pod(pod);
            ASSERT_TRUE(removed.ok()) << removed.message();
        }
        stop();
        ASSERT_THAT(leftovers(), IsEmpty()) << "round " << round;
    }
}

TEST_F(OciCrashTest, AKilledShimIsNoticed) {
    ASSERT_TRUE(run("web", "sleep 1000").ok());
    const pid_t shim = shims().at(0);
    ::kill(shim, SIGKILL);
    EXPECT_TRUE(oci().wait_for_reconcile("pod/uid-web"));
    const Json exited = wait_for_state("web", "exited");
    EXPECT_EQ(exited["exitCode"], 255);
    EXPECT_EQ(exited["reason"], "Error");
    EXPECT_EQ(oci().call("list_sandboxes", Json::object()).document["sandboxes"][0]["state"], "stopped");
    EXPECT_FALSE(
        oci().call("create_container", container_request("web", "true", Json::object(), "late")).ok());
}

TEST_F(OciCrashTest, AShimThatDiedWithThePluginIsNoticed) {
    const pid_t process = begin([&] { run("web", "sleep 1000"); });
    kill_after_work(process);
    for (const pid_t shim : shims()) ::kill(shim, SIGKILL);
    ASSERT_TRUE(eventually([&] { return shims().empty(); }));
    start();
    EXPECT_EQ(container("web")["state"], "exited");
    EXPECT_EQ(container("web")["exitCode"], 255);
    EXPECT_EQ(oci().call("list_sandboxes", Json::object()).document["sandboxes"][0]["state"], "stopped");
}

TEST_F(OciCrashTest, DirectoriesWithoutARecordAreRemoved) {
    stop();
    for (const char* directory : {"/sandboxes/x", "/containers/y/z", "/data/containers/w/upper"})
        std::filesystem::create_directories(state_directory() + directory);
    std::ofstream(state_directory() + "/sandboxes/x/sandbox.json") << "{\"request\":";
    start();
    EXPECT_TRUE(oci().started.ok());
    EXPECT_THAT(leftovers(), IsEmpty());
}

// One small process for each pod.
TEST_F(OciCrashTest, ShimsAreSmall) {
    ASSERT_TRUE(run("web", "echo x; sleep 1000").ok());
    ASSERT_TRUE(eventually([&] { return !log_text("web").empty(); }));
    execute("web", {"echo", "x"});
    ASSERT_EQ(shims().size(), 1u);
    const std::int64_t resident_kb = memory_kb(shims()[0], "Rss");
    std::cout << "resident " << resident_kb << " kB, private " << memory_kb(shims()[0], "Private_Dirty")
              << " kB\n";
    EXPECT_GT(resident_kb, 0);
    EXPECT_LE(resident_kb, 1024);
}

}  // namespace
}  // namespace keelson::testing
