#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "keelson/volume.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

const json kCapability = {{"accessMode", "ReadWriteOnce"}, {"volumeMode", "Filesystem"}};

class LocalTest : public ::testing::Test {
  protected:
    LocalTest() {
        fs::create_directory(state);
        start();
    }
    void start() {
        plugin = std::make_unique<PluginLibrary>(std::string(KEELSON_TEST_PLUGINS) + "/local.so", state);
        const PluginReply started = plugin->start({{"root", root}});
        EXPECT_TRUE(started.ok()) << started.message();
    }
    PluginReply call(std::string_view method, const json& request) {
        return plugin->call(KEELSON_VOLUME, method, request);
    }
    PluginReply create(const std::string& name, const json& more = json::object()) {
        json request = {{"name", name},
                        {"capacityBytes", 4096},
                        {"capabilities", json::array({kCapability})},
                        {"parameters", json::object()}};
        request.update(more);
        return call("create", request);
    }
    PluginReply remove(const std::string& name) { return call("remove", {{"volumeId", name}}); }
    PluginReply publish(const std::string& name, const std::string& path, bool read_only = false) {
        return call(
            "publish",
            {{"volumeId", name},
             {"path", path},
             {"capability", kCapability},
             {"readOnly", read_only},
             {"attributes", json::object()},
             {"pod", {{"name", "p"}, {"namespace", "d"}, {"uid", "u"}, {"serviceAccountName", "default"}}}});
    }
    PluginReply unpublish(const std::string& name, const std::string& path) {
        return call("unpublish", {{"volumeId", name}, {"path", path}});
    }
    static void write(const fs::path& path) { std::ofstream(path) << "x"; }

    TemporaryDirectory directory;
    const std::string state = directory.path() + "/state";
    const std::string root = directory.path() + "/volumes";
    std::unique_ptr<PluginLibrary> plugin;
};

TEST_F(LocalTest, AVolumeIsADirectoryOfItsNode) {
    const PluginReply made = create("pvc-1");
    ASSERT_TRUE(made.ok()) << made.message();
    EXPECT_EQ(made.document["volumeId"], "pvc-1");
    EXPECT_EQ(made.document["topology"], json::parse(R"([{"kubernetes.io/hostname":"n1"}])"));
    EXPECT_EQ(fs::status(root + "/pvc-1").permissions(), fs::perms::all);
    EXPECT_EQ(fs::status(root).permissions(), fs::perms::owner_all);
    // The same again, and what is in it stays, also after a restart.
    write(root + "/pvc-1/data");
    start();
    EXPECT_EQ(create("pvc-1").document, made.document);
    EXPECT_TRUE(fs::exists(root + "/pvc-1/data"));
    EXPECT_TRUE(remove("pvc-1").ok());
    EXPECT_TRUE(fs::is_empty(root));
    EXPECT_TRUE(remove("pvc-1").ok());
}

TEST_F(LocalTest, NamesLeadNowhereElse) {
    write(directory.path() + "/kept");
    for (const std::string& name :
         {std::string(".."), std::string("."), std::string(""), std::string("../kept"), std::string("a/b"),
          std::string(".removing-x"), std::string("a\0b", 3), std::string(300, 'x')}) {
        EXPECT_EQ(create(name).status, KEELSON_INVALID) << name;
        EXPECT_TRUE(remove(name).ok()) << name;
        EXPECT_EQ(publish(name, directory.path() + "/shown").status, KEELSON_NOT_FOUND) << name;
    }
    EXPECT_TRUE(fs::exists(directory.path() + "/kept"));
    EXPECT_TRUE(fs::is_empty(root));
}

TEST_F(LocalTest, LinksInTheRootAreNotFollowed) {
    const std::string outside = directory.path() + "/outside";
    fs::create_directory(outside);
    write(outside + "/kept");
    fs::create_directory_symlink(outside, root + "/pvc-1");
    EXPECT_FALSE(create("pvc-1").ok());
    EXPECT_FALSE(publish("pvc-1", directory.path() + "/shown").ok());
    EXPECT_TRUE(remove("pvc-1").ok());
    EXPECT_FALSE(fs::is_symlink(root + "/pvc-1"));
    EXPECT_TRUE(fs::exists(outside + "/kept"));
}

TEST_F(LocalTest, WhateverIsInAVolumeGoesAndNothingElse) {
    const std::string outside = directory.path() + "/outside";
    fs::create_directory(outside);
    write(outside + "/kept");
    ASSERT_TRUE(create("pvc-1").ok());
    const fs::path volume = root + "/pvc-1";
    fs::create_directory_symlink(outside, volume / "link");
    fs::create_symlink("/", volume / "root");
    ASSERT_EQ(::mkfifo((volume / "pipe").c_str(), 0600), 0);
    fs::create_directories(volume / "a/b/c");
    fs::permissions(volume / "a/b", fs::perms::none);
    // Deeper than a path can be long.
    int at = ::open(volume.c_str(), O_RDONLY | O_DIRECTORY);
    for (int depth = 0; depth < 3000; ++depth) {
        ASSERT_EQ(::mkdirat(at, "deeper", 0700), 0);
        const int next = ::openat(at, "deeper", O_RDONLY | O_DIRECTORY);
        ::close(at);
        at = next;
    }
    ::close(at);
    const PluginReply removed = remove("pvc-1");
    if (::geteuid() == 0) {
        EXPECT_TRUE(removed.ok()) << removed.message();
        EXPECT_TRUE(fs::is_empty(root));
    }
    EXPECT_TRUE(fs::exists(outside + "/kept"));
}

TEST_F(LocalTest, WhatWasCutOffIsFinished) {
    // As a kill leaves it: a removal and a making.
    fs::create_directories(root + "/.removing-pvc-1/a");
    fs::create_directory(root + "/.making-pvc-2");
    start();
    EXPECT_FALSE(fs::exists(root + "/.removing-pvc-1"));
    EXPECT_TRUE(create("pvc-2").ok());
    EXPECT_EQ(fs::status(root + "/pvc-2").permissions(), fs::perms::all);
    EXPECT_FALSE(fs::exists(root + "/.making-pvc-2"));
}

TEST_F(LocalTest, WhatItCannotMakeIsRefused) {
    const auto elsewhere = json::parse(R"({"topology":{"preferred":[{"kubernetes.io/hostname":"n2"}]}})");
    EXPECT_EQ(create("a", elsewhere).status, KEELSON_UNSUPPORTED);
    const auto either = json::parse(
        R"({"topology":{"preferred":[{"kubernetes.io/hostname":"n2"},{"kubernetes.io/hostname":"n1"}]}})");
    EXPECT_TRUE(create("a", either).ok());
    EXPECT_EQ(create("b", {{"capacityBytes", std::int64_t(1) << 62}}).status, KEELSON_EXHAUSTED);
    EXPECT_EQ(create("c", {{"parameters", {{"size", "x"}}}}).status, KEELSON_INVALID);
    json block = kCapability;
    block["volumeMode"] = "Block";
    EXPECT_EQ(create("d", {{"capabilities", json::array({block})}}).status, KEELSON_INVALID);
    json options = kCapability;
    options["mountOptions"] = {"uid=0"};
    EXPECT_THAT(create("e", {{"capabilities", json::array({options})}}).message(), HasSubstr("uid=0"));
    EXPECT_EQ(std::distance(fs::directory_iterator(root), {}), 1);
}

TEST_F(LocalTest, ARootThatOthersCanWriteToIsRefused) {
    fs::permissions(root, fs::perms::all);
    PluginLibrary other(std::string(KEELSON_TEST_PLUGINS) + "/local.so", state);
    EXPECT_THAT(other.start({{"root", root}}).message(), HasSubstr("must not be writable for others"));
    const std::string link = directory.path() + "/link";
    fs::permissions(root, fs::perms::owner_all);
    fs::create_directory_symlink(root, link);
    PluginLibrary third(std::string(KEELSON_TEST_PLUGINS) + "/local.so", state);
    EXPECT_THAT(third.start({{"root", link}}).message(), HasSubstr("no link"));
}

TEST_F(LocalTest, AVolumeIsShownAndHidden) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        GTEST_SKIP() << "needs a mount namespace of its own";
    start();  // in there
    ASSERT_TRUE(create("pvc-1").ok());
    const std::string path = directory.path() + "/mount", second = directory.path() + "/second";
    for (int round = 0; round < 2; ++round) EXPECT_TRUE(publish("pvc-1", path).ok());
    write(path + "/data");
    EXPECT_TRUE(fs::exists(root + "/pvc-1/data"));
    EXPECT_TRUE(publish("pvc-1", second, true).ok());
    EXPECT_TRUE(fs::exists(second + "/data"));
    EXPECT_NE(::mkdir((second + "/d").c_str(), 0700), 0);
    EXPECT_EQ(errno, EROFS);
    for (int round = 0; round < 2; ++round) {
        EXPECT_TRUE(unpublish("pvc-1", path).ok());
        EXPECT_TRUE(unpublish("pvc-1", second).ok());
    }
    EXPECT_FALSE(fs::exists(path));
    EXPECT_FALSE(fs::exists(second));
    EXPECT_TRUE(fs::exists(root + "/pvc-1/data"));
}

}  // namespace
}  // namespace keelson::testing
