// Cluster IPs and node ports: chosen, kept, given back, and never handed out twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "kernel/base/sync_wait.h"
#include "kernel/object/addresses.h"
#include "kernel/object/json.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using testing::HasSubstr;

constexpr Target kServices{"v1/services", "default", ""};

std::string service(std::string_view name, std::string_view spec) {
    return R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":)" + std::string(spec) + "}";
}

TEST(Services, GetAnAddressFromTheRange) {
    Cluster cluster({{"10.9.0.0/24"}, 30000, 30010});
    Outcome made = cluster.create(kServices, service("s", R"({"ports":[{"port":80}]})"));
    ASSERT_TRUE(made.ok()) << made.error;
    std::string address = made.text({"spec", "clusterIP"});
    EXPECT_TRUE(object::IpNetwork::parse("10.9.0.0/24")->contains(*object::IpAddress::parse(address)))
        << address;
    EXPECT_EQ(object::to_json(made["spec"]["clusterIPs"]), "[\"" + address + "\"]");
    EXPECT_EQ(object::to_json(made["spec"]["ipFamilies"]), R"(["IPv4"])");
    EXPECT_EQ(made.text({"spec", "ipFamilyPolicy"}), "SingleStack");
    Outcome record = cluster.get({"networking.k8s.io/v1/ipaddresses", "", address});
    EXPECT_EQ(record.text({"spec", "parentRef", "name"}), "s");
    EXPECT_EQ(cluster.remove({"v1/services", "default", "s"}).code, 200);
    EXPECT_EQ(cluster.get({"networking.k8s.io/v1/ipaddresses", "", address}).code, 404);
}

TEST(Services, TakeTheAddressTheyAskFor) {
    Cluster cluster;
    ASSERT_TRUE(
        cluster.create(kServices, service("a", R"({"clusterIP":"10.96.7.7","ports":[{"port":80}]})")).ok());
    Outcome taken =
        cluster.create(kServices, service("b", R"({"clusterIP":"10.96.7.7","ports":[{"port":80}]})"));
    EXPECT_EQ(taken.code, 422);
    EXPECT_THAT(taken.error, HasSubstr("provided IP is already allocated"));
    Outcome outside =
        cluster.create(kServices, service("c", R"({"clusterIP":"192.0.2.1","ports":[{"port":80}]})"));
    EXPECT_EQ(outside.code, 422);
    EXPECT_EQ(cluster.create(kServices, service("d", R"({"clusterIP":"None","selector":{"a":"b"}})"))
                  .text({"spec", "clusterIP"}),
              "None");
}

TEST(Services, KeepWhatTheyHave) {
    Cluster cluster;
    const Target one{"v1/services", "default", "s"};
    Outcome made = cluster.create(kServices, service("s", R"({"type":"NodePort","ports":[{"port":80}]})"));
    Outcome updated = cluster.update(one, service("s", R"({"type":"NodePort","ports":[{"port":81}]})"));
    ASSERT_TRUE(updated.ok()) << updated.error;
    EXPECT_EQ(updated.text({"spec", "clusterIP"}), made.text({"spec", "clusterIP"}));
    Outcome moved = cluster.patch(one, PatchType::merge, R"({"spec":{"clusterIP":"10.96.1.1"}})");
    EXPECT_EQ(moved.code, 422);
}

TEST(Services, GiveNodePortsBack) {
    Cluster cluster({{"10.96.0.0/16"}, 30000, 30001});
    const Target one{"v1/services", "default", "a"};
    ASSERT_TRUE(
        cluster
            .create(kServices,
                    service("a",
                            R"({"type":"NodePort","ports":[{"name":"x","port":80},{"name":"y","port":81}]})"))
            .ok());
    Outcome full = cluster.create(kServices, service("b", R"({"type":"NodePort","ports":[{"port":80}]})"));
    EXPECT_EQ(full.code, 422) << full.json;
    ASSERT_TRUE(cluster.patch(one, PatchType::merge, R"({"spec":{"type":"ClusterIP"}})").ok());
    EXPECT_TRUE(cluster.create(kServices, service("b", R"({"type":"NodePort","ports":[{"port":80}]})")).ok());
    EXPECT_TRUE(cluster.create(kServices, service("c", R"({"type":"NodePort","ports":[{"port":80}]})")).ok());
    EXPECT_EQ(cluster.create(kServices, service("d", R"({"type":"NodePort","ports":[{"port":80}]})")).code,
              422);
}

TEST(Services, TwoFamilies) {
    Cluster cluster({{"10.96.0.0/16", "fd00:10::/112"}, 30000, 32767});
    Outcome dual = cluster.create(
        kServices, service("d", R"({"ipFamilyPolicy":"PreferDualStack","ports":[{"port":80}]})"));
    ASSERT_TRUE(dual.ok()) << dual.error;
    EXPECT_EQ(object::to_json(dual["spec"]["ipFamilies"]), R"(["IPv4","IPv6"])");
    EXPECT_EQ(dual["spec"]["clusterIPs"].size(), 2u);
    Outcome six = cluster.create(kServices, service("s", R"({"ipFamilies":["IPv6"],"ports":[{"port":80}]})"));
    EXPECT_THAT(six.text({"spec", "clusterIP"}), HasSubstr("fd00:10::"));
    Cluster single;
    EXPECT_EQ(
        single
            .create(kServices, service("d", R"({"ipFamilyPolicy":"RequireDualStack","ports":[{"port":80}]})"))
            .code,
        422);
}

TEST(Services, ExternalNamesTakeNothing) {
    Cluster cluster;
    Outcome made =
        cluster.create(kServices, service("e", R"({"type":"ExternalName","externalName":"example.org"})"));
    ASSERT_TRUE(made.ok()) << made.error;
    EXPECT_TRUE(made["spec"]["clusterIP"].as_string().empty());
}

TEST(Services, FullRangesSaySo) {
    Cluster cluster({{"10.9.0.0/29"}, 30000, 30010});
    std::set<std::string> addresses;
    int refused = 0;
    for (int i = 0; i < 10; ++i) {
        Outcome made =
            cluster.create(kServices, service("s" + std::to_string(i), R"({"ports":[{"port":80}]})"));
        if (made.ok())
            EXPECT_TRUE(addresses.insert(made.text({"spec", "clusterIP"})).second);
        else
            ++refused;
    }
    EXPECT_GT(refused, 0);
    EXPECT_GE(addresses.size(), 4u);
}

// What every service holds, read back from the store; fails when something is held twice.
void expect_nothing_twice(Cluster& cluster, std::uint64_t seed) {
    std::map<std::string, std::string> addresses;
    std::map<std::int64_t, std::string> ports;
    std::set<std::string> recorded;
    object::Arena arena;
    ASSERT_TRUE(cluster.verbs->lookup().each("", "services", "", arena, [&](object::Value found) {
        std::string name =
            found["metadata"]["namespace"].to_string() + "/" + found["metadata"]["name"].to_string();
        for (object::Value address : found["spec"]["clusterIPs"].items()) {
            if (address.as_string() == "None") continue;
            auto [known, fresh] = addresses.emplace(address.to_string(), name);
            EXPECT_TRUE(fresh) << "seed " << seed << ": " << known->first << " of " << known->second
                               << " and " << name;
        }
        std::set<std::int64_t> own;
        for (object::Value port : found["spec"]["ports"].items()) own.insert(port["nodePort"].as_integer());
        own.insert(found["spec"]["healthCheckNodePort"].as_integer());
        own.erase(0);
        for (std::int64_t port : own) {
            auto [known, fresh] = ports.emplace(port, name);
            EXPECT_TRUE(fresh) << "seed " << seed << ": port " << port << " of " << known->second << " and "
                               << name;
        }
    }));
    ASSERT_TRUE(cluster.verbs->lookup().each(
        "networking.k8s.io", "ipaddresses", "", arena,
        [&](object::Value found) { recorded.insert(found["metadata"]["name"].to_string()); }));
    for (const auto& [address, name] : addresses)
        EXPECT_TRUE(recorded.contains(address))
            << "seed " << seed << ": " << name << " holds " << address << " unrecorded";
    EXPECT_EQ(recorded.size(), addresses.size())
        << "seed " << seed << ": addresses that nobody holds stay taken";
}

class ServiceProperty : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(ServiceProperty, NothingIsHandedOutTwice) {
    const std::uint64_t seed = GetParam();
    Cluster cluster({{"10.9.0.0/27"}, 30000, 30012}, seed);
    std::mt19937_64 random(seed);
    auto below = [&](std::uint64_t bound) { return random() % bound; };
    auto name_of = [&] { return "s" + std::to_string(below(16)); };
    constexpr std::string_view kSpecs[] = {
        R"({"ports":[{"port":80}]})",
        R"({"type":"NodePort","ports":[{"name":"a","port":80},{"name":"b","port":81}]})",
        R"({"type":"NodePort","ports":[{"name":"a","port":80,"nodePort":30003},{"name":"b","port":80,"protocol":"UDP","nodePort":30003}]})",
        R"({"type":"LoadBalancer","externalTrafficPolicy":"Local","ports":[{"port":80}]})",
        R"({"clusterIP":"None","selector":{"a":"b"},"ports":[{"port":80}]})",
        R"({"clusterIP":"10.9.0.9","ports":[{"port":80}]})",
        R"({"type":"ExternalName","externalName":"example.org"})",
    };
    for (int step = 0; step < 120; ++step) {
        // Up to three at the same time: they are all in flight before any of them ends.
        struct Running {
            Call call;
            object::Arena arena;
            Body body;
            bool done = false;
        };
        std::vector<std::unique_ptr<Running>> running;
        WriteOptions options;
        DeleteOptions deletion;
        for (std::uint64_t i = 0; i <= below(3); ++i) {
            auto work = std::make_unique<Running>();
            std::string name = name_of();
            std::string_view spec = kSpecs[below(std::size(kSpecs))];
            work->call = Cluster::call_of({"v1/services", "default", name});
            work->body.value = *object::parse_json_copy(service(name, spec), work->arena);
            Running* at = work.get();
            auto finish = [at](const base::Result<ObjectAnswer>&) { at->done = true; };
            switch (below(4)) {
                case 0:
                case 1:
                    base::spawn(cluster.executor,
                                cluster.verbs->create(at->call, at->body, options, at->arena), finish);
                    break;
                case 2:
                    base::spawn(cluster.executor,
                                cluster.verbs->update(at->call, at->body, options, at->arena), finish);
                    break;
                default:
                    base::spawn(cluster.executor, cluster.verbs->remove(at->call, deletion), finish);
            }
            running.push_back(std::move(work));
        }
        ASSERT_TRUE(cluster.executor.run_until(
            [&] { return std::ranges::all_of(running, [](const auto& work) { return work->done; }); }));
        if (below(10) == 0) cluster.restart();
    }
    expect_nothing_twice(cluster, seed);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ServiceProperty, ::testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace keelson::resource
