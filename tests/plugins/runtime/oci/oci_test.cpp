// The life of containers, by crun.
#include "tests/plugins/runtime/oci/oci_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace keelson::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST_F(OciTest, RunsAContainer) {
    const OciAnswer sandbox = oci().call("run_sandbox", sandbox_request("web"));
    ASSERT_TRUE(sandbox.ok()) << sandbox.message();
    EXPECT_EQ(sandbox.descriptors.size(), 1u) << "its network namespace";
    const OciAnswer started = run("web", "echo hello; exec sleep 1000");
    ASSERT_TRUE(started.ok()) << started.message();
    const Json running = container("web");
    EXPECT_EQ(running["state"], "running");
    EXPECT_GT(running.value("processId", 0), 1);
    EXPECT_TRUE(eventually([&] { return !log_text("web").empty(); }));
    EXPECT_THAT(log_text("web"),
                MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]{9}Z stdout F hello\n"));
    const OciAnswer stopped = stop_container("web", 0);
    ASSERT_TRUE(stopped.ok()) << stopped.message();
    const Json exited = container("web");
    EXPECT_EQ(exited["state"], "exited");
    EXPECT_EQ(exited["exitCode"], 137);
    EXPECT_EQ(exited["reason"], "Error");
    EXPECT_TRUE(oci().call("remove_container", {{"containerId", id_of("web")}}).ok());
    EXPECT_TRUE(container("web").empty());
    EXPECT_TRUE(remove_pod("web").ok());
}

TEST_F(OciTest, TellsExitCodes) {
    for (const int code : {0, 3, 255}) {
        const std::string pod = "exit" + std::to_string(code);
        ASSERT_TRUE(run(pod, "exit " + std::to_string(code)).ok());
        const Json exited = wait_for_state(pod, "exited");
        EXPECT_EQ(exited["exitCode"], code);
        EXPECT_EQ(exited["reason"], code == 0 ? "Completed" : "Error");
        EXPECT_TRUE(oci().wait_for_reconcile("pod/uid-" + pod));
    }
}

TEST_F(OciTest, AsksPolitelyFirst) {
    ASSERT_TRUE(run("polite", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done").ok());
    ASSERT_TRUE(eventually([&] { return !log_text("polite").empty(); }));
    ASSERT_TRUE(stop_container("polite", 30).ok());
    EXPECT_EQ(container("polite")["exitCode"], 7);
    make_image("signal", {{"stopSignal", "SIGUSR1"}});
    ASSERT_TRUE(run("signal", "trap 'exit 8' USR1; echo ready; while :; do sleep 0.01; done",
                    {{"imageId", "sha256:signal"}})
                    .ok());
    ASSERT_TRUE(eventually([&] { return !log_text("signal").empty(); }));
    ASSERT_TRUE(stop_container("signal", 30).ok());
    EXPECT_EQ(container("signal")["exitCode"], 8);
}

TEST_F(OciTest, GraceEndsInKilling) {
    ASSERT_TRUE(run("deaf", "trap '' TERM; echo ready; while :; do sleep 0.01; done").ok());
    ASSERT_TRUE(eventually([&] { return !log_text("deaf").empty(); }));
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_TRUE(stop_container("deaf", 1).ok());
    const auto took = std::chrono::steady_clock::now() - begun;
    EXPECT_GE(took, std::chrono::seconds(1));
    EXPECT_LT(took, std::chrono::seconds(20));
    EXPECT_EQ(container("deaf")["exitCode"], 137);
}

TEST_F(OciTest, SaysThatMemoryRanOut) {
    // Not its first process: those of the kernel's choice die, and it ends because of that.
    ASSERT_TRUE(run("oom", "tail /dev/zero; exit 137",
                    {{"resources", {{"memoryLimitBytes", 16 << 20}, {"memorySwapLimitBytes", 16 << 20}}}})
                    .ok());
    const Json exited = wait_for_state("oom", "exited");
    EXPECT_EQ(exited["reason"], "OOMKilled");
    EXPECT_EQ(exited["exitCode"], 137);
}

TEST_F(OciTest, SaysThatTheEntrypointIsMissing) {
    const OciAnswer started = run("missing", "", {{"command", {"nosuchprogram"}}});
    EXPECT_EQ(started.status, KEELSON_INTERNAL);
    EXPECT_EQ(started.message(),
              "executable file `nosuchprogram` not found in $PATH: No such file or directory");
    const Json exited = container("missing");
    EXPECT_EQ(exited["state"], "exited");
    EXPECT_EQ(exited["exitCode"], 128);
    EXPECT_EQ(exited["reason"], "StartError");
    EXPECT_EQ(exited["message"], started.message());
    EXPECT_EQ(oci().call("start_container", {{"containerId", id_of("missing")}}).message(),
              started.message());
    start();
    EXPECT_EQ(container("missing")["message"], started.message()) << "after a restart, too";
}

TEST_F(OciTest, AMissingProgramOfTheRuntimeIsNamed) {
    start({{"program", "/no/such/crun"}});
    EXPECT_EQ(oci().started.status, KEELSON_INVALID);
    EXPECT_THAT(oci().started.message(), HasSubstr("/no/such/crun"));
    const std::string program = root_ + "/crun";
    std::ofstream(program) << "not a program";
    ::chmod(program.c_str(), 0755);
    start({{"program", program}});
    ASSERT_TRUE(oci().started.ok());
    const OciAnswer started = run("web", "true");
    EXPECT_EQ(started.status, KEELSON_INTERNAL);
    EXPECT_THAT(started.message(), HasSubstr("cannot be executed"));
    EXPECT_EQ(container("web")["reason"], "StartError");
}

TEST_F(OciTest, AMountThatIsNotThereFailsTheStart) {
    const OciAnswer started = run("web", "true",
                                  {{"mounts",
                                    {{{"source", root_ + "/nothing"},
                                      {"path", "/v"},
                                      {"readOnly", false},
                                      {"propagation", "private"}}}}});
    EXPECT_FALSE(started.ok());
    EXPECT_THAT(started.message(), HasSubstr("nothing"));
    EXPECT_EQ(container("web")["reason"], "StartError");
}

TEST_F(OciTest, AnUnknownImageLeavesNothing) {
    const OciAnswer started = run("web", "true", {{"imageId", "sha256:other"}});
    EXPECT_EQ(started.status, KEELSON_NOT_FOUND);
    EXPECT_TRUE(container("web").empty());
}

TEST_F(OciTest, StoppingASandboxEndsItsContainers) {
    ASSERT_TRUE(run("web", "sleep 1000").ok());
    for (int round = 0; round < 2; ++round)
        ASSERT_TRUE(oci().call("stop_sandbox", {{"sandboxId", "s-web"}}).ok());
    EXPECT_EQ(container("web")["exitCode"], 137);
    EXPECT_EQ(oci().call("list_sandboxes", Json::object()).document["sandboxes"][0]["state"], "stopped");
    EXPECT_EQ(oci().call("run_sandbox", sandbox_request("web")).status, KEELSON_CONFLICT);
    EXPECT_EQ(oci().call("create_container", container_request("web", "true", Json::object(), "late")).status,
              KEELSON_CONFLICT);
}

TEST_F(OciTest, RefusesWhatCannotBe) {
    for (const char* id : {"", "../x", ".x", "a/b", "-x"})
        EXPECT_EQ(oci().call("run_sandbox", sandbox_request("x", {{"sandboxId", id}})).status,
                  KEELSON_INVALID)
            << id;
    EXPECT_EQ(oci().call("run_sandbox", sandbox_request("x", {{"handler", "kata"}})).status, KEELSON_INVALID);
    EXPECT_EQ(oci().call("info", Json::object()).document["handlers"], Json::array({"crun"}));
    EXPECT_EQ(oci().call("run_sandbox", sandbox_request("x", {{"cgroupParent", ""}})).status,
              KEELSON_INVALID);
    EXPECT_EQ(oci().call("run_sandbox", sandbox_request("x", {{"cgroupParent", "a/../.."}})).status,
              KEELSON_INVALID);
    EXPECT_EQ(oci().call("run_sandbox", sandbox_request("x", {{"namespaces", {{"user", "pod"}}}})).status,
              KEELSON_UNSUPPORTED);
    ASSERT_TRUE(oci().call("run_sandbox", sandbox_request("x")).ok());
    EXPECT_EQ(oci().call("create_container", container_request("x", "", {{"logPath", "../../x"}})).status,
              KEELSON_INVALID);
}

TEST_F(OciTest, UpdatesResources) {
    ASSERT_TRUE(run("web", "sleep 1000", {{"resources", {{"memoryLimitBytes", 64 << 20}}}}).ok());
    const OciAnswer updated = oci().call(
        "update_resources", {{"containerId", id_of("web")}, {"resources", {{"memoryLimitBytes", 32 << 20}}}});
    ASSERT_TRUE(updated.ok()) << updated.message();
    const bool is_unified = ::access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    const char* file =
        is_unified ? "/sys/fs/cgroup/memory.max" : "/sys/fs/cgroup/memory/memory.limit_in_bytes";
    EXPECT_EQ(execute("web", {"cat", file}).first, "33554432\n");
}

// As deep as a hostile container likes.
TEST_F(OciTest, DeepTreesAreRemoved) {
    const OciAnswer started = run("deep",
                                  "i=0; while test $i -lt 300; do mkdir d && cd d; i=$((i+1)); done; "
                                  "touch end; ln -s / root; echo done");
    ASSERT_TRUE(started.ok());
    EXPECT_EQ(wait_for_state("deep", "exited")["exitCode"], 0);
    const OciAnswer removed = remove_pod("deep");
    EXPECT_TRUE(removed.ok()) << removed.message();
}

TEST_F(OciTest, CountsWhatIsUsed) {
    ASSERT_TRUE(run("web", "dd if=/dev/zero of=/file bs=1M count=5 2>/dev/null; echo done; sleep 1000").ok());
    ASSERT_TRUE(eventually([&] { return !log_text("web").empty(); }));
    const Json stats = oci().call("stats", {{"sandboxId", "s-web"}}).document;
    ASSERT_EQ(stats["containers"].size(), 1u);
    EXPECT_GT(stats["containers"][0]["cpuNanoseconds"], 0);
    EXPECT_GT(stats["containers"][0]["memoryBytes"], 5 << 20) << "the page cache counts";
    // Files of a virtual machine are in its memory: there none of them can be given back.
    EXPECT_LE(stats["containers"][0]["workingSetBytes"], stats["containers"][0]["memoryBytes"]);
    if (std::getenv("KEELSON_VM") == nullptr) {
        EXPECT_LT(stats["containers"][0]["workingSetBytes"], stats["containers"][0]["memoryBytes"]);
    }
    EXPECT_GE(stats["containers"][0]["fileSystemBytes"], 5 << 20);
    ASSERT_EQ(stats["sandboxes"].size(), 1u);
    EXPECT_GT(stats["sandboxes"][0]["processes"], 1);
}

}  // namespace
}  // namespace keelson::testing
