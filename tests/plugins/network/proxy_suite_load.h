// Real clients while the table changes and backends die. A part of proxy_suite.h.
#pragma once

#include <atomic>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/plugins/network/proxy_suite_fixture.h"

namespace keelson::testing {

// Real connections while the table changes: nobody ever reaches a backend that the service did not have.
TYPED_TEST_P(ProxySuite, NoConnectionReachesAWrongServiceWhileTheTableChanges) {
    constexpr int service_count = 8;
    constexpr int rounds = 60;
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
                for (const Heard& heard : ask_many(this->pod("a").space,
                                                   {"10.96.1." + std::to_string(at + 1), 80, transport}, 5)) {
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

}  // namespace keelson::testing
