// The fixture of the cases that every service proxy passes (proxy_suite.h). A test of one gives a Proxy,
// which may inherit from ProxyByRules:
//
//   static std::string missing()                   why it cannot run here; empty: it can
//   static ProxyKind kind()
//   static std::string traces(world)               what the plugin has put into the system, in words, without
//                                                  counters; the same as before the first apply after `clear`
//   static void sweep(node)                        another program takes that away
//   static constexpr bool keeps_connections        a new instance leaves connections as they are
//   static constexpr bool keeps_sources            backends see the clients' addresses
//   static constexpr bool carries_sctp
//   static constexpr int shortest_affinity         seconds, that a client's backend is forgotten after
//
// All cases share one world: each ends with `clear`, and nothing may be left of it then.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/plugins/network/links.h"
#include "tests/plugins/network/proxy_fixture.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {

// What proxies that put rules into the packet filter have in common.
struct ProxyByRules {
    static std::string missing() { return why_no_namespaces(); }
    static std::string traces(const ProxyWorld& world) { return world.rules_of_node(); }
    static void sweep(const NetworkNamespace& node) {
        node.command("iptables-legacy -t nat -F; iptables-legacy -t nat -X");
    }
    static constexpr bool keeps_connections = true;
    static constexpr bool keeps_sources = true;
    static constexpr bool carries_sctp = true;
    static constexpr int shortest_affinity = 1;
};

template <typename Proxy>
class ProxySuite : public ::testing::Test {
  protected:
    static void TearDownTestSuite() { shared_.reset(); }
    void SetUp() override {
        static const std::string reason = Proxy::missing();
        if (!reason.empty()) GTEST_SKIP() << reason;
        if (!shared_) {
            shared_ = std::make_unique<ProxyWorld>();
            before_ = Proxy::traces(*shared_);
        }
        world_ = shared_.get();
        start();
    }
    void TearDown() override {
        if (plugin_ == nullptr) return;
        const ProxyAnswer cleared = plugin_->call("clear", Json::object());
        EXPECT_TRUE(cleared.ok()) << cleared.message();
        plugin_.reset();
        EXPECT_EQ(Proxy::traces(*world_), before_);
        // What a case has left, or only begun, is none of the next one's.
        if (HasFailure())
            shared_.reset();
        else
            forget_flows(world_->node);
    }
    // A new instance on the same machine.
    void start() {
        plugin_.reset();
        plugin_ = std::make_unique<ProxyPlugin>(world_->node, Proxy::kind(), state_.path());
        const ProxyAnswer configured = plugin_->configure();
        ASSERT_TRUE(configured.ok()) << configured.message();
    }
    void expect_ok(const ProxyAnswer& answer) {
        EXPECT_TRUE(answer.ok()) << answer.message();
        EXPECT_FALSE(answer.document.contains("problems")) << answer.document;
    }

    Pod& pod(const std::string& name) { return world_->pod(name); }
    NetworkNamespace& node() { return world_->node; }
    NetworkNamespace& client() { return world_->client; }
    std::vector<Json> backends(const std::vector<std::string>& names) {
        std::vector<Json> result;
        for (const std::string& name : names) result.push_back(backend_document(pod(name)));
        return result;
    }
    // Of the pod with an address for each.
    std::vector<Json> many_backends(int count) {
        std::vector<Json> result;
        for (int at = 0; at < count; ++at)
            result.push_back(backend_document(
                "10.245." + std::to_string(at / 250) + "." + std::to_string(at % 250 + 1), 8080, true));
        return result;
    }
    Json web(const std::vector<std::string>& names) {
        return service_document("web", "10.96.0.10", backends(names));
    }
    Json node_port(const std::vector<std::string>& names, const Json& changes = Json::object()) {
        return with(with(service_document("port", "0.0.0.0", backends(names)),
                         {{"kind", "NodePort"}, {"port", 30080}}),
                    changes);
    }
    static std::set<std::string> names_of(const std::vector<Heard>& all) {
        std::set<std::string> names;
        for (const Heard& heard : all) names.insert(heard.ok() ? heard.who : "nobody");
        return names;
    }

    const Target web_ = {"10.96.0.10", 80, Transport::tcp};
    const Target web_udp_ = {"10.96.0.10", 80, Transport::udp};
    static inline std::unique_ptr<ProxyWorld> shared_;
    static inline std::string before_;
    ProxyWorld* world_ = nullptr;
    TemporaryDirectory state_;
    std::unique_ptr<ProxyPlugin> plugin_;
};
TYPED_TEST_SUITE_P(ProxySuite);

}  // namespace keelson::testing
