// Who may ask, what a request may look like, and how the server ends.
#include <fcntl.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>

#include "kernel/admin/routes.h"
#include "tests/admin/admin_fixture.h"

namespace keelson::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Clock = std::chrono::steady_clock;

TEST_F(AdminTest, CredentialsDecide) {
    start_admin();
    const HttpAnswer nothing = ask("GET", "/v1/store", {}, "");
    EXPECT_THAT(problem(nothing, 401), HasSubstr("Show the admin's token"));
    EXPECT_EQ(nothing.header("www-authenticate"), "Bearer realm=\"keelson-admin\"");
    EXPECT_THAT(problem(ask("GET", "/v1/store", {}, "Authorization: Bearer wrong\r\n"), 401),
                HasSubstr("unknown token"));
    problem(ask("GET", "/v1/store", {}, "Authorization: Basic YTpi\r\n"), 401);
    EXPECT_THAT(problem(ask("GET", "/v1/store", {}, "Authorization: Bearer user-token\r\n"), 403),
                HasSubstr("'jane' is not an admin"));
    EXPECT_EQ(ask("GET", "/v1/store").status, 200);
    // Who may not ask does not learn what there is.
    problem(ask("GET", "/v1/nothing", {}, ""), 401);
    problem(ask("DELETE", "/v1/plugins/probe", {}, "Authorization: Bearer user-token\r\n"), 403);
}

TEST_F(AdminTest, CertificatesDecide) {
    start_admin();
    HttpsClient admin = client(issue(authority_, "root", {"system:masters"}, false));
    EXPECT_EQ(admin.request("GET", "/v1/store").status, 200);
    HttpsClient user = client(issue(authority_, "jane", {"developers"}, false));
    EXPECT_THAT(problem(user.request("GET", "/v1/store"), 403), HasSubstr("'jane'"));
    // Of another authority: the handshake goes well, the answer says what is wrong.
    HttpsClient stranger = client(issue(authority(), "root", {"system:masters"}, false));
    problem(stranger.request("GET", "/v1/store"), 401);
    HttpsClient server = client(issue(authority_, "root", {"system:masters"}, true));
    problem(server.request("GET", "/v1/store"), 401);
    HttpsClient both = client(issue(authority(), "root", {"system:masters"}, false));
    EXPECT_EQ(both.request("GET", "/v1/store", kAdmin).status, 200);
    EXPECT_GE(admin.protocol(), "TLSv1.2");
}

TEST_F(AdminTest, CertificatesCanBeReplaced) {
    start_admin();
    HttpsClient before = client();
    EXPECT_EQ(before.server_common_name(), "server");
    TlsMaterial mixed = material();
    mixed.private_key = material().private_key;
    const auto refused = server_->replace_tls(mixed);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("do not go together"));
    EXPECT_FALSE(server_->replace_tls({}));
    ASSERT_TRUE(server_->replace_tls(material("renewed")));
    EXPECT_EQ(client().server_common_name(), "renewed");
    EXPECT_EQ(before.request("GET", "/v1/store", kAdmin).status, 200);
}

TEST_F(AdminTest, TheUnixSocketKnowsItsPeers) {
    start_admin();
    const std::string path = root_ + "/run/admin.sock";
    struct stat about {};
    ASSERT_EQ(::stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600u);
    ASSERT_EQ(::stat((root_ + "/run").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0700u);
    const std::string request = "GET /v1/log-level HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    EXPECT_THAT(ask_socket(path, request), HasSubstr(R"({"level":"info"})"));
    EXPECT_THAT(ask_socket(path, "GET /v1/no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                HasSubstr("HTTP/1.1 404 Not Found"));
    server_->stop();
    EXPECT_FALSE(base::exists(path));
}

TEST_F(AdminTest, TheUnixSocketRefusesOtherUsers) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become somebody else";
    start_admin();
    const std::string path = root_ + "/run/admin.sock";
    // Even when somebody has opened the directory by mistake.
    for (std::filesystem::path up = path; up != up.root_path(); up = up.parent_path())
        ::chmod(up.c_str(), up == path ? 0666 : 0755);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setuid(65534) != 0) ::_exit(2);
        const std::string answer =
            ask_socket(path, "GET /v1/store HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        if (answer == "no") ::_exit(3);
        ::_exit(answer.starts_with("HTTP/1.1 403") ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 3) GTEST_SKIP() << "the other user cannot reach the directory";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(AdminTest, TheSocketsPlaceIsChecked) {
    start();
    std::filesystem::create_directory(root_ + "/open");
    ::chmod((root_ + "/open").c_str(), 0755);
    AdminParts open = parts();
    open.socket_path = root_ + "/open/admin.sock";
    auto refused = AdminServer::start(std::move(open));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("mode 0700"));
    start_admin();
    auto second = AdminServer::start(parts());
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message(), HasSubstr("another process listens on"));
    AdminParts taken = parts();
    taken.port = server_->port();
    auto third = AdminServer::start(std::move(taken));
    ASSERT_FALSE(third);
    EXPECT_THAT(third.error().message(), HasSubstr("stop what listens there"));
    EXPECT_EQ(ask("GET", "/v1/store").status, 200);
}

struct BadInput {
    const char* method;
    const char* target;
    std::string body;
    int status;
    const char* says;
};

TEST_F(AdminTest, BadInputIsNamed) {
    limits_.json_bytes = 4096;
    start_admin();
    const std::vector<BadInput> table{
        {"GET", "/v1/plugin", "", 404, "near it: GET /v1/plugins"},
        {"GET", "/v1/plugins/", "", 404, "there is no route"},
        {"GET", "/v1/plugins/a/b/c", "", 404, "there is no route"},
        {"GET", "/", "", 404, "there is no route"},
        {"GET", "/%zz", "", 400, "not well-formed"},
        {"GET", "/v1/store?verbose=1", "", 400, "'verbose' is not known here (known: none)"},
        {"PATCH", "/v1/plugins", "", 405, "use GET, POST"},
        {"HEAD", "/v1/config", "", 405, ""},
        {"DELETE", "/v1/plugins/probe?force=yes", "", 400, "must be true or false"},
        {"DELETE", "/v1/plugins/probe?force=true&force=true", "", 400, "is there twice"},
        {"GET", "/v1/plugins/none", "", 404, "there is no plugin 'none'"},
        {"PUT", "/v1/log-level", "", 400, "is not JSON"},
        {"PUT", "/v1/log-level", "{\n  \"level\" \"info\"}", 400, "line 2, column 16"},
        {"PUT", "/v1/log-level", "[]", 400, "must be a JSON object, not array"},
        {"PUT", "/v1/log-level", "{\"level\":\"\xff\"}", 400, "is not JSON"},
        {"PUT", "/v1/log-level", R"({"level":"info","levle":1})", 400,
         "'levle' is not known here (known: level)"},
        {"PUT", "/v1/log-level", R"({"level":7})", 400, "'level' must be of type string"},
        {"PUT", "/v1/log-level", R"({"level":"loud"})", 400, "loud"},
        {"PUT", "/v1/log-level", R"({"level":"info","level":"off"})", 400, "'level' twice"},
        {"PUT", "/v1/log-level", R"({"level":null})", 400, "'level' is required"},
        {"PUT", "/v1/log-level", std::string(1000, '['), 400, "nested deeper"},
        {"PUT", "/v1/log-level", std::string(5000, ' '), 413, "4096 bytes"},
        {"POST", "/v1/plugins", "{}", 400, "'manifest' is required"},
        {"POST", "/v1/plugins", R"({"manifest":"/etc/x.yaml"})", 403, "directory that plugins may come from"},
        {"POST", "/v1/plugins", R"({"manifest":"/a","isolation":"none"})", 400, "process or in-process"},
        {"POST", "/v1/plugins", R"({"manifest":"/a","config":[]})", 400, "'config' must be of type object"},
        {"POST", "/v1/plugins", R"({"manifest":"/a","name":"../x"})", 400, "must be of a-z"},
        {"POST", "/v1/plugins/none/reload", "", 404, "there is no plugin"},
        {"POST", "/v1/plugins/none/enable", R"({"a":1})", 400, "'a' is not known here"},
        {"POST", "/v1/store/compact", R"({"revision":-1})", 400, "whole number"},
        {"POST", "/v1/store/compact", R"({"revision":1.5})", 400, "whole number"},
        {"POST", "/v1/store/compact", R"({"revision":99})", 400, "does not exist"},
        {"POST", "/v1/store/rollback", R"({"dryRun":true})", 400, "'revision' is required"},
        {"POST", "/v1/store/rollback", R"({"revision":99,"dryRun":true})", 400, "does not exist"},
        {"DELETE", "/v1/store/restore", "", 404, "no restore is staged"},
        {"POST", "/v1/store/restore", "x", 400, "X-Keelson-Sha256 is missing"},
        {"PUT", "/v1/uploads/x.so", "x", 403, "uploads are off"},
        {"GET", "/v1/plugins/none/trace?seconds=0", "", 404, "there is no plugin"},
        {"GET", "/v1/plugins/none/trace?seconds=x", "", 400, "whole number"},
    };
    for (const BadInput& bad : table) {
        SCOPED_TRACE(std::string(bad.method) + " " + bad.target + " " + bad.body.substr(0, 60));
        if (std::string(bad.method) == "HEAD") {
            EXPECT_EQ(client().request("HEAD", bad.target, kAdmin).status, bad.status);
            continue;
        }
        EXPECT_THAT(problem(ask(bad.method, bad.target, bad.body), bad.status), HasSubstr(bad.says));
    }
    EXPECT_EQ(ask("PATCH", "/v1/plugins").header("allow"), "GET, POST");
    EXPECT_EQ(level_, base::LogLevel::info);
    EXPECT_TRUE(host_->list().empty());
}

TEST_F(AdminTest, BadHeadsAreAnswered) {
    start_admin();
    const std::string host = "Host: x\r\n";
    const std::vector<std::pair<std::string, int>> table{
        {"\r\n\r\n", 400},
        {"GET\r\n\r\n", 400},
        {"GET /v1/store HTTP/2.0\r\n" + host + "\r\n", 505},
        {"GET /v1/store HTTP/1.1\r\n\r\n", 400},
        {"GET /v1/store HTTP/1.1\r\n" + host + host + "\r\n", 400},
        {"PUT /v1/log-level HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
        {"PUT /v1/log-level HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\n", 400},
        {"PUT /v1/log-level HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
        {"PUT /v1/log-level HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
         400},
        {"PUT /v1/log-level HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 400},
        {"GET /v1/store HTTP/1.1\r\n" + host + "A: " + std::string(9000, 'a') + "\r\n\r\n", 400},
        {"GET /" + std::string(20000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 400},
        {std::string(5000, 'G') + " / HTTP/1.1\r\n" + host + "\r\n", 400},
    };
    for (const auto& [text, status] : table) {
        SCOPED_TRACE(text.substr(0, 100));
        HttpsClient one = client();
        ASSERT_TRUE(one.send(text));
        problem(one.read_answer(), status);
    }
    std::string large;
    for (int i = 0; i < 10; ++i) large += "H" + std::to_string(i) + ": " + std::string(4000, 'a') + "\r\n";
    problem(ask("GET", "/v1/store", {}, kAdmin + large), 431);
    EXPECT_EQ(ask("GET", "/v1/store").status, 200);
}

TEST_F(AdminTest, ConnectionsAreUsedAgain) {
    start_admin();
    HttpsClient one = client();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(one.request("GET", "/v1/store", kAdmin).status, 200);
    EXPECT_EQ(one.request("PUT", "/v1/log-level", kAdmin, R"({"level":"debug"})").status, 200);
    EXPECT_EQ(level_, base::LogLevel::debug);
    // In chunks, and waited for.
    ASSERT_TRUE(
        one.send(std::string("PUT /v1/log-level HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n") +
                 kAdmin + "\r\n5\r\n{\"lev\r\nD\r\nel\":\"error\"}  \r\n0\r\n\r\n"));
    EXPECT_EQ(one.read_answer().status, 200);
    EXPECT_EQ(level_, base::LogLevel::error);
    ASSERT_TRUE(one.send(std::string("PUT /v1/log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n") +
                         "Expect: 100-continue\r\n" + kAdmin + "\r\n"));
    EXPECT_EQ(one.read_answer().status, 100);
    ASSERT_TRUE(one.send(R"({"level":"info"})"));
    EXPECT_EQ(one.read_answer().status, 200);
    EXPECT_EQ(level_, base::LogLevel::info);
}

TEST_F(AdminTest, SlowClientsAreCutOff) {
    limits_.head_timeout = std::chrono::milliseconds(100);
    limits_.body_timeout = std::chrono::milliseconds(100);
    start_admin();
    const auto begin = Clock::now();
    HttpsClient head = client();
    ASSERT_TRUE(head.send("GET /v1/store HTTP/1.1\r\nHo"));
    EXPECT_EQ(head.read_answer().status, 0);
    HttpsClient body = client();
    ASSERT_TRUE(body.send(std::string("PUT /v1/log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n") +
                          kAdmin + "\r\n{"));
    EXPECT_NE(body.read_answer().status, 200);
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(10));
    EXPECT_EQ(ask("GET", "/v1/store").status, 200);
}

TEST_F(AdminTest, OtherRoomsMayTakeLonger) {
    limits_.head_timeout = std::chrono::milliseconds(100);
    limits_.body_timeout = std::chrono::milliseconds(100);
    place(settings_.directory);
    start_admin();
    std::jthread busy([this] { (void)!call({{"do", "wait"}, {"ms", 500}}); });
    ASSERT_TRUE(eventually([this] { return info().calls_in_flight > 0; }));
    // Waits until the call has ended.
    EXPECT_EQ(ask("POST", "/v1/plugins/probe/reload", "{}").status, 200);
}

TEST_F(AdminTest, NoDescriptorIsInherited) {
    start_admin();
    HttpsClient one = client();
    EXPECT_EQ(one.request("GET", "/v1/store", kAdmin).status, 200);
    int sockets = 0;
    for (int descriptor = 0; descriptor < 1024; ++descriptor) {
        struct stat about {};
        if (::fstat(descriptor, &about) != 0 || !S_ISSOCK(about.st_mode)) continue;
        sockaddr_storage address{};
        socklen_t size = sizeof address;
        int listens = 0;
        socklen_t listens_size = sizeof listens;
        ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size);
        const bool is_tcp = ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&
                            address.ss_family == AF_INET;
        if (!is_tcp && listens == 0) continue;
        ++sockets;
        EXPECT_EQ(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC) << descriptor;
    }
    EXPECT_GE(sockets, 4);
}

TEST_F(AdminTest, SystemRoutesAnswer) {
    start_admin();
    EXPECT_EQ(parsed(ask("GET", "/v1/health")),
              json::parse(R"({"healthy":true,"checks":[{"name":"store","passed":true}]})"));
    is_well_ = false;
    const HttpAnswer sick = ask("GET", "/v1/health");
    EXPECT_THAT(problem(sick, 503), HasSubstr("disk: it is full"));
    EXPECT_EQ(parsed(sick)["errors"][0]["field"], "disk");
    EXPECT_EQ(parsed(ask("GET", "/v1/config"))["dataDirectory"], "/data");
    EXPECT_EQ(parsed(ask("GET", "/v1/log-level"))["level"], "info");
    EXPECT_EQ(parsed(ask("PUT", "/v1/log-level", R"({"level":"warning"})"))["level"], "warning");
    const HttpAnswer numbers = ask("GET", "/metrics");
    EXPECT_THAT(numbers.header("content-type"), HasSubstr("version=0.0.4"));
    EXPECT_THAT(numbers.body, HasSubstr("keelson_admin_requests_total{"));
}

TEST_F(AdminTest, TheDocumentIsTheTable) {
    start_admin();
    const json document = parsed(ask("GET", "/v1/openapi.json"));
    EXPECT_EQ(document["openapi"], "3.0.3");
    std::set<std::string> described;
    std::set<std::string> ids;
    for (const auto& [path, methods] : document["paths"].items())
        for (const auto& [method, operation] : methods.items()) {
            described.insert(std::string(method).append(" ").append(path));
            EXPECT_TRUE(ids.insert(operation["operationId"]).second);
            EXPECT_TRUE(operation["responses"].contains("default"));
        }
    std::set<std::string> served;
    for (const Route& route : routes()) {
        std::string method(route.method);
        std::ranges::transform(method, method.begin(), ::tolower);
        served.insert(method + " " + std::string(route.pattern));
        // Each is there: whatever the answer is, it is not "no such route".
        std::string path(route.pattern);
        for (std::size_t at = path.find('{'); at != std::string::npos; at = path.find('{'))
            path.replace(at, path.find('}') - at + 1, "x");
        const HttpAnswer answer = ask(std::string(route.method), path);
        EXPECT_NE(answer.status, 405) << path;
        EXPECT_NE(answer.status, 0) << path;
        EXPECT_THAT(answer.body, Not(HasSubstr("no route"))) << path;
    }
    EXPECT_EQ(described, served);
}

TEST_F(AdminTest, ChangesAreWrittenDownOnce) {
    const std::string path = root_ + "/log";
    ASSERT_TRUE(base::configure_log({.level = base::LogLevel::info, .json = true, .path = path}));
    start_admin();
    ask("GET", "/v1/store");
    ask("PUT", "/v1/log-level", R"({"level":"error"})");
    ask("PUT", "/v1/plugins/probe/config", R"({"password":"hidden-secret"})");
    const auto text = base::read_file(path);
    ASSERT_TRUE(text);
    EXPECT_THAT(*text, HasSubstr("level=error"));
    EXPECT_THAT(*text, Not(HasSubstr("hidden-secret")));
    EXPECT_THAT(*text, Not(HasSubstr("admin-token")));
    std::size_t calls = 0;
    for (std::size_t at = text->find("admin call"); at != std::string::npos;
         at = text->find("admin call", at + 1))
        ++calls;
    EXPECT_EQ(calls, 2u);
}

TEST_F(AdminTest, ManyAskAtOnce) {
    limits_.connections = 8;
    start_admin();
    std::atomic<int> good = 0;
    std::vector<std::jthread> threads;
    threads.reserve(16);
    for (int i = 0; i < 16; ++i)
        threads.emplace_back([&, i] {
            HttpsClient one = client();
            for (int j = 0; j < 10; ++j) {
                const HttpAnswer answer =
                    i % 2 == 0 ? one.request("GET", "/v1/plugins", kAdmin)
                               : one.request("PUT", "/v1/log-level", kAdmin, R"({"level":"info"})");
                if (answer.status == 200) ++good;
            }
            one.close();
        });
    threads.clear();
    EXPECT_EQ(good, 160);
}

TEST_F(AdminTest, StoppingEndsWhatRuns) {
    place(settings_.directory);
    plugin::PluginSettings probe;
    probe.name = "probe";
    settings_.plugins = {probe};
    start_admin();
    HttpsClient idle = client();
    EXPECT_EQ(idle.request("GET", "/v1/store", kAdmin).status, 200);
    HttpsClient tracing = client();
    ASSERT_TRUE(
        tracing.send(std::string("GET /v1/plugins/probe/trace HTTP/1.1\r\nHost: x\r\n") + kAdmin + "\r\n"));
    EXPECT_THAT(tracing.read_line(), HasSubstr("200"));
    HttpsClient half = client();
    ASSERT_TRUE(half.send("GET /v1/sto"));
    HttpsClient slow = client();
    ASSERT_TRUE(slow.send("GET /v1/store HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer slow\r\n\r\n"));
    slow_came_.wait();
    HttpsClient silent({.port = server_->port(), .ca = {}, .certificate = {}, .key = {}});
    const auto begin = Clock::now();
    server_->stop();
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5));
    problem(slow.read_answer(), 503);
    EXPECT_FALSE(client().connected());
    server_->stop();
}

}  // namespace
}  // namespace keelson::admin
