// The IPVS proxy does what every service proxy does. Runs where the kernel has IPVS: in the virtual machine.
#include "tests/plugins/network/proxy_suite.h"

namespace keelson::testing {
namespace {

struct IpvsProxy : ProxyByRules {
    static std::string missing() {
        std::string reason = why_no_namespaces();
        if (!reason.empty()) return reason;
        try {
            const NetworkNamespace trial;
            trial.command("ipvsadm -Sn && ip link add name trial type dummy");
        } catch (const std::exception& error) {
            return std::string("no IPVS here: ") + error.what();
        }
        return {};
    }
    static ProxyKind kind() { return {"ipvs.so", "dev.keelson.ipvs"}; }
    static std::string traces(const ProxyWorld& world) {
        std::string text = world.rules_of_node();
        for (const std::string& line : world.node.sorted_lines(
                 "ipvsadm -Sn; ip -br link show; ip route show table local; ip -6 route show table local")) {
            const bool is_server = line.starts_with("-");
            const bool is_address = line.starts_with("local ") && !line.starts_with("local fe80:") &&
                                    line.find(" dev keelson-ipvs ") != std::string::npos;
            if (is_server || is_address) text += line + "\n";
            if (line.starts_with("keelson-ipvs ")) text += "keelson-ipvs\n";  // its other columns are random
        }
        return text;
    }
    static void sweep(const NetworkNamespace& node) { node.command("ipvsadm -C"); }
    // The kernel remembers a client at least as long as a connection of his that has been broken off: ten
    // seconds.
    static constexpr int shortest_affinity = 12;
};

using Proxies = ::testing::Types<IpvsProxy>;
INSTANTIATE_TYPED_TEST_SUITE_P(Ipvs, ProxySuite, Proxies);

// What IPVS alone can have.
struct Ipvs : ProxySuite<IpvsProxy> {
    void TestBody() override {}
    [[nodiscard]] std::string servers() { return node().output("ipvsadm -Sn"); }
};

TEST_F(Ipvs, AVirtualServerOfAnotherProgramStaysHis) {
    node().command("ipvsadm -A -t 10.96.0.10:80 -s rr && ipvsadm -a -t 10.96.0.10:80 -r 192.0.2.77:80 -m");
    const std::string others = servers();
    const Json port =
        with(web({"b"}), {{"id", "port"}, {"kind", "NodePort"}, {"address", "0.0.0.0"}, {"port", 30080}});
    node().command("ipvsadm -A -t 192.0.2.1:30080 -s rr");
    for (int round = 0; round < 3; ++round) {
        const ProxyAnswer answer = plugin_->apply_full({web({"a"}), port});
        ASSERT_TRUE(answer.ok()) << answer.message();
        EXPECT_THAT(answer.document["problems"].dump(),
                    ::testing::HasSubstr("another program has a virtual server of that address and port"));
        EXPECT_THAT(servers(), ::testing::HasSubstr(others));
    }
    EXPECT_TRUE(plugin_->call("clear", Json::object()).ok());
    EXPECT_THAT(servers(), ::testing::HasSubstr(others));
    node().command("ipvsadm -C");
}

TEST_F(Ipvs, AnAddressThatIsTakenFromItsDeviceIsNoticedAndMended) {
    expect_ok(plugin_->apply_full({web({"a"})}));
    EXPECT_TRUE(plugin_->is_intact());
    node().command("ip route del local 10.96.0.10 dev keelson-ipvs table local");
    EXPECT_FALSE(ask(pod("c").space, web_, 300).ok());
    EXPECT_FALSE(plugin_->is_intact());
    expect_ok(plugin_->apply_full({web({"a"})}));
    EXPECT_EQ(ask(pod("c").space, web_).who, "a");
}

// An address may be on a device of the machine as well, for a while.
TEST_F(Ipvs, AnAddressThatTheMachineHasTooStaysWhenTheMachineLosesIt) {
    node().command("ip addr add 10.96.0.10/32 dev lo");
    expect_ok(plugin_->apply_full({web({"a"})}));
    EXPECT_EQ(ask(pod("c").space, web_).who, "a");
    node().command("ip addr del 10.96.0.10/32 dev lo");
    EXPECT_EQ(ask(pod("c").space, web_).who, "a");
}

TEST_F(Ipvs, WhatWasMadeForNodePortsGoesWithThemAlsoAfterARestart) {
    expect_ok(plugin_->apply_full(
        {node_port({"a"}), with(web({"b"}), {{"id", "other"}, {"internalLocal", true}})}));
    EXPECT_THAT(servers(), ::testing::HasSubstr("30080"));
    start();
    expect_ok(plugin_->apply_full({web({"b"})}));
    EXPECT_THAT(servers(), ::testing::Not(::testing::HasSubstr("30080")));
}

}  // namespace
}  // namespace keelson::testing
