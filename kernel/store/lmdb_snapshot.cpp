// Snapshots of the lmdb engine: a copy of the data file while it is in use, and back.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/base/files.h"
#include "kernel/base/ids.h"
#include "kernel/store/lmdb_core.h"
#include "kernel/store/lmdb_verify.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;

// Above all that was issued between the snapshot and the restore; etcd's documentation advises the same
// number.
constexpr Revision kRestoreJump = 1'000'000'000;

// Numbers of the meta table of a data file that nobody has open.
struct FileMeta {
    std::optional<std::uint64_t> format;
    Revision last = 0;
    Revision reserved = 0;
};

Result<FileMeta> read_meta(LmdbEnvironment& environment) {
    KEELSON_TRY(const LmdbRead read, environment.read());
    const auto number = [&](std::string_view name) {
        return LmdbEnvironment::meta_number(read.get(), environment.tables(), name);
    };
    FileMeta meta{.format = number(kMetaFormat)};
    meta.last = number(kMetaLast).value_or(0);
    meta.reserved = std::max(number(kMetaReserved).value_or(0), meta.last);
    return meta;
}

// Every value of the newest versions must be whole: better to learn it before the old store is put aside.
Result<void> check_values(LmdbEnvironment& environment, const std::string& path) {
    KEELSON_TRY(const LmdbRead read, environment.read());
    MDB_cursor* cursor = nullptr;
    if (mdb_cursor_open(read.get(), environment.tables().log, &cursor) != 0) {
        return Status(Reason::store_read_error, "reading " + path + " failed");
    }
    MDB_val key;
    MDB_val data;
    Result<void> result;
    while (result && mdb_cursor_get(cursor, &key, &data, MDB_NEXT) == 0) {
        Position position = 0;
        std::memcpy(&position, key.mv_data, sizeof position);
        if (decode_record(position, to_view(data))) continue;
        const auto peeked = peek_record(position, to_view(data));
        result = Status(Reason::store_read_error, "the snapshot " + path + " is damaged at \"" +
                                                      std::string(peeked ? peeked->key : "an unknown key") +
                                                      "\": use another one");
    }
    mdb_cursor_close(cursor);
    return result;
}

Result<void> copy_file(const std::string& from, const std::string& to) {
    KEELSON_TRY(const base::FileDescriptor source, base::open_file(from, O_RDONLY));
    KEELSON_TRY(const std::uint64_t size, base::file_size(source.get(), from));
    KEELSON_TRY(const base::FileDescriptor target, base::open_file(to, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    std::string buffer;
    for (std::uint64_t at = 0; at < size; at += buffer.size()) {
        buffer.resize(std::min<std::uint64_t>(size - at, 1u << 20));
        KEELSON_TRY_VOID(base::read_at(source.get(), buffer.data(), buffer.size(), at, from));
        KEELSON_TRY_VOID(base::write_at(target.get(), buffer, at, to));
    }
    if (::fsync(target.get()) != 0) return base::system_error("syncing " + to, errno);
    return {};
}

// The highest revision that the store in a directory may have issued; 0 when there is none or it cannot be
// read.
Revision highest_issued(const std::string& directory) {
    Revision highest = Journal::highest_reservation(directory);
    const std::string path = directory + "/data.mdb";
    if (!base::exists(path) || !verify_lmdb_file(path)) return highest;
    const auto environment = LmdbEnvironment::open(path, {});
    if (!environment) return highest;
    if (const auto meta = read_meta(**environment)) highest = std::max(highest, meta->reserved);
    return highest;
}

// Turns a copied snapshot into a store of its own that starts at `start` without any history.
Result<void> renew(LmdbEnvironment& environment, Revision last, Revision start) {
    const LmdbTables& tables = environment.tables();
    Revision reached = 0;
    while (reached < last) {
        KEELSON_TRY_VOID(environment.write([&](MDB_txn* transaction) {
            const Revision from =
                LmdbEnvironment::meta_number(transaction, tables, kMetaCompacted).value_or(0);
            int code = 0;
            reached = last;
            if (from < last)
                code = compact_tables(transaction, tables, from, last, kEventsPerCompaction, reached);
            if (code == 0) code = LmdbEnvironment::put_meta(transaction, tables, kMetaCompacted, reached);
            return code;
        }));
    }
    const std::uint64_t store_id = base::system_random().next() | 1;
    return environment.write([&](MDB_txn* transaction) {
        int code = LmdbEnvironment::put_meta(transaction, tables, kMetaStoreId, store_id);
        for (const auto& [name, number] :
             {std::pair(kMetaLast, start), std::pair(kMetaReserved, start), std::pair(kMetaCompacted, start),
              std::pair(kMetaFlushed, last_position(start)), std::pair(kMetaDeferredFloor, start)}) {
            if (code == 0) code = LmdbEnvironment::put_meta(transaction, tables, name, number);
        }
        return code;
    });
}

// Keeps the old store's files under another name, as further links to the same files.
Result<void> put_aside(const std::string& directory, Revision start) {
    const std::string aside = directory + "/before-restore-" + std::to_string(start);
    KEELSON_TRY_VOID(base::make_directory(aside, 0700));
    for (const char* name : {"/data.mdb", "/journal-0", "/journal-1"}) {
        const std::string from = directory + name;
        if (!base::exists(from)) continue;
        if (::link(from.c_str(), (aside + name).c_str()) != 0)
            return base::system_error("keeping " + from, errno);
    }
    return base::sync_directory(aside);
}

}  // namespace

Result<Revision> LmdbCore::copy_to(const std::string& path) const {
    if (closed_) return store_closed();
    if (base::exists(path)) {
        return Status(Reason::already_exists, "the snapshot " + path + " exists: choose another name");
    }
    const std::string partial = path + ".partial-" + base::make_random_suffix();
    auto write = [&]() -> Result<Revision> {
        {
            KEELSON_TRY(const base::FileDescriptor file,
                        base::open_file(partial, O_WRONLY | O_CREAT | O_EXCL, 0600));
            KEELSON_TRY_VOID(environment_->copy_to(file.get()));
            if (::fsync(file.get()) != 0) return base::system_error("syncing " + partial, errno);
        }
        // What the copy has, not what the store has by now.
        KEELSON_TRY(const auto copy, LmdbEnvironment::open(partial, {}));
        KEELSON_TRY(const FileMeta meta, read_meta(*copy));
        copy->close();
        // Unlike a rename, a link does not replace a file that has come meanwhile.
        if (::link(partial.c_str(), path.c_str()) != 0) return base::system_error("naming " + path, errno);
        KEELSON_TRY_VOID(base::sync_directory(base::directory_of(path)));
        return meta.last;
    };
    auto result = write();
    (void)!base::remove_file(partial);
    (void)!base::remove_file(partial + "-lock");
    return result;
}

Result<Revision> restore_snapshot(const std::string& snapshot_path, const std::string& directory) {
    KEELSON_TRY_VOID(verify_lmdb_file(snapshot_path));
    KEELSON_TRY_VOID(base::make_directory(directory, 0700));
    auto lock = base::FileLock::acquire(directory + "/lock");
    if (!lock) return lock.error().with_context("restoring needs a store that is not in use: ");
    const std::string data = directory + "/data.mdb";
    const std::string fresh = directory + "/restoring.mdb";
    (void)!base::remove_file(fresh + "-lock");
    auto prepare = [&]() -> Result<Revision> {
        KEELSON_TRY_VOID(copy_file(snapshot_path, fresh));
        KEELSON_TRY(const auto environment, LmdbEnvironment::open(fresh, {}));
        KEELSON_TRY(const FileMeta meta, read_meta(*environment));
        if (meta.format != kFormat) {
            return Status(Reason::bad_request,
                          snapshot_path + " is no snapshot of a Keelson store: use another file");
        }
        KEELSON_TRY_VOID(check_values(*environment, snapshot_path));
        const Revision start = std::max(meta.reserved, highest_issued(directory)) + kRestoreJump;
        KEELSON_TRY_VOID(renew(*environment, meta.last, start));
        return start;
    };
    auto start = prepare();
    if (start && base::exists(data)) {
        if (auto kept = put_aside(directory, *start); !kept) start = kept.error();
    }
    (void)!base::remove_file(fresh + "-lock");
    if (!start) {
        (void)!base::remove_file(fresh);
        return start;
    }
    // From here on the journal files belong to another store id and are written anew.
    (void)!base::remove_file(directory + "/clean");
    (void)!base::remove_file(data + "-lock");
    if (::rename(fresh.c_str(), data.c_str()) != 0) return base::system_error("renaming to " + data, errno);
    // The old files live on in the directory that they were put aside to.
    (void)!base::remove_file(directory + "/journal-0");
    (void)!base::remove_file(directory + "/journal-1");
    KEELSON_TRY_VOID(Journal::create(directory, {}));
    return start;
}

}  // namespace keelson::store
