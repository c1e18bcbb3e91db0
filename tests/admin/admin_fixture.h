// The admin server on a free port, over a real plugin host and a store.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "kernel/admin/admin.h"
#include "kernel/base/files.h"
#include "kernel/daemon/certificates.h"
#include "kernel/store/memory.h"
#include "tests/plugin/host_fixture.h"
#include "tests/support/https_client.h"

namespace keelson::admin {

using HttpAnswer = keelson::testing::Answer;
using keelson::testing::HttpsClient;
using nlohmann::json;

inline constexpr const char* kAdmin = "Authorization: Bearer admin-token\r\n";

// "slow" does not end before it is let go; once.
inline base::Task<base::Result<Caller>> who_shows(access::Credentials shown, base::Completion<bool> let_go,
                                                  std::latch& slow_came) {
    if (shown.bearer_token == "slow") {
        slow_came.count_down();
        co_await let_go;
    }
    if (shown.bearer_token == "admin-token" || shown.bearer_token == "slow") co_return Caller{"admin", true};
    if (shown.bearer_token == "user-token") co_return Caller{"jane", false};
    if (shown.certificate && shown.certificate->verified) {
        const auto& groups = shown.certificate->organizations;
        co_return Caller{shown.certificate->common_name,
                         std::ranges::find(groups, "system:masters") != groups.end()};
    }
    if (shown.certificate)
        co_return base::Status(base::Reason::unauthorized, shown.certificate->verify_error);
    co_return base::Status(base::Reason::unauthorized, "unknown token");
}

class AdminTest : public plugin::HostTest {
  protected:
    AdminTest() {
        std::filesystem::create_directory(root_ + "/data");
        store_ = store::make_memory_store({.keep_history = base::Duration::zero()});
        authority_ = authority();
    }
    ~AdminTest() override {
        let_go_.complete(true);
        server_.reset();
        (void)!base::configure_log({.level = base::LogLevel::off});
    }

    static daemon::KeyAndCertificate authority() {
        const auto now = base::system_clock().wall_now();
        return *daemon::make_authority("test", now - std::chrono::hours(1), now + std::chrono::hours(1));
    }
    static daemon::KeyAndCertificate issue(const daemon::KeyAndCertificate& by, const std::string& name,
                                           const std::vector<std::string>& groups, bool for_server) {
        const auto now = base::system_clock().wall_now();
        daemon::CertificateRequest request;
        request.common_name = name;
        request.organizations = groups;
        if (for_server) request.names = {"127.0.0.1"};
        request.for_server = for_server;
        request.for_client = !for_server;
        request.not_before = now - std::chrono::hours(1);
        request.not_after = now + std::chrono::hours(1);
        return *daemon::issue(by, request);
    }
    TlsMaterial material(const std::string& name = "server") const {
        const auto pair = issue(authority_, name, {}, true);
        return {.certificate_chain = pair.certificate,
                .private_key = pair.key,
                .client_ca = authority_.certificate};
    }

    AdminParts parts() {
        AdminParts parts{.plugins = *host_, .store = *store_, .metrics = metrics_, .executor = *executor_};
        parts.authenticate = [this, let_go = let_go_](access::Credentials shown) {
            return who_shows(std::move(shown), let_go, slow_came_);
        };
        parts.health = [this] {
            std::vector<HealthItem> items(1, HealthItem{"store", true, {}});
            if (!is_well_) items.push_back({"disk", false, "it is full"});
            return items;
        };
        parts.config = [] { return std::string(R"({"dataDirectory":"/data"})"); };
        parts.log_level = [this] { return level_.load(); };
        parts.set_log_level = [this](base::LogLevel level) { level_ = level; };
        parts.tls = material();
        parts.data_directory = root_ + "/data";
        parts.socket_path = root_ + "/run/admin.sock";
        parts.upload_directory = upload_directory_;
        parts.limits = limits_;
        return parts;
    }
    void start_admin() {
        if (!host_) start();
        auto server = AdminServer::start(parts());
        ASSERT_TRUE(server) << server.error().message();
        server_ = std::move(*server);
    }

    HttpsClient client(const daemon::KeyAndCertificate& shown = {}) const {
        return HttpsClient({.port = server_->port(),
                            .ca = authority_.certificate,
                            .certificate = shown.certificate,
                            .key = shown.key});
    }
    HttpAnswer ask(const std::string& method, const std::string& target, const std::string& body = {},
                   const std::string& headers = kAdmin) const {
        HttpsClient one = client();
        return one.request(method, target, headers, body);
    }
    static json parsed(const HttpAnswer& answer) {
        json document = json::parse(answer.body, nullptr, false);
        EXPECT_FALSE(document.is_discarded()) << answer.status << " " << answer.body;
        return document;
    }
    // The cause of a failure, which has the form that all failures have.
    static std::string problem(const HttpAnswer& answer, int status) {
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_EQ(answer.header("content-type"), "application/problem+json");
        const json document = parsed(answer);
        EXPECT_EQ(document.value("status", 0), status);
        EXPECT_FALSE(document.value("title", "").empty());
        EXPECT_TRUE(document.value("type", "").starts_with("urn:keelson:problem:"));
        return document.value("detail", "");
    }

    void put(const std::string& key, const std::string& text) {
        store::Transaction transaction;
        transaction.operations.push_back({.key = key, .expected = {}, .bytes = text, .header = {}});
        auto writing = store_->commit(std::move(transaction));
        ASSERT_TRUE(run(std::move(writing)));
    }
    void remove(const std::string& key) {
        store::Transaction transaction;
        transaction.operations.push_back(
            {.kind = store::Operation::Kind::remove, .key = key, .expected = {}, .bytes = {}, .header = {}});
        auto writing = store_->commit(std::move(transaction));
        ASSERT_TRUE(run(std::move(writing)));
    }

    daemon::KeyAndCertificate authority_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<AdminServer> server_;
    base::Completion<bool> let_go_;
    std::latch slow_came_{1};
    AdminLimits limits_;
    std::string upload_directory_;
    std::atomic<bool> is_well_ = true;
    std::atomic<base::LogLevel> level_ = base::LogLevel::info;
};

// One request over a Unix socket; the bytes of the answer.
inline std::string ask_socket(const std::string& path, const std::string& text) {
    const base::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "no";
    if (::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) return "no";
    std::string answer;
    char bytes[4096];
    for (ssize_t count = 0; (count = ::recv(socket.get(), bytes, sizeof bytes, 0)) > 0;)
        answer.append(bytes, static_cast<std::size_t>(count));
    return answer;
}

}  // namespace keelson::admin
