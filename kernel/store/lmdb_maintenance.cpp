// The maintenance thread of the lmdb engine: moves changes from memory to the data file, compacts, keeps
// space.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/base/log.h"
#include "kernel/store/lmdb_core.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kFlushRecords = 16'384;
// On a full disk: small transactions use the pages again that the ones before have freed.
constexpr std::size_t kFlushRecordsWhenFull = 128;
constexpr std::size_t kEventsPerCompactionWhenFull = 16;
// How much of the file a flush may take for each byte that waits: copies of the pages that it changes.
constexpr std::uint64_t kFlushFactor = 3;
constexpr std::uint64_t kMinimumStepBytes = 8u << 20;

}  // namespace

bool LmdbCore::request_maintenance(base::Callback job) {
    std::lock_guard lock(maintenance_mutex_);
    if (stop_maintenance_) return false;
    jobs_.push_back(std::move(job));
    maintenance_ready_.notify_one();
    return true;
}

void LmdbCore::wait_for_flush(std::unique_lock<std::mutex>& lock) {
    // One that runs already may have looked too early.
    const std::uint64_t wanted = flush_attempts_ + (flush_running_ ? 2 : 1);
    flush_requested_ = true;
    maintenance_ready_.notify_one();
    flush_done_.wait(lock, [&] { return flush_attempts_ >= wanted; });
}

base::Completion<Result<void>> LmdbCore::request_flush() {
    base::Completion<Result<void>> done;
    const bool queued = request_maintenance([this, done] {
        auto result = flush();
        if (result) run_due();
        done.complete(std::move(result));
    });
    if (!queued) done.complete(store_closed());
    return done;
}

base::Completion<Result<void>> LmdbCore::request_compact(Revision revision) {
    base::Completion<Result<void>> done;
    const bool queued = request_maintenance([this, done, revision] { done.complete(compact(revision)); });
    if (!queued) done.complete(store_closed());
    return done;
}

void LmdbCore::hold(Revision revision, base::Duration duration) {
    const auto now = options_.clock->now();
    std::lock_guard lock(maintenance_mutex_);
    holds_.add(revision == 0 ? current() : revision, now + duration);
}

base::Duration LmdbCore::time_to_next() {
    constexpr base::Duration kLong = std::chrono::hours(1);
    const auto now = options_.clock->now();
    base::Duration left = kLong;
    if (oldest_deferred_ != base::MonotonicTime{}) {
        left = std::min(left, oldest_deferred_ + options_.deferred_interval - now);
    }
    if (options_.keep_history > base::Duration::zero() && !history_.empty()) {
        left = std::min(left, history_.next() - now);
    }
    return std::max<base::Duration>(left, std::chrono::milliseconds(1));
}

void LmdbCore::run_maintenance() {
    std::unique_lock lock(maintenance_mutex_);
    while (true) {
        const auto wake = [this] { return stop_maintenance_ || flush_requested_ || !jobs_.empty(); };
        maintenance_ready_.wait_for(lock, time_to_next(), wake);
        if (flush_requested_) {
            flush_requested_ = false;
            flush_running_ = true;
            lock.unlock();
            const auto result = read_only_ ? relieve() : flush();
            if (!result) base::log_warning("writing to the data file failed", {{"reason", result.error()}});
            lock.lock();
            ++flush_attempts_;
            flush_running_ = false;
            flush_done_.notify_all();
            continue;
        }
        if (!jobs_.empty()) {
            base::Callback job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            job();
            job = nullptr;
            lock.lock();
            continue;
        }
        if (stop_maintenance_) return;
        lock.unlock();
        run_due();
        lock.lock();
    }
}

// What time has made due: deferred writes, history that is old enough.
void LmdbCore::run_due() {
    const auto now = options_.clock->now();
    bool flush_due = false;
    Revision compact_until = 0;
    {
        std::lock_guard lock(maintenance_mutex_);
        flush_due =
            oldest_deferred_ != base::MonotonicTime{} && now - oldest_deferred_ >= options_.deferred_interval;
        if (options_.keep_history > base::Duration::zero()) compact_until = history_.due(now);
    }
    if (flush_due) {
        if (auto result = flush(); !result) {
            base::log_warning("writing deferred changes failed", {{"reason", result.error()}});
            std::lock_guard lock(maintenance_mutex_);
            oldest_deferred_ = now;  // tries again after another interval
        }
    }
    // Old history alone is no reason to write what waits in memory.
    compact_until = std::min(compact_until, revision_of(recent_->flushed()));
    if (compact_until <= compacted()) return;
    if (auto result = compact(compact_until); !result) {
        base::log_warning("compacting failed", {{"reason", result.error()}});
    }
}

Result<void> LmdbCore::flush() {
    if (closed_) return store_closed();
    const Position target = recent_->visible();
    std::size_t limit = read_only_ ? kFlushRecordsWhenFull : kFlushRecords;
    bool flushed = false;
    while (recent_->flushed() < target) {
        const auto records = recent_->unflushed(limit);
        if (records.empty()) break;
        if (auto written = write_out(records); !written) {
            if (written.error().reason() != Reason::service_unavailable) return written;
            read_only_ = true;
            if (limit == kFlushRecordsWhenFull) return written;
            limit = kFlushRecordsWhenFull;
            continue;
        }
        flushed = true;
    }
    {
        std::lock_guard lock(maintenance_mutex_);
        if (recent_->deferred_count() == 0) oldest_deferred_ = {};
    }
    if (flushed) update_usage();
    return {};
}

Result<void> LmdbCore::write_out(const std::vector<RecordPointer>& records) {
    KEELSON_TRY_VOID(
        environment_->write([&](MDB_txn* transaction) { return put_records(transaction, records); }));
    // LMDB syncs its pages and then its meta page.
    if (options_.faults.sync_delay > base::Duration::zero())
        std::this_thread::sleep_for(2 * options_.faults.sync_delay);
    recent_->forget_flushed(records);
    return {};
}

int LmdbCore::put_records(MDB_txn* transaction, const std::vector<RecordPointer>& records) const {
    const LmdbTables& tables = environment_->tables();
    for (const RecordPointer& record : records) {
        Position position = record->fields().position;
        MDB_val key{sizeof position, &position};
        MDB_val data = to_value(record->encoded());
        if (const int code = mdb_put(transaction, tables.log, &key, &data, MDB_APPEND); code != 0)
            return code;
    }
    // In order of key the index pages are touched one after the other.
    std::vector<const StoredRecord*> sorted;
    sorted.reserve(records.size());
    for (const RecordPointer& record : records) sorted.push_back(record.get());
    std::sort(sorted.begin(), sorted.end(), [](const StoredRecord* a, const StoredRecord* b) {
        const int order = a->fields().key.compare(b->fields().key);
        return order != 0 ? order < 0 : a->fields().position > b->fields().position;
    });
    for (const StoredRecord* record : sorted) {
        IndexKey index_key(record->fields().key, record->fields().position);
        Revision created = record->removed() ? 0 : record->fields().created;
        MDB_val key = index_key.value();
        MDB_val data{sizeof created, &created};
        if (const int code = mdb_put(transaction, tables.index, &key, &data, 0); code != 0) return code;
    }
    const Position last = records.back()->fields().position;
    int code = LmdbEnvironment::put_meta(transaction, tables, kMetaFlushed, last);
    if (code == 0) code = LmdbEnvironment::put_meta(transaction, tables, kMetaLast, revision_of(last));
    if (code == 0) code = LmdbEnvironment::put_meta(transaction, tables, kMetaReserved, reserved_);
    std::lock_guard lock(classes_mutex_);
    for (const std::string& name : deferred_classes_) {
        if (code == 0)
            code = LmdbEnvironment::put_meta(transaction, tables, std::string(kMetaClassPrefix) + name, 1);
    }
    return code;
}

Result<void> LmdbCore::compact(Revision revision) {
    if (closed_) return store_closed();
    if (revision > current()) return future_revision(revision, current());
    Revision target = 0;
    {
        std::lock_guard lock(maintenance_mutex_);
        target = holds_.limit(revision, options_.clock->now());
    }
    if (target <= compacted()) return {};
    if (recent_->flushed() < last_position(target)) KEELSON_TRY_VOID(flush());
    std::size_t limit = read_only_ ? kEventsPerCompactionWhenFull : kEventsPerCompaction;
    while (compacted() < target) {
        auto done = environment_->write(
            [&](MDB_txn* transaction) { return compact_step(transaction, target, limit); });
        if (done) continue;
        if (done.error().reason() != Reason::service_unavailable || limit == kEventsPerCompactionWhenFull)
            return done;
        limit = kEventsPerCompactionWhenFull;
    }
    update_usage();
    return {};
}

int LmdbCore::compact_step(MDB_txn* transaction, Revision until, std::size_t limit_events) {
    Revision reached = 0;
    const Revision from =
        LmdbEnvironment::meta_number(transaction, environment_->tables(), kMetaCompacted).value_or(0);
    int code = compact_tables(transaction, environment_->tables(), from, until, limit_events, reached);
    if (code == 0)
        code = LmdbEnvironment::put_meta(transaction, environment_->tables(), kMetaCompacted, reached);
    // Before the commit: a reader that sees the deletions must also see that they happened.
    if (code == 0) compacted_.store(reached, std::memory_order_release);
    return code;
}

int compact_tables(MDB_txn* transaction, const LmdbTables& tables, Revision compacted, Revision until,
                   std::size_t limit_events, Revision& reached) {
    struct Seen {
        Position position;
        std::string key;
    };
    std::vector<Seen> events;
    reached = until;
    MDB_cursor* cursor = nullptr;
    int code = mdb_cursor_open(transaction, tables.log, &cursor);
    if (code != 0) return code;
    Position position = position_of(compacted + 1, 0);
    MDB_val key{sizeof position, &position};
    MDB_val data;
    for (code = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE); code == 0;
         code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) {
        std::memcpy(&position, key.mv_data, sizeof position);
        if (revision_of(position) > until) break;
        if (events.size() >= limit_events && revision_of(position) != revision_of(events.back().position)) {
            reached = revision_of(events.back().position);
            break;
        }
        // A damaged record whose key cannot be read stays.
        if (const auto fields = peek_record(position, to_view(data)))
            events.push_back({position, std::string(fields->key)});
    }
    mdb_cursor_close(cursor);
    if (code != 0 && code != MDB_NOTFOUND) return code;

    code = mdb_cursor_open(transaction, tables.index, &cursor);
    if (code != 0) return code;
    for (const Seen& event : events) {
        // Versions older than the event are of no use any more, and the event itself when it says that the
        // key is gone.
        IndexKey from(event.key.substr(0, kMaximumKeyBytes), event.position);
        key = from.value();
        code = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
        while (code == 0) {
            const auto entry = IndexKey::parse(key);
            if (!entry || entry->first != event.key) break;
            Revision created = 1;
            if (data.mv_size == sizeof created) std::memcpy(&created, data.mv_data, sizeof created);
            Position old = entry->second;
            if (old != event.position || created == 0) {
                code = mdb_cursor_del(cursor, 0);
                MDB_val log_key{sizeof old, &old};
                if (code == 0) code = mdb_del(transaction, tables.log, &log_key, nullptr);
                if (code == MDB_NOTFOUND) code = 0;
                if (code != 0) break;
            }
            code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT);
        }
        if (code != 0 && code != MDB_NOTFOUND) break;
        code = 0;
    }
    mdb_cursor_close(cursor);
    return code;
}

// On a full disk: forgets all history, so that removals make room for new writes.
Result<void> LmdbCore::relieve() {
    KEELSON_TRY_VOID(flush());
    return compact(revision_of(recent_->flushed()));
}

void LmdbCore::update_usage() {
    if (const auto usage = environment_->usage()) {
        high_water_bytes_ = usage->high_water_bytes;
        free_bytes_ = usage->free_bytes;
    }
    struct stat info {};
    if (::fstat(data_file_.get(), &info) == 0) file_bytes_ = static_cast<std::uint64_t>(info.st_size);
}

// Whether everything that waits can reach the file with the reserve left over. Makes room ahead of the file's
// end, so that a flush never meets a full disk.
bool LmdbCore::has_space(std::size_t batch_bytes) {
    const std::uint64_t needed =
        kFlushFactor * (recent_->unflushed_bytes() + batch_bytes) + options_.reserve_bytes;
    const std::uint64_t end = high_water_bytes_ + needed;
    const std::uint64_t reusable = free_bytes_ / 2;
    map_full_ = end > environment_->maximum_map_bytes() + reusable;
    if (map_full_) return false;
    if (end <= preallocated_until_ + reusable) return true;
    const std::uint64_t high = high_water_bytes_;
    for (const std::uint64_t step :
         {std::max<std::uint64_t>(kMinimumStepBytes, needed / 2), std::uint64_t{0}}) {
        const auto length = static_cast<off_t>(needed + step);
        if (::fallocate(data_file_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(high), length) == 0) {
            preallocated_until_ = end + step;
            return true;
        }
        if (errno == EOPNOTSUPP) {
            // A file system without preallocation: what is free now is all that can be asked for.
            struct statvfs info {};
            return ::fstatvfs(data_file_.get(), &info) != 0 || info.f_bavail * info.f_frsize >= needed;
        }
    }
    return false;
}

Status LmdbCore::full_disk() const {
    Status status(Reason::service_unavailable,
                  map_full_ ? "the store in " + directory_ + " has reached its size limit of " +
                                  std::to_string(environment_->maximum_map_bytes()) +
                                  " bytes and only takes removals: delete objects, or raise the limit"
                            : "the disk of " + directory_ +
                                  " is full and the store only takes removals: make room on the "
                                  "disk, or delete objects; writing goes on by itself");
    status.mutable_details().retry_after_seconds = 1;
    return status;
}

}  // namespace keelson::store
