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
        for (const std::string& line : world.node.sorted_lines("ipvsadm -Sn; ip -o addr show")) {
            const bool is_server = line.starts_with("-");
            const bool is_of_plugin =
                line.find(" keelson-ipvs ") != std::string::npos && line.find(" fe80:") == std::string::npos;
            if (is_server) text += line + "\n";
            if (is_of_plugin) text += line.substr(line.find(" keelson-ipvs ")) + "\n";
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

}  // namespace
}  // namespace keelson::testing
