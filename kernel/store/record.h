// How one version of one key is kept, in memory, in the log of durable writes and in the data file: a fixed
// head, the key, the bytes, all under one CRC-32C. Private to kernel/store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/store/store.h"

namespace keelson::store {

inline constexpr std::size_t kMaximumKeyBytes = 480;  // LMDB's 511 less the version suffix
inline constexpr std::size_t kMaximumOperations = 128;
inline constexpr std::size_t kMaximumTransactionBytes = 8u << 20;

// Where a change stands in the one order of all changes: its revision, then its place in the transaction.
using Position = std::uint64_t;
inline constexpr unsigned kOperationBits = 7;

constexpr Position position_of(Revision revision, std::size_t operation) {
    return revision << kOperationBits | operation;
}
constexpr Revision revision_of(Position position) {
    return position >> kOperationBits;
}
// The position after which everything of `revision` has been seen.
constexpr Position last_position(Revision revision) {
    return position_of(revision, kMaximumOperations - 1);
}

// What a version consists of. The views point into whatever it was read from.
struct RecordFields {
    Event::Kind kind = Event::Kind::created;  // removed: a tombstone, bytes are the last state
    Position position = 0;
    Revision created = 0;
    Position previous = 0;  // the version before this one; 0 = none
    Header header;
    std::string_view key;
    std::string_view bytes;

    [[nodiscard]] Revision modified() const { return revision_of(position); }
    [[nodiscard]] Record to_record() const {
        return {.key = key, .bytes = bytes, .header = header, .created = created, .modified = modified()};
    }
    [[nodiscard]] OwnedRecord to_owned() const {
        return {std::string(key), std::string(bytes), header, created, modified()};
    }
};

// The size of a record in its encoded form.
[[nodiscard]] std::size_t encoded_size(const RecordFields& fields);
// The encoded form. The position is not part of it (it is the key under which the form is kept) but of its
// checksum.
[[nodiscard]] std::string encode_record(const RecordFields& fields);
// nullopt when the bytes are damaged or belong to another position.
[[nodiscard]] std::optional<RecordFields> decode_record(Position position, std::string_view encoded);
// Finds the `previous` position without checking the rest; nullopt when the form is too short.
[[nodiscard]] std::optional<RecordFields> peek_record(Position position, std::string_view encoded);

// A version that owns its memory. Immutable, shared between readers, watchers and the writer.
class StoredRecord {
  public:
    // Encodes the fields.
    explicit StoredRecord(const RecordFields& fields);
    StoredRecord(const StoredRecord&) = delete;
    StoredRecord& operator=(const StoredRecord&) = delete;

    [[nodiscard]] const RecordFields& fields() const { return fields_; }
    [[nodiscard]] const std::string& encoded() const { return encoded_; }
    [[nodiscard]] bool removed() const { return fields_.kind == Event::Kind::removed; }

  private:
    std::string encoded_;
    RecordFields fields_;
};
using RecordPointer = std::shared_ptr<const StoredRecord>;

// One change as watchers will see it.
struct Change {
    RecordPointer record;
    RecordPointer previous;  // null: there was none
    [[nodiscard]] Position position() const { return record->fields().position; }
    [[nodiscard]] Event to_event() const;
};

// Null when the transaction is acceptable, else why not: too many operations, keys twice, too long or with a
// zero byte, too many bytes.
[[nodiscard]] std::optional<base::Status> check_transaction(const Transaction& transaction);

// The Status for a revision that is no longer, or not yet, there.
[[nodiscard]] base::Status expired_revision(Revision asked, Revision compacted);
[[nodiscard]] base::Status future_revision(Revision asked, Revision current);
[[nodiscard]] base::Status store_closed();

// The smallest key that is greater than every key with this prefix; empty when there is none.
[[nodiscard]] std::string prefix_end(std::string_view prefix);

}  // namespace keelson::store
