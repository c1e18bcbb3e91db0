// What the proxy that carries connections itself does with them.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "tests/plugins/network/proxy_fixture.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {
namespace {

class UserspaceRelay : public ::testing::Test {
  protected:
    void SetUp() override {
        static const std::string reason = why_no_namespaces();
        if (!reason.empty()) GTEST_SKIP() << reason;
        world_ = std::make_unique<ProxyWorld>();
    }
    void TearDown() override {
        if (plugin_ == nullptr) return;
        EXPECT_TRUE(plugin_->call("clear", Json::object()).ok());
    }
    void start(const Json& config = Json::object()) {
        plugin_.reset();
        plugin_ = std::make_unique<ProxyPlugin>(
            world_->node, ProxyKind{"userspace.so", "dev.keelson.userspace", config}, state_.path());
        ASSERT_TRUE(plugin_->configure().ok());
    }
    void serve(const std::vector<Json>& backends, const std::string& protocol = "TCP") {
        const ProxyAnswer answer = plugin_->apply_full(
            {with(service_document("web", "10.96.0.10", backends), {{"protocol", protocol}})});
        ASSERT_TRUE(answer.ok()) << answer.message();
    }
    // A connected pair: the client by the service, and what a server in the pod has accepted.
    void open_pair(base::FileDescriptor& client, base::FileDescriptor& server) {
        base::FileDescriptor listening;
        world_->pod("b").space.run([&] {
            listening = base::FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(9000);
            ASSERT_EQ(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
            ASSERT_EQ(::listen(listening.get(), 8), 0);
        });
        serve({backend_document(world_->pod("b"), 9000)});
        world_->pod("a").space.run([&] {
            client = base::FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(80);
            ::inet_pton(AF_INET, "10.96.0.10", &address.sin_addr);
            ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        });
        ASSERT_TRUE(is_readable(listening));
        server = base::FileDescriptor(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    static bool is_readable(const base::FileDescriptor& socket) {
        pollfd wait{socket.get(), POLLIN, 0};
        return ::poll(&wait, 1, 5000) == 1;
    }
    static std::string receive_all(const base::FileDescriptor& socket) {
        std::string text;
        std::array<char, 65536> buffer{};
        while (is_readable(socket)) {
            const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
            if (size <= 0) return text;
            text.append(buffer.data(), std::size_t(size));
        }
        return text + " and no end";
    }

    const Target web_ = {"10.96.0.10", 80, Transport::tcp};
    std::unique_ptr<ProxyWorld> world_;
    TemporaryDirectory state_;
    std::unique_ptr<ProxyPlugin> plugin_;
};

TEST_F(UserspaceRelay, WhoHasSaidAllStillHears) {
    start();
    base::FileDescriptor client;
    base::FileDescriptor server;
    open_pair(client, server);
    ASSERT_EQ(::send(client.get(), "question", 8, 0), 8);
    ::shutdown(client.get(), SHUT_WR);
    EXPECT_EQ(receive_all(server), "question");
    ASSERT_EQ(::send(server.get(), "answer", 6, 0), 6);
    server = {};
    EXPECT_EQ(receive_all(client), "answer");
}

TEST_F(UserspaceRelay, AReceiverThatDoesNotReadStopsTheSender) {
    start();
    base::FileDescriptor client;
    base::FileDescriptor server;
    open_pair(client, server);
    const std::string part(65536, 'x');
    std::size_t sent = 0;
    constexpr std::size_t far_too_much = std::size_t(256) << 20;
    // Until nothing more is taken for half a second.
    for (pollfd wait{client.get(), POLLOUT, 0}; ::poll(&wait, 1, 500) == 1 && sent < far_too_much;) {
        const ssize_t size = ::send(client.get(), part.data(), part.size(), MSG_DONTWAIT);
        if (size > 0) sent += std::size_t(size);
    }
    EXPECT_LT(sent, far_too_much);
    ::shutdown(client.get(), SHUT_WR);
    EXPECT_EQ(receive_all(server).size(), sent);
}

TEST_F(UserspaceRelay, ASendersResetReachesTheReceiver) {
    start();
    base::FileDescriptor client;
    base::FileDescriptor server;
    open_pair(client, server);
    const linger now{1, 0};
    ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client = {};
    ASSERT_TRUE(is_readable(server));
    char byte = 0;
    EXPECT_LE(::recv(server.get(), &byte, 1, 0), 0);
}

TEST_F(UserspaceRelay, ABackendThatDoesNotListenIsPassedOver) {
    start();
    serve({backend_document(world_->pod("a"), 7777), backend_document(world_->pod("b")),
           backend_document(world_->pod("c"), 7777)});
    for (const Heard& heard : ask_many(world_->client, web_, 12)) EXPECT_EQ(heard.who, "b");
}

TEST_F(UserspaceRelay, BackendsThatAllDoNotListenRefuse) {
    start();
    serve({backend_document(world_->pod("a"), 7777), backend_document(world_->pod("c"), 7777)});
    EXPECT_EQ(ask(world_->client, web_).outcome, Heard::refused);
}

TEST_F(UserspaceRelay, BackendsTakeTurns) {
    start();
    serve({backend_document(world_->pod("a")), backend_document(world_->pod("b")),
           backend_document(world_->pod("c"))});
    std::map<std::string, int> counts;
    for (const Heard& heard : ask_many(world_->client, web_, 30)) ++counts[heard.who];
    EXPECT_EQ(counts, (std::map<std::string, int>{{"a", 10}, {"b", 10}, {"c", 10}}));
}

TEST_F(UserspaceRelay, ConnectionsBeyondTheLimitWaitUntilOthersEnd) {
    start({{"threads", 1}, {"connections", 3}});
    serve({backend_document(world_->pod("b"))});
    std::vector<std::unique_ptr<Connection>> held;
    for (int at = 0; at < 3; ++at) {
        held.push_back(std::make_unique<Connection>(world_->client, web_));
        ASSERT_TRUE(held.back()->heard().ok());
    }
    EXPECT_EQ(ask(world_->client, web_, 300).outcome, Heard::silent);
    held.clear();
    EXPECT_TRUE(eventually([&] { return ask(world_->client, web_, 1000).ok(); }));
}

TEST_F(UserspaceRelay, TheRulesOfAnInstanceThatIsGoneLeadToTheNextOne) {
    start();
    serve({backend_document(world_->pod("b"))});
    const std::string rules = world_->node.output("iptables-legacy-save -t nat | grep '^-A'");
    start();
    EXPECT_EQ(world_->node.output("iptables-legacy-save -t nat | grep '^-A'"), rules);
    serve({backend_document(world_->pod("b"))});
    EXPECT_EQ(world_->node.output("iptables-legacy-save -t nat | grep '^-A'"), rules);
    EXPECT_EQ(ask(world_->client, web_).who, "b");
}

TEST_F(UserspaceRelay, WhoConnectsToItsOwnPortIsRefused) {
    start();
    serve({backend_document(world_->pod("b"))});
    const std::string port = world_->node.output("cat " + state_.path() + "/port");
    EXPECT_EQ(ask(world_->client, {"192.0.2.1", std::stoi(port)}).outcome, Heard::refused);
}

TEST_F(UserspaceRelay, ASilentUdpClientIsForgotten) {
    start({{"udpSeconds", 1}});
    serve({backend_document(world_->pod("a")), backend_document(world_->pod("b"))}, "UDP");
    Connection flow(world_->pod("c").space, {"10.96.0.10", 80, Transport::udp});
    const std::string first = flow.heard().who;
    EXPECT_EQ(flow.ask_again().who, first);
    // The turn comes to the other one.
    EXPECT_TRUE(eventually(
        [&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(2100));
            return flow.ask_again().who != first;
        },
        std::chrono::seconds(20)));
}

}  // namespace
}  // namespace keelson::testing
