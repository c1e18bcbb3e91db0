// The engine that keeps the store in one directory on disk.
//
// How it works: every write goes into memory (RecentChanges) and, unless it is deferred, into a journal whose
// groups are synced before anybody is told; a maintenance thread moves what has gathered into an LMDB file in
// large transactions, after which the journal is used again from its start. Reads merge memory and file. So a
// write costs one sync shared by all writers that wait, an idle store writes nothing, and a crash loses
// deferred writes only.
//
// The directory holds `data.mdb` (LMDB), `journal-0` and `journal-1`, `lock` (the process that uses it) and,
// after an orderly stop, `clean`.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "kernel/base/clock.h"
#include "kernel/store/store.h"

namespace keelson::store {

// For tests and benchmarks only.
struct LmdbFaults {
    base::Duration sync_delay = base::Duration::zero();  // every sync takes this much longer
    std::function<void()> before_journal_sync;           // called when a group is written but not synced
    std::function<void()> before_map_growth;
};

struct LmdbOptions {
    base::Clock* clock = &base::system_clock();  // must outlive the store
    // Older versions and events are forgotten by themselves; zero keeps them until compact() is called.
    base::Duration keep_history = std::chrono::minutes(5);
    // Deferred writes reach the disk after this time or when they take this much memory.
    base::Duration deferred_interval = std::chrono::minutes(10);
    std::size_t deferred_limit_bytes = 8u << 20;
    // Each of the two journal files; preallocated. At least 1 MiB; it bounds the size of a transaction to
    // half of it.
    std::size_t journal_bytes = 16u << 20;
    // Changes kept in memory for watches although they are on disk.
    std::size_t recent_bytes = 4u << 20;
    // Disk space kept free for removals and compaction when the disk is full.
    std::uint64_t reserve_bytes = 32u << 20;
    // The map of the data file grows by doubling between these two.
    std::uint64_t initial_map_bytes = 1ull << 30;
    std::uint64_t maximum_map_bytes = 1ull << 40;
    // Revisions are reserved on disk in blocks of this size; a crash skips the rest of a block.
    std::uint64_t revision_block = 100'000;
    LmdbFaults faults;
};

// Opens a store, making the directory (mode 0700) and an empty store when there is none. After a stop that
// was not orderly, and whenever the data file has been touched by somebody else, every page of its trees is
// checked first and the journal is replayed. Fails with one sentence that names the file and says what to do.
[[nodiscard]] base::Result<std::unique_ptr<Store>> open_lmdb_store(const std::string& directory,
                                                                   LmdbOptions options = {});

// Makes `directory` hold the content of a snapshot. The store must not be open; what it held is kept in
// `before-restore-<revision>` inside it. The store starts above every revision that the snapshot or the old
// store has issued (and 1,000,000,000 more, for writes after the snapshot that nobody knows of), with
// everything older compacted. Returns the revision that it starts at. Fails, changing nothing, when the
// snapshot is damaged.
[[nodiscard]] base::Result<Revision> restore_snapshot(const std::string& snapshot_path,
                                                      const std::string& directory);

}  // namespace keelson::store
