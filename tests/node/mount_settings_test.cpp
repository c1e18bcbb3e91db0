#include "kernel/node/mount_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "kernel/node/safe_files.h"
#include "tests/node/node_cluster.h"
#include "tests/node/private_mounts.h"

namespace keelson::node {
namespace {

using testing::HasSubstr;

class MountSettingsTest : public ::testing::Test {
  protected:
    MountSettingsTest() {
        surroundings.container_name = "c";
        surroundings.pod_directory = directory.path() + "/pod";
        surroundings.volumes["v"].path = volume;
        EXPECT_TRUE(base::make_directory(volume, 0755));
    }
    ~MountSettingsTest() override {
        // Nothing, when the test has mounted nothing.
        const auto mounts = mounts_below(directory.path());
        EXPECT_TRUE(mounts);
        for (const std::string& path : mounts.value_or(std::vector<std::string>()))
            EXPECT_TRUE(unmount(path));
    }

    base::Result<MountPlan> plan(const std::string& mounts, const std::string& more = "") {
        surroundings.pod = pod_of(R"({"containers":[{"name":"c","volumeMounts":)" + mounts + more + "}]}");
        return plan_mounts(surroundings, environment);
    }
    std::string failure(const std::string& mounts) {
        const auto planned = plan(mounts);
        return planned ? "none" : planned.error().message();
    }
    // The node's side of a subPath; or why there is none.
    std::string bound(const std::string& sub_path) {
        const auto planned = plan(R"([{"name":"v","mountPath":"/m","subPath":")" + sub_path + R"("}])");
        if (!planned) return planned.error().message();
        const auto made = make_mounts(*planned);
        return made ? made->front().source : made.error().message();
    }
    void need_mounts() {
        if (const std::string reason = enter_private_mounts(); !reason.empty()) GTEST_SKIP() << reason;
    }

    TemporaryDirectory directory;
    std::string volume = directory.path() + "/v";
    ContainerSurroundings surroundings;
    Environment environment;
};

TEST_F(MountSettingsTest, MountsVolumesAndTheFilesOfThePod) {
    surroundings.volumes["fixed"] = {directory.path() + "/fixed", true};
    surroundings.attempt = 3;
    const auto planned = plan(
        R"([{"name":"v","mountPath":"/a"},{"name":"v","mountPath":"b","readOnly":true},
            {"name":"v","mountPath":"/c","mountPropagation":"Bidirectional"},
            {"name":"v","mountPath":"/d","mountPropagation":"HostToContainer"},{"name":"fixed","mountPath":"/e"}])",
        R"(,"terminationMessagePath":"/dev/termination-log")");
    ASSERT_TRUE(planned) << planned.error().message();
    const auto mounts = make_mounts(*planned);
    ASSERT_TRUE(mounts) << mounts.error().message();
    const std::string& pod = surroundings.pod_directory;
    EXPECT_THAT(*mounts, testing::ElementsAre(
                             Mount{volume, "/a", false, "private"}, Mount{volume, "/b", true, "private"},
                             Mount{volume, "/c", false, "bidirectional"},
                             Mount{volume, "/d", false, "hostToContainer"},
                             Mount{directory.path() + "/fixed", "/e", true, "private"},
                             Mount{pod + "/etc-hosts", "/etc/hosts", false, "private"},
                             Mount{pod + "/resolv.conf", "/etc/resolv.conf", false, "private"},
                             Mount{pod + "/hostname", "/etc/hostname", false, "private"},
                             Mount{pod + "/containers/c/3", "/dev/termination-log", false, "private"}));
    struct stat log {};
    ASSERT_EQ(::stat((pod + "/containers/c/3").c_str(), &log), 0);
    EXPECT_EQ(log.st_mode & 07777, 0666u);
}

TEST_F(MountSettingsTest, LeavesAFileToThePodThatMountsItself) {
    const auto planned = plan(R"([{"name":"v","mountPath":"/etc/hosts"}])");
    ASSERT_TRUE(planned);
    EXPECT_EQ(planned->mounts.size(), 3u);
    EXPECT_EQ(planned->mounts[0].mount.source, volume);
}

TEST_F(MountSettingsTest, RefusesWhatCannotBe) {
    EXPECT_EQ(failure(R"([{"name":"no","mountPath":"/m"}])"),
              R"(cannot find volume "no" to mount into container "c")");
    EXPECT_EQ(failure(R"([{"name":"v","mountPath":"/m","subPath":"/x"}])"),
              "error SubPath `/x` must not be an absolute path");
    EXPECT_EQ(failure(R"([{"name":"v","mountPath":"/m","subPath":"a/../b"}])"),
              "unable to provision SubPath `a/../b`: must not contain '..'");
    EXPECT_EQ(failure(R"x([{"name":"v","mountPath":"/m","subPathExpr":"$(B)-$(A)"}])x"),
              "missing value for A, B");
    environment = {{"A", ".."}};
    EXPECT_EQ(failure(R"x([{"name":"v","mountPath":"/m","subPathExpr":"$(A)/x"}])x"),
              "unable to provision SubPath `../x`: must not contain '..'");
    EXPECT_THAT(failure(R"([{"name":"v","mountPath":"/m","readOnly":true,"recursiveReadOnly":"Enabled"}])"),
                HasSubstr("IfPossible"));
}

TEST_F(MountSettingsTest, BindsAPartThatItMakes) {
    need_mounts();
    if (IsSkipped()) return;
    ASSERT_EQ(::chmod(volume.c_str(), 02775), 0);
    const std::string source = bound("a/b");
    EXPECT_EQ(source, surroundings.pod_directory + "/volume-subpaths/v/c/0");
    ASSERT_TRUE(base::write_file_atomic(volume + "/a/b/file", "x"));
    EXPECT_TRUE(base::exists(source + "/file"));
    struct stat made {};
    ASSERT_EQ(::stat((volume + "/a").c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 07777, 02775u) << "as the volume's";
    EXPECT_EQ(bound("a/b"), source) << "again, as at a restart of the container";
    EXPECT_EQ(mounts_below(directory.path())->size(), 1u);
}

TEST_F(MountSettingsTest, BindsAFileAndFollowsLinksWithinTheVolume) {
    need_mounts();
    if (IsSkipped()) return;
    ASSERT_TRUE(base::make_directory(volume + "/..data"));
    ASSERT_TRUE(base::write_file_atomic(volume + "/..data/key", "value"));
    ASSERT_EQ(::symlink("..data/key", (volume + "/key").c_str()), 0);
    EXPECT_EQ(base::read_file(bound("key")).value(), "value");
}

TEST_F(MountSettingsTest, BindsAnewWhenThePartIsAnother) {
    need_mounts();
    if (IsSkipped()) return;
    const std::string source = bound("a");
    ASSERT_EQ(::rename((volume + "/a").c_str(), (volume + "/old").c_str()), 0);
    ASSERT_TRUE(base::make_directory(volume + "/a"));
    ASSERT_TRUE(base::write_file_atomic(volume + "/a/new", "x"));
    EXPECT_EQ(bound("a"), source);
    EXPECT_TRUE(base::exists(source + "/new"));
    EXPECT_EQ(mounts_below(directory.path())->size(), 1u);
}

TEST_F(MountSettingsTest, NeverLeavesTheVolume) {
    const std::string outside = directory.path() + "/outside";
    ASSERT_TRUE(base::make_directory(outside));
    ASSERT_EQ(::symlink(outside.c_str(), (volume + "/absolute").c_str()), 0);
    ASSERT_EQ(::symlink("../outside", (volume + "/relative").c_str()), 0);
    ASSERT_EQ(::symlink("/proc/self/root", (volume + "/magic").c_str()), 0);
    for (const char* path : {"absolute", "relative", "absolute/new", "relative/new/deeper", "magic/etc"})
        EXPECT_EQ(bound(path), R"(failed to prepare subPath for volumeMount "v" of container "c")") << path;
    EXPECT_TRUE(std::filesystem::is_empty(outside));
    EXPECT_TRUE(mounts_below(directory.path())->empty());
}

class SafeFilesTest : public ::testing::Test {
  protected:
    TemporaryDirectory directory;
    std::string tree = directory.path() + "/tree";
    std::string outside = directory.path() + "/outside";
    void SetUp() override {
        ASSERT_TRUE(base::make_directory(tree + "/a/b/c"));
        ASSERT_TRUE(base::make_directory(outside));
        ASSERT_TRUE(base::write_file_atomic(outside + "/kept", "x"));
        ASSERT_TRUE(base::write_file_atomic(tree + "/a/b/file", "x", 0600));
        ASSERT_EQ(::symlink(outside.c_str(), (tree + "/a/link").c_str()), 0);
        ASSERT_EQ(::symlink((outside + "/kept").c_str(), (tree + "/file").c_str()), 0);
        ASSERT_EQ(::mkfifo((tree + "/a/pipe").c_str(), 0600), 0);
    }
};

TEST_F(SafeFilesTest, RemovesATreeButNothingThatItPointsTo) {
    ASSERT_EQ(::chmod((tree + "/a/b").c_str(), 0), 0);
    const auto removed = remove_tree(tree);
    // Those who are not root may not look into it.
    if (::geteuid() == 0) {
        EXPECT_TRUE(removed) << removed.error().message();
        EXPECT_FALSE(base::exists(tree));
    }
    EXPECT_TRUE(base::exists(outside + "/kept"));
    EXPECT_TRUE(remove_tree(tree + "/gone/deeper")) << "nothing there is fine";
}

TEST_F(SafeFilesTest, StopsAtAMount) {
    if (const std::string reason = enter_private_mounts(); !reason.empty()) GTEST_SKIP() << reason;
    ASSERT_EQ(::mount(outside.c_str(), (tree + "/a/b/c").c_str(), nullptr, MS_BIND, nullptr), 0);
    EXPECT_FALSE(remove_tree(tree));
    EXPECT_TRUE(base::exists(outside + "/kept"));
    EXPECT_THAT(*mounts_below(tree), testing::ElementsAre(tree + "/a/b/c"));
    ASSERT_TRUE(unmount(tree + "/a/b/c"));
    ASSERT_TRUE(unmount(tree + "/a/b/c")) << "not mounted is fine";
    EXPECT_TRUE(remove_tree(tree));
    EXPECT_TRUE(base::exists(outside + "/kept"));
}

TEST_F(SafeFilesTest, NamesMountsDeepestFirst) {
    if (const std::string reason = enter_private_mounts(); !reason.empty()) GTEST_SKIP() << reason;
    const std::string strange = tree + "/a b\tc";
    ASSERT_TRUE(base::make_directory(strange));
    ASSERT_EQ(::mount("tmpfs", tree.c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_TRUE(base::make_directory(strange));
    ASSERT_EQ(::mount("tmpfs", strange.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_THAT(*mounts_below(tree), testing::ElementsAre(strange, tree));
    const auto mounts = mounts_below(tree).value();
    for (const std::string& path : mounts) EXPECT_TRUE(unmount(path));
    EXPECT_TRUE(mounts_below(tree)->empty());
}

TEST_F(SafeFilesTest, GivesATreeToAGroup) {
    if (::geteuid() != 0) GTEST_SKIP() << "changing groups needs root";
    ASSERT_TRUE(give_to_group(tree, 4711));
    struct stat info {};
    ASSERT_EQ(::stat((tree + "/a/b").c_str(), &info), 0);
    EXPECT_EQ(info.st_gid, 4711u);
    EXPECT_EQ(info.st_mode & 07777, 02770u | (info.st_mode & 0777));
    ASSERT_EQ(::stat((tree + "/a/b/file").c_str(), &info), 0);
    EXPECT_EQ(info.st_gid, 4711u);
    EXPECT_EQ(info.st_mode & 07777, 0660u);
    ASSERT_EQ(::lstat((tree + "/a/link").c_str(), &info), 0);
    EXPECT_EQ(info.st_gid, 4711u);
    ASSERT_EQ(::stat((outside + "/kept").c_str(), &info), 0);
    EXPECT_NE(info.st_gid, 4711u);
}

}  // namespace
}  // namespace keelson::node
