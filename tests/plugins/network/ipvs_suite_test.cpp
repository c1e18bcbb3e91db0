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
        return world.rules_of_node() + world.node.output(
                                           "ipvsadm -Sn | sort; ip -br addr show keelson-ipvs 2>/dev/null | "
                                           "tr ' ' '\\n' | grep -v ^fe80 | sort");
    }
    static void sweep(const NetworkNamespace& node) { node.command("ipvsadm -C"); }
    // The kernel remembers a client at least as long as a connection of his that has been broken off: ten
    // seconds.
    static constexpr int shortest_affinity = 12;
};

using Proxies = ::testing::Types<IpvsProxy>;
INSTANTIATE_TYPED_TEST_SUITE_P(Ipvs, ProxySuite, Proxies);

}  // namespace
}  // namespace keelson::testing
