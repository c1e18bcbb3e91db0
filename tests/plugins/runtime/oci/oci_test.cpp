// The life of containers, by crun.
#include "tests/plugins/runtime/oci/oci_fixture.h"

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

}  // namespace
}  // namespace keelson::testing
