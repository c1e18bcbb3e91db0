// The iptables proxy beside others who use the same tables, and when it is cut off.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/plugins/network/proxy_fixture.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {
namespace {

class IptablesFaults : public ::testing::Test {
  protected:
    void SetUp() override {
        static const std::string reason = why_no_namespaces();
        if (!reason.empty()) GTEST_SKIP() << reason;
        world_ = std::make_unique<ProxyWorld>();
        start();
    }
    void start() {
        plugin_.reset();
        plugin_ = std::make_unique<ProxyPlugin>(world_->node, kind_, state_.path());
        ASSERT_TRUE(plugin_->configure().ok());
    }
    Json web(const std::string& name) {
        return service_document("web", "10.96.0.10", {backend_document(world_->pod(name))});
    }
    std::string rules(const std::string& filter) {
        return world_->node.output("iptables-legacy-save -c | grep -v '^[#:]' | grep " + filter + "; true");
    }
    std::vector<Json> many() {
        std::vector<Json> all;
        for (int at = 0; at < 2000; ++at)
            all.push_back(
                service_document("s" + std::to_string(at),
                                 "10.96." + std::to_string(at / 200) + "." + std::to_string(at % 200 + 1),
                                 {backend_document(world_->pod("a")), backend_document(world_->pod("b"))}));
        return all;
    }

    const ProxyKind kind_{"iptables.so", "dev.keelson.iptables"};
    const Target web_ = {"10.96.0.10", 80, Transport::tcp};
    std::unique_ptr<ProxyWorld> world_;
    TemporaryDirectory state_;
    std::unique_ptr<ProxyPlugin> plugin_;
};

TEST_F(IptablesFaults, RulesOfOthersSurviveEverything) {
    world_->node.command(
        "iptables-legacy -t nat -N MINE; iptables-legacy -t nat -A MINE -d 203.0.113.1 -j RETURN;"
        "iptables-legacy -t nat -A PREROUTING -j MINE; iptables-legacy -A INPUT -s 203.0.113.2 -j DROP;"
        "iptables-legacy -t nat -N KEELSON-HOSTPORTS; iptables-legacy -t nat -A OUTPUT -j KEELSON-HOSTPORTS");
    const std::string before = world_->node.output("iptables-legacy-save | grep -v '^#' | sed 's/ \\[.*//'");
    ASSERT_TRUE(plugin_->apply_full({web("a"), service_document("none", "10.96.0.11", {})}).ok());
    ASSERT_TRUE(plugin_->apply({web("b")}).ok());
    EXPECT_EQ(ask(world_->client, web_).who, "b");
    ASSERT_TRUE(plugin_->call("clear", Json::object()).ok());
    EXPECT_EQ(world_->node.output("iptables-legacy-save | grep -v '^#' | sed 's/ \\[.*//'"), before);
}

TEST_F(IptablesFaults, CountersOfWhatStaysGoOn) {
    ASSERT_TRUE(plugin_->apply_full({web("a")}).ok());
    for (int at = 0; at < 3; ++at) ASSERT_TRUE(ask(world_->client, web_).ok());
    ASSERT_NE(rules("10.96.0.10/32").find("[3:"), std::string::npos) << rules("10.96.0.10/32");
    start();
    ASSERT_TRUE(plugin_->apply_full({web("a"), service_document("other", "10.97.0.1", {})}).ok());
    EXPECT_NE(rules("10.96.0.10/32").find("[3:"), std::string::npos) << rules("10.96.0.10/32");
}

TEST_F(IptablesFaults, ChangesOfOthersAreNotTakenForDamage) {
    ASSERT_TRUE(plugin_->apply_full({web("a")}).ok());
    world_->node.command("iptables-legacy -t nat -A PREROUTING -d 203.0.113.1 -j RETURN");
    EXPECT_TRUE(plugin_->is_intact());
    world_->node.command("iptables-legacy -t nat -D PREROUTING -j KEELSON-SERVICES");
    EXPECT_FALSE(plugin_->is_intact());
    ASSERT_TRUE(plugin_->apply_full({web("a")}).ok());
    EXPECT_TRUE(plugin_->is_intact());
    EXPECT_EQ(ask(world_->client, web_).who, "a");
}

// The lock is the whole machine's: it is kept for a moment only.
TEST_F(IptablesFaults, AHeldLockEndsTheCallAndTheNextFullTableIsWhole) {
    ASSERT_TRUE(plugin_->apply_full({web("a")}).ok());
    {
        const base::FileDescriptor lock(::open("/run/xtables.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
        ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
        plugin_->patience = std::chrono::milliseconds(300);
        EXPECT_EQ(plugin_->apply({web("b")}).status, KEELSON_DEADLINE_EXCEEDED);
        plugin_->patience = {};
        EXPECT_EQ(ask(world_->client, web_).who, "a");
    }
    EXPECT_FALSE(plugin_->apply({web("b")}).ok()) << "what the system holds is not known";
    EXPECT_TRUE(plugin_->apply_full({web("b")}).ok());
    EXPECT_EQ(ask(world_->client, web_).who, "b");
}

TEST_F(IptablesFaults, OtherTranslationsByNftablesAreSaid) {
    try {
        world_->node.command(
            "iptables-nft -t nat -A PREROUTING -d 203.0.113.9 -p tcp -j DNAT --to-destination 10.0.0.1:80");
    } catch (const std::exception& error) {
        GTEST_SKIP() << error.what();
    }
    ASSERT_TRUE(plugin_->apply_full({web("a")}).ok());
    EXPECT_NE(plugin_->log().find("ip nat"), std::string::npos) << plugin_->log();
    EXPECT_NE(plugin_->health().document.value("message", "").find("nftables"), std::string::npos);
    EXPECT_EQ(ask(world_->client, web_).who, "a");
}

TEST_F(IptablesFaults, AProcessThatIsKilledInASyncLeavesAWholeTable) {
    const std::vector<Json> all = many();
    for (const int delay_us : {500, 3000, 8000, 15000, 30000, 60000}) {
        const pid_t child = ::fork();
        if (child == 0) {
            // Only the plugin: what the parent's threads hold is not touched.
            plugin_->apply_full(all);
            ::_exit(0);
        }
        ASSERT_GT(child, 0);
        ::usleep(useconds_t(delay_us));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        // Whatever it has come to, a new instance finds the difference.
        start();
        ASSERT_TRUE(plugin_->apply_full({web("a")}).ok());
        EXPECT_EQ(ask(world_->client, web_).who, "a");
        EXPECT_EQ(rules("KEELSON-VIP-"), "");
    }
}

TEST_F(IptablesFaults, AFullConnectionTableIsNoReasonToRefuseATable) {
    try {
        world_->node.command("echo 4 > /proc/sys/net/netfilter/nf_conntrack_max");
    } catch (const std::exception& error) {
        GTEST_SKIP() << "nf_conntrack_max of a namespace cannot be set: " << error.what();
    }
    const auto udp = [&](const std::string& name) {
        return with(web(name), {{"id", "udp"}, {"protocol", "UDP"}});
    };
    EXPECT_TRUE(plugin_->apply_full({web("a"), udp("a")}).ok());
    (void)ask_many(world_->client, {"10.96.0.10", 80, Transport::udp}, 20, 20);
    EXPECT_TRUE(plugin_->apply({web("b"), udp("b")}).ok());
    EXPECT_TRUE(plugin_->is_intact());
}

}  // namespace
}  // namespace keelson::testing
