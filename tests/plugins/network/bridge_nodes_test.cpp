// A node and what lies around it: other nodes, and machines that know nothing of pods.
#include "tests/plugins/network/bridge_fixture.h"
#include "tests/plugins/network/links.h"

namespace keelson::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// A node a at 192.0.2.1 and fd00:99::1, joined to another namespace at .2.
class BridgeNodesTest : public BridgeTest {
  protected:
    void SetUp() override {
        BridgeTest::SetUp();
        if (IsSkipped()) return;
        node_ = std::make_unique<NetworkNamespace>();
        other_ = std::make_unique<NetworkNamespace>();
        join(*node_, "up0", "192.0.2.1/24 fd00:99::1/64", *other_, "up0", "192.0.2.2/24 fd00:99::2/64");
        plugin_ = std::make_unique<BridgePlugin>(*node_, state_.path());
    }
    void TearDown() override { plugin_.reset(); }

    static Json node_a() {
        return node_document("a", {"192.0.2.1", "fd00:99::1"}, {"10.244.0.0/24", "fd00:1::/64"});
    }
    static Json node_b() {
        return node_document("b", {"192.0.2.2", "fd00:99::2"}, {"10.244.1.0/24", "fd00:2::/64"});
    }

    TemporaryDirectory state_;
    std::unique_ptr<NetworkNamespace> node_;
    std::unique_ptr<NetworkNamespace> other_;
    std::unique_ptr<BridgePlugin> plugin_;
};

TEST_F(BridgeNodesTest, WhatLeavesTheClusterHasTheNodesAddress) {
    ASSERT_TRUE(plugin_->configure(node_a(), {}, {"10.244.0.0/16"}).ok());
    const NetworkNamespace pod;
    ASSERT_TRUE(plugin_->attach("one", pod).ok());
    EXPECT_EQ(connect_between(pod, {"192.0.2.2", 80}, *other_, {"192.0.2.2", 80}), "192.0.2.1");
    EXPECT_EQ(connect_between(pod, {"fd00:99::2", 80}, *other_, {"fd00:99::2", 80}), "fd00:99::1");
}

TEST_F(BridgeNodesTest, PodsOfTwoNodesReachEachOtherAndTheNodesWithTheirOwnAddresses) {
    TemporaryDirectory other_state;
    BridgePlugin other(*other_, other_state.path());
    ASSERT_TRUE(plugin_->configure(node_a(), {node_b()}, {"10.244.0.0/16"}).ok());
    ASSERT_TRUE(other.configure(node_b(), {node_a()}, {"10.244.0.0/16"}).ok());
    const NetworkNamespace one, two;
    ASSERT_TRUE(plugin_->attach("one", one).ok());
    ASSERT_TRUE(other.attach("two", two).ok());
    EXPECT_EQ(connect_between(one, {"10.244.1.2", 80}, two, {"10.244.1.2", 80}), "10.244.0.2");
    EXPECT_EQ(connect_between(two, {"10.244.0.2", 80}, one, {"10.244.0.2", 80}), "10.244.1.2");
    EXPECT_EQ(connect_between(one, {"fd00:2::2", 80}, two, {"fd00:2::2", 80}), "fd00:1::2");
    EXPECT_EQ(connect_between(one, {"192.0.2.2", 80}, *other_, {"192.0.2.2", 80}), "10.244.0.2");
}

TEST_F(BridgeNodesTest, RoutesFollowThePeers) {
    const auto routes = [&] { return node_->output("ip route; ip -6 route"); };
    node_->command("ip route add 10.244.9.0/24 via 192.0.2.9");
    ASSERT_TRUE(plugin_->configure(node_a(), {node_b()}).ok());
    EXPECT_THAT(routes(), HasSubstr("10.244.1.0/24 via 192.0.2.2 dev up0"));
    EXPECT_THAT(routes(), HasSubstr("fd00:2::/64 via fd00:99::2 dev up0"));
    Json moved = node_b();
    moved["addresses"] = {"192.0.2.3"};
    ASSERT_TRUE(plugin_->configure(node_a(), {moved}).ok());
    EXPECT_THAT(routes(), HasSubstr("10.244.1.0/24 via 192.0.2.3 dev up0"));
    EXPECT_THAT(routes(), Not(HasSubstr("fd00:2::/64")));
    ASSERT_TRUE(plugin_->configure(node_a()).ok());
    EXPECT_THAT(routes(), Not(HasSubstr("10.244.1.0/24")));
    EXPECT_THAT(routes(), HasSubstr("10.244.9.0/24 via 192.0.2.9"));
}

TEST_F(BridgeNodesTest, PeerBehindARouterOrWithOverlappingPodsIsLeftOutAndNamed) {
    node_->command("ip route add 198.51.100.0/24 via 192.0.2.2");
    const Json far = node_document("far", {"198.51.100.7"}, {"10.244.1.0/24"});
    const Json thief = node_document("thief", {"192.0.2.2"}, {"10.244.0.0/25", "0.0.0.0/0"});
    ASSERT_TRUE(plugin_->configure(node_a(), {far, thief}).ok());
    const std::string routes = node_->output("ip route");
    EXPECT_THAT(routes, Not(HasSubstr("10.244.1.0/24")));
    EXPECT_THAT(routes, Not(HasSubstr("10.244.0.0/25")));
    EXPECT_THAT(routes, Not(HasSubstr("default")));
    EXPECT_THAT(plugin_->log(), HasSubstr("10.244.1.0/24 of node far"));
    EXPECT_THAT(plugin_->log(), HasSubstr("10.244.0.0/25 of node thief overlaps"));
}

TEST_F(BridgeNodesTest, HostPortsAreReachedFromOutsideTheNodeAndPods) {
    ASSERT_TRUE(plugin_->configure(node_a()).ok());
    const NetworkNamespace pod, neighbour;
    ASSERT_TRUE(plugin_->attach("one", pod, {host_port(8080, 80)}).ok());
    ASSERT_TRUE(plugin_->attach("two", neighbour).ok());
    const Endpoint port{"192.0.2.1", 8080};
    const Endpoint server{"10.244.0.2", 80};
    EXPECT_EQ(connect_between(*other_, port, pod, server), "192.0.2.2");
    EXPECT_EQ(connect_between(*node_, port, pod, server), "192.0.2.1");
    EXPECT_EQ(connect_between(neighbour, port, pod, server), "10.244.0.3");
    EXPECT_EQ(connect_between(pod, port, pod, server), "10.244.0.1");
    EXPECT_EQ(connect_between(*other_, {"fd00:99::1", 8080}, pod, {"fd00:1::2", 80}), "fd00:99::2");
    EXPECT_EQ(connect_between(pod, {"fd00:99::1", 8080}, pod, {"fd00:1::2", 80}), "fd00:1::1");
    ASSERT_TRUE(plugin_->detach("one").ok());
    EXPECT_THAT(node_->output("iptables-legacy-save; ip6tables-legacy-save"), Not(HasSubstr("8080")));
}

TEST_F(BridgeNodesTest, HostPortMayBeOnOneAddressOnly) {
    node_->command("ip addr add 192.0.2.5/24 dev up0");
    ASSERT_TRUE(plugin_->configure(node_a()).ok());
    const NetworkNamespace pod;
    ASSERT_TRUE(plugin_->attach("one", pod, {host_port(8080, 80, "TCP", "192.0.2.5")}).ok());
    EXPECT_EQ(connect_between(*other_, {"192.0.2.5", 8080}, pod, {"10.244.0.2", 80}), "192.0.2.2");
    EXPECT_EQ(connect_between(*other_, {"192.0.2.1", 8080}, pod, {"10.244.0.2", 80}), "");
}

// As a service proxy of any kind would do it, and without the bridge's packets being filtered.
TEST_F(BridgeNodesTest, TranslatedAddressesLeadToPodsOfTheSameNode) {
    ASSERT_TRUE(plugin_->configure(node_a()).ok());
    const NetworkNamespace one, two;
    ASSERT_TRUE(plugin_->attach("one", one).ok());
    ASSERT_TRUE(plugin_->attach("two", two).ok());
    node_->command(
        "iptables-legacy -t nat -A PREROUTING -d 10.96.0.1 -p tcp --dport 80 "
        "-j DNAT --to-destination 10.244.0.3:80");
    EXPECT_EQ(connect_between(one, {"10.96.0.1", 80}, two, {"10.244.0.3", 80}), "10.244.0.2");
}

}  // namespace
}  // namespace keelson::testing
