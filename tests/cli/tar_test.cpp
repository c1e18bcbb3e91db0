// Archives from containers write nothing outside of their target.
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/streams/tar.h"
#include "kernel/base/files.h"

namespace keelson::cli::streams {
namespace {

namespace fs = std::filesystem;
using base::FileDescriptor;

struct Member {
    std::string name;
    std::string content;
    std::string link;  // makes it a symbolic link
    bool is_directory = false;
};

class Tar : public testing::Test {
  protected:
    Tar() {
        std::string pattern = (fs::temp_directory_path() / "keelctl-tar-XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
        target_ = root_ / "target";
    }
    ~Tar() override { fs::remove_all(root_); }

    fs::path archive_of(const std::vector<Member>& members) {
        const fs::path path = root_ / "archive.tar";
        archive* out = archive_write_new();
        archive_write_set_format_ustar(out);
        archive_write_open_filename(out, path.c_str());
        for (const Member& member : members) {
            archive_entry* entry = archive_entry_new();
            archive_entry_set_pathname(entry, member.name.c_str());
            archive_entry_set_perm(entry, 0644);
            archive_entry_set_filetype(entry, member.is_directory ? AE_IFDIR : AE_IFREG);
            if (!member.link.empty()) {
                archive_entry_set_filetype(entry, AE_IFLNK);
                archive_entry_set_symlink(entry, member.link.c_str());
            }
            archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
            archive_write_header(out, entry);
            archive_write_data(out, member.content.data(), member.content.size());
            archive_entry_free(entry);
        }
        archive_write_free(out);
        return path;
    }

    Result<Unpacked> unpacked(const std::vector<Member>& members, const std::string& prefix) {
        const FileDescriptor file(::open(archive_of(members).c_str(), O_RDONLY));
        return unpack(file.get(), prefix, target_);
    }

    static std::string content(const fs::path& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    // Names below the root, without the archive.
    std::vector<std::string> everything() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::recursive_directory_iterator(root_))
            if (entry.path().filename() != "archive.tar") names.push_back(fs::relative(entry.path(), root_));
        std::sort(names.begin(), names.end());
        return names;
    }

    fs::path root_, target_;
};

TEST_F(Tar, OneFileBecomesTheTarget) {
    const auto done = unpacked({{"tmp/a.txt", "content"}}, "tmp/a.txt");
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(content(target_), "content");
}

TEST_F(Tar, ATreeIsMadeBelowTheTarget) {
    const auto done = unpacked({{"tmp/d", "", "", true}, {"tmp/d/a", "1"}, {"tmp/d/b/c", "2"}}, "tmp/d");
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_THAT(everything(), testing::ElementsAre("target", "target/a", "target/b", "target/b/c"));
    EXPECT_EQ(content(target_ / "b/c"), "2");
}

TEST_F(Tar, NamesThatLeadOutAreLeftOut) {
    const auto done = unpacked(
        {{"d/ok", "1"}, {"d/../../outside", "bad"}, {"d/x/../../../outside", "bad"}, {"dextra", "bad"}}, "d");
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_THAT(done->warnings, testing::SizeIs(3));
    EXPECT_THAT(everything(), testing::ElementsAre("target", "target/ok"));
}

TEST_F(Tar, LinksAreNeitherMadeNorFollowed) {
    const auto done = unpacked({{"d/link", "", root_ / "elsewhere"}, {"d/link/file", "bad"}}, "d");
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_THAT(done->warnings, testing::ElementsAre("warning: skipping link: \"d/link\""));
    EXPECT_THAT(everything(), testing::ElementsAre("target", "target/link", "target/link/file"));
    EXPECT_TRUE(fs::is_directory(fs::symlink_status(target_ / "link")));
}

TEST_F(Tar, LinksThatAreThereAlreadyAreNotFollowed) {
    fs::create_directories(root_ / "elsewhere");
    fs::create_directories(target_);
    fs::create_directory_symlink(root_ / "elsewhere", target_ / "link");
    std::ofstream(root_ / "elsewhere/file") << "mine";
    fs::create_symlink(root_ / "elsewhere/file", target_ / "file");
    EXPECT_FALSE(unpacked({{"d/link/new", "bad"}}, "d"));
    EXPECT_FALSE(unpacked({{"d/file", "bad"}}, "d"));
    EXPECT_EQ(content(root_ / "elsewhere/file"), "mine");
    EXPECT_FALSE(fs::exists(root_ / "elsewhere/new"));
}

TEST_F(Tar, NamesWithAnotherBeginningAreRefused) {
    const auto done = unpacked({{"etc/passwd", "bad"}}, "tmp/d");
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().message, "tar contents corrupted");
    EXPECT_THAT(everything(), testing::IsEmpty());
}

TEST_F(Tar, WhatWasPackedIsUnpackedAlike) {
    const fs::path source = root_ / "source";
    fs::create_directories(source / "empty");
    fs::create_directories(source / "deep/er");
    std::ofstream(source / "deep/er/file") << std::string(200'000, 'x');
    fs::permissions(source / "deep/er/file", fs::perms(0750));
    const fs::path path = root_ / "archive.tar";
    FileDescriptor out(::open(path.c_str(), O_WRONLY | O_CREAT, 0600));
    ASSERT_TRUE(pack(out.get(), source, "name"));
    const FileDescriptor in(::open(path.c_str(), O_RDONLY));
    const auto done = unpack(in.get(), "name", target_);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(content(target_ / "deep/er/file"), std::string(200'000, 'x'));
    EXPECT_EQ(fs::status(target_ / "deep/er/file").permissions(), fs::perms(0750));
    EXPECT_TRUE(fs::is_directory(target_ / "empty"));
}

}  // namespace
}  // namespace keelson::cli::streams
