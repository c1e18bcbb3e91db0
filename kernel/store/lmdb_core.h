// The lmdb engine behind its Store: threads, tables, recovery. Private to kernel/store. See lmdb.h for how it
// works.
//
// Threads: any thread reads; the commit thread checks, orders and journals transactions; the maintenance
// thread flushes, compacts and watches the space. Split by task over lmdb_core.cpp (open, close),
// lmdb_read.cpp, lmdb_commit.cpp and lmdb_maintenance.cpp.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/store/history.h"
#include "kernel/store/journal.h"
#include "kernel/store/lmdb.h"
#include "kernel/store/lmdb_environment.h"
#include "kernel/store/recent_changes.h"
#include "kernel/store/watch_hub.h"

namespace keelson::store {

class LmdbCore final : public ChangeSource {
  public:
    using CommitCompletion = base::Completion<base::Result<CommitResult>>;

    [[nodiscard]] static base::Result<std::shared_ptr<LmdbCore>> open(const std::string& directory,
                                                                      LmdbOptions options);
    ~LmdbCore() override;

    // Reads.
    [[nodiscard]] base::Result<std::optional<OwnedRecord>> get(std::string_view key, Revision at) const;
    [[nodiscard]] base::Result<ScanResult> scan(const ScanRequest& request,
                                                const std::function<bool(const Record&)>& visit) const;
    [[nodiscard]] base::Result<std::uint64_t> count(std::string_view prefix, std::string_view start,
                                                    Revision at) const;
    [[nodiscard]] base::Result<Position> collect(Position cursor, std::string_view prefix, std::size_t limit,
                                                 std::vector<Change>& changes) const override;
    // Fails when a watch cannot start there.
    [[nodiscard]] base::Result<void> check_watch(std::string_view prefix, Revision after) const;

    // Writes.
    [[nodiscard]] CommitCompletion submit(Transaction transaction);

    // Upkeep; the maintenance thread does it.
    [[nodiscard]] base::Completion<base::Result<void>> request_flush();
    [[nodiscard]] base::Completion<base::Result<void>> request_compact(Revision revision);
    void hold(Revision revision, base::Duration duration);
    // Blocks; any thread. The revision is the newest that the copy has.
    [[nodiscard]] base::Result<Revision> copy_to(const std::string& path) const;

    [[nodiscard]] Revision current() const { return revision_of(recent_->visible()); }
    [[nodiscard]] Revision compacted() const { return compacted_.load(std::memory_order_acquire); }
    [[nodiscard]] Statistics statistics() const;
    [[nodiscard]] const std::shared_ptr<WatchHub>& hub() const { return hub_; }
    void close();

  private:
    struct Pending {
        Transaction transaction;
        CommitCompletion done;
    };
    // A version as the commit thread needs it: without its bytes.
    struct Latest {
        Position position = 0;  // 0 = the key does not exist
        Revision created = 0;
        RecordPointer record;  // when it is in memory
    };
    struct Group;
    template <typename Visit>
    base::Result<ScanResult> merge(const ScanRequest& request, bool with_values, const Visit& visit) const;

    LmdbCore(std::string directory, LmdbOptions options);

    // lmdb_core.cpp
    [[nodiscard]] base::Result<void> start();
    [[nodiscard]] base::Result<bool> prepare_files();
    [[nodiscard]] base::Result<void> load_meta(bool created);
    [[nodiscard]] base::Result<void> recover();
    // Holds index and log against each other; returns how many keys exist.
    [[nodiscard]] base::Result<std::uint64_t> check_index() const;
    [[nodiscard]] bool is_clean() const;
    void mark_clean() const;

    // lmdb_read.cpp
    [[nodiscard]] base::Result<Revision> readable(Revision at, std::string_view prefix) const;
    [[nodiscard]] Revision floor_of(std::string_view prefix) const;
    [[nodiscard]] base::Result<RecordPointer> load(MDB_txn* transaction, Position position,
                                                   std::string_view key) const;
    [[nodiscard]] base::Result<Position> collect_older(Position cursor, Position until,
                                                       std::string_view prefix, std::size_t limit,
                                                       std::vector<Change>& changes) const;

    // lmdb_commit.cpp
    void run_commits();
    void process(std::vector<Pending>& batch);
    void apply(Pending& pending, Group& group);
    [[nodiscard]] base::Result<std::optional<Conflict>> find_conflict(const Transaction& transaction,
                                                                      std::vector<Latest>& latest) const;
    [[nodiscard]] base::Result<Latest> find_latest(const std::string& key) const;
    [[nodiscard]] RecordPointer load_previous(const Latest& latest, std::string_view key) const;
    void change(const Operation& operation, const Latest& latest, Position position, bool deferred,
                Group& group);
    [[nodiscard]] base::Result<void> make_durable(Group& group);
    [[nodiscard]] bool wait_for_room(std::size_t payload_bytes);
    void finish(std::vector<Pending>& batch, Group& group, const base::Result<void>& durable);

    // lmdb_maintenance.cpp
    void run_maintenance();
    // False when it is too late.
    [[nodiscard]] bool request_maintenance(base::Callback job);
    // Has the maintenance thread flush from now on and waits for it. With maintenance_mutex_ held.
    void wait_for_flush(std::unique_lock<std::mutex>& lock);
    void run_due();
    [[nodiscard]] base::Duration time_to_next();
    [[nodiscard]] base::Result<void> flush();
    [[nodiscard]] base::Result<void> write_out(const std::vector<RecordPointer>& records);
    [[nodiscard]] int put_records(MDB_txn* transaction, const std::vector<RecordPointer>& records) const;
    [[nodiscard]] base::Result<void> compact(Revision revision);
    [[nodiscard]] int compact_step(MDB_txn* transaction, Revision until, std::size_t limit_events);
    [[nodiscard]] base::Result<void> relieve();
    void update_usage();
    [[nodiscard]] bool has_space(std::size_t batch_bytes);
    [[nodiscard]] base::Status full_disk() const;

    const std::string directory_;
    const std::string data_path_;
    const LmdbOptions options_;
    base::FileLock lock_;
    base::FileDescriptor data_file_;  // for preallocation
    std::unique_ptr<LmdbEnvironment> environment_;
    std::unique_ptr<Journal> journal_;
    std::unique_ptr<RecentChanges> recent_;
    std::shared_ptr<WatchHub> hub_;

    std::atomic<Revision> compacted_{0};
    Revision deferred_floor_ =
        0;  // deferred classes cannot be read or watched before it; constant after start
    mutable std::mutex classes_mutex_;
    std::set<std::string, std::less<>> deferred_classes_;  // "group/resource/"
    std::atomic<std::uint64_t> keys_{0};
    std::atomic<std::uint64_t> commits_{0};

    // The commit thread's.
    std::mutex queue_mutex_;
    std::condition_variable queue_ready_;
    std::vector<Pending> queue_;
    std::size_t queue_bytes_ = 0;
    bool closing_ = false;
    std::atomic<bool> closed_{false};
    Revision next_revision_ = 2;
    std::atomic<Revision> reserved_{0};
    std::atomic<bool> broken_{false};  // a sync failed: what is on disk is unknown
    std::string broken_message_;
    std::thread commit_thread_;

    // The maintenance thread's.
    mutable std::mutex maintenance_mutex_;
    std::condition_variable maintenance_ready_;
    std::condition_variable flush_done_;
    std::deque<base::Callback> jobs_;
    std::uint64_t flush_attempts_ = 0;
    bool flush_requested_ = false;
    bool flush_running_ = false;
    bool stop_maintenance_ = false;
    bool dirty_meta_ = false;
    Holds holds_;
    HistoryClock history_;
    base::MonotonicTime oldest_deferred_{};  // zero = none waits
    std::thread maintenance_thread_;

    // Space.
    std::atomic<bool> read_only_{false};
    std::atomic<bool> map_full_{false};  // read_only_ because of the size limit, not of the disk
    std::atomic<std::uint64_t> high_water_bytes_{0};
    std::atomic<std::uint64_t> free_bytes_{0};
    std::uint64_t preallocated_until_ = 0;  // the commit thread's
    mutable std::atomic<std::uint64_t> file_bytes_{0};
    std::mutex close_mutex_;
};

// The number of the format of the data file, and the names in its meta table.
inline constexpr std::uint64_t kFormat = 1;
inline constexpr std::string_view kMetaFormat = "format";
inline constexpr std::string_view kMetaStoreId = "store-id";
inline constexpr std::string_view kMetaLast = "last-revision";
inline constexpr std::string_view kMetaReserved = "reserved-revision";
inline constexpr std::string_view kMetaCompacted = "compacted-revision";
inline constexpr std::string_view kMetaFlushed = "flushed-position";
inline constexpr std::string_view kMetaKeys = "keys";
inline constexpr std::string_view kMetaDeferredFloor = "deferred-floor";
inline constexpr std::string_view kMetaClassPrefix = "deferred-class:";

// "group/resource/" of a key: what deferred writes are remembered by.
[[nodiscard]] std::string_view class_of(std::string_view key);

// Deletes what no reader at or above a revision needs, for the events after `compacted` up to at most
// `until`, about `limit_events` of them. `reached` is set to where the next step goes on. In
// lmdb_maintenance.cpp.
[[nodiscard]] int compact_tables(MDB_txn* transaction, const LmdbTables& tables, Revision compacted,
                                 Revision until, std::size_t limit_events, Revision& reached);
inline constexpr std::size_t kEventsPerCompaction = 2'000;

}  // namespace keelson::store
