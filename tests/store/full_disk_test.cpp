// A disk that is full: a small tmpfs. Needs the right to mount; skipped without it.
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "kernel/base/log.h"
#include "tests/store/store_test_support.h"

namespace keelson::store {
namespace {

class FullDiskTest : public testing::Test {
  protected:
    void SetUp() override {
        base::set_log_level(base::LogLevel::off);
        mounted = ::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=24m,mode=0700") == 0;
        if (!mounted) GTEST_SKIP() << "a tmpfs cannot be mounted here: " << std::strerror(errno);
    }
    void TearDown() override {
        if (mounted) {
            EXPECT_EQ(::umount2(directory.path().c_str(), MNT_DETACH), 0);
        }
        base::set_log_level(base::LogLevel::info);
    }
    // Takes all space that is left, like another program would.
    void fill_up() {
        std::ofstream filler(directory / "filler", std::ios::binary | std::ios::app);
        const std::string block(4096, 'f');
        while (filler << block << std::flush) {
        }
    }
    [[nodiscard]] std::uint64_t free_bytes() const {
        struct statvfs info {};
        return ::statvfs(directory.path().c_str(), &info) == 0 ? info.f_bavail * info.f_frsize : 0;
    }

    TemporaryDirectory directory;
    bool mounted = false;
};

LmdbOptions disk_options() {
    LmdbOptions options = small_options();
    options.reserve_bytes = 4u << 20;
    return options;
}

TEST_F(FullDiskTest, RemovalsGoOnAndWritesComeBack) {
    const std::string data = directory / "data";
    auto store = must_open(data, disk_options());
    for (int index = 0; index < 1000; ++index)
        put(*store, "a/" + std::to_string(index), std::string(1000, 'a'));
    fill_up();
    EXPECT_EQ(free_bytes(), 0u);

    base::Status refusal(base::Reason::unknown, "");
    int written = 1000;
    // A refusal or two may be followed by success, as what waits in memory goes to its place in the file.
    for (int refused = 0; written < 40'000 && refused < 100;) {
        const auto result =
            commit(*store, {put_operation("a/" + std::to_string(written), std::string(1000, 'a'))});
        if (result) {
            ++written;
            refused = 0;
            continue;
        }
        refusal = result.error();
        ++refused;
    }
    ASSERT_TRUE(wait(store->flush()));
    while (commit(*store, {put_operation("a/" + std::to_string(written), std::string(1000, 'a'))})) ++written;
    ASSERT_LT(written, 40'000) << "the disk never got full";
    EXPECT_EQ(refusal.reason(), base::Reason::service_unavailable);
    EXPECT_NE(refusal.message().find("full"), std::string::npos) << refusal.message();
    EXPECT_TRUE(store->statistics().read_only);
    EXPECT_EQ(commit(*store, {put_operation("core/events/1", std::string(5000, 'e'))}, Durability::deferred)
                  .error()
                  .reason(),
              base::Reason::service_unavailable);
    EXPECT_EQ(store->count("a/").value(), static_cast<std::uint64_t>(written))
        << "all that was acknowledged is there";
    EXPECT_EQ(read(*store, "a/5"), std::string(1000, 'a'));

    // Most objects go, with their last state written along.
    const int gone = written * 3 / 4;
    for (int index = 0; index < gone; ++index) {
        const auto result =
            commit(*store, {remove_operation("a/" + std::to_string(index), {}, std::string(1000, 'r'))});
        ASSERT_TRUE(result) << result.error().message();
    }
    EXPECT_EQ(store->count("a/").value(), static_cast<std::uint64_t>(written - gone));
    const auto compacted = wait(store->compact(store->current()));
    ASSERT_TRUE(compacted) << compacted.error().message();

    // The next write finds that there is space again, by itself.
    const auto in_freed_pages = commit(*store, {put_operation("b/1", std::string(1000, 'b'))});
    EXPECT_TRUE(in_freed_pages) << in_freed_pages.error().message();
    std::filesystem::remove(directory / "filler");
    for (int index = 0; index < 500; ++index)
        ASSERT_GT(put(*store, "c/" + std::to_string(index), std::string(1000, 'c')), 0u);
    EXPECT_FALSE(store->statistics().read_only);

    // Nothing of it was an illusion of memory.
    const auto expected = list(*store, "");
    store.reset();
    store = must_open(data, disk_options());
    EXPECT_EQ(list(*store, ""), expected);
}

TEST_F(FullDiskTest, AStoreOpensAndRecoversOnAFullDisk) {
    const std::string data = directory / "data";
    const std::string crashed = directory / "crashed";
    std::vector<std::string> expected;
    {
        auto store = must_open(data, disk_options());
        for (int index = 0; index < 800; ++index)
            put(*store, "a/" + std::to_string(index), std::string(800, 'a'));
        expected = list(*store, "");
        std::filesystem::copy(data, crashed);
    }
    {
        auto store = must_open(crashed, disk_options());
        fill_up();
        for (int index = 0; index < 800; index += 4) remove(*store, "a/" + std::to_string(index));
        EXPECT_EQ(list(*store, "").size(), expected.size() - 200);
    }
    fill_up();
    auto store = must_open(crashed, disk_options());
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(list(*store, "").size(), expected.size() - 200);
    EXPECT_GT(remove(*store, "a/1"), 0u);
}

TEST_F(FullDiskTest, ANewStoreOnAFullDiskSaysWhatToDo) {
    fill_up();
    const auto opened = open_lmdb_store(directory / "data", disk_options());
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message().find(directory / "data"), std::string::npos)
        << opened.error().message();
    EXPECT_NE(opened.error().message().find("space"), std::string::npos) << opened.error().message();
}

TEST_F(FullDiskTest, ASnapshotThatDoesNotFitLeavesNothingBehind) {
    auto store = must_open(directory / "data", disk_options());
    for (int index = 0; index < 1000; ++index)
        put(*store, "a/" + std::to_string(index), std::string(1000, 'a'));
    ASSERT_TRUE(wait(store->flush()));
    fill_up();
    const auto taken = wait(store->snapshot(directory / "snapshot"));
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().reason(), base::Reason::service_unavailable);
    for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
        EXPECT_FALSE(entry.path().filename().string().starts_with("snapshot")) << entry.path();
    }
}

}  // namespace
}  // namespace keelson::store
