#include "kernel/store/lmdb_environment.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/base/crc32c.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr unsigned kMaximumReaders = 1000;

struct __attribute__((packed)) MetaNumber {
    std::uint64_t number;
    std::uint32_t checksum;
};

MetaNumber make_meta_number(std::string_view name, std::uint64_t number) {
    const std::string_view bytes(reinterpret_cast<const char*>(&number), sizeof number);
    return {number, base::crc32c(bytes, base::crc32c(name))};
}

bool is_disk_full(const std::string& path) {
    constexpr std::uint64_t kAlmostNothing = 1u << 20;
    struct statvfs info {};
    return ::statvfs(path.c_str(), &info) == 0 && info.f_bavail * info.f_frsize < kAlmostNothing;
}

std::uint64_t to_big_endian(std::uint64_t number) {
    return __builtin_bswap64(number);
}

}  // namespace

IndexKey::IndexKey(std::string_view key, Position position) : length_(key.size() + 1 + sizeof position) {
    std::memcpy(buffer_, key.data(), key.size());
    buffer_[key.size()] = '\0';
    const std::uint64_t suffix = to_big_endian(~position);
    std::memcpy(buffer_ + key.size() + 1, &suffix, sizeof suffix);
}

std::optional<std::pair<std::string_view, Position>> IndexKey::parse(const MDB_val& value) {
    const std::string_view text = to_view(value);
    constexpr std::size_t kSuffix = 1 + sizeof(Position);
    if (text.size() <= kSuffix || text[text.size() - kSuffix] != '\0') return std::nullopt;
    std::uint64_t suffix = 0;
    std::memcpy(&suffix, text.data() + text.size() - sizeof suffix, sizeof suffix);
    return std::pair(text.substr(0, text.size() - kSuffix), ~to_big_endian(suffix));
}

LmdbRead::LmdbRead(LmdbRead&& other) noexcept
    : owner_(other.owner_), gate_(std::move(other.gate_)), reader_(std::exchange(other.reader_, {})) {}

LmdbRead::~LmdbRead() {
    if (reader_.transaction) owner_->give_back(reader_);
}

Result<std::unique_ptr<LmdbEnvironment>> LmdbEnvironment::open(const std::string& path, Limits limits) {
    std::unique_ptr<LmdbEnvironment> environment(new LmdbEnvironment(path, std::move(limits)));
    KEELSON_TRY_VOID(environment->start());
    return environment;
}

Result<void> LmdbEnvironment::start() {
    if (const int code = mdb_env_create(&environment_); code != 0) return error("opening", code);
    map_bytes_ = std::min(limits_.initial_map_bytes, limits_.maximum_map_bytes);
    mdb_env_set_mapsize(environment_, map_bytes_);
    mdb_env_set_maxdbs(environment_, 4);
    mdb_env_set_maxreaders(environment_, kMaximumReaders);
    if (const int code = mdb_env_open(environment_, path_.c_str(), MDB_NOSUBDIR | MDB_NOTLS, 0600);
        code != 0) {
        return error("opening", code);
    }
    // A file that has outgrown the configured size brings its own.
    MDB_envinfo info;
    mdb_env_info(environment_, &info);
    map_bytes_ = info.me_mapsize;

    MDB_txn* transaction = nullptr;
    int code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction);
    if (code != 0) return error("opening", code);
    auto open_tables = [&](unsigned flags) {
        int result = mdb_dbi_open(transaction, "index", flags, &tables_.index);
        if (result == 0) result = mdb_dbi_open(transaction, "log", flags | MDB_INTEGERKEY, &tables_.log);
        if (result == 0) result = mdb_dbi_open(transaction, "meta", flags, &tables_.meta);
        return result;
    };
    code = open_tables(0);
    if (code == MDB_NOTFOUND) {
        mdb_txn_abort(transaction);
        code = mdb_txn_begin(environment_, nullptr, 0, &transaction);
        if (code != 0) return error("creating", code);
        code = open_tables(MDB_CREATE);
    }
    if (code != 0) {
        mdb_txn_abort(transaction);
        return error("opening", code);
    }
    code = mdb_txn_commit(transaction);
    if (code != 0) return error("creating", code);
    return {};
}

LmdbEnvironment::~LmdbEnvironment() {
    close();
}

void LmdbEnvironment::close() {
    std::unique_lock gate(gate_);
    if (!environment_) return;
    for (const LmdbReader& reader : pool_) drop(reader);
    pool_.clear();
    mdb_env_close(environment_);
    environment_ = nullptr;
}

Result<LmdbRead> LmdbEnvironment::read() const {
    std::shared_lock gate(gate_);
    if (!environment_) return store_closed();
    LmdbReader reader;
    {
        std::lock_guard lock(pool_mutex_);
        if (!pool_.empty()) {
            reader = pool_.back();
            pool_.pop_back();
        }
    }
    if (const int code = renew(reader); code != 0) {
        drop(reader);
        return error("reading", code);
    }
    return LmdbRead(this, std::move(gate), reader);
}

int LmdbEnvironment::renew(LmdbReader& reader) const {
    if (!reader.transaction) {
        int code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader.transaction);
        if (code == 0) code = mdb_cursor_open(reader.transaction, tables_.index, &reader.index);
        if (code == 0) code = mdb_cursor_open(reader.transaction, tables_.log, &reader.log);
        return code;
    }
    int code = mdb_txn_renew(reader.transaction);
    if (code == 0) code = mdb_cursor_renew(reader.transaction, reader.index);
    if (code == 0) code = mdb_cursor_renew(reader.transaction, reader.log);
    return code;
}

void LmdbEnvironment::drop(const LmdbReader& reader) {
    if (reader.index) mdb_cursor_close(reader.index);
    if (reader.log) mdb_cursor_close(reader.log);
    if (reader.transaction) mdb_txn_abort(reader.transaction);
}

void LmdbEnvironment::give_back(const LmdbReader& reader) const {
    mdb_txn_reset(reader.transaction);
    std::lock_guard lock(pool_mutex_);
    pool_.push_back(reader);
}

Result<void> LmdbEnvironment::write(const std::function<int(MDB_txn*)>& body) {
    while (true) {
        if (!environment_) return store_closed();
        MDB_txn* transaction = nullptr;
        int code = mdb_txn_begin(environment_, nullptr, 0, &transaction);
        if (code == 0) {
            code = body(transaction);
            if (code == 0) {
                code = mdb_txn_commit(transaction);
            } else {
                mdb_txn_abort(transaction);
            }
        }
        if (code == 0) return {};
        if (code != MDB_MAP_FULL) return error("writing", code);
        KEELSON_TRY_VOID(grow());
    }
}

Result<void> LmdbEnvironment::grow() {
    if (map_bytes_ >= limits_.maximum_map_bytes) return error("writing", MDB_MAP_FULL);
    if (limits_.before_growth) limits_.before_growth();
    std::unique_lock gate(gate_);
    const std::uint64_t wanted = std::min(map_bytes_ * 2, limits_.maximum_map_bytes);
    if (const int code = mdb_env_set_mapsize(environment_, wanted); code != 0) return error("growing", code);
    map_bytes_ = wanted;
    return {};
}

Result<LmdbUsage> LmdbEnvironment::usage() const {
    KEELSON_TRY(const LmdbRead read, this->read());
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(environment_, &info);
    mdb_env_stat(environment_, &stat);
    LmdbUsage usage{.high_water_bytes = (info.me_last_pgno + 1) * stat.ms_psize, .free_bytes = 0};
    // Table 0 lists the pages that each past transaction has freed.
    MDB_cursor* cursor = nullptr;
    if (const int code = mdb_cursor_open(read.get(), 0, &cursor); code != 0) return error("reading", code);
    MDB_val key;
    MDB_val pages;
    while (mdb_cursor_get(cursor, &key, &pages, MDB_NEXT) == 0) {
        std::size_t count = 0;
        if (pages.mv_size >= sizeof count) std::memcpy(&count, pages.mv_data, sizeof count);
        usage.free_bytes += count * stat.ms_psize;
    }
    mdb_cursor_close(cursor);
    return usage;
}

Result<void> LmdbEnvironment::copy_to(int descriptor) const {
    // Keeps the map from moving; other readers and the writer go on.
    std::shared_lock gate(gate_);
    if (!environment_) return store_closed();
    if (const int code = mdb_env_copyfd2(environment_, descriptor, 0); code != 0)
        return error("copying", code);
    return {};
}

std::optional<std::uint64_t> LmdbEnvironment::meta_number(MDB_txn* transaction, const LmdbTables& tables,
                                                          std::string_view name) {
    MDB_val key = to_value(name);
    MDB_val data;
    MetaNumber stored;
    if (mdb_get(transaction, tables.meta, &key, &data) != 0 || data.mv_size != sizeof stored)
        return std::nullopt;
    std::memcpy(&stored, data.mv_data, sizeof stored);
    if (stored.checksum != make_meta_number(name, stored.number).checksum) return std::nullopt;
    return std::uint64_t{stored.number};
}

int LmdbEnvironment::put_meta(MDB_txn* transaction, const LmdbTables& tables, std::string_view name,
                              std::uint64_t number) {
    MDB_val key = to_value(name);
    MetaNumber stored = make_meta_number(name, number);
    MDB_val data{sizeof stored, &stored};
    return mdb_put(transaction, tables.meta, &key, &data, 0);
}

Status LmdbEnvironment::error(std::string_view doing, int code) const {
    std::string message(doing);
    message += " " + path_ + ": ";
    // LMDB calls a write that was cut short by a full disk an input/output error.
    if (code == EIO && is_disk_full(path_)) code = ENOSPC;
    switch (code) {
        case ENOSPC:
        case EDQUOT:
            return {Reason::service_unavailable,
                    message + "the disk is full: make room on it, or delete objects"};
        case MDB_MAP_FULL:
            return {Reason::service_unavailable, message + "the store has reached its size limit of " +
                                                     std::to_string(limits_.maximum_map_bytes) +
                                                     " bytes: delete objects, or raise the limit"};
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_PANIC:
        case MDB_INVALID:
        case MDB_BAD_TXN:
            return {Reason::store_read_error,
                    message + mdb_strerror(code) + ": the file is damaged, restore a snapshot"};
        default:
            return {Reason::internal_error, message + mdb_strerror(code)};
    }
}

}  // namespace keelson::store
