// The userspace proxy does what every service proxy does.
#include "tests/plugins/network/proxy_suite.h"

namespace keelson::testing {
namespace {

struct UserspaceProxy : ProxyByRules {
    static ProxyKind kind() { return {"userspace.so", "dev.keelson.userspace"}; }
    static constexpr bool keeps_connections = false;
    static constexpr bool keeps_sources = false;
    static constexpr bool carries_sctp = false;
};

using Proxies = ::testing::Types<UserspaceProxy>;
INSTANTIATE_TYPED_TEST_SUITE_P(Userspace, ProxySuite, Proxies);

}  // namespace
}  // namespace keelson::testing
