#include "kernel/daemon/node_join.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "kernel/access/identity.h"
#include "kernel/base/files.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "kernel/control/certificates.h"
#include "tests/control/control_plane.h"

namespace keelson::daemon {
namespace {

using base::WallTime;

TEST(ServerUrl, IsReadAsItIsWritten) {
    const auto text = [](const std::string& url) {
        const auto server = parse_server_url(url);
        return server ? server->host + " " + std::to_string(server->port) : std::string();
    };
    EXPECT_EQ(text("https://10.0.0.1:7443"), "10.0.0.1 7443");
    EXPECT_EQ(text("https://example.org"), "example.org 6443");
    EXPECT_EQ(text("https://[2001:db8::1]:443/"), "2001:db8::1 443");
    for (const char* wrong : {"http://a:1", "https://", "https://a:0", "https://a:99999", "https://a:1x",
                              "https://a/b", "https://[::1", "https://[::1]x", "a:1"})
        EXPECT_EQ(text(wrong), "") << wrong;
}

TEST(PublicKeyHash, IsKubeadms) {
    const auto authority =
        make_authority("ca", WallTime(std::chrono::hours(1)), WallTime(std::chrono::hours(2)));
    ASSERT_TRUE(authority);
    const auto renewed = make_authority("ca", WallTime(std::chrono::hours(2)),
                                        WallTime(std::chrono::hours(3)), authority->key);
    const auto hash = public_key_hash(authority->certificate);
    ASSERT_TRUE(hash);
    EXPECT_TRUE(hash->starts_with("sha256:"));
    EXPECT_EQ(hash->size(), 71U);
    EXPECT_EQ(*hash, *public_key_hash(renewed->certificate)) << "the key counts, not the certificate";
    EXPECT_FALSE(public_key_hash("nonsense"));
}

class FilesTest : public ::testing::Test {
  protected:
    FilesTest() {
        std::string text = ::testing::TempDir() + "join-XXXXXX";
        root = ::mkdtemp(text.data());
        credentials.authority = authority.certificate;
        credentials.client = pair("n1");
    }
    ~FilesTest() override { std::filesystem::remove_all(root); }
    KeyAndCertificate pair(const std::string& node) const {
        return *issue(authority, {.common_name = "system:node:" + node,
                                  .organizations = {"system:nodes"},
                                  .names = {},
                                  .for_client = true,
                                  .not_before = start,
                                  .not_after = start + std::chrono::hours(1)});
    }
    std::string content(const std::string& name) { return *base::read_file(root + "/pki/" + name); }

    WallTime start{std::chrono::hours(24 * 365 * 50)};
    KeyAndCertificate authority = *make_authority("ca", start, start + std::chrono::hours(100));
    std::string root;
    NodeCredentials credentials;
    NodeCredentialFiles files() const { return NodeCredentialFiles(root); }
};

TEST_F(FilesTest, AreReadAsTheyWereWritten) {
    EXPECT_FALSE(*files().read("n1", start));
    ASSERT_TRUE(files().write(credentials));
    const auto present = files().read("n1", start);
    ASSERT_TRUE(present && *present);
    EXPECT_EQ((*present)->client.key, credentials.client.key);
    const auto mode = std::filesystem::status(root + "/pki/node-client.key").permissions();
    EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(FilesTest, AnExpiredCertificateIsNone) {
    ASSERT_TRUE(files().write(credentials));
    EXPECT_FALSE(*files().read("n1", start + std::chrono::hours(2)));
}

TEST_F(FilesTest, AnotherNodesCertificateIsRefused) {
    ASSERT_TRUE(files().write(credentials));
    const auto present = files().read("n2", start);
    ASSERT_FALSE(present);
    EXPECT_NE(present.error().message().find("not for the node n2"), std::string::npos);
}

TEST_F(FilesTest, ACrashBetweenTwoFilesLosesNothing) {
    ASSERT_TRUE(files().write(credentials));
    const KeyAndCertificate next = pair("n1");
    // As far as write_client() comes when the power fails after the key.
    for (const char* stem : {"/pki/node-client-next", "/pki/node-client"})
        ASSERT_TRUE(base::write_file_atomic(root + stem + ".key", next.key));
    ASSERT_TRUE(base::write_file_atomic(root + "/pki/node-client-next.crt", next.certificate));
    const auto present = files().read("n1", start);
    ASSERT_TRUE(present && *present);
    EXPECT_EQ((*present)->client.certificate, next.certificate);
}

// A cluster whose controllers sign, in virtual time.
class RotationTest : public ::testing::Test {
  protected:
    RotationTest() {
        const WallTime now = plane.cluster.executor.clock().wall_now();
        authority = *make_authority("ca", now - std::chrono::hours(1), now + std::chrono::hours(24 * 3650));
        plane.add(control::make_certificate_approving_controller(plane.surroundings));
        plane.add(control::make_certificate_signing_controller(plane.surroundings,
                                                               {authority.certificate, authority.key}));
        plane.start();
    }
    std::unique_ptr<client::Client> client_of(const access::Identity& identity) {
        return client::make_in_process_client(*plane.cluster.verbs, *plane.cluster.subresources, identity);
    }
    base::Result<KeyAndCertificate> order(const access::Identity& who, const std::string& node,
                                          base::Duration patience = std::chrono::minutes(2)) {
        const auto client = client_of(who);
        base::Pause pause;
        CertificateOrder wanted;
        wanted.node_name = node;
        wanted.expiration_seconds = 600;
        wanted.patience = patience;
        return base::sync_wait(plane.cluster.executor, order_certificate(*client, wanted, pause));
    }

    access::Identity bootstrapper{
        .user = "system:bootstrap:abcdef", .uid = {}, .groups = {"system:bootstrappers"}, .extra = {}};
    control::ControlPlane plane;
    KeyAndCertificate authority;
};

TEST_F(RotationTest, WhoBootstrapsGetsANodesCertificate) {
    const auto pair = order(bootstrapper, "n1");
    ASSERT_TRUE(pair) << pair.error().message();
    EXPECT_TRUE(belong_together(authority.certificate, *pair));
    const auto facts = read_certificate(pair->certificate);
    EXPECT_EQ(facts->common_name, "system:node:n1");
    EXPECT_EQ(facts->organizations, std::vector<std::string>{"system:nodes"});
}

TEST_F(RotationTest, ANodeGetsNoneForAnotherNode) {
    EXPECT_TRUE(order(access::node_identity("n1"), "n1"));
    const auto pair = order(access::node_identity("n1"), "n2", std::chrono::seconds(30));
    ASSERT_FALSE(pair);
    EXPECT_NE(pair.error().message().find("has not been answered"), std::string::npos);
}

TEST_F(RotationTest, IsDoneAgainAndAgainBeforeTheEnd) {
    const auto client = client_of(access::node_identity("n1"));
    std::vector<CertificateFacts> taken;
    std::vector<WallTime> times;
    CertificateOrder wanted;
    wanted.node_name = "n1";
    wanted.expiration_seconds = 600;
    CertificateRotation rotation({*client, plane.cluster.random, wanted, [&](const KeyAndCertificate& pair) {
                                      EXPECT_TRUE(belong_together(authority.certificate, pair));
                                      taken.push_back(*read_certificate(pair.certificate));
                                      times.push_back(plane.cluster.executor.clock().wall_now());
                                      return base::ok();
                                  }});
    const auto first = order(bootstrapper, "n1");
    ASSERT_TRUE(first);
    bool has_ended = false;
    base::spawn(plane.cluster.executor, rotation.run(first->certificate), [&] { has_ended = true; });
    WallTime end = read_certificate(first->certificate)->not_after;
    for (int passed = 0; passed < 60; ++passed) {
        plane.advance(std::chrono::minutes(1));
        if (!taken.empty()) end = taken.back().not_after;
        EXPECT_LT(plane.cluster.executor.clock().wall_now(), end) << "there is always one that is good";
    }
    EXPECT_GE(taken.size(), 5U);
    rotation.stop();
    plane.settle();
    EXPECT_TRUE(has_ended);
}

TEST_F(RotationTest, ComesAtSeventyToNinetyPercentOfTheLife) {
    CertificateFacts facts;
    facts.not_before = WallTime(std::chrono::hours(1000));
    facts.not_after = facts.not_before + std::chrono::seconds(1000);
    for (int i = 0; i < 100; ++i) {
        const auto at = rotation_time(facts, plane.cluster.random) - facts.not_before;
        EXPECT_GE(at, std::chrono::seconds(700));
        EXPECT_LE(at, std::chrono::seconds(900));
    }
}

}  // namespace
}  // namespace keelson::daemon
