// Which files are trusted, and what is in them.
#include "kernel/plugin/exports.h"
#include "kernel/plugin/library_file.h"
#include "tests/plugin/host_fixture.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using testing::HasSubstr;

class FilesTest : public HostTest {
  protected:
    base::Result<base::FileDescriptor> open(const std::string& path) {
        return open_trusted(path, ::getuid());
    }
};

TEST_F(FilesTest, PlainFilesAreOpened) {
    write(root_ + "/file", "text");
    EXPECT_TRUE(open(root_ + "/file"));
    EXPECT_EQ(*read_trusted(root_ + "/file", ::getuid(), 100), "text");
    EXPECT_FALSE(read_trusted(root_ + "/file", ::getuid(), 3));
    EXPECT_FALSE(open(root_ + "/absent"));
    EXPECT_FALSE(open(root_)) << "a directory";
}

TEST_F(FilesTest, RelativeAndWindingPathsAreRefused) {
    write(root_ + "/file", "text");
    for (const std::string& path :
         {std::string("file"), root_ + "/../" + "x", root_ + "/./file", root_ + "//file"})
        EXPECT_FALSE(open(path)) << path;
}

TEST_F(FilesTest, LinksAreRefused) {
    write(root_ + "/file", "text");
    std::filesystem::create_symlink(root_ + "/file", root_ + "/link");
    std::filesystem::create_symlink(root_, root_ + "/more/directory");
    auto refused = open(root_ + "/link");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), Reason::forbidden);
    EXPECT_THAT(refused.error().message(), HasSubstr("symbolic link"));
    EXPECT_FALSE(open(root_ + "/more/directory/file"));
}

TEST_F(FilesTest, WhatOthersMayWriteIsRefused) {
    write(root_ + "/file", "text");
    ::chmod((root_ + "/file").c_str(), 0664);
    auto refused = open(root_ + "/file");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("chmod go-w " + root_ + "/file"));
    ::chmod((root_ + "/file").c_str(), 0644);
    ::chmod(root_.c_str(), 0777);
    EXPECT_FALSE(open(root_ + "/file")) << "its directory";
    ::chmod(root_.c_str(), 0700);
    EXPECT_TRUE(open(root_ + "/file"));
}

TEST_F(FilesTest, WhatBelongsToOthersIsRefused) {
    if (::getuid() != 0) GTEST_SKIP() << "needs root to give files away";
    write(root_ + "/file", "text");
    ASSERT_EQ(::chown((root_ + "/file").c_str(), 12345, 0), 0);
    auto refused = open(root_ + "/file");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("does not belong to root"));
}

TEST_F(FilesTest, LibrariesAreCopiedAndHashed) {
    place(settings_.directory);
    auto copy = copy_library(settings_.directory + "/probe.so", root_ + "/state/copies", ::getuid());
    ASSERT_TRUE(copy) << copy.error().message();
    EXPECT_EQ(copy->sha256.size(), 64u);
    EXPECT_TRUE(copy->extra_symbols.empty());
    auto again = copy_library(settings_.directory + "/probe.so", root_ + "/state/copies", ::getuid());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->sha256, copy->sha256);
    EXPECT_NE(again->path, copy->path);
    write(root_ + "/text.so", "not a library");
    EXPECT_FALSE(copy_library(root_ + "/text.so", root_ + "/state/copies", ::getuid()));
}

TEST_F(FilesTest, DamagedLibrariesAreRefusedOrRead) {
    place(settings_.directory);
    const std::string image = *read_trusted(settings_.directory + "/probe.so", ::getuid(), 64 << 20);
    for (std::size_t size = 0; size < image.size(); size += image.size() / 97 + 1)
        (void)read_exports(std::string_view(image).substr(0, size));
    std::string damaged = image;
    for (std::size_t i = 0; i < 4096 && i < damaged.size(); ++i) {
        damaged[i] = static_cast<char>(~damaged[i]);
        (void)read_exports(damaged);
        damaged[i] = image[i];
    }
    auto exports = read_exports(image);
    ASSERT_TRUE(exports);
    EXPECT_TRUE(exports->has_entry);
}

TEST_F(FilesTest, TheWrongHashIsRefused) {
    place(settings_.directory, "one", "sha256: " + std::string(64, '0') + "\n");
    start();
    EXPECT_EQ(info().state, State::failed);
    EXPECT_THAT(info().reason, HasSubstr("is expected"));
}

TEST_F(FilesTest, MoreSymbolsThanOneAreRefusedInProcess) {
    const std::string library = std::string(BROKEN_DIRECTORY) + "/extra_symbols.so";
    std::filesystem::copy_file(library, settings_.directory + "/broken.so");
    write(settings_.directory + "/broken.yaml",
          "id: com.example.broken\nname: broken\nkind: volume\nversion: 1.0.0\ncapabilities: "
          "[keelson.volume/0]\n");
    PluginSettings broken;
    broken.name = "broken";
    broken.isolation = Isolation::in_process;
    settings_.plugins = {broken};
    start();
    EXPECT_EQ(info().state, State::failed);
    EXPECT_THAT(info().reason, HasSubstr("exports more than keelson_plugin"));
}

}  // namespace
}  // namespace keelson::plugin
