// Plugins over HTTP, from their first to their last day.
#include <atomic>
#include <thread>

#include "tests/admin/admin_fixture.h"

namespace keelson::admin {
namespace {

using ::testing::HasSubstr;

std::string manifest_body(const std::string& path, const std::string& more = {}) {
    return R"({"manifest":")" + path + "\"" + more + "}";
}

TEST_F(AdminTest, APluginLives) {
    place(root_ + "/more");
    start_admin();
    EXPECT_EQ(parsed(ask("GET", "/v1/plugins"))["items"].size(), 0u);
    const HttpAnswer added =
        ask("POST", "/v1/plugins", manifest_body(root_ + "/more/probe.yaml", R"(,"config":{"size":3})"));
    ASSERT_EQ(added.status, 201) << added.body;
    EXPECT_EQ(added.header("location"), "/v1/plugins/probe");
    EXPECT_EQ(parsed(added)["state"], "ready");
    EXPECT_EQ(parsed(added)["isolation"], "process");
    problem(ask("POST", "/v1/plugins", manifest_body(root_ + "/more/probe.yaml")), 409);

    EXPECT_EQ(ask("PUT", "/v1/plugins/probe/config", R"({"size":7})").status, 200);
    EXPECT_EQ(describe()["config"]["size"], 7);
    problem(ask("PUT", "/v1/plugins/probe/config", R"({"size":"large"})"), 400);
    EXPECT_EQ(describe()["config"]["size"], 7);

    const json about = parsed(ask("GET", "/v1/plugins/probe"));
    EXPECT_EQ(about["version"], "1.0.0");
    EXPECT_FALSE(about["methods"].empty());
    place(settings_.directory, "two");
    const HttpAnswer replaced =
        ask("POST", "/v1/plugins/probe/replace", manifest_body(settings_.directory + "/probe.yaml"));
    ASSERT_EQ(replaced.status, 200) << replaced.body;
    EXPECT_EQ(parsed(replaced)["version"], "2.0.0");
    EXPECT_EQ(describe()["version"], "2.0.0");
    problem(ask("POST", "/v1/plugins/probe/replace", manifest_body("/tmp/probe.yaml")), 403);
    EXPECT_EQ(ask("POST", "/v1/plugins/probe/reload").status, 200);

    EXPECT_EQ(parsed(ask("POST", "/v1/plugins/probe/disable"))["state"], "disabled");
    EXPECT_FALSE(call({{"hello", 1}}));
    EXPECT_EQ(parsed(ask("POST", "/v1/plugins/probe/enable", "{}"))["state"], "ready");
    EXPECT_TRUE(call({{"hello", 1}}));

    const HttpAnswer removed = ask("DELETE", "/v1/plugins/probe");
    EXPECT_EQ(removed.status, 204) << removed.body;
    EXPECT_TRUE(removed.body.empty());
    problem(ask("DELETE", "/v1/plugins/probe"), 404);
    EXPECT_EQ(parsed(ask("GET", "/v1/plugins"))["items"].size(), 0u);
}

TEST_F(AdminTest, AcceptsWhatAPluginMayRead) {
    place(root_ + "/more", "one", "objects: [{apiVersion: v1, resource: services, verbs: [list, watch]}]\n");
    start_admin();
    ASSERT_EQ(ask("POST", "/v1/plugins", manifest_body(root_ + "/more/probe.yaml")).status, 201);
    const json waiting = parsed(ask("GET", "/v1/plugins/probe"));
    EXPECT_EQ(waiting["state"], "ready");
    EXPECT_EQ(waiting["reason"], "waits for the operator to accept that it reads v1 services (list, watch)");
    EXPECT_EQ(waiting["objects"]["waiting"][0]["resource"], "services");
    problem(ask("PUT", "/v1/plugins/probe/objects", R"({"objects":[{"apiVersion":"v1"}]})"), 400);
    problem(ask("PUT", "/v1/plugins/nobody/objects", R"({"objects":[]})"), 404);
    const HttpAnswer accepted =
        ask("PUT", "/v1/plugins/probe/objects", R"({"objects":[{"apiVersion":"v1","resource":"services"}]})");
    ASSERT_EQ(accepted.status, 200) << accepted.body;
    EXPECT_FALSE(parsed(accepted).contains("reason"));
    EXPECT_EQ(parsed(accepted)["objects"]["accepted"][0]["verbs"], json({"list", "watch"}));
    EXPECT_EQ(parsed(accepted)["generation"], 1);
}

TEST_F(AdminTest, WhatIsInUseStays) {
    place(settings_.directory);
    start_admin();
    ASSERT_EQ(
        ask("POST", "/v1/plugins", manifest_body(settings_.directory + "/probe.yaml", R"(,"name":"probe")"))
            .status,
        409);
    std::jthread busy([this] { (void)!call({{"do", "wait"}, {"ms", 4000}}); });
    ASSERT_TRUE(eventually([this] { return info().calls_in_flight > 0; }));
    EXPECT_THAT(problem(ask("DELETE", "/v1/plugins/probe"), 409), HasSubstr("?force=true"));
    EXPECT_THAT(problem(ask("POST", "/v1/plugins/probe/disable"), 409), HasSubstr("in use"));
    EXPECT_EQ(parsed(ask("GET", "/v1/plugins/probe"))["callsInFlight"], 1);
    EXPECT_EQ(ask("DELETE", "/v1/plugins/probe?force=true").status, 204);
}

TEST_F(AdminTest, ARefusedPluginIsNotThere) {
    place(root_ + "/more");
    start_admin();
    const std::string sum(64, '0');
    EXPECT_THAT(problem(ask("POST", "/v1/plugins",
                            manifest_body(root_ + "/more/probe.yaml", ",\"sha256\":\"" + sum + "\"")),
                        403),
                HasSubstr(sum.substr(0, 8)));
    const HttpAnswer sick =
        ask("POST", "/v1/plugins",
            manifest_body(root_ + "/more/probe.yaml", R"(,"config":{"refuseStart":"1.0.0"})"));
    EXPECT_THAT(problem(sick, sick.status), HasSubstr("told to refuse"));
    problem(ask("GET", "/v1/plugins/probe"), 404);
}

TEST_F(AdminTest, CallsAreTraced) {
    place(settings_.directory);
    start_admin();
    HttpsClient watching = client();
    ASSERT_TRUE(watching.send(std::string("GET /v1/plugins/probe/trace?seconds=60 HTTP/1.1\r\nHost: x\r\n") +
                              kAdmin + "\r\n"));
    std::string head;
    for (std::string line = watching.read_line(); !line.empty(); line = watching.read_line())
        head += line + "\n";
    EXPECT_THAT(head, HasSubstr("application/x-ndjson"));
    EXPECT_TRUE(call({{"hello", "trace"}}));
    const json line = json::parse(watching.read_chunk(), nullptr, false);
    EXPECT_EQ(line["plugin"], "probe");
    EXPECT_THAT(line["request"].get<std::string>(), HasSubstr("trace"));
    watching.close();
    // Its place is free again once it is noticed that the client has gone.
    const std::string short_trace = "/v1/plugins/probe/trace?seconds=1";
    EXPECT_EQ(ask("GET", short_trace).status, 200);
    problem(ask("GET", "/v1/plugins/probe/trace?seconds=0"), 400);
}

TEST_F(AdminTest, TracesAreFew) {
    limits_.traces = 1;
    place(settings_.directory);
    start_admin();
    HttpsClient first = client();
    ASSERT_TRUE(
        first.send(std::string("GET /v1/plugins/probe/trace HTTP/1.1\r\nHost: x\r\n") + kAdmin + "\r\n"));
    EXPECT_THAT(first.read_line(), HasSubstr("200"));
    problem(ask("GET", "/v1/plugins/probe/trace"), 429);
    first.close();
    EXPECT_TRUE(eventually([this] { return ask("GET", "/v1/plugins/probe/trace?seconds=1").status == 200; }));
}

TEST_F(AdminTest, ATraceEndsWithItsPlugin) {
    place(settings_.directory);
    start_admin();
    HttpsClient watching = client();
    ASSERT_TRUE(
        watching.send(std::string("GET /v1/plugins/probe/trace HTTP/1.1\r\nHost: x\r\n") + kAdmin + "\r\n"));
    EXPECT_THAT(watching.read_line(), HasSubstr("200"));
    EXPECT_EQ(ask("DELETE", "/v1/plugins/probe").status, 204);
    while (!watching.read_line().empty()) continue;
    EXPECT_EQ(watching.read_chunk(), "");
    EXPECT_TRUE(watching.at_end());
}

TEST_F(AdminTest, AnswersGoOnWhileAPluginCrashes) {
    place(settings_.directory);
    start_admin();
    std::atomic<bool> over = false;
    std::atomic<int> bad = 0;
    std::jthread asking([&] {
        HttpsClient one = client();
        while (!over)
            if (one.request("GET", "/v1/plugins", kAdmin).status != 200) ++bad;
    });
    for (int i = 0; i < 2; ++i) {
        EXPECT_FALSE(call({{"do", "crash"}}));
        EXPECT_TRUE(eventually([this, i] {
            const json about = parsed(ask("GET", "/v1/plugins/probe"));
            return about["restarts"] == i + 1 && about["state"] == "ready";
        }));
    }
    over = true;
    asking.join();
    EXPECT_EQ(bad, 0);
}

}  // namespace
}  // namespace keelson::admin
