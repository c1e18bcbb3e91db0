// The IPVS proxy does what every service proxy does. Runs where the kernel has IPVS: in the virtual machine.
#include "tests/plugins/network/proxy_suite.h"

namespace keelson::testing {
namespace {

struct IpvsProxy {
    static std::string missing() {
        if (::geteuid() != 0) return "network namespaces take root";
        try {
            const NetworkNamespace trial;
            trial.command("ipvsadm -Sn && ip link add name trial type dummy");
        } catch (const std::exception& error) {
            return std::string("no IPVS here: ") + error.what();
        }
        return {};
    }
    static ProxyKind kind() { return {"ipvs.so", "dev.keelson.ipvs"}; }
    static std::string traces(const NetworkNamespace& node) {
        return node.output(
            "ipvsadm -Sn | sort; ip -br addr show keelson-ipvs 2>/dev/null | tr ' ' '\\n' | grep -v ^fe80 | "
            "sort; "
            "for t in iptables ip6tables; do for table in nat filter; do $t-legacy-save -t $table | grep -v "
            "'^#' | sed 's/ \\[.*//' | sort; done; done");
    }
    static void sweep(const NetworkNamespace& node) { node.command("ipvsadm -C"); }
    static constexpr bool keeps_connections = true;
    static constexpr bool keeps_sources = true;
    static constexpr bool carries_sctp = true;
};

using Proxies = ::testing::Types<IpvsProxy>;
INSTANTIATE_TYPED_TEST_SUITE_P(Ipvs, ProxySuite, Proxies);

}  // namespace
}  // namespace keelson::testing
