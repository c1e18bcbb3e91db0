// Opening, recovering and closing the lmdb engine.
#include "kernel/store/lmdb_core.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "kernel/base/ids.h"
#include "kernel/base/log.h"
#include "kernel/store/lmdb_verify.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr Revision kFirstRevision = 1;  // as etcd: an empty store has a revision that can be listed at
constexpr std::size_t kMinimumJournalBytes = 1u << 20;
constexpr std::size_t kRecoverRecords = 16'384;

// What identifies a data file that nobody has touched since it was closed.
std::string stamp_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return {};
    return std::to_string(info.st_size) + " " + std::to_string(info.st_mtim.tv_sec) + " " +
           std::to_string(info.st_mtim.tv_nsec) + " " + std::to_string(info.st_ino) + "\n";
}

}  // namespace

Result<std::shared_ptr<LmdbCore>> LmdbCore::open(const std::string& directory, LmdbOptions options) {
    options.journal_bytes = std::max(options.journal_bytes, kMinimumJournalBytes);
    std::shared_ptr<LmdbCore> core(new LmdbCore(directory, std::move(options)));
    KEELSON_TRY_VOID(core->start());
    return core;
}

LmdbCore::LmdbCore(std::string directory, LmdbOptions options)
    : directory_(std::move(directory)),
      data_path_(directory_ + "/data.mdb"),
      options_(std::move(options)),
      history_(options_.keep_history) {}

LmdbCore::~LmdbCore() {
    close();
}

bool LmdbCore::is_clean() const {
    const auto stamp = base::read_file(directory_ + "/clean", 256);
    return stamp && *stamp == stamp_of(data_path_);
}

void LmdbCore::mark_clean() const {
    // Without the mark the next start checks everything, which is slower but no error.
    (void)!base::write_file_atomic(directory_ + "/clean", stamp_of(data_path_));
}

// Makes the directory and takes the lock. True when there is no store in it yet.
Result<bool> LmdbCore::prepare_files() {
    KEELSON_TRY_VOID(base::make_directory(directory_, 0700));
    auto lock = base::FileLock::acquire(directory_ + "/lock");
    if (!lock && lock.error().reason() == Reason::already_exists) {
        return Status(Reason::already_exists, "the data directory " + directory_ +
                                                  " is in use: " + lock.error().message() +
                                                  "; stop it, or use another directory");
    }
    if (!lock) return lock.error();
    lock_ = std::move(*lock);
    if (base::exists(data_path_)) return false;
    if (Journal::highest_reservation(directory_) > 0) {
        return Status(Reason::store_read_error, data_path_ +
                                                    " is missing although its journal is there: put the file "
                                                    "back, or restore a snapshot");
    }
    KEELSON_TRY_VOID(Journal::create(directory_, {.segment_bytes = options_.journal_bytes}));
    return true;
}

Result<void> LmdbCore::start() {
    KEELSON_TRY(bool created, prepare_files());
    const bool clean = !created && is_clean();
    if (!created && !clean) KEELSON_TRY_VOID(verify_lmdb_file(data_path_));
    if (clean) {
        KEELSON_TRY_VOID(base::remove_file(directory_ + "/clean"));
        KEELSON_TRY_VOID(base::sync_directory(directory_));
    }
    KEELSON_TRY(environment_,
                LmdbEnvironment::open(data_path_, {.initial_map_bytes = options_.initial_map_bytes,
                                                   .maximum_map_bytes = options_.maximum_map_bytes,
                                                   .before_growth = options_.faults.before_map_growth}));
    KEELSON_TRY(data_file_, base::open_file(data_path_, O_RDWR));
    KEELSON_TRY_VOID(load_meta(created));
    if (created) KEELSON_TRY_VOID(base::sync_directory(directory_));

    std::uint64_t store_id = 0;
    Revision last = 0;
    {
        KEELSON_TRY(const LmdbRead read, environment_->read());
        store_id = LmdbEnvironment::meta_number(read.get(), environment_->tables(), kMetaStoreId).value_or(0);
        last = LmdbEnvironment::meta_number(read.get(), environment_->tables(), kMetaLast)
                   .value_or(kFirstRevision);
        keys_ = LmdbEnvironment::meta_number(read.get(), environment_->tables(), kMetaKeys).value_or(0);
    }
    KEELSON_TRY(journal_, Journal::open(directory_, store_id, !created && !clean,
                                        {.segment_bytes = options_.journal_bytes,
                                         .sync_delay = options_.faults.sync_delay,
                                         .before_sync = options_.faults.before_journal_sync}));
    if (!created && !clean) {
        KEELSON_TRY_VOID(recover());
        last = reserved_;
    }
    next_revision_ = last + 1;
    reserved_ = last;
    recent_ = std::make_unique<RecentChanges>(last_position(last), options_.recent_bytes);
    hub_ = std::make_shared<WatchHub>(last_position(last));
    update_usage();
    read_only_ = !has_space(0);
    if (read_only_) base::log_error("the store takes removals only", {{"reason", full_disk()}});
    history_.note(options_.clock->now(), last);
    commit_thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "store-commit");
        run_commits();
    });
    maintenance_thread_ = std::thread([this] {
        pthread_setname_np(pthread_self(), "store-upkeep");
        run_maintenance();
    });
    return {};
}

// Reads the meta table, filling it in when the store is new (or its making was cut off by a crash).
Result<void> LmdbCore::load_meta(bool created) {
    const LmdbTables& tables = environment_->tables();
    std::optional<std::uint64_t> format;
    bool empty = false;
    bool complete = true;
    {
        KEELSON_TRY(const LmdbRead read, environment_->read());
        format = LmdbEnvironment::meta_number(read.get(), tables, kMetaFormat);
        for (const std::string_view name :
             {kMetaStoreId, kMetaLast, kMetaReserved, kMetaCompacted, kMetaFlushed, kMetaKeys}) {
            complete = complete && LmdbEnvironment::meta_number(read.get(), tables, name).has_value();
        }
        compacted_ = LmdbEnvironment::meta_number(read.get(), tables, kMetaCompacted).value_or(0);
        deferred_floor_ = LmdbEnvironment::meta_number(read.get(), tables, kMetaDeferredFloor).value_or(0);
        MDB_stat stat{};
        mdb_stat(read.get(), tables.log, &stat);
        empty = stat.ms_entries == 0;
        MDB_cursor* cursor = nullptr;
        if (mdb_cursor_open(read.get(), tables.meta, &cursor) == 0) {
            MDB_val key = to_value(kMetaClassPrefix);
            MDB_val data;
            for (int code = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
                 code == 0 && to_view(key).starts_with(kMetaClassPrefix);
                 code = mdb_cursor_get(cursor, &key, &data, MDB_NEXT)) {
                deferred_classes_.emplace(to_view(key).substr(kMetaClassPrefix.size()));
            }
            mdb_cursor_close(cursor);
        }
    }
    if (format && *format != kFormat) {
        return Status(Reason::store_read_error, data_path_ + " has the format " + std::to_string(*format) +
                                                    ", this version reads " + std::to_string(kFormat) +
                                                    ": use the version that wrote it");
    }
    if (format && !complete) {
        return Status(Reason::store_read_error,
                      data_path_ + " is damaged (its meta table): restore a snapshot");
    }
    if (format) return {};
    if (!created && !empty) {
        return Status(Reason::store_read_error,
                      data_path_ + " is no Keelson store: use another data directory");
    }
    const std::uint64_t store_id = base::system_random().next() | 1;
    return environment_->write([&](MDB_txn* transaction) {
        int code = LmdbEnvironment::put_meta(transaction, tables, kMetaStoreId, store_id);
        for (const auto& [name, number] :
             {std::pair(kMetaLast, kFirstRevision), std::pair(kMetaReserved, kFirstRevision),
              std::pair(kMetaFlushed, last_position(kFirstRevision)), std::pair(kMetaCompacted, Revision{0}),
              std::pair(kMetaKeys, Revision{0}), std::pair(kMetaFormat, kFormat)}) {
            if (code == 0) code = LmdbEnvironment::put_meta(transaction, tables, name, number);
        }
        return code;
    });
}

// After a stop that was not orderly: the journal's changes go into the file, and every revision that may have
// been issued is passed over.
Result<void> LmdbCore::recover() {
    Position flushed = 0;
    Revision reserved = 0;
    {
        KEELSON_TRY(const LmdbRead read, environment_->read());
        const auto number = [&](std::string_view name) {
            return LmdbEnvironment::meta_number(read.get(), environment_->tables(), name).value_or(0);
        };
        flushed = number(kMetaFlushed);
        reserved = std::max(number(kMetaReserved), number(kMetaLast));
    }
    KEELSON_TRY(const JournalReplay replay, journal_->replay(flushed));
    reserved = std::max(reserved, replay.reserved);
    if (!replay.records.empty()) reserved = std::max(reserved, replay.records.back()->fields().modified());
    reserved_ = reserved;
    deferred_classes_.insert(replay.deferred_classes.begin(), replay.deferred_classes.end());
    deferred_floor_ = reserved;
    for (std::size_t begin = 0; begin < replay.records.size(); begin += kRecoverRecords) {
        const auto end = std::min(begin + kRecoverRecords, replay.records.size());
        const std::vector<RecordPointer> chunk(replay.records.begin() + static_cast<std::ptrdiff_t>(begin),
                                               replay.records.begin() + static_cast<std::ptrdiff_t>(end));
        KEELSON_TRY_VOID(
            environment_->write([&](MDB_txn* transaction) { return put_records(transaction, chunk); }));
    }
    KEELSON_TRY(const std::uint64_t keys, check_index());
    keys_ = keys;
    KEELSON_TRY_VOID(environment_->write([&](MDB_txn* transaction) {
        const LmdbTables& tables = environment_->tables();
        int code = LmdbEnvironment::put_meta(transaction, tables, kMetaReserved, reserved);
        if (code == 0) code = LmdbEnvironment::put_meta(transaction, tables, kMetaLast, reserved);
        if (code == 0)
            code = LmdbEnvironment::put_meta(transaction, tables, kMetaFlushed, last_position(reserved));
        if (code == 0) code = LmdbEnvironment::put_meta(transaction, tables, kMetaDeferredFloor, reserved);
        if (code == 0) code = LmdbEnvironment::put_meta(transaction, tables, kMetaKeys, keys);
        return code;
    }));
    base::log_info("the store was not closed; it has been recovered",
                   {{"directory", directory_}, {"replayed", replay.records.size()}, {"revision", reserved}});
    return {};
}

// Every version has one entry in each of the two tables. A value that fails its checksum is left to its
// readers.
Result<std::uint64_t> LmdbCore::check_index() const {
    const Status damaged(Reason::store_read_error,
                         data_path_ + " is damaged (its index does not fit its log): restore a snapshot");
    KEELSON_TRY(const LmdbRead read, environment_->read());
    MDB_stat index_stat{};
    MDB_stat log_stat{};
    mdb_stat(read.get(), environment_->tables().index, &index_stat);
    mdb_stat(read.get(), environment_->tables().log, &log_stat);
    if (index_stat.ms_entries != log_stat.ms_entries) return damaged;
    std::uint64_t keys = 0;
    std::string_view last;
    MDB_val key;
    MDB_val data;
    while (mdb_cursor_get(read.index(), &key, &data, MDB_NEXT) == 0) {
        const auto entry = IndexKey::parse(key);
        Revision created = 0;
        if (!entry || data.mv_size != sizeof created) return damaged;
        std::memcpy(&created, data.mv_data, sizeof created);
        Position position = entry->second;
        MDB_val log_key{sizeof position, &position};
        MDB_val record;
        if (mdb_cursor_get(read.log(), &log_key, &record, MDB_SET) != 0) return damaged;
        const auto peeked = peek_record(position, to_view(record));
        const Revision expected = !peeked || peeked->kind == Event::Kind::removed ? 0 : peeked->created;
        const bool fits = peeked && peeked->key == entry->first && expected == created;
        if (!fits && decode_record(position, to_view(record))) return damaged;
        if (entry->first != last && created != 0) ++keys;
        last = entry->first;
    }
    return keys;
}

Statistics LmdbCore::statistics() const {
    Statistics statistics{.current = current(), .compacted = compacted(), .keys = keys_};
    statistics.file_bytes = file_bytes_;
    statistics.used_bytes = high_water_bytes_ - std::min<std::uint64_t>(high_water_bytes_, free_bytes_);
    statistics.commits = commits_;
    statistics.groups = journal_->groups();
    statistics.deferred = recent_->deferred_count();
    statistics.read_only = read_only_;
    return statistics;
}

void LmdbCore::close() {
    std::lock_guard closing(close_mutex_);
    if (closed_) return;
    {
        std::lock_guard lock(queue_mutex_);
        closing_ = true;
    }
    queue_ready_.notify_all();
    if (commit_thread_.joinable()) commit_thread_.join();
    {
        std::lock_guard lock(maintenance_mutex_);
        stop_maintenance_ = true;
    }
    maintenance_ready_.notify_all();
    if (maintenance_thread_.joinable()) maintenance_thread_.join();
    bool flushed = recent_ != nullptr;
    if (flushed) {
        if (auto result = flush(); !result) {
            base::log_warning("closing the store without its last deferred changes",
                              {{"reason", result.error()}});
            flushed = false;
        }
    }
    if (flushed && dirty_meta_) {
        const Revision last = current();
        flushed = environment_
                      ->write([&](MDB_txn* transaction) {
                          const LmdbTables& tables = environment_->tables();
                          int code = LmdbEnvironment::put_meta(transaction, tables, kMetaLast, last);
                          if (code == 0)
                              code = LmdbEnvironment::put_meta(transaction, tables, kMetaReserved, last);
                          if (code == 0) {
                              code = LmdbEnvironment::put_meta(transaction, tables, kMetaFlushed,
                                                               last_position(last));
                          }
                          if (code == 0)
                              code = LmdbEnvironment::put_meta(transaction, tables, kMetaKeys, keys_);
                          return code;
                      })
                      .has_value();
    }
    closed_ = true;
    if (environment_) environment_->close();
    if (flushed && !broken_) mark_clean();
    lock_ = {};
}

}  // namespace keelson::store
