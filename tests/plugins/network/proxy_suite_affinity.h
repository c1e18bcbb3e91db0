// Clients that keep their backends. A part of proxy_suite.h.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "tests/plugins/network/proxy_suite_fixture.h"

namespace keelson::testing {

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

}  // namespace keelson::testing
