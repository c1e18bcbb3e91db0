// What every service proxy does alike, whatever carries the connections. A test of one gives a Proxy, which
// may inherit from ProxyByRules:
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

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
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

// --- who is reached ---

TYPED_TEST_P(ProxySuite, APodReachesAServiceWithItsOwnAddress) {
    this->expect_ok(this->plugin_->apply_full({this->web({"b"})}));
    const Heard heard = ask(this->pod("a").space, this->web_);
    EXPECT_EQ(heard.who, "b");
    if (TypeParam::keeps_sources) {
        EXPECT_EQ(heard.source, this->pod("a").address);
    }
}

TYPED_TEST_P(ProxySuite, APodReachesABackendOnAnotherNode) {
    this->expect_ok(this->plugin_->apply_full({this->web({"x"})}));
    const Heard heard = ask(this->pod("a").space, this->web_);
    EXPECT_EQ(heard.who, "x");
    if (TypeParam::keeps_sources) {
        EXPECT_EQ(heard.source, this->pod("a").address);
    }
}

TYPED_TEST_P(ProxySuite, TheNodeReachesAService) {
    this->expect_ok(this->plugin_->apply_full(
        {this->web({"b"}), with(this->web({"x"}), {{"id", "far"}, {"address", "10.96.0.11"}})}));
    EXPECT_EQ(ask(this->node(), this->web_).who, "b");
    EXPECT_EQ(ask(this->node(), {"10.96.0.11", 80}).who, "x");
}

TYPED_TEST_P(ProxySuite, APodReachesItselfByItsService) {
    this->expect_ok(this->plugin_->apply_full(
        {this->web({"a"}), with(this->web({"a"}), {{"id", "datagrams"}, {"protocol", "UDP"}})}));
    EXPECT_EQ(ask(this->pod("a").space, this->web_).who, "a");
    EXPECT_EQ(ask(this->pod("a").space, this->web_udp_).who, "a");
}

TYPED_TEST_P(ProxySuite, EachBackendGetsAShare) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a", "b", "c", "x"})}));
    std::map<std::string, int> shares;
    for (const Heard& heard : ask_many(this->client(), this->web_, 200)) ++shares[heard.who];
    EXPECT_EQ(shares.size(), 4U);
    for (const auto& [name, count] : shares) EXPECT_GE(count, 25) << name;
}

TYPED_TEST_P(ProxySuite, PortsOfOneAddressAreServicesOfTheirOwn) {
    this->expect_ok(this->plugin_->apply_full(
        {this->web({"a"}), with(this->web({"b"}), {{"id", "second"}, {"port", 81}}),
         with(service_document("third", "10.96.0.10", {backend_document(this->pod("c"), 8081)}),
              {{"port", 82}})}));
    EXPECT_EQ(ask(this->pod("b").space, this->web_).who, "a");
    EXPECT_EQ(ask(this->pod("a").space, {"10.96.0.10", 81}).who, "b");
    EXPECT_EQ(ask(this->pod("a").space, {"10.96.0.10", 82}).who, "c'");
}

TYPED_TEST_P(ProxySuite, TcpAndUdpOfOnePortAreServicesOfTheirOwn) {
    this->expect_ok(this->plugin_->apply_full(
        {this->web({"a"}), with(this->web({"b"}), {{"id", "datagrams"}, {"protocol", "UDP"}})}));
    EXPECT_EQ(ask(this->pod("c").space, this->web_).who, "a");
    const Heard heard = ask(this->pod("c").space, this->web_udp_);
    EXPECT_EQ(heard.who, "b");
    if (TypeParam::keeps_sources) {
        EXPECT_EQ(heard.source, this->pod("c").address);
    }
}

TYPED_TEST_P(ProxySuite, SctpIsCarried) {
    if (!TypeParam::carries_sctp) GTEST_SKIP() << "it carries TCP and UDP";
    if (!has_sctp()) GTEST_SKIP() << "this kernel has no SCTP";
    this->expect_ok(this->plugin_->apply_full({with(this->web({"b"}), {{"protocol", "SCTP"}})}));
    EXPECT_EQ(ask(this->pod("a").space, {"10.96.0.10", 80, Transport::sctp}).who, "b");
}

TYPED_TEST_P(ProxySuite, BothFamiliesAreCarried) {
    this->expect_ok(this->plugin_->apply_full(
        {this->web({"b"}), service_document("six", "fd00:96::10", {backend6_document(this->pod("c"))}),
         with(service_document("six-udp", "fd00:96::10", {backend6_document(this->pod("x"))}),
              {{"protocol", "UDP"}})}));
    EXPECT_EQ(ask(this->pod("a").space, this->web_).who, "b");
    const Heard six = ask(this->pod("a").space, {"fd00:96::10", 80});
    EXPECT_EQ(six.who, "c");
    if (TypeParam::keeps_sources) {
        EXPECT_EQ(six.source, this->pod("a").address6);
    }
    EXPECT_EQ(ask(this->pod("a").space, {"fd00:96::10", 80, Transport::udp}).who, "x");
    EXPECT_EQ(ask(this->node(), {"fd00:96::10", 80}).who, "c");
}

// --- affinity ---

TYPED_TEST_P(ProxySuite, AClientKeepsItsBackend) {
    this->expect_ok(
        this->plugin_->apply_full({with(this->web({"b", "c", "x", "y"}), {{"affinitySeconds", 600}})}));
    EXPECT_EQ(this->names_of(ask_many(this->pod("a").space, this->web_, 30)).size(), 1U);
    // What changes elsewhere leaves it there.
    const std::string first = ask(this->pod("a").space, this->web_).who;
    this->expect_ok(this->plugin_->apply({service_document("new", "10.96.0.99", this->backends({"a"}))}));
    EXPECT_EQ(this->names_of(ask_many(this->pod("a").space, this->web_, 10)), std::set<std::string>{first});
}

// Of several clients, so that it does not take many rounds to tell forgetting from drawing the same again.
TYPED_TEST_P(ProxySuite, AClientsBackendIsForgottenInTime) {
    constexpr int seconds = TypeParam::shortest_affinity;
    this->expect_ok(
        this->plugin_->apply_full({with(this->web({"b", "c", "x", "y"}), {{"affinitySeconds", seconds}})}));
    Target target = this->web_;
    target.breaks_off = true;
    const auto ask_from_all = [&] {
        std::vector<std::string> names;
        for (const NetworkNamespace* from :
             {&this->node(), &this->client(), &this->pod("a").space, &this->pod("b").space,
              &this->pod("c").space, &this->pod("farm").space})
            names.push_back(ask(*from, target).who);
        return names;
    };
    const std::vector<std::string> first = ask_from_all();
    EXPECT_THAT(first, ::testing::Not(::testing::Contains("")));
    EXPECT_TRUE(eventually(
        [&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(1000 * seconds + 500));
            return ask_from_all() != first;
        },
        std::chrono::seconds(60)));
}

TYPED_TEST_P(ProxySuite, AClientOfALocalServiceKeepsItsBackend) {
    this->expect_ok(this->plugin_->apply_full(
        {this->node_port({"a", "b", "x"}, {{"local", true},
                                           {"externalBackends", this->backends({"a", "b", "c"})},
                                           {"affinitySeconds", 600}})}));
    EXPECT_EQ(this->names_of(ask_many(this->client(), {"192.0.2.1", 30080}, 20)).size(), 1U);
    EXPECT_EQ(this->names_of(ask_many(this->pod("c").space, {"192.0.2.1", 30080}, 20)).size(), 1U);
}

TYPED_TEST_P(ProxySuite, AClientWhoseBackendIsGoneGetsAnother) {
    const auto service = [&](const std::vector<std::string>& names) {
        return with(this->web(names), {{"affinitySeconds", 600}});
    };
    this->expect_ok(this->plugin_->apply_full({service({"b", "c"})}));
    const std::string first = ask(this->pod("a").space, this->web_).who;
    ASSERT_TRUE(first == "b" || first == "c");
    this->expect_ok(this->plugin_->apply({service({first == "b" ? "c" : "b"})}));
    EXPECT_EQ(ask(this->pod("a").space, this->web_).who, first == "b" ? "c" : "b");
}

// --- nobody there ---

TYPED_TEST_P(ProxySuite, AServiceWithoutBackendsRefusesAtOnce) {
    this->expect_ok(this->plugin_->apply_full(
        {this->web({}), with(this->web({}), {{"id", "datagrams"}, {"protocol", "UDP"}}), this->node_port({}),
         service_document("six", "fd00:96::10", {})}));
    EXPECT_EQ(ask(this->pod("a").space, this->web_).outcome, Heard::refused);
    EXPECT_EQ(ask(this->pod("a").space, this->web_udp_).outcome, Heard::refused);
    EXPECT_EQ(ask(this->node(), this->web_).outcome, Heard::refused);
    EXPECT_EQ(ask(this->client(), {"192.0.2.1", 30080}).outcome, Heard::refused);
    EXPECT_EQ(ask(this->pod("a").space, {"fd00:96::10", 80}).outcome, Heard::refused);
}

TYPED_TEST_P(ProxySuite, AServiceWithoutBackendsIsSilentWhenItShallDrop) {
    this->expect_ok(this->plugin_->apply_full({with(this->web({}), {{"none", "drop"}})}));
    EXPECT_EQ(ask(this->pod("a").space, this->web_, 400).outcome, Heard::silent);
}

TYPED_TEST_P(ProxySuite, OtherPortsOfTheNodeAreLeftAlone) {
    this->expect_ok(this->plugin_->apply_full({this->node_port({})}));
    this->world_->servers.listen(this->node(), "own", 22222);
    EXPECT_EQ(ask(this->client(), {"192.0.2.1", 22222}).who, "own");
    this->world_->servers.stop("own");
}

// --- from outside ---

TYPED_TEST_P(ProxySuite, ANodePortIsOnEveryAddressOfTheNode) {
    this->expect_ok(this->plugin_->apply_full(
        {this->node_port({"a", "x"}), with(service_document("six", "::", {backend6_document(this->pod("b"))}),
                                           {{"kind", "NodePort"}, {"port", 30080}})}));
    for (const char* address : {"192.0.2.1", "192.0.2.11"})
        EXPECT_EQ(this->names_of(ask_many(this->client(), {address, 30080}, 30)),
                  (std::set<std::string>{"a", "x"}))
            << address;
    EXPECT_EQ(ask(this->client(), {"2001:db8::1", 30080}).who, "b");
    EXPECT_TRUE(ask(this->pod("b").space, {"10.244.1.1", 30080}).ok());
    EXPECT_TRUE(ask(this->pod("x").space, {"192.0.2.1", 30080}).ok());
    EXPECT_TRUE(ask(this->node(), {"192.0.2.1", 30080}).ok());
}

TYPED_TEST_P(ProxySuite, WhoComesFromOutsideIsMasqueraded) {
    this->expect_ok(this->plugin_->apply_full(
        {this->node_port({"x"}), with(this->node_port({"a"}), {{"id", "near"}, {"port", 30081}})}));
    EXPECT_EQ(ask(this->client(), {"192.0.2.1", 30080}).source, "192.0.2.1");
    EXPECT_EQ(ask(this->client(), {"192.0.2.1", 30081}).source, "10.244.1.1");
}

TYPED_TEST_P(ProxySuite, NodePortsAreOnlyOnTheAddressesThatAreAskedFor) {
    this->expect_ok(this->plugin_->configure({{"nodePortAddresses", {"192.0.2.11/32"}}}));
    this->expect_ok(this->plugin_->apply_full({this->node_port({"a"})}));
    EXPECT_EQ(ask(this->client(), {"192.0.2.11", 30080}).who, "a");
    EXPECT_FALSE(ask(this->client(), {"192.0.2.1", 30080}, 500).ok());
    // And then on all.
    this->expect_ok(this->plugin_->configure());
    EXPECT_EQ(ask(this->client(), {"192.0.2.1", 30080}).who, "a");
}

TYPED_TEST_P(ProxySuite, ALocalServiceKeepsTheSourceAndTheNode) {
    this->expect_ok(this->plugin_->apply_full(
        {this->node_port({"a", "x", "y"}, {{"local", true}, {"externalBackends", this->backends({"a"})}})}));
    const auto outside = ask_many(this->client(), {"192.0.2.1", 30080}, 20);
    EXPECT_EQ(this->names_of(outside), std::set<std::string>{"a"});
    EXPECT_EQ(outside.front().source, "192.0.2.3");
    EXPECT_EQ(this->names_of(ask_many(this->pod("b").space, {"192.0.2.1", 30080}, 40)),
              (std::set<std::string>{"a", "x", "y"}));
    EXPECT_EQ(this->names_of(ask_many(this->node(), {"192.0.2.1", 30080}, 40)),
              (std::set<std::string>{"a", "x", "y"}));
}

TYPED_TEST_P(ProxySuite, ALocalServiceWithoutBackendsHereDropsWhatComesFromOutside) {
    this->expect_ok(this->plugin_->apply_full(
        {this->node_port({"x"}, {{"local", true}, {"externalBackends", Json::array()}})}));
    EXPECT_EQ(ask(this->client(), {"192.0.2.1", 30080}, 400).outcome, Heard::silent);
    EXPECT_EQ(ask(this->pod("a").space, {"192.0.2.1", 30080}).who, "x");
    EXPECT_EQ(ask(this->node(), {"192.0.2.1", 30080}).who, "x");
}

TYPED_TEST_P(ProxySuite, OnlyThePermittedSourcesUseAService) {
    const auto service = [&](const Json& ranges) {
        return with(service_document("web", "198.51.100.7", this->backends({"a"})),
                    {{"kind", "LoadBalancer"}, {"sourceRanges", ranges}});
    };
    const Target target{"198.51.100.7", 80};
    this->expect_ok(this->plugin_->apply_full({service({"203.0.113.0/24", "192.0.2.3/32"})}));
    EXPECT_EQ(ask(this->client(), target).who, "a");
    this->expect_ok(this->plugin_->apply({service({"203.0.113.0/24"})}));
    EXPECT_EQ(ask(this->client(), target, 400).outcome, Heard::silent);
    this->expect_ok(this->plugin_->apply({service({"10.244.0.0/16"})}));
    EXPECT_EQ(ask(this->pod("b").space, target).who, "a");
    EXPECT_EQ(ask(this->client(), target, 400).outcome, Heard::silent);
}

TYPED_TEST_P(ProxySuite, LoadBalancerAndExternalAddressesAreServed) {
    this->expect_ok(this->plugin_->apply_full(
        {with(service_document("balanced", "198.51.100.7", this->backends({"a"})),
              {{"kind", "LoadBalancer"}}),
         with(service_document("external", "198.51.100.8", this->backends({"x"})), {{"kind", "ExternalIP"}}),
         with(service_document("kept", "198.51.100.9", this->backends({"x"})),
              {{"kind", "LoadBalancer"}, {"local", true}, {"externalBackends", this->backends({"b"})}})}));
    EXPECT_EQ(ask(this->client(), {"198.51.100.7", 80}).who, "a");
    EXPECT_EQ(ask(this->client(), {"198.51.100.8", 80}).who, "x");
    EXPECT_EQ(ask(this->pod("b").space, {"198.51.100.7", 80}).who, "a");
    EXPECT_EQ(ask(this->node(), {"198.51.100.8", 80}).who, "x");
    const Heard kept = ask(this->client(), {"198.51.100.9", 80});
    EXPECT_EQ(kept.who, "b");
    EXPECT_EQ(kept.source, "192.0.2.3");
    EXPECT_EQ(ask(this->pod("a").space, {"198.51.100.9", 80}).who, "x");
}

// --- changes ---

TYPED_TEST_P(ProxySuite, BackendsComeAndGo) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a"})}));
    for (const std::vector<std::string>& names :
         std::vector<std::vector<std::string>>{{"b"}, {"b", "c"}, {}, {"a", "b", "c", "x", "y"}, {"x"}}) {
        this->expect_ok(this->plugin_->apply({this->web(names)}));
        const std::set<std::string> expected(names.begin(), names.end());
        EXPECT_EQ(this->names_of(ask_many(this->client(), this->web_, names.empty() ? 3 : 60)),
                  expected.empty() ? std::set<std::string>{"nobody"} : expected);
    }
}

TYPED_TEST_P(ProxySuite, ARemovedServiceIsGone) {
    this->expect_ok(this->plugin_->apply_full(
        {this->web({"a"}), service_document("other", "10.96.0.11", this->backends({"b"}))}));
    this->expect_ok(this->plugin_->apply({}, {"web"}));
    EXPECT_FALSE(ask(this->pod("c").space, this->web_, 300).ok());
    EXPECT_EQ(ask(this->pod("c").space, {"10.96.0.11", 80}).who, "b");
    this->expect_ok(this->plugin_->apply({}, {"web", "never-there"}));
}

TYPED_TEST_P(ProxySuite, AFullTableReplacesWhatWasThere) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a"})}));
    this->expect_ok(
        this->plugin_->apply_full({service_document("other", "10.96.0.11", this->backends({"b"}))}));
    EXPECT_FALSE(ask(this->pod("c").space, this->web_, 300).ok());
    EXPECT_EQ(ask(this->pod("c").space, {"10.96.0.11", 80}).who, "b");
}

TYPED_TEST_P(ProxySuite, AnAddressOrPortThatMovesIsServedWhereItIs) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a"})}));
    this->expect_ok(
        this->plugin_->apply({with(this->web({"a"}), {{"address", "10.97.3.4"}, {"port", 8000}})}));
    EXPECT_EQ(ask(this->pod("c").space, {"10.97.3.4", 8000}).who, "a");
    EXPECT_FALSE(ask(this->pod("c").space, this->web_, 300).ok());
}

TYPED_TEST_P(ProxySuite, OpenConnectionsOutliveChangesOfOthers) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a"})}));
    Connection connection(this->pod("b").space, this->web_);
    ASSERT_TRUE(connection.heard().ok());
    for (int round = 0; round < 5; ++round) {
        this->expect_ok(this->plugin_->apply(
            {service_document("other", "10.96.0." + std::to_string(20 + round), this->backends({"b"}))}));
        EXPECT_TRUE(connection.echoes("still here"));
    }
    this->expect_ok(this->plugin_->apply_full({this->web({"a", "c"})}));
    EXPECT_TRUE(connection.echoes("and after a full table"));
}

TYPED_TEST_P(ProxySuite, NothingIsDoneBeforeTheLastPartOfAChange) {
    ProxyPlugin& plugin = *this->plugin_;
    const auto part = [&](int generation, bool full, bool more, const Json& set, const Json& removed) {
        return plugin.call(
            "apply",
            {{"generation", generation}, {"full", full}, {"more", more}, {"set", set}, {"removed", removed}});
    };
    EXPECT_TRUE(part(1, true, true, Json::array({this->web({"a"})}), Json::array()).ok());
    EXPECT_FALSE(ask(this->pod("c").space, this->web_, 300).ok());
    EXPECT_TRUE(part(1, true, false,
                     Json::array({service_document("other", "10.96.0.11", this->backends({"b"}))}),
                     Json::array())
                    .ok());
    EXPECT_EQ(ask(this->pod("c").space, this->web_).who, "a");
    EXPECT_EQ(ask(this->pod("c").space, {"10.96.0.11", 80}).who, "b");
    EXPECT_TRUE(part(2, false, true, Json::array(), Json::array({"web"})).ok());
    EXPECT_EQ(ask(this->pod("c").space, this->web_).who, "a");
    EXPECT_TRUE(part(2, false, false, Json::array(), Json::array({"other"})).ok());
    EXPECT_FALSE(ask(this->pod("c").space, this->web_, 300).ok());
    EXPECT_FALSE(ask(this->pod("c").space, {"10.96.0.11", 80}, 300).ok());
}

TYPED_TEST_P(ProxySuite, AChangeThatIsGivenUpLeavesTheNextOneWhole) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a"})}));
    EXPECT_TRUE(this->plugin_
                    ->call("apply", {{"generation", 50},
                                     {"full", false},
                                     {"more", true},
                                     {"set", Json::array()},
                                     {"removed", {"web"}}})
                    .ok());
    this->expect_ok(this->plugin_->apply({service_document("other", "10.96.0.11", this->backends({"b"}))}));
    EXPECT_EQ(ask(this->pod("c").space, this->web_).who, "a");
    EXPECT_EQ(ask(this->pod("c").space, {"10.96.0.11", 80}).who, "b");
}

TYPED_TEST_P(ProxySuite, WhatCannotBeCarriedDoesNotStopTheOthers) {
    const ProxyAnswer answer = this->plugin_->apply_full(
        {this->web({"a"}), with(this->web({"a"}), {{"id", "bad"}, {"address", "nonsense"}})});
    ASSERT_TRUE(answer.ok()) << answer.message();
    ASSERT_EQ(answer.document.at("problems").size(), 1U);
    EXPECT_EQ(answer.document["problems"][0]["id"], "bad");
    EXPECT_EQ(ask(this->pod("c").space, this->web_).who, "a");
}

// --- datagrams ---

TYPED_TEST_P(ProxySuite, AUdpClientMovesToTheNewBackend) {
    const auto service = [&](const std::vector<std::string>& names) {
        return with(this->web(names), {{"protocol", "UDP"}});
    };
    this->expect_ok(this->plugin_->apply_full({service({"a"})}));
    Connection flow(this->pod("c").space, this->web_udp_);
    EXPECT_EQ(flow.heard().who, "a");
    this->expect_ok(this->plugin_->apply({service({"b"})}));
    EXPECT_EQ(flow.ask_again().who, "b");
    this->expect_ok(this->plugin_->apply_full({service({"x"})}));
    EXPECT_EQ(flow.ask_again().who, "x");
}

TYPED_TEST_P(ProxySuite, AUdpClientThatHadNobodyGetsABackend) {
    const auto service = [&](const std::vector<std::string>& names) {
        return with(this->web(names), {{"protocol", "UDP"}});
    };
    this->expect_ok(
        this->plugin_->apply_full({service_document("other", "10.96.0.11", this->backends({"b"}))}));
    // Not even a service: the datagram goes somewhere, and the flow is known from then on.
    Connection flow(this->pod("c").space, this->web_udp_);
    EXPECT_FALSE(flow.heard().ok());
    this->expect_ok(this->plugin_->apply({service({})}));
    EXPECT_FALSE(flow.ask_again(300).ok());
    this->expect_ok(this->plugin_->apply({service({"a"})}));
    EXPECT_EQ(flow.ask_again().who, "a");
}

TYPED_TEST_P(ProxySuite, AUdpClientOfANodePortMovesToTheNewBackend) {
    const auto service = [&](const std::vector<std::string>& names) {
        return this->node_port(names, {{"protocol", "UDP"}});
    };
    this->expect_ok(this->plugin_->apply_full({service({"a"})}));
    Connection flow(this->client(), {"192.0.2.1", 30080, Transport::udp});
    EXPECT_EQ(flow.heard().who, "a");
    this->expect_ok(this->plugin_->apply({service({"x"})}));
    EXPECT_EQ(flow.ask_again().who, "x");
}

TYPED_TEST_P(ProxySuite, AUdpClientOfALocalServiceMovesToTheNewBackend) {
    const auto service = [&](const std::vector<std::string>& names) {
        return this->node_port(
            names, {{"protocol", "UDP"}, {"local", true}, {"externalBackends", this->backends(names)}});
    };
    this->expect_ok(this->plugin_->apply_full({service({"a"})}));
    Connection flow(this->client(), {"192.0.2.1", 30080, Transport::udp});
    EXPECT_EQ(flow.heard().who, "a");
    EXPECT_EQ(flow.heard().source, "192.0.2.3");
    this->expect_ok(this->plugin_->apply({service({"b"})}));
    EXPECT_EQ(flow.ask_again().who, "b");
}

TYPED_TEST_P(ProxySuite, AUdpFlowStaysWithABackendThatStays) {
    const auto service = [&](const std::vector<std::string>& names) {
        return with(this->web(names), {{"protocol", "UDP"}});
    };
    this->expect_ok(this->plugin_->apply_full({service({"a", "b"})}));
    Connection flow(this->pod("c").space, this->web_udp_);
    const std::string first = flow.heard().who;
    for (const std::vector<std::string>& names :
         std::vector<std::vector<std::string>>{{"a", "b", "x"}, {"a", "b", "x", "y"}, {"y", "a", "b"}}) {
        this->expect_ok(this->plugin_->apply({service(names)}));
        EXPECT_EQ(flow.ask_again().who, first);
    }
}

// --- many ---

TYPED_TEST_P(ProxySuite, AServiceHasHundredsOfBackends) {
    this->expect_ok(
        this->plugin_->apply_full({service_document("wide", "10.96.0.10", this->many_backends(250))}));
    std::set<std::string> reached;
    for (const Heard& heard : ask_many(this->pod("a").space, this->web_, 600)) reached.insert(heard.backend);
    EXPECT_GT(reached.size(), 200U);
    EXPECT_FALSE(reached.contains(""));
}

TYPED_TEST_P(ProxySuite, AServiceHasThousandsOfBackends) {
    std::vector<Json> backends = this->many_backends(5000);
    this->expect_ok(this->plugin_->apply_full({service_document("wide", "10.96.0.10", backends)}));
    std::set<std::string> reached;
    for (const Heard& heard : ask_many(this->pod("a").space, this->web_, 500)) reached.insert(heard.backend);
    EXPECT_GT(reached.size(), 400U);
    EXPECT_FALSE(reached.contains(""));
    backends.erase(backends.begin(), backends.begin() + 4990);
    this->expect_ok(this->plugin_->apply({service_document("wide", "10.96.0.10", backends)}));
    for (const Heard& heard : ask_many(this->pod("a").space, this->web_, 50))
        EXPECT_TRUE(heard.backend.starts_with("10.245.19.24") || heard.backend.starts_with("10.245.19.250"))
            << heard.backend;
}

TYPED_TEST_P(ProxySuite, EachOfManyServicesIsTheRightOne) {
    std::vector<Json> services;
    const std::vector<Json> backends = this->many_backends(600);
    for (int at = 0; at < 600; ++at)
        services.push_back(
            service_document("s" + std::to_string(at),
                             "10.96." + std::to_string(at / 200) + "." + std::to_string(at % 200 + 1),
                             {backends[std::size_t(at)]}));
    this->expect_ok(this->plugin_->apply_full(services));
    const auto check = [&](int step) {
        for (int at = 0; at < 600; at += step) {
            const Json& service = services[std::size_t(at)];
            const Heard heard = ask(this->pod("a").space, {service["address"], 80});
            const std::string expected =
                service["backends"].empty()
                    ? ""
                    : service["backends"][0]["address"].template get<std::string>() + " 8080";
            EXPECT_EQ(heard.backend, expected) << service["address"];
        }
    };
    check(7);
    // Every third one goes, the others move on by one.
    std::vector<Json> changed;
    std::vector<std::string> removed;
    for (int at = 0; at < 600; ++at) {
        if (at % 3 == 0) {
            removed.push_back(services[std::size_t(at)]["id"]);
            services[std::size_t(at)]["backends"] = Json::array();
        } else {
            services[std::size_t(at)]["backends"] = {backends[std::size_t((at + 1) % 600)]};
            changed.push_back(services[std::size_t(at)]);
        }
    }
    this->expect_ok(this->plugin_->apply(changed, removed));
    for (int at = 1; at < 600; at += 12) {
        const Heard heard = ask(this->pod("a").space, {services[std::size_t(at)]["address"], 80});
        EXPECT_EQ(heard.backend,
                  services[std::size_t(at)]["backends"][0]["address"].template get<std::string>() + " 8080");
    }
    EXPECT_FALSE(ask(this->pod("a").space, {services[0]["address"], 80}, 300).ok());
}

// --- what stays and what is mended ---

TYPED_TEST_P(ProxySuite, TheSameTableAgainChangesNothing) {
    const std::vector<Json> services = {
        this->web({"a", "b"}), this->node_port({"a"}),
        with(this->web({"c"}), {{"id", "kept"}, {"address", "10.96.0.12"}, {"affinitySeconds", 600}})};
    this->expect_ok(this->plugin_->apply_full(services));
    const std::string traces = TypeParam::traces(*this->world_);
    this->expect_ok(this->plugin_->apply_full(services));
    EXPECT_EQ(TypeParam::traces(*this->world_), traces);
    this->start();
    this->expect_ok(this->plugin_->apply_full(services));
    EXPECT_EQ(TypeParam::traces(*this->world_), traces);
}

TYPED_TEST_P(ProxySuite, TrafficGoesOnWhileANewInstanceStarts) {
    if (!TypeParam::keeps_connections) GTEST_SKIP() << "the connections are the plugin's own";
    this->expect_ok(this->plugin_->apply_full({this->web({"a"})}));
    Connection connection(this->pod("b").space, this->web_);
    this->plugin_.reset();
    EXPECT_TRUE(connection.echoes("nobody is there"));
    EXPECT_EQ(ask(this->pod("b").space, this->web_).who, "a");
    this->start();
    EXPECT_EQ(ask(this->pod("b").space, this->web_).who, "a");
    this->expect_ok(this->plugin_->apply_full(
        {this->web({"a"}), service_document("other", "10.96.0.11", this->backends({"b"}))}));
    EXPECT_TRUE(connection.echoes("somebody is there"));
}

TYPED_TEST_P(ProxySuite, ANewInstanceTakesOutWhatIsNoLongerWanted) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a", "b", "c", "x", "y"}),
                                               this->node_port({"a"}, {{"affinitySeconds", 60}}),
                                               service_document("none", "10.96.0.13", {})}));
    this->start();
    this->expect_ok(
        this->plugin_->apply_full({service_document("other", "10.96.0.11", this->backends({"b"}))}));
    const std::string traces = TypeParam::traces(*this->world_);
    EXPECT_FALSE(ask(this->pod("c").space, this->web_, 300).ok());
    EXPECT_EQ(ask(this->pod("c").space, {"10.96.0.11", 80}).who, "b");
    // As if nothing else had ever been there.
    EXPECT_TRUE(this->plugin_->call("clear", Json::object()).ok());
    this->expect_ok(
        this->plugin_->apply_full({service_document("other", "10.96.0.11", this->backends({"b"}))}));
    EXPECT_EQ(TypeParam::traces(*this->world_), traces);
}

TYPED_TEST_P(ProxySuite, WhatAnotherProgramTakesAwayIsNoticedAndMended) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a"}), this->node_port({"b"})}));
    EXPECT_TRUE(this->plugin_->is_intact());
    TypeParam::sweep(this->node());
    EXPECT_FALSE(ask(this->pod("c").space, this->web_, 300).ok());
    EXPECT_FALSE(this->plugin_->is_intact());
    this->expect_ok(this->plugin_->apply_full({this->web({"a"}), this->node_port({"b"})}));
    EXPECT_TRUE(this->plugin_->is_intact());
    EXPECT_EQ(ask(this->pod("c").space, this->web_).who, "a");
    EXPECT_EQ(ask(this->client(), {"192.0.2.1", 30080}).who, "b");
}

TYPED_TEST_P(ProxySuite, AnInstanceThatKnowsNothingAsksForTheWholeTable) {
    EXPECT_EQ(this->plugin_->call("state", Json::object()).document.at("generation"), 0);
    EXPECT_FALSE(this->plugin_->apply({this->web({"a"})}).ok());
    this->expect_ok(this->plugin_->apply_full({this->web({"a"})}));
    EXPECT_EQ(this->plugin_->call("state", Json::object()).document.at("generation"),
              this->plugin_->generation());
}

TYPED_TEST_P(ProxySuite, ClearTakesOutWhatAFormerInstanceHasMade) {
    this->expect_ok(this->plugin_->apply_full(
        {this->web({"a"}), this->node_port({"b"}), service_document("none", "10.96.0.13", {}),
         service_document("six", "fd00:96::10", {backend6_document(this->pod("c"))})}));
    this->start();
    EXPECT_TRUE(this->plugin_->call("clear", Json::object()).ok());
    EXPECT_EQ(TypeParam::traces(*this->world_), this->before_);
    EXPECT_TRUE(this->plugin_->call("clear", Json::object()).ok());
}

// --- under way ---

// Real connections while the table changes: nobody ever reaches a backend that the service did not have.
TYPED_TEST_P(ProxySuite, NoConnectionReachesAWrongServiceWhileTheTableChanges) {
    constexpr int service_count = 8;
    constexpr int rounds = 60;
    constexpr int long_patience_ms = 10'000;  // a busy machine is no loss
    const std::vector<Json> all = this->many_backends(service_count * 6);
    // Service n only ever has the backends n*6 to n*6+5, the first one always.
    std::mt19937 random(7);
    const auto draw = [&](int at) {
        std::vector<Json> backends = {all[std::size_t(at * 6)]};
        for (int extra = 1; extra < 6; ++extra)
            if (random() % 2 == 0) backends.push_back(all[std::size_t(at * 6 + extra)]);
        return backends;
    };
    const auto service = [&](int at, bool is_udp) {
        return with(service_document((is_udp ? "u" : "t") + std::to_string(at),
                                     "10.96.1." + std::to_string(at + 1), draw(at)),
                    {{"protocol", is_udp ? "UDP" : "TCP"}});
    };
    std::vector<Json> services;
    for (int at = 0; at < service_count; ++at)
        for (const bool is_udp : {false, true}) services.push_back(service(at, is_udp));
    this->expect_ok(this->plugin_->apply_full(services));
    std::set<std::string> allowed[service_count];
    for (int at = 0; at < service_count; ++at)
        for (int extra = 0; extra < 6; ++extra)
            allowed[at].insert(all[std::size_t(at * 6 + extra)]["address"].template get<std::string>() +
                               " 8080");

    std::atomic<bool> is_over = false;
    std::atomic<int> asked = 0;
    std::atomic<int> unanswered = 0;
    std::atomic<int> lost = 0;  // datagrams
    std::atomic<int> wrong = 0;
    std::vector<std::thread> clients;
    for (const Transport transport : {Transport::tcp, Transport::udp})
        clients.emplace_back([&, transport] {
            for (int at = 0; !is_over; at = (at + 1) % service_count) {
                for (const Heard& heard :
                     ask_many(this->pod("a").space, {"10.96.1." + std::to_string(at + 1), 80, transport}, 5,
                              long_patience_ms)) {
                    ++asked;
                    if (!heard.ok()) ++(transport == Transport::tcp ? unanswered : lost);
                    if (heard.ok() && !allowed[at].contains(heard.backend)) ++wrong;
                }
            }
        });
    for (int round = 0; round < rounds; ++round) {
        if (round % 10 == 9) {
            services.clear();
            for (int at = 0; at < service_count; ++at)
                for (const bool is_udp : {false, true}) services.push_back(service(at, is_udp));
            this->expect_ok(this->plugin_->apply_full(services));
        } else {
            const int at = int(random() % service_count);
            const std::string passing = "10.96.2." + std::to_string(round + 1);
            this->expect_ok(
                this->plugin_->apply({service(at, false), service(at, true),
                                      service_document("passing" + std::to_string(round), passing, {all[0]})},
                                     {"passing" + std::to_string(round - 3)}));
        }
    }
    is_over = true;
    for (std::thread& one : clients) one.join();
    EXPECT_GT(asked, 100);
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(unanswered, 0) << "of " << asked;
    EXPECT_EQ(lost, 0) << "of " << asked;
}

TYPED_TEST_P(ProxySuite, ABackendThatDiesUnderLoadIsOutOfUseWithTheNextTable) {
    this->expect_ok(this->plugin_->apply_full({this->web({"a", "b"})}));
    EXPECT_EQ(this->names_of(ask_many(this->pod("c").space, this->web_, 40)),
              (std::set<std::string>{"a", "b"}));
    this->world_->servers.stop("a");
    this->expect_ok(this->plugin_->apply({this->web({"b"})}));
    EXPECT_EQ(this->names_of(ask_many(this->pod("c").space, this->web_, 40)), std::set<std::string>{"b"});
    this->world_->servers.stop("a'");
    this->world_->serve(this->pod("a"));
}

REGISTER_TYPED_TEST_SUITE_P(
    ProxySuite, APodReachesAServiceWithItsOwnAddress, APodReachesABackendOnAnotherNode,
    TheNodeReachesAService, APodReachesItselfByItsService, EachBackendGetsAShare,
    PortsOfOneAddressAreServicesOfTheirOwn, TcpAndUdpOfOnePortAreServicesOfTheirOwn, SctpIsCarried,
    BothFamiliesAreCarried, AClientKeepsItsBackend, AClientsBackendIsForgottenInTime,
    AClientOfALocalServiceKeepsItsBackend, AClientWhoseBackendIsGoneGetsAnother,
    AServiceWithoutBackendsRefusesAtOnce, AServiceWithoutBackendsIsSilentWhenItShallDrop,
    OtherPortsOfTheNodeAreLeftAlone, ANodePortIsOnEveryAddressOfTheNode, WhoComesFromOutsideIsMasqueraded,
    NodePortsAreOnlyOnTheAddressesThatAreAskedFor, ALocalServiceKeepsTheSourceAndTheNode,
    ALocalServiceWithoutBackendsHereDropsWhatComesFromOutside, OnlyThePermittedSourcesUseAService,
    LoadBalancerAndExternalAddressesAreServed, BackendsComeAndGo, ARemovedServiceIsGone,
    AFullTableReplacesWhatWasThere, AnAddressOrPortThatMovesIsServedWhereItIs,
    OpenConnectionsOutliveChangesOfOthers, NothingIsDoneBeforeTheLastPartOfAChange,
    AChangeThatIsGivenUpLeavesTheNextOneWhole, WhatCannotBeCarriedDoesNotStopTheOthers,
    AUdpClientMovesToTheNewBackend, AUdpClientThatHadNobodyGetsABackend,
    AUdpClientOfANodePortMovesToTheNewBackend, AUdpClientOfALocalServiceMovesToTheNewBackend,
    AUdpFlowStaysWithABackendThatStays, AServiceHasHundredsOfBackends, AServiceHasThousandsOfBackends,
    EachOfManyServicesIsTheRightOne, TheSameTableAgainChangesNothing, TrafficGoesOnWhileANewInstanceStarts,
    ANewInstanceTakesOutWhatIsNoLongerWanted, WhatAnotherProgramTakesAwayIsNoticedAndMended,
    AnInstanceThatKnowsNothingAsksForTheWholeTable, ClearTakesOutWhatAFormerInstanceHasMade,
    NoConnectionReachesAWrongServiceWhileTheTableChanges,
    ABackendThatDiesUnderLoadIsOutOfUseWithTheNextTable);

}  // namespace keelson::testing
