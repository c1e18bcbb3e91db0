// The state of the simulated runtime survives a swap.
#include "tests/plugins/runtime/sim_fixture.h"

namespace keelson::testing {
namespace {

constexpr const char* kHandover = "keelson.handover/0";

SimAnswer hand_over(Sim& old, Sim& fresh) {
    EXPECT_TRUE(old.call("quiesce", Json::object(), {}, kHandover).ok());
    const SimAnswer given = old.call("give", Json::object(), {}, kHandover);
    EXPECT_EQ(given.descriptors.size(), 1u);
    return fresh.call("adopt", given.document, {given.descriptors.at(0).get()}, kHandover);
}

TEST(SimHandoverTest, EverythingGoesOn) {
    Sim old;
    ASSERT_TRUE(old.run_pod("web", {{"stop-milliseconds", "60000"}}).ok());
    ASSERT_TRUE(old.run_pod("job", {{"run-milliseconds", "2000"}, {"exit-code", "4"}}).ok());
    ASSERT_TRUE(old.run_pod("slow", {{"start-milliseconds", "3000"}}).ok());
    ASSERT_TRUE(old.run_pod("done", {{"run-milliseconds", "0"}}).ok());
    ASSERT_EQ(old.run_pod("broken", {{"fail-start", "no"}}).status, KEELSON_INTERNAL);
    EXPECT_EQ(old.stop("web", 1).status, KEELSON_UNAVAILABLE);
    ASSERT_TRUE(old.images("pull", {{"image", "nginx:1"}}).ok());
    const Json containers = old.call("list_containers", Json::object()).document;
    Sim fresh;
    const SimAnswer adopted = hand_over(old, fresh);
    ASSERT_TRUE(adopted.ok()) << adopted.message();
    EXPECT_EQ(fresh.call("list_containers", Json::object()).document, containers);
    EXPECT_EQ(fresh.call("list_sandboxes", Json::object()).document,
              old.call("list_sandboxes", Json::object()).document);
    EXPECT_EQ(fresh.images("list", Json::object()).document, old.images("list", Json::object()).document);
    fresh.advance_ms(3000);
    EXPECT_EQ(fresh.container("web")["exitCode"], 137);
    EXPECT_EQ(fresh.container("job")["exitCode"], 4);
    EXPECT_EQ(fresh.state("slow"), "running");
    EXPECT_TRUE(fresh.call("remove_sandbox", {{"sandboxId", "s-done"}}).ok());
    EXPECT_EQ(fresh.state("done"), "absent");
}

TEST(SimHandoverTest, TheOldOneResumes) {
    Sim old;
    ASSERT_TRUE(old.run_pod("job", {{"run-milliseconds", "2000"}}).ok());
    EXPECT_TRUE(old.call("quiesce", Json::object(), {}, kHandover).ok());
    EXPECT_TRUE(old.call("give", Json::object(), {}, kHandover).ok());
    old.advance_ms(2000);
    EXPECT_TRUE(old.call("resume", Json::object(), {}, kHandover).ok());
    EXPECT_EQ(old.state("job"), "exited");
}

TEST(SimHandoverTest, ForeignStateIsRefused) {
    for (const Json& state : {Json(), Json{{"version", 2}}, Json{{"version", 1}}}) {
        Sim fresh;
        EXPECT_EQ(fresh.call("adopt", {{"state", state}}, {}, kHandover).status, KEELSON_INVALID) << state;
    }
}

}  // namespace
}  // namespace keelson::testing
