// One node: what its pods can do, and what is left of them.
#include <atomic>
#include <set>
#include <thread>

#include "tests/plugins/network/bridge_fixture.h"

namespace keelson::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class BridgeNodeTest : public BridgeTest {
  protected:
    void SetUp() override {
        BridgeTest::SetUp();
        if (IsSkipped()) return;
        node_ = std::make_unique<NetworkNamespace>();
        start();
    }
    void TearDown() override { plugin_.reset(); }
    void start(const Json& config = Json::object()) {
        plugin_.reset();
        plugin_ = std::make_unique<BridgePlugin>(*node_, state_.path(), config);
    }
    BridgeAnswer configure(const std::vector<std::string>& pod_cidrs = {"10.244.0.0/24"},
                           const std::vector<std::string>& cluster_cidrs = {"10.244.0.0/16"}) {
        return plugin_->configure(node_document("a", {"192.0.2.1"}, pod_cidrs), {}, cluster_cidrs);
    }

    TemporaryDirectory state_;
    std::unique_ptr<NetworkNamespace> node_;
    std::unique_ptr<BridgePlugin> plugin_;
};

TEST_F(BridgeNodeTest, PodsReachEachOtherWithTheirOwnAddresses) {
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace one, two;
    const BridgeAnswer first = plugin_->attach("one", one);
    const BridgeAnswer second = plugin_->attach("two", two);
    ASSERT_TRUE(first.ok()) << first.message();
    EXPECT_EQ(first.document["addresses"], Json({"10.244.0.2/24"}));
    EXPECT_EQ(first.document["gateway"], "10.244.0.1");
    EXPECT_EQ(first.document["mtu"], 1500);
    EXPECT_EQ(second.document["addresses"], Json({"10.244.0.3/24"}));
    EXPECT_EQ(connect_between(one, {"10.244.0.3", 80}, two, {"10.244.0.3", 80}), "10.244.0.2");
    EXPECT_EQ(connect_between(two, {"10.244.0.2", 80}, one, {"10.244.0.2", 80}), "10.244.0.3");
}

TEST_F(BridgeNodeTest, PodAndNodeReachEachOther) {
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace pod;
    ASSERT_TRUE(plugin_->attach("one", pod).ok());
    EXPECT_EQ(connect_between(pod, {"10.244.0.1", 80}, *node_, {"10.244.0.1", 80}), "10.244.0.2");
    EXPECT_EQ(connect_between(*node_, {"10.244.0.2", 80}, pod, {"10.244.0.2", 80}), "10.244.0.1");
}

TEST_F(BridgeNodeTest, DualStackPodsReachEachOtherByBoth) {
    ASSERT_TRUE(configure({"10.244.0.0/24", "fd00:1::/64"}).ok());
    const NetworkNamespace one, two;
    ASSERT_EQ(plugin_->attach("one", one).document["addresses"], Json({"10.244.0.2/24", "fd00:1::2/64"}));
    ASSERT_TRUE(plugin_->attach("two", two).ok());
    EXPECT_EQ(connect_between(one, {"10.244.0.3", 80}, two, {"10.244.0.3", 80}), "10.244.0.2");
    EXPECT_EQ(connect_between(one, {"fd00:1::3", 80}, two, {"fd00:1::3", 80}), "fd00:1::2");
}

TEST_F(BridgeNodeTest, PodsMayHaveIpv6Only) {
    ASSERT_TRUE(configure({"fd00:1::/64"}).ok());
    const NetworkNamespace one, two;
    const BridgeAnswer first = plugin_->attach("one", one);
    ASSERT_EQ(first.document["addresses"], Json({"fd00:1::2/64"})) << first.message();
    EXPECT_EQ(first.document["gateway"], "fd00:1::1");
    ASSERT_TRUE(plugin_->attach("two", two).ok());
    EXPECT_EQ(connect_between(one, {"fd00:1::3", 80}, two, {"fd00:1::3", 80}), "fd00:1::2");
    EXPECT_EQ(connect_between(one, {"fd00:1::1", 80}, *node_, {"fd00:1::1", 80}), "fd00:1::2");
}

TEST_F(BridgeNodeTest, PodHasLoopbackAndListensToNoRouters) {
    ASSERT_TRUE(configure({"10.244.0.0/24", "fd00:1::/64"}).ok());
    const NetworkNamespace pod;
    pod.command("ip link set lo down");
    ASSERT_TRUE(plugin_->attach("one", pod).ok());
    EXPECT_THAT(pod.output("ip link show lo"), HasSubstr("UP"));
    EXPECT_EQ(pod.output("cat /proc/sys/net/ipv6/conf/eth0/accept_ra"), "0\n");
    EXPECT_THAT(pod.output("ip -6 addr show eth0 scope global"), Not(HasSubstr("tentative")));
}

TEST_F(BridgeNodeTest, MtuIsTheConfiguredOneOrTheUplinks) {
    node_->command(
        "ip link add up0 type veth peer name up1 && ip addr add 192.0.2.1/24 dev up0 && "
        "ip link set up0 mtu 1400 up && ip link set up1 up && ip route add default via 192.0.2.254");
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace one, two;
    EXPECT_EQ(plugin_->attach("one", one).document["mtu"], 1400);
    EXPECT_THAT(one.output("ip link show eth0"), HasSubstr("mtu 1400"));
    start({{"mtu", 1300}});
    ASSERT_TRUE(configure().ok());
    EXPECT_EQ(plugin_->attach("two", two).document["mtu"], 1300);
    EXPECT_THAT(node_->output("ip link show keelson0"), HasSubstr("mtu 1300"));
}

TEST_F(BridgeNodeTest, AttachAgainGivesTheSameAndMendsWhatIsMissing) {
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace pod, other;
    const Json addresses = plugin_->attach("one", pod).document["addresses"];
    EXPECT_EQ(plugin_->attach("one", pod).document["addresses"], addresses);
    pod.command("ip addr flush dev eth0");
    EXPECT_EQ(plugin_->attach("one", pod).document["addresses"], addresses);
    EXPECT_EQ(connect_between(pod, {"10.244.0.1", 80}, *node_, {"10.244.0.1", 80}), "10.244.0.2");
    // The sandbox has got another namespace.
    EXPECT_EQ(plugin_->attach("one", other).document["addresses"], addresses);
    EXPECT_EQ(connect_between(other, {"10.244.0.1", 80}, *node_, {"10.244.0.1", 80}), "10.244.0.2");
    EXPECT_THAT(pod.output("ip -o link"), Not(HasSubstr("eth0")));
}

TEST_F(BridgeNodeTest, DetachLeavesNothingAndMayBeRepeated) {
    ASSERT_TRUE(configure().ok());
    const std::string before = state_of(*node_);
    const NetworkNamespace pod;
    ASSERT_TRUE(plugin_->attach("one", pod, {host_port(8080, 80)}).ok());
    EXPECT_NE(state_of(*node_), before);
    EXPECT_TRUE(plugin_->detach("one").ok());
    EXPECT_TRUE(plugin_->detach("one").ok());
    EXPECT_TRUE(plugin_->detach("never").ok());
    EXPECT_EQ(state_of(*node_), before);
    EXPECT_EQ(plugin_->list(), Json::object());
}

TEST_F(BridgeNodeTest, DetachWorksWhenTheNamespaceIsGone) {
    ASSERT_TRUE(configure().ok());
    const std::string before = state_of(*node_);
    NetworkNamespace pod;
    ASSERT_TRUE(plugin_->attach("one", pod, {host_port(8080, 80)}).ok());
    pod.close();
    EXPECT_TRUE(plugin_->detach("one").ok());
    EXPECT_EQ(state_of(*node_), before);
    EXPECT_EQ(plugin_->list(), Json::object());
}

TEST_F(BridgeNodeTest, ExhaustedCidrIsSaidAndAFreedAddressIsUsedAgain) {
    ASSERT_TRUE(configure({"10.244.0.0/30"}).ok());
    const NetworkNamespace one, two;
    ASSERT_TRUE(plugin_->attach("one", one).ok());
    const BridgeAnswer refused = plugin_->attach("two", two);
    EXPECT_EQ(refused.status, KEELSON_EXHAUSTED);
    EXPECT_THAT(refused.message(), HasSubstr("no addresses left in 10.244.0.0/30: "));
    ASSERT_TRUE(plugin_->detach("one").ok());
    EXPECT_EQ(plugin_->attach("two", two).address(), "10.244.0.2");
}

TEST_F(BridgeNodeTest, ExhaustedSecondFamilyLeaksNothingOfTheFirst) {
    ASSERT_TRUE(configure({"10.244.0.0/29", "fd00:1::/126"}).ok());
    const NetworkNamespace one, two, three;
    ASSERT_TRUE(plugin_->attach("one", one).ok());
    ASSERT_TRUE(plugin_->attach("two", two).ok());
    EXPECT_EQ(plugin_->attach("three", three).status, KEELSON_EXHAUSTED);
    ASSERT_TRUE(plugin_->detach("one").ok());
    EXPECT_EQ(plugin_->attach("three", three).document["addresses"],
              Json({"10.244.0.4/29", "fd00:1::2/126"}));
}

TEST_F(BridgeNodeTest, LastFreedIsUsedLastAlsoAfterARestart) {
    ASSERT_TRUE(configure({"10.244.0.0/29"}).ok());  // .2 to .6
    std::vector<NetworkNamespace> pods(3);
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(plugin_->attach("p" + std::to_string(i), pods[std::size_t(i)]).ok());
    ASSERT_TRUE(plugin_->detach("p1").ok());
    ASSERT_TRUE(plugin_->detach("p0").ok());
    start();
    ASSERT_TRUE(configure({"10.244.0.0/29"}).ok());
    std::vector<std::string> given;
    std::vector<NetworkNamespace> later(4);
    for (int i = 0; i < 4; ++i)
        given.push_back(plugin_->attach("q" + std::to_string(i), later[std::size_t(i)]).address());
    EXPECT_THAT(given, ElementsAre("10.244.0.5", "10.244.0.6", "10.244.0.3", "10.244.0.2"));
}

TEST_F(BridgeNodeTest, RestartKeepsPodsAndTheirAddresses) {
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace one, two;
    ASSERT_TRUE(plugin_->attach("one", one, {host_port(8080, 80)}).ok());
    const std::string before = state_of(*node_);
    start();
    EXPECT_EQ(plugin_->list(), Json({{"one", {"10.244.0.2/24"}}}));
    EXPECT_EQ(connect_between(one, {"10.244.0.1", 80}, *node_, {"10.244.0.1", 80}), "10.244.0.2");
    ASSERT_TRUE(configure().ok());
    EXPECT_EQ(state_of(*node_), before);
    EXPECT_EQ(plugin_->attach("one", one, {host_port(8080, 80)}).address(), "10.244.0.2");
    EXPECT_EQ(plugin_->attach("two", two).address(), "10.244.0.3");
}

TEST_F(BridgeNodeTest, LostOrDamagedRecordsAreRebuiltFromTheLinks) {
    ASSERT_TRUE(configure({"10.244.0.0/24", "fd00:1::/64"}).ok());
    const NetworkNamespace one, two;
    ASSERT_TRUE(plugin_->attach("one", one).ok());
    const std::string file = state_.path() + "/attachments.json";
    for (const std::string& damage : {"rm " + file, "truncate -s 0 " + file, "echo '[' > " + file}) {
        node_->command(damage);
        start();
        EXPECT_EQ(plugin_->list(), Json({{"one", {"10.244.0.2/24", "fd00:1::2/64"}}})) << damage;
        ASSERT_TRUE(configure({"10.244.0.0/24", "fd00:1::/64"}).ok());
        EXPECT_EQ(plugin_->attach("two", two).address(), "10.244.0.3");
        ASSERT_TRUE(plugin_->detach("two").ok());
    }
}

TEST_F(BridgeNodeTest, PodCidrChangesOnlyWithoutPods) {
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace pod;
    ASSERT_TRUE(plugin_->attach("one", pod).ok());
    const BridgeAnswer refused = configure({"10.244.7.0/24"});
    EXPECT_EQ(refused.status, KEELSON_CONFLICT);
    EXPECT_THAT(refused.message(), AllOf(HasSubstr("drain the node"), HasSubstr("10.244.0.2/24")));
    start();
    EXPECT_EQ(configure({"10.244.7.0/24"}).status, KEELSON_CONFLICT);
    ASSERT_TRUE(plugin_->detach("one").ok());
    ASSERT_TRUE(configure({"10.244.7.0/24"}).ok());
    EXPECT_EQ(plugin_->attach("one", pod).address(), "10.244.7.2");
    EXPECT_THAT(node_->output("ip addr show keelson0"), Not(HasSubstr("10.244.0.1")));
}

TEST_F(BridgeNodeTest, ConfigureAgainTouchesNothing) {
    ASSERT_TRUE(configure({"10.244.0.0/24", "fd00:1::/64"}).ok());
    node_->command("iptables-legacy -t nat -Z");
    const std::string before = state_of(*node_);
    ASSERT_TRUE(configure({"10.244.0.0/24", "fd00:1::/64"}).ok());
    EXPECT_EQ(state_of(*node_), before);
}

TEST_F(BridgeNodeTest, WhatCannotBeAttachedIsRefusedWithoutATrace) {
    const NetworkNamespace pod;
    EXPECT_EQ(plugin_->attach("early", pod).status, KEELSON_UNAVAILABLE);
    ASSERT_TRUE(configure().ok());
    const std::string before = state_of(*node_);
    EXPECT_EQ(plugin_->attach("own", *node_).status, KEELSON_INVALID);
    EXPECT_EQ(plugin_->attach("", pod).status, KEELSON_INVALID);
    EXPECT_EQ(plugin_->attach("a b", pod).status, KEELSON_INVALID);
    EXPECT_EQ(plugin_->attach("port", pod, {host_port(70000, 80)}).status, KEELSON_INVALID);
    EXPECT_EQ(plugin_->attach("loop", pod, {host_port(80, 80, "TCP", "127.0.0.1")}).status,
              KEELSON_UNSUPPORTED);
    pod.command("ip link add eth0 type bridge");
    EXPECT_EQ(plugin_->attach("foreign", pod).status, KEELSON_CONFLICT);
    EXPECT_EQ(state_of(*node_), before);
    EXPECT_EQ(plugin_->list(), Json::object());
}

TEST_F(BridgeNodeTest, HostPortBelongsToOnePod) {
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace one, two;
    ASSERT_TRUE(plugin_->attach("one", one, {host_port(8080, 80)}).ok());
    const BridgeAnswer refused = plugin_->attach("two", two, {host_port(8080, 81, "TCP", "192.0.2.1")});
    EXPECT_EQ(refused.status, KEELSON_CONFLICT);
    EXPECT_THAT(refused.message(), HasSubstr("8080/TCP"));
    EXPECT_TRUE(plugin_->attach("two", two, {host_port(8080, 80, "UDP")}).ok());
}

TEST_F(BridgeNodeTest, OpensForwardingWhereItIsClosed) {
    node_->command("iptables-legacy -P FORWARD DROP");
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace one, two;
    ASSERT_TRUE(plugin_->attach("one", one).ok());
    ASSERT_TRUE(plugin_->attach("two", two).ok());
    EXPECT_EQ(connect_between(one, {"10.244.0.3", 80}, two, {"10.244.0.3", 80}), "10.244.0.2");
    node_->command("iptables-legacy -P FORWARD ACCEPT");
    ASSERT_TRUE(configure().ok());
    EXPECT_THAT(node_->output("iptables-legacy -S"), Not(HasSubstr("KEELSON")));
}

TEST_F(BridgeNodeTest, LeavesTheRulesOfOthersAlone) {
    node_->command(
        "iptables-legacy -t nat -N OTHERS && iptables-legacy -t nat -A POSTROUTING -j OTHERS && "
        "iptables-legacy -t nat -A OTHERS -d 203.0.113.0/24 -p tcp --dport 99 -j ACCEPT");
    ASSERT_TRUE(configure().ok());
    const std::string rules = node_->output("iptables-legacy -t nat -S");
    EXPECT_THAT(rules, HasSubstr("-A OTHERS -d 203.0.113.0/24 -p tcp -m tcp --dport 99 -j ACCEPT"));
    EXPECT_THAT(rules, HasSubstr("-A POSTROUTING -j OTHERS\n-A POSTROUTING -j KEELSON-POSTROUTING"));
}

TEST_F(BridgeNodeTest, LimitsBandwidthInBothDirections) {
    ASSERT_TRUE(configure().ok());
    const NetworkNamespace pod;
    const Json bandwidth = {{"ingressBitsPerSecond", 8'000'000}, {"egressBitsPerSecond", 16'000'000}};
    const BridgeAnswer attached = plugin_->attach("one", pod, {}, bandwidth);
    if (attached.status == KEELSON_UNSUPPORTED) GTEST_SKIP() << attached.message();
    ASSERT_TRUE(attached.ok()) << attached.message();
    EXPECT_THAT(node_->output("tc qdisc"), HasSubstr("rate 8Mbit"));
    EXPECT_THAT(pod.output("tc qdisc"), HasSubstr("rate 16Mbit"));
    EXPECT_TRUE(plugin_->attach("one", pod, {}, bandwidth).ok());
}

TEST_F(BridgeNodeTest, AttachesBesideEachOther) {
    ASSERT_TRUE(configure().ok());
    constexpr int threads = 4;
    constexpr int each = 10;
    std::vector<NetworkNamespace> pods(threads * each);
    std::atomic<int> failures = 0;
    std::vector<std::thread> workers;
    for (int worker = 0; worker < threads; ++worker)
        workers.emplace_back([&, worker] {
            for (int i = worker * each; i < (worker + 1) * each; ++i) {
                const std::vector<Json> ports(i % 5 == 0 ? 1 : 0, host_port(9000 + i, 80));
                if (!plugin_->attach("p" + std::to_string(i), pods[std::size_t(i)], ports).ok()) ++failures;
            }
        });
    for (std::thread& worker : workers) worker.join();
    EXPECT_EQ(failures, 0);
    std::set<std::string> addresses;
    const Json attached = plugin_->list();
    for (const auto& [id, list] : attached.items()) addresses.insert(list.at(0));
    EXPECT_EQ(addresses.size(), std::size_t(threads * each));
}

TEST_F(BridgeNodeTest, AttachesAHundredPods) {
    ASSERT_TRUE(configure().ok());
    std::vector<NetworkNamespace> pods(100);
    const auto timed = [&](const char* what, const auto& work) {
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < 100; ++i) work(i);
        const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
        std::printf("[   NOTE   ] %s: %.1f ms\n", what, taken.count());
    };
    timed("100 attach calls",
          [&](int i) { ASSERT_TRUE(plugin_->attach("p" + std::to_string(i), pods[std::size_t(i)]).ok()); });
    EXPECT_EQ(plugin_->list().size(), 100U);
    timed("100 detach calls", [&](int i) { ASSERT_TRUE(plugin_->detach("p" + std::to_string(i)).ok()); });
    timed("100 attach calls with a host port", [&](int i) {
        ASSERT_TRUE(
            plugin_->attach("p" + std::to_string(i), pods[std::size_t(i)], {host_port(9000 + i, 80)}).ok());
    });
}

}  // namespace
}  // namespace keelson::testing
