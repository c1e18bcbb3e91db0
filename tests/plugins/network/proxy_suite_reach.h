// Who is reached by a service's addresses, and what who has nobody to reach is told. A part of proxy_suite.h.
#pragma once

#include <map>
#include <string>

#include "tests/plugins/network/proxy_suite_fixture.h"

namespace keelson::testing {

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

}  // namespace keelson::testing
