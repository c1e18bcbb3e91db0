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

TEST(UserspaceTest, AnSctpServiceIsNamedAsAProblemWithWhoCarriesIt) {
    if (const std::string reason = why_no_namespaces(); !reason.empty()) GTEST_SKIP() << reason;
    const NetworkNamespace node;
    const TemporaryDirectory state;
    ProxyPlugin plugin(node, UserspaceProxy::kind(), state.path());
    ASSERT_TRUE(plugin.configure().ok());
    const Json tcp = service_document("web", "10.96.0.10", {backend_document("10.244.1.11")});
    const ProxyAnswer answer = plugin.apply_full({tcp, with(tcp, {{"id", "by-sctp"}, {"protocol", "SCTP"}})});
    ASSERT_TRUE(answer.ok()) << answer.message();
    const Json& problems = answer.document.at("problems");
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0]["id"], "by-sctp");
    EXPECT_EQ(problems[0]["message"], "this proxy carries TCP and UDP: choose iptables or ipvs for SCTP");
    EXPECT_TRUE(plugin.call("clear", Json::object()).ok());
}

}  // namespace
}  // namespace keelson::testing
