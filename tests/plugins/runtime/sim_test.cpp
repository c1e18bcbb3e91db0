// The life of simulated sandboxes, containers and images.
#include "tests/plugins/runtime/sim_fixture.h"

namespace keelson::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(SimTest, RunsAPodForEver) {
    Sim sim;
    ASSERT_TRUE(sim.started.ok()) << sim.started.message();
    EXPECT_EQ(sim.call("info", Json::object()).document["name"], "keelson-sim");
    ASSERT_TRUE(sim.run_pod("web").ok());
    EXPECT_EQ(sim.state("web"), "running");
    sim.advance_ms(86'400'000);
    const Json container = sim.container("web");
    EXPECT_EQ(container["state"], "running");
    EXPECT_EQ(container["startedAt"], "2026-01-01T00:00:00.000000000Z");
    EXPECT_EQ(container["imageId"], "sha256:1");
    EXPECT_FALSE(container.contains("exitCode"));
    EXPECT_THAT(sim.reconciled(), IsEmpty());
    const Json sandbox = sim.call("list_sandboxes", Json::object()).document["sandboxes"].at(0);
    EXPECT_EQ(sandbox["state"], "ready");
    EXPECT_EQ(sandbox["pod"]["uid"], "uid-web");
}

TEST(SimTest, StatesFollowFromTime) {
    Sim sim;
    ASSERT_TRUE(sim.run_pod("job", {{"start-milliseconds", "300"},
                                    {"run-milliseconds", "1500"},
                                    {"exit-code", "7"},
                                    {"exit-reason", "OOMKilled"},
                                    {"exit-message", "too large"}})
                    .ok());
    EXPECT_EQ(sim.state("job"), "created");
    const Json info = sim.call("info", Json::object()).document;
    EXPECT_EQ(info["nextChangeMonotonicMicroseconds"], sim.monotonic_us + 300'000);
    sim.advance_ms(300);
    EXPECT_EQ(sim.state("job"), "running");
    EXPECT_THAT(sim.reconciled(), ElementsAre("pod/uid-job"));
    sim.advance_ms(1499);
    EXPECT_EQ(sim.state("job"), "running");
    sim.advance_ms(60'000);
    const Json exited = sim.container("job");
    EXPECT_EQ(exited["state"], "exited");
    EXPECT_EQ(exited["startedAt"], "2026-01-01T00:00:00.300000000Z");
    EXPECT_EQ(exited["finishedAt"], "2026-01-01T00:00:01.800000000Z")
        << "when it was due, not when looked at";
    EXPECT_EQ(exited["exitCode"], 7);
    EXPECT_EQ(exited["reason"], "OOMKilled");
    EXPECT_EQ(exited["message"], "too large");
    EXPECT_THAT(sim.reconciled(), ElementsAre("pod/uid-job", "pod/uid-job"));
    EXPECT_FALSE(sim.call("info", Json::object()).document.contains("nextChangeMonotonicMicroseconds"));
}

TEST(SimTest, AnnotationsOfOneContainerWin) {
    Sim sim(Json{{"defaults", {{"run-milliseconds", "1000"}, {"exit-code", "1"}}}});
    ASSERT_TRUE(sim.run_sandbox("web", {{"exit-code", "2"}, {"exit-code.main", "3"}, {"log", "x"}}).ok());
    for (const char* name : {"main", "side"}) {
        ASSERT_TRUE(sim.create("web", name).ok());
        ASSERT_TRUE(sim.start("web", name).ok());
    }
    ASSERT_TRUE(sim.run_pod("plain").ok());
    sim.advance_ms(1000);
    EXPECT_EQ(sim.container("web", "main")["exitCode"], 3);
    EXPECT_EQ(sim.container("web", "side")["exitCode"], 2);
    EXPECT_EQ(sim.container("plain")["exitCode"], 1);
    EXPECT_EQ(sim.container("plain")["reason"], "Error");
}

TEST(SimTest, FailsWhereItIsTold) {
    Sim sim;
    const SimAnswer sandbox = sim.run_sandbox("a", {{"fail-sandbox", "no sandbox today"}});
    EXPECT_EQ(sandbox.status, KEELSON_INTERNAL);
    EXPECT_EQ(sandbox.message(), "no sandbox today");
    const SimAnswer create = sim.run_pod("b", {{"fail-create", "no such volume"}});
    EXPECT_EQ(create.status, KEELSON_INTERNAL);
    EXPECT_EQ(create.message(), "no such volume");
    EXPECT_EQ(sim.state("b"), "absent");
    for (int round = 0; round < 2; ++round) {
        const SimAnswer start =
            round == 0 ? sim.run_pod("c", {{"fail-start", "exec: not found"}}) : sim.start("c");
        EXPECT_EQ(start.status, KEELSON_INTERNAL);
        EXPECT_EQ(start.message(), "exec: not found");
        const Json container = sim.container("c");
        EXPECT_EQ(container["state"], "exited");
        EXPECT_EQ(container["exitCode"], 128);
        EXPECT_EQ(container["reason"], "StartError");
        EXPECT_EQ(container["message"], "exec: not found");
    }
}

TEST(SimTest, EveryNthAttemptFails) {
    Sim sim;
    ASSERT_TRUE(sim.run_sandbox("web", {{"fail-every", "3"}}).ok());
    std::string states;
    for (int attempt = 0; attempt < 6; ++attempt) {
        ASSERT_TRUE(sim.create("web", "main", attempt).ok());
        ASSERT_TRUE(sim.start("web", "main", attempt).ok());
        states += sim.container("web", "main", attempt)["state"].get<std::string>()[0];
    }
    EXPECT_EQ(states, "rrerre");
    EXPECT_EQ(sim.container("web", "main", 2)["exitCode"], 1);
    EXPECT_THAT(sim.reconciled(), ElementsAre("pod/uid-web", "pod/uid-web"));
}

TEST(SimTest, RefusesAnnotationsThatItCannotUnderstand) {
    Sim sim;
    for (const Json& annotations :
         {Json{{"exit-cod", "1"}}, Json{{"exit-code", "one"}}, Json{{"exit-code", "256"}},
          Json{{"run-milliseconds", "-1"}}, Json{{"fail-every.other", ""}}}) {
        const SimAnswer answer = sim.run_sandbox("web", annotations);
        EXPECT_EQ(answer.status, KEELSON_INVALID) << annotations;
        EXPECT_THAT(answer.message(), HasSubstr("sim.keelson.dev/")) << annotations;
    }
    EXPECT_EQ(Sim(Json{{"defaults", {{"exit-code", "x"}}}}).started.status, KEELSON_INVALID);
    EXPECT_EQ(Sim(Json{{"failureProbability", 2}}).started.status, KEELSON_INVALID);
    EXPECT_EQ(Sim(Json{{"callMilliseconds", 5}}).started.status, KEELSON_INVALID) << "needs the timer";
}

TEST(SimTest, CallsCanBeRepeated) {
    Sim sim;
    for (int round = 0; round < 3; ++round) EXPECT_TRUE(sim.run_pod("web").ok());
    EXPECT_EQ(sim.call("list_containers", Json::object()).document["containers"].size(), 1u);
    for (int round = 0; round < 2; ++round) {
        EXPECT_TRUE(sim.stop("web", 30).ok());
        EXPECT_TRUE(sim.start("web").ok()) << "it was started";
        EXPECT_EQ(sim.state("web"), "exited");
    }
    for (int round = 0; round < 2; ++round) {
        EXPECT_TRUE(sim.call("remove_container", {{"containerId", sim.id_of("web")}}).ok());
        EXPECT_EQ(sim.state("web"), "absent");
    }
    for (const char* method : {"stop_sandbox", "stop_sandbox", "remove_sandbox", "remove_sandbox"})
        EXPECT_TRUE(sim.call(method, {{"sandboxId", "s-web"}}).ok());
    EXPECT_THAT(sim.call("list_sandboxes", Json::object()).document["sandboxes"], IsEmpty());
}

TEST(SimTest, ConflictsAreRefused) {
    Sim sim;
    ASSERT_TRUE(sim.run_pod("web").ok());
    Json other = {{"sandboxId", "s-web"},
                  {"pod", {{"name", "web"}, {"namespace", "default"}, {"uid", "other"}}},
                  {"logDirectory", ""},
                  {"cgroupParent", ""},
                  {"namespaces", {{"network", "host"}, {"pid", "pod"}, {"ipc", ""}, {"user", ""}}}};
    EXPECT_EQ(sim.call("run_sandbox", other).status, KEELSON_ALREADY_EXISTS);
    ASSERT_TRUE(sim.run_sandbox("late").ok());
    ASSERT_TRUE(sim.create("late").ok());
    ASSERT_TRUE(sim.call("stop_sandbox", {{"sandboxId", "s-late"}}).ok());
    EXPECT_EQ(sim.start("late").status, KEELSON_CONFLICT);
    EXPECT_EQ(sim.create("late", "side").status, KEELSON_CONFLICT);
    EXPECT_EQ(sim.run_sandbox("late").status, KEELSON_CONFLICT);
    EXPECT_EQ(sim.create("nowhere").status, KEELSON_NOT_FOUND);
}

TEST(SimTest, UnknownIds) {
    Sim sim;
    const Json unknown = {
        {"containerId", "x"},  {"sandboxId", "x"}, {"graceSeconds", 0}, {"resources", Json::object()},
        {"command", {"true"}}, {"tty", false},     {"stdin", false},    {"stdout", true},
        {"stderr", true},      {"columns", 80},    {"rows", 25},        {"port", 80}};
    for (const char* method : {"stop_sandbox", "remove_sandbox", "stop_container", "remove_container"})
        EXPECT_EQ(sim.call(method, unknown).status, KEELSON_OK) << method;
    for (const char* method :
         {"start_container", "update_resources", "exec", "attach", "resize", "port_forward", "reopen_log"})
        EXPECT_EQ(sim.call(method, unknown).status, KEELSON_NOT_FOUND) << method;
    EXPECT_THAT(sim.call("list_containers", unknown).document["containers"], IsEmpty());
}

TEST(SimTest, StoppingTakesItsTime) {
    Sim sim;
    ASSERT_TRUE(sim.run_pod("web", {{"stop-milliseconds", "2500"}, {"stop-exit-code", "0"}}).ok());
    EXPECT_EQ(sim.stop("web", 30).status, KEELSON_UNAVAILABLE);
    EXPECT_EQ(sim.state("web"), "running");
    sim.advance_ms(2000);
    EXPECT_EQ(sim.stop("web", 30).status, KEELSON_UNAVAILABLE) << "asking again does not put it off";
    sim.advance_ms(500);
    EXPECT_TRUE(sim.stop("web", 30).ok());
    EXPECT_EQ(sim.container("web")["exitCode"], 0);
    EXPECT_EQ(sim.container("web")["finishedAt"], "2026-01-01T00:00:02.500000000Z");
    EXPECT_THAT(sim.reconciled(), ElementsAre("pod/uid-web"));
}

TEST(SimTest, GraceEndsInKilling) {
    Sim sim;
    ASSERT_TRUE(sim.run_pod("web", {{"stop-milliseconds", "60000"}}).ok());
    EXPECT_EQ(sim.stop("web", 600).status, KEELSON_UNAVAILABLE);
    EXPECT_EQ(sim.stop("web", 2).status, KEELSON_UNAVAILABLE) << "a shorter grace counts";
    sim.advance_ms(2000);
    EXPECT_EQ(sim.container("web")["exitCode"], 137);
    ASSERT_TRUE(sim.run_pod("now", {{"stop-milliseconds", "60000"}}).ok());
    EXPECT_TRUE(sim.stop("now", 0).ok());
    EXPECT_EQ(sim.container("now")["exitCode"], 137);
    ASSERT_TRUE(sim.run_pod("gone").ok());
    ASSERT_TRUE(sim.call("stop_sandbox", {{"sandboxId", "s-gone"}}).ok());
    EXPECT_EQ(sim.container("gone")["exitCode"], 137);
    ASSERT_TRUE(sim.run_pod("polite").ok());
    EXPECT_TRUE(sim.stop("polite", 30).ok());
    EXPECT_EQ(sim.container("polite")["exitCode"], 143);
}

TEST(SimTest, StatsFollowFromTheAnnotations) {
    Sim sim;
    ASSERT_TRUE(sim.run_pod("web", {{"cpu-millis", "250"}, {"memory-bytes", "5000000"}}).ok());
    ASSERT_TRUE(sim.run_pod("job", {{"run-milliseconds", "10"}}).ok());
    sim.advance_ms(4000);
    const Json stats = sim.call("stats", Json::object()).document["containers"];
    ASSERT_EQ(stats.size(), 1u) << "what has exited uses nothing";
    EXPECT_EQ(stats[0]["cpuNanoseconds"], 1'000'000'000);
    EXPECT_EQ(stats[0]["memoryBytes"], 5'000'000);
    EXPECT_EQ(stats[0]["workingSetBytes"], 5'000'000);
}

// Every answer of a run with chance in it.
std::string story(std::uint64_t seed) {
    Sim sim(Json{{"seed", seed}, {"jitterMilliseconds", 500}, {"failureProbability", 0.3}});
    std::string text;
    for (int pod = 0; pod < 50; ++pod) {
        const std::string name = "p" + std::to_string(pod);
        text += std::to_string(sim.run_pod(name, {{"run-milliseconds", "1000"}}).status);
        sim.advance_ms(50);
    }
    return text + sim.call("list_containers", Json::object()).document.dump();
}

TEST(SimTest, ASeedRepeatsItself) {
    EXPECT_EQ(story(1), story(1));
    EXPECT_NE(story(1), story(2));
    EXPECT_THAT(story(1), HasSubstr("6")) << "some are unavailable";
}

TEST(SimTest, PullsNames) {
    Sim sim;
    const SimAnswer pulled = sim.images("pull", {{"image", "docker.io/library/nginx:1"}});
    ASSERT_TRUE(pulled.ok());
    EXPECT_EQ(sim.images("pull", {{"image", "docker.io/library/nginx:1"}}).document, pulled.document);
    const Json image = sim.images("list", Json::object()).document["images"].at(0);
    EXPECT_EQ(image["imageId"], pulled.document["imageId"]);
    EXPECT_THAT(image["names"], ElementsAre("docker.io/library/nginx:1"));
    EXPECT_THAT(image["digests"].at(0).get<std::string>(), HasSubstr("docker.io/library/nginx@sha256:"));
    EXPECT_EQ(sim.images("usage", Json::object()).document["usedBytes"], image["sizeBytes"]);
    for (int round = 0; round < 2; ++round)
        EXPECT_TRUE(sim.images("remove", {{"imageId", pulled.document["imageId"]}}).ok());
    EXPECT_THAT(sim.images("list", Json::object()).document["images"], IsEmpty());
    const SimAnswer missing = sim.images("pull", {{"image", "example.com/missing:1"}});
    EXPECT_EQ(missing.status, KEELSON_NOT_FOUND);
    EXPECT_THAT(missing.message(), HasSubstr("example.com/missing:1: not found"));
    const SimAnswer denied = sim.images("pull", {{"image", "example.com/denied:1"}});
    EXPECT_EQ(denied.status, KEELSON_FORBIDDEN);
    EXPECT_THAT(denied.message(), HasSubstr("pull access denied"));
    EXPECT_EQ(sim.images("pull", {{"image", "unreachable/a"}}).status, KEELSON_UNAVAILABLE);
}

// A host that takes no descriptors and does not listen.
TEST(SimTest, RunsWithASmallHost) {
    TemporaryDirectory directory;
    PluginLibrary library(KEELSON_TEST_PLUGINS "/sim.so", directory.path());
    ASSERT_TRUE(library.start({{"defaults", {{"run-milliseconds", "3000"}}}}).ok());
    const Json pod = {{"name", "a"}, {"namespace", "b"}, {"uid", "c"}};
    const Json namespaces = {{"network", "pod"}, {"pid", "pod"}, {"ipc", ""}, {"user", ""}};
    EXPECT_TRUE(library
                    .call("keelson.runtime/0", "run_sandbox",
                          {{"sandboxId", "s"},
                           {"pod", pod},
                           {"logDirectory", ""},
                           {"cgroupParent", ""},
                           {"namespaces", namespaces}})
                    .ok());
    EXPECT_EQ(library.call("keelson.runtime.images/0", "usage", Json::object()).document["path"],
              directory.path());
}

}  // namespace
}  // namespace keelson::testing
