// What changes of the table mean to services and connections. A part of proxy_suite.h.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/plugins/network/proxy_suite_fixture.h"

namespace keelson::testing {

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

}  // namespace keelson::testing
