// Clients by UDP, whose flows the kernel remembers. A part of proxy_suite.h.
#pragma once

#include <string>
#include <vector>

#include "tests/plugins/network/proxy_suite_fixture.h"

namespace keelson::testing {

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
    Connection flow(this->pod("c").space, this->web_udp_, 0, 300);
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

}  // namespace keelson::testing
