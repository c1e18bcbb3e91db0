// Who comes from outside: by node ports, load balancers' and external addresses, and what policies and ranges
// do to him. A part of proxy_suite.h.
#pragma once

#include <set>
#include <string>

#include "tests/plugins/network/proxy_suite_fixture.h"

namespace keelson::testing {

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

}  // namespace keelson::testing
