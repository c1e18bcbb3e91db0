// What every runtime plugin does alike, whatever its containers are. A test of one gives a World:
//
//   std::string missing()                      why it cannot run here; empty: it can
//   Answer call(method, request)               Answer has status, document, descriptors, ok(), message()
//   std::string log_directory(), cgroup()      of its pods
//   std::string image_id()
//   Json annotations(exit_code), Json command(exit_code)
//                                              of a pod and its container that says "started" and runs for
//                                              ever, or, with a code, ends soon
//   void pass_time()                           enough for what ends soon
//   bool restart()                             a new instance on the same machine; false: it keeps nothing
//   bool has_request(key)                      whether request_reconcile was called with it, now or soon
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>

#include "keelson/entry.h"

namespace keelson::testing {

template <typename World>
class RuntimeSuite : public ::testing::Test {
  protected:
    using Json = nlohmann::json;

    void SetUp() override {
        if (const std::string why = world_.missing(); !why.empty()) GTEST_SKIP() << why;
    }
    void TearDown() override {
        if (!world_.missing().empty()) return;
        const Json sandboxes = call("list_sandboxes", Json::object()).document["sandboxes"];
        for (const Json& sandbox : sandboxes)
            EXPECT_TRUE(call("remove_sandbox", {{"sandboxId", sandbox["sandboxId"]}}).ok());
    }
    auto call(const std::string& method, const Json& request) { return world_.call(method, request); }

    auto run_sandbox(const std::string& pod, std::optional<int> exit_code = std::nullopt,
                     const std::string& uid = "") {
        return call(
            "run_sandbox",
            {{"sandboxId", "s-" + pod},
             {"pod",
              {{"name", pod},
               {"namespace", "default"},
               {"uid", uid.empty() ? "uid-" + pod : uid},
               {"annotations", world_.annotations(exit_code)}}},
             {"hostname", pod},
             {"logDirectory", world_.log_directory()},
             {"cgroupParent", world_.cgroup()},
             {"namespaces", {{"network", "pod"}, {"pid", "container"}, {"ipc", "pod"}, {"user", "host"}}}});
    }
    auto create(const std::string& pod, std::optional<int> exit_code = std::nullopt) {
        return call("create_container", {{"sandboxId", "s-" + pod},
                                         {"containerId", "c-" + pod},
                                         {"name", "main"},
                                         {"attempt", 2},
                                         {"imageId", world_.image_id()},
                                         {"command", world_.command(exit_code)},
                                         {"args", Json::array()},
                                         {"environment", Json::array()},
                                         {"mounts", Json::array()},
                                         {"resources", Json::object()},
                                         {"security", Json::object()},
                                         {"logPath", pod + ".log"},
                                         {"tty", false},
                                         {"stdin", false}});
    }
    auto start(const std::string& pod) { return call("start_container", {{"containerId", "c-" + pod}}); }
    auto stop(const std::string& pod, int grace_seconds = 0) {
        return call("stop_container", {{"containerId", "c-" + pod}, {"graceSeconds", grace_seconds}});
    }
    void run(const std::string& pod, std::optional<int> exit_code = std::nullopt) {
        const auto made = run_sandbox(pod, exit_code);
        ASSERT_TRUE(made.ok()) << made.message();
        const auto created = create(pod, exit_code);
        ASSERT_TRUE(created.ok()) << created.message();
        const auto started = start(pod);
        ASSERT_TRUE(started.ok()) << started.message();
    }
    Json container(const std::string& pod) {
        const Json list = call("list_containers", {{"sandboxId", "s-" + pod}}).document["containers"];
        return list.empty() ? Json::object() : list.at(0);
    }
    // Polls, as an end may come from outside.
    bool becomes(const std::string& pod, const std::string& state) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (container(pod).value("state", "absent") != state) {
            if (std::chrono::steady_clock::now() > until) return false;
            world_.pass_time();
        }
        return true;
    }

    World world_;
};

TYPED_TEST_SUITE_P(RuntimeSuite);

TYPED_TEST_P(RuntimeSuite, AContainersLife) {
    const auto sandbox = this->run_sandbox("web");
    ASSERT_TRUE(sandbox.ok()) << sandbox.message();
    EXPECT_EQ(sandbox.descriptors.size(), 1u) << "its network namespace";
    ASSERT_TRUE(this->create("web").ok());
    EXPECT_EQ(this->container("web")["state"], "created");
    EXPECT_FALSE(this->container("web").contains("startedAt"));
    ASSERT_TRUE(this->start("web").ok());
    ASSERT_TRUE(this->becomes("web", "running"));
    const auto running = this->container("web");
    EXPECT_EQ(running["containerId"], "c-web");
    EXPECT_EQ(running["sandboxId"], "s-web");
    EXPECT_EQ(running["name"], "main");
    EXPECT_EQ(running["attempt"], 2);
    EXPECT_EQ(running["imageId"], this->world_.image_id());
    EXPECT_TRUE(running.contains("startedAt"));
    EXPECT_FALSE(running.contains("exitCode"));
    ASSERT_TRUE(this->stop("web").ok());
    const auto exited = this->container("web");
    EXPECT_EQ(exited["state"], "exited");
    EXPECT_THAT(exited["exitCode"], ::testing::AnyOf(137, 143)) << "killed, or ended when asked";
    EXPECT_EQ(exited["reason"], "Error");
    EXPECT_TRUE(exited.contains("finishedAt"));
    ASSERT_TRUE(this->call("remove_container", {{"containerId", "c-web"}}).ok());
    EXPECT_TRUE(this->container("web").empty());
    const auto listed = this->call("list_sandboxes", nlohmann::json::object()).document["sandboxes"].at(0);
    EXPECT_EQ(listed["state"], "ready");
    EXPECT_EQ(listed["pod"]["uid"], "uid-web");
}

TYPED_TEST_P(RuntimeSuite, ExitCodes) {
    for (const int code : {0, 7}) {
        const std::string pod = "code" + std::to_string(code);
        this->run(pod, code);
        ASSERT_TRUE(this->becomes(pod, "exited"));
        EXPECT_EQ(this->container(pod)["exitCode"], code);
        EXPECT_EQ(this->container(pod)["reason"], code == 0 ? "Completed" : "Error");
        EXPECT_TRUE(this->world_.has_request("pod/uid-" + pod)) << "the kernel is told";
    }
}

TYPED_TEST_P(RuntimeSuite, CallsCanBeRepeated) {
    for (int round = 0; round < 3; ++round) this->run("web");
    EXPECT_EQ(this->call("list_containers", nlohmann::json::object()).document["containers"].size(), 1u);
    EXPECT_EQ(this->run_sandbox("web").descriptors.size(), 1u);
    for (int round = 0; round < 2; ++round) {
        EXPECT_TRUE(this->stop("web").ok());
        EXPECT_TRUE(this->start("web").ok()) << "it was started";
        EXPECT_EQ(this->container("web")["state"], "exited");
    }
    for (int round = 0; round < 2; ++round)
        EXPECT_TRUE(this->call("remove_container", {{"containerId", "c-web"}}).ok());
    for (const char* method : {"stop_sandbox", "stop_sandbox", "remove_sandbox", "remove_sandbox"})
        EXPECT_TRUE(this->call(method, {{"sandboxId", "s-web"}}).ok());
    EXPECT_TRUE(this->call("list_sandboxes", nlohmann::json::object()).document["sandboxes"].empty());
}

TYPED_TEST_P(RuntimeSuite, ConflictsAreRefused) {
    this->run("web");
    EXPECT_EQ(this->run_sandbox("web", std::nullopt, "other").status, KEELSON_ALREADY_EXISTS);
    ASSERT_TRUE(this->run_sandbox("late").ok());
    ASSERT_TRUE(this->create("late").ok());
    ASSERT_TRUE(this->call("stop_sandbox", {{"sandboxId", "s-late"}}).ok());
    EXPECT_EQ(this->start("late").status, KEELSON_CONFLICT);
    EXPECT_EQ(this->run_sandbox("late").status, KEELSON_CONFLICT);
    EXPECT_EQ(this->create("nowhere").status, KEELSON_NOT_FOUND);
}

TYPED_TEST_P(RuntimeSuite, UnknownIds) {
    using Json = nlohmann::json;
    const Json unknown = {
        {"containerId", "x"},  {"sandboxId", "x"}, {"graceSeconds", 0}, {"resources", Json::object()},
        {"command", {"true"}}, {"tty", false},     {"stdin", false},    {"stdout", true},
        {"stderr", true},      {"columns", 80},    {"rows", 25},        {"port", 80}};
    for (const char* method : {"stop_sandbox", "remove_sandbox", "stop_container", "remove_container"})
        EXPECT_EQ(this->call(method, unknown).status, KEELSON_OK) << method;
    for (const char* method :
         {"start_container", "update_resources", "exec", "attach", "resize", "port_forward", "reopen_log"})
        EXPECT_EQ(this->call(method, unknown).status, KEELSON_NOT_FOUND) << method;
    EXPECT_TRUE(this->call("list_containers", unknown).document["containers"].empty());
    EXPECT_TRUE(this->call("stats", unknown).document["containers"].empty());
}

TYPED_TEST_P(RuntimeSuite, RemovingASandboxRemovesItsContainers) {
    this->run("web");
    this->run("other");
    ASSERT_TRUE(this->call("remove_sandbox", {{"sandboxId", "s-web"}}).ok());
    EXPECT_TRUE(this->container("web").empty());
    EXPECT_EQ(this->container("other")["containerId"], "c-other");
}

TYPED_TEST_P(RuntimeSuite, WritesALog) {
    this->run("web");
    const std::string path = this->world_.log_directory() + "/web.log";
    std::string line;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (line.empty() && std::chrono::steady_clock::now() < until) {
        this->becomes("web", "running");
        std::ifstream file(path);
        std::getline(file, line);
    }
    EXPECT_THAT(line, ::testing::MatchesRegex(
                          "[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]{9}Z stdout F started"));
    EXPECT_TRUE(this->call("reopen_log", {{"containerId", "c-web"}}).ok());
}

TYPED_TEST_P(RuntimeSuite, ExecutesAndAttaches) {
    this->run("web");
    ASSERT_TRUE(this->becomes("web", "running"));
    const auto done = this->call("exec", {{"containerId", "c-web"},
                                          {"command", {"true"}},
                                          {"tty", false},
                                          {"stdin", true},
                                          {"stdout", true},
                                          {"stderr", true}});
    ASSERT_TRUE(done.ok()) << done.message();
    ASSERT_EQ(done.descriptors.size(), 4u) << "input, output, error, result";
    std::string result;
    char piece[256];
    for (ssize_t got = 0; (got = ::read(done.descriptors[3].get(), piece, sizeof piece)) > 0;)
        result.append(piece, std::size_t(got));
    EXPECT_EQ(nlohmann::json::parse(result), nlohmann::json({{"exitCode", 0}}));
    const auto attached = this->call(
        "attach", {{"containerId", "c-web"}, {"stdin", false}, {"stdout", true}, {"stderr", true}});
    ASSERT_TRUE(attached.ok()) << attached.message();
    EXPECT_EQ(attached.descriptors.size(), 3u) << "output, error, result";
    ASSERT_TRUE(this->stop("web").ok());
    for (const char* method : {"exec", "attach"})
        EXPECT_EQ(this->call(method, {{"containerId", "c-web"},
                                      {"command", {"true"}},
                                      {"tty", false},
                                      {"stdin", false},
                                      {"stdout", true},
                                      {"stderr", true}})
                      .status,
                  KEELSON_CONFLICT)
            << method;
}

TYPED_TEST_P(RuntimeSuite, CountsWhatRuns) {
    this->run("web");
    this->run("ended");
    ASSERT_TRUE(this->becomes("web", "running"));
    ASSERT_TRUE(this->stop("ended").ok());
    const auto stats = this->call("stats", nlohmann::json::object()).document["containers"];
    ASSERT_EQ(stats.size(), 1u);
    EXPECT_EQ(stats[0]["containerId"], "c-web");
    EXPECT_GT(stats[0]["memoryBytes"], 0);
    EXPECT_TRUE(this->call("stats", {{"sandboxId", "s-ended"}}).document["containers"].empty());
}

TYPED_TEST_P(RuntimeSuite, ARestartKeepsWhatRuns) {
    this->run("web");
    this->run("ended", 3);
    ASSERT_TRUE(this->becomes("ended", "exited"));
    if (!this->world_.restart()) GTEST_SKIP() << "this runtime keeps nothing by itself";
    EXPECT_EQ(this->container("web")["state"], "running");
    EXPECT_EQ(this->container("ended")["exitCode"], 3);
    EXPECT_EQ(this->call("list_sandboxes", nlohmann::json::object()).document["sandboxes"].size(), 2u);
}

REGISTER_TYPED_TEST_SUITE_P(RuntimeSuite, AContainersLife, ExitCodes, CallsCanBeRepeated, ConflictsAreRefused,
                            UnknownIds, RemovingASandboxRemovesItsContainers, WritesALog, ExecutesAndAttaches,
                            CountsWhatRuns, ARestartKeepsWhatRuns);

}  // namespace keelson::testing
