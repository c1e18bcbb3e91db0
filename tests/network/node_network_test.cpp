// The services' network of a node on a cluster in virtual time, with sinks in memory.
#include "kernel/network/node_network.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "kernel/access/identity.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/collections.h"
#include "kernel/client/in_process.h"
#include "tests/resource/cluster.h"

namespace keelson::network {
namespace {

// What a proxy or a DNS server holds; it outlives the sink that fills it.
struct Held {
    std::map<std::string, ServiceEntry> services;
    std::map<DnsKey, DnsRecord> records;
    PluginState state;
    ProxySettings settings;
    bool is_cleared = false;
    std::optional<base::Status> failure;
    std::vector<ServiceProblem> problems;
};

class HeldProxy final : public ServiceProxy {
  public:
    explicit HeldProxy(Held& held) : held_(held) {}
    Answer<void> configure(ProxySettings settings) override {
        held_.settings = std::move(settings);
        if (held_.failure) co_return *held_.failure;
        co_return base::ok();
    }
    Answer<std::vector<ServiceProblem>> apply(std::int64_t generation, bool full,
                                              TableChange change) override {
        if (held_.failure) co_return *held_.failure;
        if (full) held_.services.clear();
        for (const std::string& id : change.removed) held_.services.erase(id);
        for (ServiceEntry& entry : change.set) held_.services.insert_or_assign(entry.id, entry);
        held_.state.generation = generation;
        held_.is_cleared = false;
        co_return held_.problems;
    }
    Answer<PluginState> state() override { co_return held_.state; }
    Answer<void> clear() override {
        held_.services.clear();
        held_.is_cleared = true;
        co_return base::ok();
    }

  private:
    Held& held_;
};

class HeldDns final : public Dns {
  public:
    explicit HeldDns(Held& held) : held_(held) {}
    Answer<void> configure(DnsSettings) override { co_return base::ok(); }
    Answer<void> apply(std::int64_t generation, bool full, DnsChange change) override {
        if (full) held_.records.clear();
        for (const DnsKey& key : change.removed) held_.records.erase(key);
        for (DnsRecord& record : change.set) held_.records.insert_or_assign(record.key, record);
        held_.state.generation = generation;
        co_return base::ok();
    }
    Answer<PluginState> state() override { co_return held_.state; }

  private:
    Held& held_;
};

class PlayedChecks final : public HealthChecks {
  public:
    std::vector<HealthCheckPort> ports;
    void set(std::vector<HealthCheckPort> wanted) override { ports = std::move(wanted); }
};

class NodeNetworkTest : public ::testing::Test {
  protected:
    void start() {
        NodeNetworkSettings settings;
        settings.node_name = "n1";
        settings.node_addresses = {"192.0.2.1"};
        settings.cluster_cidrs = {"10.244.0.0/16"};
        network = NodeNetwork::make(std::move(settings),
                                    {*client, cluster.executor, cluster.random, metrics, checks},
                                    std::make_unique<HeldDns>(dns));
        base::spawn(cluster.executor, network->run(), [this] { has_ended = true; });
    }
    void TearDown() override {
        network->stop();
        EXPECT_TRUE(until([&] { return has_ended; }));
    }
    bool until(const std::function<bool()>& done, base::Duration limit = std::chrono::minutes(1)) {
        return cluster.executor.run_until(done, limit);
    }
    void use(const std::string& name, Held& held) {
        is_handed_over = false;
        network->use_proxy(name, std::make_unique<HeldProxy>(held), [this] { is_handed_over = true; });
    }
    static bool carries(const Held& held, const std::string& name) {
        return std::ranges::any_of(held.services,
                                   [&](const auto& entry) { return entry.second.name == name; });
    }
    void create_service(const std::string& name) {
        const auto made = cluster.create(
            {"v1/services", "default", {}},
            R"({"metadata":{"name":")" + name + R"("},"spec":{"ports":[{"name":"http","port":80}]}})");
        EXPECT_TRUE(made.ok()) << made.error;
    }

    resource::Cluster cluster;
    std::unique_ptr<client::Client> client =
        client::make_in_process_client(*cluster.verbs, *cluster.subresources, access::node_identity("n1"));
    base::Metrics metrics;
    PlayedChecks checks;
    Held first, second, dns;
    std::unique_ptr<NodeNetwork> network;
    bool has_ended = false;
    bool is_handed_over = false;
};

TEST_F(NodeNetworkTest, ServicesReachTheProxyAndTheDnsServer) {
    start();
    use("first", first);
    create_service("web");
    ASSERT_TRUE(until([&] { return carries(first, "default/web:http"); }));
    EXPECT_EQ(first.settings.cluster_cidrs, std::vector<std::string>({"10.244.0.0/16"}));
    EXPECT_TRUE(until([&] { return dns.records.contains({"web.default.svc.cluster.local", "A"}); }));
    (void)cluster.remove({"v1/services", "default", "web"});
    EXPECT_TRUE(until([&] { return !carries(first, "default/web:http"); }));
    EXPECT_TRUE(until([&] { return !dns.records.contains({"web.default.svc.cluster.local", "A"}); }));
}

TEST_F(NodeNetworkTest, AnotherProxyCarriesEverythingBeforeTheFormerIsCleared) {
    start();
    use("first", first);
    create_service("web");
    ASSERT_TRUE(until([&] { return carries(first, "default/web:http") && is_handed_over; }));
    second.failure = base::Status(base::Reason::service_unavailable, "it is not ready");
    use("second", second);
    cluster.executor.advance(std::chrono::seconds(30));
    EXPECT_FALSE(first.is_cleared) << "the new one does not carry anything yet";
    EXPECT_TRUE(carries(first, "default/web:http"));
    second.failure.reset();
    ASSERT_TRUE(until([&] { return is_handed_over; }));
    EXPECT_TRUE(first.is_cleared);
    EXPECT_TRUE(carries(second, "default/web:http"));
    create_service("more");
    EXPECT_TRUE(until([&] { return carries(second, "default/more:http"); }));
    EXPECT_TRUE(first.services.empty()) << "the former one is told nothing any more";
}

TEST_F(NodeNetworkTest, APluginThatCameAgainIsToldEverything) {
    start();
    use("first", first);
    create_service("web");
    ASSERT_TRUE(until([&] { return carries(first, "default/web:http"); }));
    first.services.clear();
    network->plugin_changed();
    EXPECT_TRUE(until([&] { return carries(first, "default/web:http"); }));
}

TEST_F(NodeNetworkTest, WhatStandsInTheWayOfAServiceIsAnEventOfIt) {
    start();
    use("first", first);
    create_service("web");
    ASSERT_TRUE(until([&] { return carries(first, "default/web:http"); }));
    for (const auto& [id, entry] : first.services)
        if (entry.name == "default/web:http") first.problems = {{id, "port 80 is taken"}};
    network->plugin_changed();
    const auto admin = client::make_in_process_client(*cluster.verbs, *cluster.subresources,
                                                      {"admin", "", {"system:masters"}, {}});
    EXPECT_TRUE(until([&] {
        const auto events = base::sync_wait(cluster.executor,
                                            admin->list(client::collections::events.address("default"), {}));
        if (!events) return false;
        return std::ranges::any_of(events->items, [](const object::Value event) {
            return event["reason"].as_string() == "ServiceNotCarried" &&
                   event["involvedObject"]["name"].as_string() == "web";
        });
    }));
}

TEST_F(NodeNetworkTest, HealthCheckPortsOfLocalServicesAreOpen) {
    start();
    use("first", first);
    const auto made = cluster.create(
        {"v1/services", "default", {}},
        R"({"metadata":{"name":"web"},"spec":{"type":"LoadBalancer","externalTrafficPolicy":"Local",)"
        R"("ports":[{"name":"http","port":80}]}})");
    ASSERT_TRUE(made.ok()) << made.error;
    ASSERT_TRUE(until([&] { return checks.ports.size() == 1; }));
    EXPECT_EQ(checks.ports[0].service, "web");
    EXPECT_EQ(checks.ports[0].local_endpoints, 0u);
    EXPECT_GT(checks.ports[0].port, 0);
}

}  // namespace
}  // namespace keelson::network
