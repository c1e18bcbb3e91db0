// Services over SCTP. The kernel of the virtual machine has it; where there is none the cases are skipped,
// but never in that machine.
#include <cstdlib>
#include <memory>
#include <set>

#include "tests/plugins/network/links.h"
#include "tests/plugins/network/proxy_fixture.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {
namespace {

constexpr int node_port = 30080;

// Of one proxy, by its name.
class SctpServicesTest : public ::testing::TestWithParam<const char*> {
  protected:
    static void TearDownTestSuite() { shared_.reset(); }
    void SetUp() override {
        if (!has_sctp()) {
            ASSERT_EQ(std::getenv("KEELSON_VM"), nullptr) << "the virtual machine's kernel has SCTP";
            GTEST_SKIP() << "this kernel has no SCTP";
        }
        if (!shared_) shared_ = std::make_unique<ProxyWorld>();
        const std::string name = GetParam();
        plugin_ = std::make_unique<ProxyPlugin>(
            world().node, ProxyKind{name + ".so", "dev.keelson." + name, Json::object()}, state_.path());
        const ProxyAnswer configured = plugin_->configure();
        ASSERT_TRUE(configured.ok()) << configured.message();
    }
    void TearDown() override {
        if (plugin_ == nullptr) return;
        const ProxyAnswer cleared = plugin_->call("clear", Json::object());
        EXPECT_TRUE(cleared.ok()) << cleared.message();
        forget_flows(world().node);
    }

    static ProxyWorld& world() { return *shared_; }
    static NetworkNamespace& space_of(const std::string& pod) { return world().pod(pod).space; }
    void carry(const std::vector<Json>& services) {
        const ProxyAnswer answer = plugin_->apply_full(services);
        ASSERT_TRUE(answer.ok()) << answer.message();
        ASSERT_FALSE(answer.document.contains("problems")) << answer.document;
    }

    static std::vector<Json> backends(const std::vector<std::string>& names) {
        std::vector<Json> result;
        result.reserve(names.size());
        for (const std::string& name : names) result.push_back(backend_document(world().pod(name)));
        return result;
    }
    static Json web(const std::vector<std::string>& names) {
        return with(service_document("web", "10.96.0.10", backends(names)), {{"protocol", "SCTP"}});
    }
    static Json at_node_port(const std::vector<std::string>& names, const Json& changes = Json::object()) {
        return with(with(service_document("port", "0.0.0.0", backends(names)),
                         {{"kind", "NodePort"}, {"port", node_port}, {"protocol", "SCTP"}}),
                    changes);
    }
    static Target at(const std::string& address, int port = 80) { return {address, port, Transport::sctp}; }
    // Of two thousand associations to a pod itself one or two hear nothing for seconds, too. A few are begun
    // again, fewer than one backend's share.
    bool may_try_again() { return ++tried_again_ <= 2; }
    Heard hear(const NetworkNamespace& from, const Target& target) {
        Heard heard = ask(from, target);
        while (!heard.ok() && may_try_again()) heard = ask(from, target);
        return heard;
    }
    std::unique_ptr<Connection> open(const NetworkNamespace& from, const Target& target) {
        auto connection = std::make_unique<Connection>(from, target);
        while (!connection->heard().ok() && may_try_again())
            connection = std::make_unique<Connection>(from, target);
        return connection;
    }
    std::set<std::string> who_answers(const NetworkNamespace& from, const Target& target, int count = 24) {
        std::set<std::string> names;
        for (int at = 0; at < count; ++at) {
            const Heard heard = hear(from, target);
            names.insert(heard.ok() ? heard.who : "nobody");
        }
        return names;
    }

    static inline std::unique_ptr<ProxyWorld> shared_;
    TemporaryDirectory state_;
    std::unique_ptr<ProxyPlugin> plugin_;
    int tried_again_ = 0;
};

TEST_P(SctpServicesTest, AnAssociationToTheServicesAddressReachesEachOfItsBackends) {
    carry({web({"a", "b", "x"})});
    const std::set<std::string> all = {"a", "b", "x"};
    EXPECT_EQ(who_answers(space_of("c"), at("10.96.0.10")), all);
    EXPECT_EQ(who_answers(world().node, at("10.96.0.10")), all);
    EXPECT_EQ(hear(space_of("c"), at("10.96.0.10")).source, world().pod("c").address);
}

TEST_P(SctpServicesTest, ANodePortIsServedOnEachAddressOfTheNode) {
    carry({at_node_port({"a", "y"})});
    const std::set<std::string> both = {"a", "y"};
    for (const char* address : {"192.0.2.1", "192.0.2.11"}) {
        EXPECT_EQ(who_answers(world().client, at(address, node_port)), both) << address;
        EXPECT_EQ(who_answers(space_of("c"), at(address, node_port)), both) << address;
    }
}

TEST_P(SctpServicesTest, ALocalNodePortKeepsTheClientsAddressAndTheNode) {
    const Json here = {{"local", true}, {"externalBackends", backends({"b"})}};
    carry({at_node_port({"b", "x"}, here)});
    EXPECT_EQ(who_answers(world().client, at("192.0.2.1", node_port)), std::set<std::string>{"b"});
    EXPECT_EQ(hear(world().client, at("192.0.2.1", node_port)).source, "192.0.2.3");
}

TEST_P(SctpServicesTest, SctpAndTcpOfOnePortAreServicesOfTheirOwn) {
    carry({web({"a"}), with(web({"b"}), {{"id", "by-tcp"}, {"protocol", "TCP"}})});
    EXPECT_EQ(who_answers(space_of("c"), at("10.96.0.10")), std::set<std::string>{"a"});
    EXPECT_EQ(who_answers(space_of("c"), {"10.96.0.10", 80, Transport::tcp}), std::set<std::string>{"b"});
}

TEST_P(SctpServicesTest, AServiceOfIpv6IsReached) {
    carry({with(service_document("six", "fd00:96::10", {backend6_document(world().pod("b"))}),
                {{"protocol", "SCTP"}})});
    EXPECT_EQ(hear(space_of("c"), at("fd00:96::10")).who, "b");
    EXPECT_EQ(hear(world().node, at("fd00:96::10")).who, "b");
}

TEST_P(SctpServicesTest, AnAssociationStaysWhileOtherBackendsComeAndGo) {
    carry({web({"a"})});
    const auto association = open(space_of("c"), at("10.96.0.10"));
    ASSERT_EQ(association->heard().who, "a");
    carry({web({"a", "b", "x"})});
    EXPECT_TRUE(association->echoes("there are more"));
    carry({web({"b", "a"})});
    EXPECT_TRUE(association->echoes("there are fewer"));
}

TEST_P(SctpServicesTest, NewAssociationsGoToTheBackendsThatAreThereNow) {
    carry({web({"a"})});
    EXPECT_EQ(who_answers(space_of("c"), at("10.96.0.10"), 4), std::set<std::string>{"a"});
    carry({web({"b"})});
    EXPECT_EQ(who_answers(space_of("c"), at("10.96.0.10"), 8), std::set<std::string>{"b"});
    carry({});
    EXPECT_FALSE(ask(space_of("c"), at("10.96.0.10"), 300).ok());
}

INSTANTIATE_TEST_SUITE_P(Proxies, SctpServicesTest, ::testing::Values("iptables", "ipvs"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace keelson::testing
