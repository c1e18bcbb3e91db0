// The userspace proxy does what every service proxy does.
#include "tests/plugins/network/proxy_suite.h"

namespace keelson::testing {
namespace {

struct UserspaceProxy {
    static std::string missing() {
        if (::geteuid() != 0) return "network namespaces take root";
        try {
            const NetworkNamespace trial;
            trial.command("iptables-legacy-save; ip link add name trial type bridge");
        } catch (const std::exception& error) {
            return std::string("no namespace and tables of one's own: ") + error.what();
        }
        return {};
    }
    static ProxyKind kind() { return {"userspace.so", "dev.keelson.userspace"}; }
    static std::string traces(const NetworkNamespace& node) {
        return node.output(
            "for t in iptables ip6tables; do for table in nat filter; do $t-legacy-save -t $table | grep -v "
            "'^#' | sed 's/ \\[.*//' | sort; done; done");
    }
    static void sweep(const NetworkNamespace& node) {
        node.command("iptables-legacy -t nat -F; iptables-legacy -t nat -X");
    }
    static constexpr bool keeps_connections = false;
    static constexpr bool keeps_sources = false;
    static constexpr bool carries_sctp = false;
};

using Proxies = ::testing::Types<UserspaceProxy>;
INSTANTIATE_TYPED_TEST_SUITE_P(Userspace, ProxySuite, Proxies);

}  // namespace
}  // namespace keelson::testing
