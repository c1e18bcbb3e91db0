// LMDB behind Results: one file, its three tables, short read transactions, a map that grows. Private to
// kernel/store. Thread-safe; writes come from one thread at a time.
#pragma once

#include <lmdb.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/store/record.h"

namespace keelson::store {

class LmdbEnvironment;

// Tables of the data file.
//   index: key, zero byte, ~position (big-endian) -> created revision, 0 for a tombstone. The newest version
//   of a key
//          comes first.
//   log:   position (native integer) -> encoded record, in order of revision.
//   meta:  name -> number and its checksum.
struct LmdbTables {
    MDB_dbi index = 0;
    MDB_dbi log = 0;
    MDB_dbi meta = 0;
};

// A read transaction and its cursors, reset and renewed rather than made for each read.
struct LmdbReader {
    MDB_txn* transaction = nullptr;
    MDB_cursor* index = nullptr;
    MDB_cursor* log = nullptr;
};

// A read transaction from the pool; gives its slot back when it goes. Keep it short: it pins old pages.
class LmdbRead {
  public:
    LmdbRead(LmdbRead&& other) noexcept;
    LmdbRead& operator=(LmdbRead&&) = delete;
    ~LmdbRead();
    [[nodiscard]] MDB_txn* get() const { return reader_.transaction; }
    // One of each; whoever has the transaction moves them.
    [[nodiscard]] MDB_cursor* index() const { return reader_.index; }
    [[nodiscard]] MDB_cursor* log() const { return reader_.log; }

  private:
    friend class LmdbEnvironment;
    LmdbRead(const LmdbEnvironment* owner, std::shared_lock<std::shared_mutex> gate, LmdbReader reader)
        : owner_(owner), gate_(std::move(gate)), reader_(reader) {}
    const LmdbEnvironment* owner_;
    std::shared_lock<std::shared_mutex> gate_;
    LmdbReader reader_;
};

struct LmdbUsage {
    std::uint64_t high_water_bytes = 0;  // end of the last page that was ever used
    std::uint64_t free_bytes = 0;        // pages below it that the next writes may use
};

class LmdbEnvironment {
  public:
    struct Limits {
        std::uint64_t initial_map_bytes = 1ull << 30;
        std::uint64_t maximum_map_bytes = 1ull << 40;
        std::function<void()> before_growth;
    };
    // Opens or creates the file. It must have been verified when it exists (see lmdb_verify.h).
    [[nodiscard]] static base::Result<std::unique_ptr<LmdbEnvironment>> open(const std::string& path,
                                                                             Limits limits);
    ~LmdbEnvironment();

    [[nodiscard]] base::Result<LmdbRead> read() const;
    // Runs body in a write transaction and commits it durably. body returns an LMDB or errno code; it runs
    // again from its start after the map has grown. Reason::service_unavailable when the disk or the map is
    // full.
    [[nodiscard]] base::Result<void> write(const std::function<int(MDB_txn*)>& body);

    [[nodiscard]] const LmdbTables& tables() const { return tables_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] base::Result<LmdbUsage> usage() const;
    [[nodiscard]] std::uint64_t maximum_map_bytes() const { return limits_.maximum_map_bytes; }
    // A consistent copy into an open file, while others read and write.
    [[nodiscard]] base::Result<void> copy_to(int descriptor) const;
    // Waits for readers and closes; read() and write() fail from then on.
    void close();

    // nullopt when there is none of this name, or when it is damaged.
    [[nodiscard]] static std::optional<std::uint64_t> meta_number(MDB_txn* transaction,
                                                                  const LmdbTables& tables,
                                                                  std::string_view name);
    [[nodiscard]] static int put_meta(MDB_txn* transaction, const LmdbTables& tables, std::string_view name,
                                      std::uint64_t number);

  private:
    friend class LmdbRead;
    LmdbEnvironment(std::string path, Limits limits) : path_(std::move(path)), limits_(std::move(limits)) {}
    [[nodiscard]] base::Result<void> start();
    [[nodiscard]] base::Result<void> grow();
    [[nodiscard]] base::Status error(std::string_view doing, int code) const;
    [[nodiscard]] int renew(LmdbReader& reader) const;
    static void drop(const LmdbReader& reader);
    void give_back(const LmdbReader& reader) const;

    std::string path_;
    Limits limits_;
    LmdbTables tables_;
    MDB_env* environment_ = nullptr;
    std::uint64_t map_bytes_ = 0;
    mutable std::shared_mutex gate_;  // shared: a read transaction is open; exclusive: the map moves
    mutable std::mutex pool_mutex_;
    mutable std::vector<LmdbReader> pool_;
};

// A key of the index table, built in place.
class IndexKey {
  public:
    IndexKey(std::string_view key, Position position);
    [[nodiscard]] MDB_val value() { return {length_, buffer_}; }
    // Splits an index key; nullopt when it is none.
    [[nodiscard]] static std::optional<std::pair<std::string_view, Position>> parse(const MDB_val& value);

  private:
    std::size_t length_;
    char buffer_[kMaximumKeyBytes + 1 + sizeof(Position)];
};

[[nodiscard]] inline std::string_view to_view(const MDB_val& value) {
    return {static_cast<const char*>(value.mv_data), value.mv_size};
}
[[nodiscard]] inline MDB_val to_value(std::string_view text) {
    return {text.size(), const_cast<char*>(text.data())};  // LMDB does not write through it
}

}  // namespace keelson::store
