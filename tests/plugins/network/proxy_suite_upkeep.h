// What an instance finds, leaves alone, mends and takes away. A part of proxy_suite.h.
#pragma once

#include <string>
#include <vector>

#include "tests/plugins/network/proxy_suite_fixture.h"

namespace keelson::testing {

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

}  // namespace keelson::testing
