#include "kernel/base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace keelson::base {
namespace {

class Files : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "keelson-files-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        directory = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory); }
    std::string directory;
};

TEST_F(Files, WriteIsAtomicAndPrivate) {
    const std::string path = directory + "/file";
    ASSERT_TRUE(write_file_atomic(path, "one"));
    ASSERT_TRUE(write_file_atomic(path, "two"));
    EXPECT_EQ(read_file(path).value(), "two");
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    std::size_t entries = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++entries;
    EXPECT_EQ(entries, 1u) << "no temporary file stays behind";
}

TEST_F(Files, ErrorsNameThePathAndTheReason) {
    const auto missing = read_file(directory + "/none");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().reason(), Reason::not_found);
    EXPECT_NE(missing.error().message().find(directory + "/none"), std::string::npos);
    ASSERT_TRUE(write_file_atomic(directory + "/big", std::string(100, 'x')));
    EXPECT_EQ(read_file(directory + "/big", 99).error().reason(), Reason::request_entity_too_large);
    EXPECT_FALSE(write_file_atomic(directory + "/no/such/file", "x"));
}

TEST_F(Files, DirectoriesWithParents) {
    ASSERT_TRUE(make_directory(directory + "/a/b//c/"));
    ASSERT_TRUE(make_directory(directory + "/a/b/c"));
    EXPECT_TRUE(exists(directory + "/a/b/c"));
    ASSERT_TRUE(write_file_atomic(directory + "/file", "x"));
    EXPECT_FALSE(make_directory(directory + "/file"));
    EXPECT_FALSE(make_directory(directory + "/file/below"));
}

TEST_F(Files, OpenDoesNotFollowLinks) {
    ASSERT_TRUE(write_file_atomic(directory + "/real", "x"));
    ASSERT_EQ(::symlink("real", (directory + "/link").c_str()), 0);
    EXPECT_TRUE(open_file(directory + "/real", O_RDONLY));
    EXPECT_FALSE(open_file(directory + "/link", O_RDONLY));
    ASSERT_TRUE(remove_file(directory + "/link"));
    EXPECT_FALSE(exists(directory + "/link"));
    EXPECT_TRUE(remove_file(directory + "/link"));
}

TEST_F(Files, LockIsExclusiveAndNamesItsOwner) {
    const std::string path = directory + "/lock";
    {
        const auto first = FileLock::acquire(path);
        ASSERT_TRUE(first);
        const auto second = FileLock::acquire(path);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().reason(), Reason::already_exists);
        EXPECT_NE(second.error().message().find(std::to_string(::getpid())), std::string::npos);
    }
    EXPECT_TRUE(FileLock::acquire(path));
}

TEST_F(Files, ReadAndWriteAtAnOffset) {
    const std::string path = directory + "/file";
    const auto file = open_file(path, O_RDWR | O_CREAT);
    ASSERT_TRUE(file);
    ASSERT_TRUE(write_at(file->get(), "hello", 3, path));
    EXPECT_EQ(file_size(file->get(), path).value(), 8u);
    char buffer[5];
    ASSERT_TRUE(read_at(file->get(), buffer, 5, 3, path));
    EXPECT_EQ(std::string(buffer, 5), "hello");
    EXPECT_FALSE(read_at(file->get(), buffer, 5, 4, path));
}

}  // namespace
}  // namespace keelson::base
