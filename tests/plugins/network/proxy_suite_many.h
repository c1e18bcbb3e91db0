// Many services and many backends. A part of proxy_suite.h.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/plugins/network/proxy_suite_fixture.h"

namespace keelson::testing {

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

}  // namespace keelson::testing
