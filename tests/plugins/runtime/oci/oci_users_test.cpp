// The image's own users, looked up in a root directory that the image's maker has filled.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "users.h"

namespace keelson::oci {
namespace {

namespace fs = std::filesystem;

class OciUsersTest : public ::testing::Test {
  protected:
    OciUsersTest() {
        std::string path = OCI_DIRECTORY "/users-XXXXXX";
        EXPECT_NE(::mkdtemp(path.data()), nullptr);
        directory_ = path;
        fs::create_directories(etc());
        root_ = Descriptor(::open((directory_ / "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    }
    ~OciUsersTest() override {
        std::error_code ignored;
        fs::remove_all(directory_, ignored);
    }

    [[nodiscard]] fs::path etc() const { return directory_ / "root/etc"; }
    [[nodiscard]] User resolve(const std::string& name) const { return resolve_user({}, name, root_.get()); }
    [[nodiscard]] std::optional<Code> refusal(const std::string& name) const {
        try {
            (void)resolve(name);
        } catch (const Error& error) {
            return error.code();
        }
        return std::nullopt;
    }

    fs::path directory_;
    Descriptor root_;
};

// As when other pods start and end beside it.
TEST_F(OciUsersTest, AreFoundThroughLinksWhileOtherFilesAreRenamed) {
    std::string up_and_down = "/";
    for (int step = 0; step < 50; ++step) up_and_down += "../etc/";
    fs::create_symlink(up_and_down + "passwd-of-image", etc() / "passwd");
    std::ofstream(etc() / "passwd-of-image") << "daemon:x:4321:8765::/:/bin/sh\n";
    std::ofstream(directory_ / "a") << "renamed";
    const std::jthread renames([a = directory_ / "a", b = directory_ / "b"](const std::stop_token& enough) {
        while (!enough.stop_requested()) {
            ::rename(a.c_str(), b.c_str());
            ::rename(b.c_str(), a.c_str());
        }
    });
    int refused = 0;
    for (int lookup = 0; lookup < 20'000; ++lookup) refused += refusal("daemon").has_value() ? 1 : 0;
    EXPECT_EQ(refused, 0);
    EXPECT_EQ(resolve("daemon").user, 4321u);
}

TEST_F(OciUsersTest, FilesThatAreNoneAreEmpty) {
    EXPECT_EQ(refusal("daemon"), Code::invalid);
    EXPECT_EQ(resolve("12").user, 12u);
    ASSERT_EQ(::mkfifo((etc() / "passwd").c_str(), 0600), 0);
    EXPECT_EQ(resolve("12").user, 12u);
    fs::remove(etc() / "passwd");
    fs::create_symlink("passwd", etc() / "passwd");
    EXPECT_EQ(resolve("12").user, 12u);
}

// Or a process would run with other groups than those that the image gives it.
TEST_F(OciUsersTest, AFileThatCannotBeReadIsNotTakenForAnEmptyOne) {
    std::ofstream(etc() / "passwd") << "daemon:x:4321:8765::/:/bin/sh\n";
    EXPECT_EQ(resolve("4321").group, 8765u);
    fs::resize_file(etc() / "passwd", (4u << 20) + 1);
    EXPECT_EQ(refusal("4321"), Code::invalid);
}

}  // namespace
}  // namespace keelson::oci
