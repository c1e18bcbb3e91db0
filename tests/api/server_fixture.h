// A server on an ephemeral port of the loopback interface, with a small PKI of its own.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "kernel/api/server.h"
#include "kernel/base/executor_real.h"
#include "kernel/daemon/certificates.h"
#include "tests/support/https_client.h"

namespace keelson::api {

struct TestKeys {
    daemon::KeyAndCertificate authority;
    daemon::KeyAndCertificate server;
    daemon::KeyAndCertificate admin;     // CN admin, O system:masters
    daemon::KeyAndCertificate stranger;  // the same, from another authority
};

inline daemon::KeyAndCertificate make_server_certificate(const daemon::KeyAndCertificate& authority,
                                                         const std::string& common_name) {
    const auto now = base::system_clock().wall_now();
    auto pair = daemon::issue(authority, {.common_name = common_name,
                                          .organizations = {},
                                          .names = {"127.0.0.1", "localhost"},
                                          .for_server = true,
                                          .not_before = now - std::chrono::minutes(1),
                                          .not_after = now + std::chrono::hours(1)});
    EXPECT_TRUE(pair);
    return *pair;
}

inline const TestKeys& test_keys() {
    static const TestKeys keys = [] {
        const auto now = base::system_clock().wall_now();
        const auto begin = now - std::chrono::minutes(1);
        const auto end = now + std::chrono::hours(1);
        const auto authority = daemon::make_authority("test-ca", begin, end);
        const auto other = daemon::make_authority("other-ca", begin, end);
        const daemon::CertificateRequest admin{.common_name = "admin",
                                               .organizations = {"system:masters"},
                                               .names = {},
                                               .for_client = true,
                                               .not_before = begin,
                                               .not_after = end};
        return TestKeys{*authority, make_server_certificate(*authority, "first"),
                        *daemon::issue(*authority, admin), *daemon::issue(*other, admin)};
    }();
    return keys;
}

inline std::shared_ptr<const TlsContext> make_tls(const daemon::KeyAndCertificate& server) {
    auto tls = TlsContext::create({.certificate_chain = server.certificate,
                                   .private_key = server.key,
                                   .client_ca = test_keys().authority.certificate});
    EXPECT_TRUE(tls);
    return *tls;
}

class ServerTest : public ::testing::Test {
  protected:
    void start(Handler handler, ServerOptions options = {}) {
        auto listener = Listener::open("127.0.0.1", 0);
        ASSERT_TRUE(listener);
        server = std::make_unique<Server>(std::move(*listener), make_tls(test_keys().server), options,
                                          *executor, std::move(handler));
        server->start();
    }
    testing::HttpsClient connect(bool with_certificate = false) {
        testing::HttpsClient::Options options;
        options.port = server->port();
        options.ca = test_keys().authority.certificate;
        if (with_certificate) {
            options.certificate = test_keys().admin.certificate;
            options.key = test_keys().admin.key;
        }
        return testing::HttpsClient(std::move(options));
    }
    void TearDown() override {
        if (server) server->stop(std::chrono::seconds(2));
        executor->stop();
    }

    std::unique_ptr<base::ThreadExecutor> executor = base::make_thread_executor(1, 2);
    std::unique_ptr<Server> server;
};

// Answers with method, path and body of the request.
inline base::Task<void> echo(Exchange& exchange) {
    const Request& request = exchange.request();
    exchange.respond({200, "text/plain", request.method + " " + request.path + "\n" + request.body});
    co_return;
}

}  // namespace keelson::api
