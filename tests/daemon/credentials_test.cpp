#include "kernel/daemon/credentials.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "kernel/base/executor_simulated.h"
#include "kernel/base/files.h"
#include "kernel/daemon/data_directory.h"

namespace keelson::daemon {
namespace {

namespace fs = std::filesystem;
using std::chrono::days;

class CredentialsTest : public ::testing::Test {
  protected:
    CredentialsTest() {
        std::string text = ::testing::TempDir() + "keelson-credentials-XXXXXX";
        directory = ::mkdtemp(text.data());
        options = {
            .directory = directory, .server_names = {"example.org", "2001:db8:0::1"}, .api_port = 6443};
    }
    ~CredentialsTest() override { fs::remove_all(directory); }
    Credentials ensure() {
        auto credentials = ensure_credentials(options, clock);
        EXPECT_TRUE(credentials) << credentials.error().message();
        return credentials ? *credentials : Credentials{};
    }
    std::string directory;
    CredentialOptions options;
    base::ManualClock clock;
};

TEST_F(CredentialsTest, MakesEverythingOnceAndKeepsIt) {
    const Credentials first = ensure();
    const Credentials second = ensure();
    EXPECT_EQ(first.authority.certificate, second.authority.certificate);
    EXPECT_EQ(first.server.certificate, second.server.certificate);
    EXPECT_EQ(first.admin_token, second.admin_token);
    EXPECT_EQ(first.service_account_key, second.service_account_key);
    EXPECT_TRUE(first.server_changed);
    EXPECT_FALSE(second.server_changed);
    EXPECT_GE(first.admin_token.size(), 40u);
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
        const auto mode = static_cast<unsigned>(entry.status().permissions()) & 0777u;
        EXPECT_EQ(mode, entry.is_directory() ? 0700u : 0600u) << entry.path();
    }
}

TEST_F(CredentialsTest, TheServerCertificateHasTheNames) {
    const auto facts = read_certificate(ensure().server.certificate);
    ASSERT_TRUE(facts);
    for (const char* name :
         {"localhost", "127.0.0.1", "::1", "10.96.0.1", "kubernetes", "kubernetes.default",
          "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "example.org", "2001:db8::1"})
        EXPECT_TRUE(std::ranges::binary_search(facts->names, std::string(name))) << name;
    const Credentials before = ensure();
    options.server_names.push_back("more.example.org");
    const Credentials after = ensure();
    EXPECT_TRUE(after.server_changed);
    EXPECT_NE(before.server.certificate, after.server.certificate);
    EXPECT_EQ(before.admin.certificate, after.admin.certificate);
}

TEST_F(CredentialsTest, RenewsBeforeExpiryAndKeepsTheAuthority) {
    const Credentials first = ensure();
    EXPECT_GT(first.renew_at, clock.wall_now() + days(200));
    clock.advance(days(200));
    EXPECT_EQ(ensure().server.certificate, first.server.certificate);
    clock.advance(first.renew_at - clock.wall_now() + std::chrono::seconds(1));
    const Credentials renewed = ensure();
    EXPECT_TRUE(renewed.server_changed);
    EXPECT_NE(renewed.admin.certificate, first.admin.certificate);
    EXPECT_EQ(renewed.authority.certificate, first.authority.certificate);
    EXPECT_EQ(renewed.admin_token, first.admin_token);
    EXPECT_TRUE(belong_together(first.authority.certificate, renewed.server));
    EXPECT_GT(renewed.renew_at, clock.wall_now() + days(200));
    const auto kubeconfig = base::read_file(directory + "/admin.kubeconfig");
    ASSERT_TRUE(kubeconfig);
    EXPECT_NE(kubeconfig->find("https://127.0.0.1:6443"), std::string::npos);
}

TEST_F(CredentialsTest, TheAuthorityIsSignedAgainWithItsKey) {
    const Credentials first = ensure();
    clock.advance(days(3000));
    const Credentials later = ensure();
    EXPECT_NE(later.authority.certificate, first.authority.certificate);
    EXPECT_EQ(later.authority.key, first.authority.key);
    EXPECT_TRUE(belong_together(later.authority.certificate, first.server))
        << "what was issued before stays good";
}

TEST_F(CredentialsTest, MendsWhatIsMissingButNeverOverwritesBrokenKeys) {
    const Credentials first = ensure();
    fs::remove(directory + "/pki/admin.key");
    fs::remove(directory + "/admin.kubeconfig");
    const Credentials mended = ensure();
    EXPECT_NE(mended.admin.key, first.admin.key);
    EXPECT_TRUE(fs::exists(directory + "/admin.kubeconfig"));
    fs::remove(directory + "/pki/ca.key");
    const auto broken = ensure_credentials(options, clock);
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().message().find("ca.key"), std::string::npos);
}

class DataDirectoryTest : public CredentialsTest {
  protected:
    std::string refusal(const std::string& path) {
        const auto entered = DataDirectory::enter(path);
        return entered ? std::string() : entered.error().message();
    }
};

TEST_F(DataDirectoryTest, IsMadeMarkedAndLocked) {
    const std::string path = directory + "/a/b";
    {
        const auto entered = DataDirectory::enter(path);
        ASSERT_TRUE(entered);
        EXPECT_TRUE(fs::exists(path + "/keelson.data"));
        const std::string second = refusal(path);
        EXPECT_NE(second.find("in use"), std::string::npos) << second;
        EXPECT_NE(second.find(std::to_string(::getpid())), std::string::npos) << second;
    }
    EXPECT_EQ(refusal(path), "");
}

TEST_F(DataDirectoryTest, RefusesWhatIsNotOurs) {
    ASSERT_TRUE(base::write_file_atomic(directory + "/precious.txt", "x"));
    EXPECT_NE(refusal(directory).find("not Keelson's"), std::string::npos);
    EXPECT_FALSE(fs::exists(directory + "/lock"));
    EXPECT_NE(refusal(directory + "/precious.txt").find("not a directory"), std::string::npos);
    const std::string path = directory + "/d";
    fs::create_directory(path);
    fs::permissions(path, fs::perms::all);
    EXPECT_NE(refusal(path).find("chmod go-w"), std::string::npos);
    fs::permissions(path, fs::perms::owner_all);
    ASSERT_TRUE(base::write_file_atomic(path + "/keelson.data", "keelson data directory, format 2\n"));
    EXPECT_NE(refusal(path).find("another version (format 2"), std::string::npos);
    ASSERT_TRUE(base::write_file_atomic(path + "/keelson.data", "something else"));
    EXPECT_NE(refusal(path).find("not Keelson's"), std::string::npos);
    if (::geteuid() == 0) {
        ASSERT_TRUE(base::remove_file(path + "/keelson.data"));
        ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
        EXPECT_NE(refusal(path).find("belongs to user 12345"), std::string::npos);
    }
}

}  // namespace
}  // namespace keelson::daemon
