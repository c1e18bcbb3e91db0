// The iptables proxy does what every service proxy does.
#include "tests/plugins/network/proxy_suite.h"

namespace keelson::testing {
namespace {

struct IptablesProxy : ProxyByRules {
    static ProxyKind kind() { return {"iptables.so", "dev.keelson.iptables"}; }
};

using Proxies = ::testing::Types<IptablesProxy>;
INSTANTIATE_TYPED_TEST_SUITE_P(Iptables, ProxySuite, Proxies);

}  // namespace
}  // namespace keelson::testing
