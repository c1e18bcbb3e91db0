// What only the lmdb engine does: restarts, groups, deferred writes, upkeep, snapshots, growth.
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <latch>
#include <thread>

#include "kernel/base/files.h"
#include "kernel/store/history.h"
#include "tests/store/store_test_support.h"

namespace keelson::store {
namespace {

using base::Reason;
using Lines = std::vector<std::string>;

// What a crash leaves behind: the files as they are while nothing is being written.
void copy_files(const std::string& from, const std::string& to) {
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
}

class LmdbTest : public testing::Test {
  protected:
    TemporaryDirectory directory;
    std::string data = directory / "data";
    base::ManualClock clock;

    LmdbOptions options() {
        LmdbOptions made = small_options();
        made.clock = &clock;
        return made;
    }
};

TEST_F(LmdbTest, AnOrderlyRestartChangesNothing) {
    Lines before;
    Revision last = 0;
    {
        auto store = must_open(data);
        for (int index = 0; index < 50; ++index)
            put(*store, "a/" + std::to_string(index % 20), std::to_string(index));
        remove(*store, "a/3");
        last = put(*store, "core/events/e", "deferred", Durability::deferred);
        before = list(*store, "");
    }
    auto store = must_open(data);
    EXPECT_EQ(store->current(), last);
    EXPECT_EQ(list(*store, ""), before);
    EXPECT_EQ(store->statistics().keys, 20u);
    EXPECT_EQ(read(*store, "a/1", 3), "1");
    auto watch = std::move(*store->watch("", 1));
    EXPECT_EQ(drain(*watch).size(), 52u) << "history is there after a restart, deferred writes included";
    EXPECT_EQ(put(*store, "a/1", "x"), last + 1);
}

TEST_F(LmdbTest, AnIdleStoreWritesNothing) {
    {
        auto store = must_open(data, options());
        put(*store, "a", "1");
        store->close();
    }
    auto store = must_open(data, options());
    ASSERT_TRUE(wait(store->flush()));
    auto stamps = [&] {
        Lines lines;
        for (const auto& entry : std::filesystem::directory_iterator(data)) {
            struct stat info {};
            ::stat(entry.path().c_str(), &info);
            // The reader table of LMDB lives in shared memory; it is not synced.
            if (entry.path().filename() == "data.mdb-lock") continue;
            lines.push_back(entry.path().filename().string() + std::to_string(info.st_mtim.tv_sec) + "." +
                            std::to_string(info.st_mtim.tv_nsec));
        }
        std::sort(lines.begin(), lines.end());
        return lines;
    };
    const auto before = stamps();
    for (int hour = 0; hour < 5; ++hour) {
        clock.advance(std::chrono::hours(1));
        ASSERT_TRUE(wait(store->flush()));  // runs what is due
        EXPECT_EQ(read(*store, "a"), "1");
    }
    EXPECT_EQ(stamps(), before);
}

TEST_F(LmdbTest, ADirectoryHasOneUser) {
    auto store = must_open(data);
    const auto second = open_lmdb_store(data, small_options());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().reason(), Reason::already_exists);
    EXPECT_NE(second.error().message().find("in use"), std::string::npos) << second.error().message();
    put(*store, "a", "1");
    EXPECT_EQ(read(*store, "a"), "1");
}

TEST_F(LmdbTest, FilesArePrivate) {
    auto store = must_open(data);
    put(*store, "a", "1");
    for (const auto& entry : std::filesystem::directory_iterator(data)) {
        struct stat info {};
        ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 077, 0u) << entry.path();
    }
    struct stat info {};
    ASSERT_EQ(::stat(data.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 077, 0u);
}

TEST_F(LmdbTest, WhatIsNoStoreIsRefused) {
    std::filesystem::create_directory(data);
    std::ofstream(data + "/data.mdb") << std::string(10'000, 'x');
    const auto opened = open_lmdb_store(data, small_options());
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message().find(data + "/data.mdb"), std::string::npos)
        << opened.error().message();
    EXPECT_EQ(std::filesystem::file_size(data + "/data.mdb"), 10'000u);
}

TEST_F(LmdbTest, ALostDataFileIsNotReplacedByAnEmptyOne) {
    {
        auto store = must_open(data);
        put(*store, "a", "1");
    }
    std::filesystem::remove(data + "/data.mdb");
    const auto opened = open_lmdb_store(data, small_options());
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message().find("missing"), std::string::npos) << opened.error().message();
}

TEST_F(LmdbTest, WritersThatWaitShareASync) {
    LmdbOptions slow = options();
    std::latch first_sync(1);
    std::latch all_waiting(1);
    std::atomic<int> syncs = 0;
    slow.faults.before_journal_sync = [&] {
        if (++syncs == 1) {
            first_sync.count_down();
            all_waiting.wait();
        }
    };
    auto store = must_open(data, slow);
    std::atomic<int> done = 0;
    std::latch all_done(101);
    auto write = [&](int index) -> base::Task<void> {
        Transaction transaction;
        transaction.operations.push_back(put_operation("k/" + std::to_string(index), "v"));
        (void)!co_await store->commit(std::move(transaction));
        ++done;
        all_done.count_down();
    };
    base::spawn(test_executor(), write(0));
    first_sync.wait();
    EXPECT_EQ(done, 0) << "nothing is acknowledged before it is synced";
    EXPECT_EQ(store->current(), 1u) << "nor seen";
    for (int index = 1; index <= 100; ++index) base::spawn(test_executor(), write(index));
    all_waiting.count_down();
    all_done.wait();
    EXPECT_EQ(syncs, 2);
    EXPECT_EQ(store->statistics().groups, 2u);
    EXPECT_EQ(store->statistics().commits, 101u);
}

TEST_F(LmdbTest, DurableWritesSurviveACrashAndRevisionsAreNotReused) {
    auto store = must_open(data, options());
    for (int index = 0; index < 10; ++index) put(*store, "core/pods/" + std::to_string(index), "v");
    const Revision before = store->current();
    put(*store, "core/events/1", "lost", Durability::deferred);
    put(*store, "core/events/1", "lost too", Durability::deferred);
    const Revision last = store->current();
    copy_files(data, directory / "crashed");

    auto crashed = must_open(directory / "crashed", options());
    EXPECT_GE(crashed->current(), last);
    EXPECT_EQ(crashed->count("core/pods/").value(), 10u);
    EXPECT_EQ(crashed->statistics().keys, 10u);
    EXPECT_EQ(read(*crashed, "core/events/1"), "(none)");
    EXPECT_GT(put(*crashed, "core/pods/new", "v"), last);
    // A watch of durable types goes on; one that may have seen what is lost starts anew.
    auto pods = crashed->watch("core/pods/", before);
    ASSERT_TRUE(pods);
    EXPECT_EQ(drain(**pods).size(), 1u);
    EXPECT_EQ(crashed->watch("core/events/", last).error().reason(), Reason::expired);
    EXPECT_EQ(crashed->watch("core/", last).error().reason(), Reason::expired);
    EXPECT_EQ(crashed->watch("", last).error().reason(), Reason::expired);
    EXPECT_EQ(list(*crashed, "core/events/", last), Lines{"(Expired)"});
    EXPECT_EQ(read(*crashed, "core/events/1", last), "(Expired)");
    EXPECT_EQ(list(*crashed, "core/pods/", 3).size(), 2u);
    EXPECT_TRUE(crashed->watch("core/events/", crashed->current()));
    // The same after another, orderly, restart.
    const Revision current = crashed->current();
    crashed.reset();
    crashed = must_open(directory / "crashed", options());
    EXPECT_EQ(crashed->current(), current);
    EXPECT_EQ(crashed->watch("core/events/", last).error().reason(), Reason::expired);
}

TEST_F(LmdbTest, ADurableWriteOverALostDeferredOneCanBeRemovedForGood) {
    auto store = must_open(data, options());
    put(*store, "core/events/1", "durable");
    ASSERT_TRUE(wait(store->flush()));
    put(*store, "core/events/1", "deferred", Durability::deferred);
    put(*store, "core/events/1", "durable again");
    copy_files(data, directory / "crashed");
    auto crashed = must_open(directory / "crashed", options());
    EXPECT_EQ(read(*crashed, "core/events/1"), "durable again");
    remove(*crashed, "core/events/1");
    ASSERT_TRUE(wait(crashed->compact(crashed->current())));
    EXPECT_EQ(read(*crashed, "core/events/1"), "(none)");
    EXPECT_EQ(crashed->statistics().keys, 0u);
    crashed.reset();
    EXPECT_EQ(list(*must_open(directory / "crashed", options()), ""), Lines{});
}

TEST_F(LmdbTest, DeferredWritesReachTheDiskInTime) {
    LmdbOptions made = options();
    made.deferred_interval = std::chrono::minutes(10);
    auto store = must_open(data, made);
    put(*store, "core/events/1", "v", Durability::deferred);
    const auto groups = store->statistics().groups;
    for (int index = 0; index < 100; ++index) put(*store, "core/events/1", "v", Durability::deferred);
    EXPECT_EQ(store->statistics().groups, groups) << "no sync for deferred writes";
    EXPECT_EQ(store->statistics().deferred, 101u);
    copy_files(data, directory / "early");
    EXPECT_EQ(read(*must_open(directory / "early"), "core/events/1"), "(none)");
    clock.advance(std::chrono::minutes(11));
    ASSERT_TRUE(wait(store->flush()));
    EXPECT_EQ(store->statistics().deferred, 0u);
    copy_files(data, directory / "late");
    EXPECT_EQ(read(*must_open(directory / "late"), "core/events/1"), "v");
}

TEST_F(LmdbTest, DeferredWritesAreBoundedInMemory) {
    LmdbOptions made = options();
    made.deferred_limit_bytes = 256 << 10;
    auto store = must_open(data, made);
    for (int index = 0; index < 4000; ++index) {
        put(*store, "core/events/" + std::to_string(index), std::string(1000, 'e'), Durability::deferred);
        ASSERT_LT(store->statistics().deferred, 4000u);
    }
    EXPECT_LT(store->statistics().deferred, 3500u);
    EXPECT_EQ(store->count("core/events/").value(), 4000u);
}

TEST_F(LmdbTest, HistoryIsForgottenByItself) {
    LmdbOptions made = options();
    made.keep_history = std::chrono::minutes(5);
    auto store = must_open(data, made);
    for (int index = 0; index < 100; ++index) put(*store, "a", std::to_string(index));
    const Revision old = store->current();
    clock.advance(std::chrono::minutes(4));
    put(*store, "a", "newer");
    ASSERT_TRUE(wait(store->flush()));
    EXPECT_EQ(store->compacted(), 0u);
    clock.advance(std::chrono::minutes(4));
    put(*store, "a", "newest");
    ASSERT_TRUE(wait(store->flush()));
    EXPECT_EQ(store->compacted(), old);
    EXPECT_EQ(read(*store, "a", old), "99");
    EXPECT_EQ(read(*store, "a", old - 1), "(Expired)");
    store.reset();
    store = must_open(data, made);
    EXPECT_EQ(store->compacted(), old);
    EXPECT_EQ(read(*store, "a", old), "99");
    EXPECT_EQ(store->watch("", old - 1).error().reason(), Reason::expired);
}

TEST(HistoryClock, SteadyRenewalsAreCompactedAFewTimesOnly) {
    HistoryClock history(std::chrono::minutes(5));
    base::MonotonicTime now{};
    Revision due = 0;
    int steps = 0;
    for (Revision revision = 1; revision <= 60 * 60; ++revision) {
        now += std::chrono::seconds(1);
        history.note(now, revision);
        if (history.due(now) != due) ++steps;
        due = history.due(now);
    }
    EXPECT_LE(steps, 60);
    EXPECT_GE(steps, 40);
    EXPECT_GE(due, 60u * 60 - 400 - 75) << "no more than a quarter too much is kept";
}

TEST_F(LmdbTest, ASnapshotIsTakenWhileWritingAndRestored) {
    auto store = must_open(data, options());
    for (int index = 0; index < 500; ++index)
        put(*store, "a/" + std::to_string(index), std::string(700, 'a'));
    std::jthread writer([&](const std::stop_token& stop) {
        for (int index = 0; !stop.stop_requested(); ++index) {
            put(*store, "b/" + std::to_string(index % 50), std::to_string(index));
        }
    });
    Revision taken = 0;
    Lines expected;
    for (int round = 0; round < 5; ++round) {
        const std::string path = directory / ("snapshot-" + std::to_string(round));
        const Revision before = store->current();
        const auto revision = wait(store->snapshot(path));
        ASSERT_TRUE(revision) << revision.error().message();
        EXPECT_GE(*revision, before);
        taken = *revision;
        expected = list(*store, "", taken);
    }
    writer.request_stop();
    writer.join();
    EXPECT_EQ(wait(store->snapshot(directory / "snapshot-4")).error().reason(), Reason::already_exists);
    const Revision issued = store->current();
    EXPECT_FALSE(restore_snapshot(directory / "snapshot-4", data)) << "the store is open";
    store.reset();

    const auto start = restore_snapshot(directory / "snapshot-4", data);
    ASSERT_TRUE(start) << start.error().message();
    EXPECT_GT(*start, issued);
    EXPECT_TRUE(base::exists(data + "/before-restore-" + std::to_string(*start) + "/data.mdb"));
    store = must_open(data, options());
    EXPECT_EQ(store->current(), *start);
    EXPECT_EQ(store->compacted(), *start);
    EXPECT_EQ(list(*store, ""), expected);
    EXPECT_EQ(store->watch("", issued).error().reason(), Reason::expired);
    EXPECT_EQ(read(*store, "a/1", taken), "(Expired)");
    EXPECT_EQ(put(*store, "a/1", "x"), *start + 1);
    EXPECT_EQ(read(*store, "a/1", *start), std::string(700, 'a'));

    const auto elsewhere = restore_snapshot(directory / "snapshot-0", directory / "new");
    ASSERT_TRUE(elsewhere) << elsewhere.error().message();
    EXPECT_EQ(must_open(directory / "new")->count("a/").value(), 500u);
}

TEST_F(LmdbTest, ADamagedSnapshotChangesNothing) {
    {
        auto store = must_open(data, options());
        for (int index = 0; index < 200; ++index)
            put(*store, "a/" + std::to_string(index), std::string(700, 'a'));
        ASSERT_TRUE(wait(store->snapshot(directory / "snapshot")));
    }
    std::filesystem::copy(directory / "snapshot", directory / "cut");
    std::filesystem::resize_file(directory / "cut", 60'000);
    std::filesystem::copy(directory / "snapshot", directory / "scribbled");
    {
        std::fstream file(directory / "scribbled", std::ios::in | std::ios::out | std::ios::binary);
        std::string content(static_cast<std::size_t>(std::filesystem::file_size(directory / "scribbled")),
                            '\0');
        file.read(content.data(), static_cast<std::streamsize>(content.size()));
        file.seekp(static_cast<std::streamoff>(content.find(std::string(300, 'a')) + 100));
        file << "scribble";
    }
    for (const char* name : {"cut", "scribbled", "missing"}) {
        const auto restored = restore_snapshot(directory / name, data);
        ASSERT_FALSE(restored) << name;
        EXPECT_NE(restored.error().message().find(name), std::string::npos) << restored.error().message();
    }
    EXPECT_EQ(must_open(data)->count("a/").value(), 200u);
    for (const auto& entry : std::filesystem::directory_iterator(data)) {
        EXPECT_FALSE(entry.path().filename().string().starts_with("restoring")) << entry.path();
    }
}

TEST_F(LmdbTest, TheMapGrowsUnderReaders) {
    LmdbOptions made = options();
    std::atomic<int> growths = 0;
    made.faults.before_map_growth = [&] { ++growths; };
    made.initial_map_bytes = 1u << 20;
    auto store = must_open(data, made);
    std::atomic<bool> stop = false;
    std::thread reader([&] {
        while (!stop) {
            (void)!store->scan({.prefix = "a/", .start = {}}, [](const Record&) { return true; });
            (void)!store->get("a/1");
        }
    });
    for (int index = 0; index < 8000; ++index)
        put(*store, "a/" + std::to_string(index), std::string(2000, 'g'), Durability::deferred);
    ASSERT_TRUE(wait(store->flush()));
    stop = true;
    reader.join();
    EXPECT_GE(growths, 4);
    EXPECT_EQ(store->count("a/").value(), 8000u);
    store.reset();
    EXPECT_EQ(must_open(data, made)->count("a/").value(), 8000u);
}

TEST_F(LmdbTest, AFullMapTakesRemovalsAndThenWritesAgain) {
    LmdbOptions made = options();
    made.maximum_map_bytes = 16u << 20;
    made.keep_history = std::chrono::minutes(5);
    auto store = must_open(data, made);
    base::Status refusal(Reason::unknown, "");
    int written = 0;
    for (; written < 20'000; ++written) {
        const auto result =
            commit(*store, {put_operation("a/" + std::to_string(written), std::string(2000, 'f'))});
        if (result) continue;
        refusal = result.error();
        break;
    }
    ASSERT_GT(written, 1000);
    ASSERT_LT(written, 20'000);
    EXPECT_EQ(refusal.reason(), Reason::service_unavailable);
    EXPECT_NE(refusal.message().find("size limit"), std::string::npos) << refusal.message();
    EXPECT_TRUE(store->statistics().read_only);
    EXPECT_EQ(store->count("a/").value(), static_cast<std::uint64_t>(written))
        << "all that was acknowledged is there";
    for (int index = 0; index < written / 2; ++index)
        ASSERT_GT(remove(*store, "a/" + std::to_string(index), "gone"), 0u);
    ASSERT_TRUE(wait(store->compact(store->current())));
    EXPECT_GT(put(*store, "b", "again"), 0u);
    EXPECT_FALSE(store->statistics().read_only);
}

TEST_F(LmdbTest, ASlowReaderDoesNotGrowTheFile) {
    LmdbOptions made = options();
    auto store = must_open(data, made);
    for (int index = 0; index < 500; ++index)
        put(*store, "a/" + std::to_string(index), std::string(1000, 's'));
    // One list and one watch that stand still in the midst of what they read.
    const auto page =
        store->scan({.prefix = "a/", .start = {}, .limit_bytes = 2000}, [](const Record&) { return true; });
    ASSERT_TRUE(page->more);
    auto watch = std::move(*store->watch("", 1));
    (void)!watch->poll(1, [](const Event&) {});
    auto churn = [&] {
        for (int round = 0; round < 4; ++round) {
            for (int index = 0; index < 500; ++index)
                put(*store, "a/" + std::to_string(index), std::string(1000, 't'), Durability::deferred);
            ASSERT_TRUE(wait(store->compact(store->current())));
        }
    };
    churn();
    const auto settled = store->statistics().file_bytes;
    for (int more = 0; more < 6; ++more) churn();
    EXPECT_LE(store->statistics().file_bytes, settled + settled / 4);
    EXPECT_EQ(drain(*watch), Lines{"(Expired)"});
}

}  // namespace
}  // namespace keelson::store
