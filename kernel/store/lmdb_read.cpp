// Reads of the lmdb engine: what is in memory and what is in the file, merged by key.
#include <algorithm>
#include <cstring>

#include "kernel/store/lmdb_core.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kSliceRecords = 4096;
constexpr std::size_t kEventsPerTransaction = 65'536;  // of the log, looked at under one read transaction
constexpr int kStepsBeforeSeek = 4;
constexpr int kMaximumTries = 8;

Status damaged_value(std::string_view key, Position position) {
    return {Reason::store_read_error, "the stored value of \"" + std::string(key) + "\" at revision " +
                                          std::to_string(revision_of(position)) +
                                          " is damaged: delete or replace the object, or restore a snapshot"};
}

Status lmdb_failure(int code) {
    return {Reason::store_read_error, std::string("reading the data file: ") + mdb_strerror(code)};
}

// Steps through the index: for each key the newest version at or below a revision.
class IndexReader {
  public:
    IndexReader(MDB_cursor* cursor, Revision revision) : cursor_(cursor), limit_(last_position(revision)) {}

    // False at the end of the table. The views stay valid until the read transaction ends.
    Result<bool> seek(std::string_view start) {
        IndexKey from(start.substr(0, kMaximumKeyBytes), ~Position{0});
        // Keys with the same start but nothing after it come first.
        key_value_ = from.value();
        return settle(mdb_cursor_get(cursor_, &key_value_, &data_, MDB_SET_RANGE));
    }
    Result<bool> next() { return settle(skip_key()); }

    [[nodiscard]] std::string_view key() const { return key_; }
    [[nodiscard]] Position position() const { return position_; }
    [[nodiscard]] bool removed() const { return created_ == 0; }

  private:
    // To the first version of another key: by steps, and by a search when the key has many versions.
    int skip_key() {
        for (int step = 0; step < kStepsBeforeSeek; ++step) {
            const int code = mdb_cursor_get(cursor_, &key_value_, &data_, MDB_NEXT);
            if (code != 0) return code;
            const auto parsed = IndexKey::parse(key_value_);
            if (!parsed || parsed->first != key_) return 0;
        }
        char after[kMaximumKeyBytes + 1];
        std::memcpy(after, key_.data(), key_.size());
        after[key_.size()] = '\1';  // above the zero byte that ends the key, below every longer key
        key_value_ = {key_.size() + 1, after};
        return mdb_cursor_get(cursor_, &key_value_, &data_, MDB_SET_RANGE);
    }

    // From an index entry to the first one that is old enough.
    Result<bool> settle(int code) {
        while (code == 0) {
            const auto parsed = IndexKey::parse(key_value_);
            if (!parsed || data_.mv_size != sizeof created_) {
                return Status(Reason::store_read_error,
                              "the index of the data file is damaged: restore a snapshot");
            }
            key_ = parsed->first;
            position_ = parsed->second;
            if (position_ <= limit_) {
                std::memcpy(&created_, data_.mv_data, sizeof created_);
                return true;
            }
            IndexKey wanted(key_, limit_);
            key_value_ = wanted.value();
            code = mdb_cursor_get(cursor_, &key_value_, &data_, MDB_SET_RANGE);
        }
        if (code == MDB_NOTFOUND) return false;
        return lmdb_failure(code);
    }

    MDB_cursor* cursor_;
    Position limit_;
    MDB_val key_value_{};
    MDB_val data_{};
    std::string_view key_;
    Position position_ = 0;
    Revision created_ = 0;
};

Result<RecordFields> load_fields(MDB_cursor* log, Position position, std::string_view key) {
    MDB_val wanted{sizeof position, &position};
    MDB_val data;
    const int code = mdb_cursor_get(log, &wanted, &data, MDB_SET);
    if (code != 0 && code != MDB_NOTFOUND) return lmdb_failure(code);
    if (code == MDB_NOTFOUND) return damaged_value(key, position);
    const auto fields = decode_record(position, to_view(data));
    if (!fields || fields->key != key) return damaged_value(key, position);
    return *fields;
}

}  // namespace

std::string_view class_of(std::string_view key) {
    const std::size_t first = key.find('/');
    const std::size_t second = first == std::string_view::npos ? first : key.find('/', first + 1);
    return second == std::string_view::npos ? key : key.substr(0, second + 1);
}

// A crash loses deferred writes, so what was seen of their classes before it may never have happened.
Revision LmdbCore::floor_of(std::string_view prefix) const {
    if (deferred_floor_ == 0) return 0;
    std::lock_guard lock(classes_mutex_);
    for (const std::string& known : deferred_classes_) {
        if (known.starts_with(prefix) || prefix.starts_with(known)) return deferred_floor_;
    }
    return 0;
}

Result<Revision> LmdbCore::readable(Revision at, std::string_view prefix) const {
    if (closed_) return store_closed();
    const Revision current = this->current();
    if (at == 0) return current;
    const Revision oldest = std::max(compacted(), floor_of(prefix));
    if (at < oldest) return expired_revision(at, oldest);
    if (at > current) return future_revision(at, current);
    return at;
}

Result<void> LmdbCore::check_watch(std::string_view prefix, Revision after) const {
    if (closed_) return store_closed();
    const Revision oldest = std::max(compacted(), floor_of(prefix));
    if (after < oldest) return expired_revision(after, oldest);
    return {};
}

Result<std::optional<OwnedRecord>> LmdbCore::get(std::string_view key, Revision at) const {
    KEELSON_TRY(const Revision revision, readable(at, key));
    if (key.empty() || key.size() > kMaximumKeyBytes) return std::nullopt;
    if (const RecordPointer record = recent_->find(key, revision)) {
        if (record->removed()) return std::nullopt;
        return record->fields().to_owned();
    }
    KEELSON_TRY(const LmdbRead read, environment_->read());
    if (at != 0 && at < compacted()) return expired_revision(at, compacted());
    // For "now" the newest version in the file will do: nothing in it is invisible.
    IndexKey wanted(key, at == 0 ? ~Position{0} : last_position(revision));
    MDB_val index_key = wanted.value();
    MDB_val data;
    const int code = mdb_cursor_get(read.index(), &index_key, &data, MDB_SET_RANGE);
    if (code == MDB_NOTFOUND) return std::nullopt;
    if (code != 0) return lmdb_failure(code);
    const auto found = IndexKey::parse(index_key);
    if (!found || found->first != key) return std::nullopt;
    Revision created = 0;
    if (data.mv_size == sizeof created) std::memcpy(&created, data.mv_data, sizeof created);
    if (created == 0) return std::nullopt;
    KEELSON_TRY(const RecordFields fields, load_fields(read.log(), found->second, key));
    return fields.to_owned();
}

Result<RecordPointer> LmdbCore::load(MDB_txn* transaction, Position position, std::string_view key) const {
    MDB_val wanted{sizeof position, &position};
    MDB_val data;
    const int code = mdb_get(transaction, environment_->tables().log, &wanted, &data);
    if (code != 0 && code != MDB_NOTFOUND) return lmdb_failure(code);
    if (code == MDB_NOTFOUND) return damaged_value(key, position);
    const auto fields = decode_record(position, to_view(data));
    if (!fields || fields->key != key) return damaged_value(key, position);
    return RecordPointer(std::make_shared<StoredRecord>(*fields));
}

// Visits (key, record in memory or null, position in the file) for the keys that exist, in order. One page.
template <typename Visit>
Result<ScanResult> LmdbCore::merge(const ScanRequest& request, bool with_values, const Visit& visit) const {
    KEELSON_TRY(const Revision revision, readable(request.revision, request.prefix));
    const std::string& start = std::max(request.prefix, request.start);
    const auto slice = recent_->slice(request.prefix, start, revision,
                                      with_values ? request.limit_bytes : SIZE_MAX, kSliceRecords);
    KEELSON_TRY(const LmdbRead read, environment_->read());
    if (revision < compacted()) return expired_revision(revision, compacted());
    IndexReader index(read.index(), revision);
    KEELSON_TRY(bool in_file, index.seek(start));

    ScanResult result{.revision = revision};
    std::size_t next_slice = 0;
    std::size_t bytes = 0;
    bool stopped = false;
    while (true) {
        in_file =
            in_file && index.key().starts_with(request.prefix) && (!slice.cut || index.key() < *slice.cut);
        const bool in_memory = next_slice < slice.records.size();
        if (!in_file && !in_memory) break;
        const std::string_view memory_key =
            in_memory ? slice.records[next_slice]->fields().key : std::string_view();
        const int order = !in_file ? -1 : !in_memory ? 1 : memory_key.compare(index.key());
        const bool from_memory = order <= 0;
        const bool removed = from_memory ? slice.records[next_slice]->removed() : index.removed();
        if (!removed) {
            const std::string_view key = from_memory ? memory_key : index.key();
            if (stopped || (bytes >= request.limit_bytes && bytes > 0 && with_values)) {
                result.more = true;
                result.next_key = key;
                return result;
            }
            if (!with_values) {
                stopped = !visit(RecordFields{});
            } else if (from_memory) {
                const RecordFields& fields = slice.records[next_slice]->fields();
                bytes += std::max<std::size_t>(fields.bytes.size(), 1);
                stopped = !visit(fields);
            } else {
                KEELSON_TRY(const RecordFields fields, load_fields(read.log(), index.position(), key));
                bytes += std::max<std::size_t>(fields.bytes.size(), 1);
                stopped = !visit(fields);
            }
        }
        if (order <= 0) ++next_slice;
        if (order >= 0) {
            KEELSON_TRY(in_file, index.next());
        }
    }
    if (slice.cut) {
        result.more = true;
        result.next_key = *slice.cut;
    }
    return result;
}

Result<ScanResult> LmdbCore::scan(const ScanRequest& request,
                                  const std::function<bool(const Record&)>& visit) const {
    const std::size_t limit = std::max<std::size_t>(request.limit_bytes, 1);
    ScanRequest page = request;
    page.limit_bytes = limit;
    for (int tries = 0;; ++tries) {
        bool visited = false;
        auto result = merge(page, true, [&](const RecordFields& fields) {
            visited = true;
            return visit(fields.to_record());
        });
        // "Now" was compacted between taking its number and reading: take a newer one.
        const bool again =
            !result && result.error().reason() == Reason::expired && request.revision == 0 && !visited;
        if (!again || tries == kMaximumTries) return result;
    }
}

Result<std::uint64_t> LmdbCore::count(std::string_view prefix, std::string_view start, Revision at) const {
    ScanRequest request{.prefix = std::string(prefix), .start = std::string(start), .revision = at};
    std::uint64_t number = 0;
    for (int tries = 0; tries <= kMaximumTries;) {
        auto page = merge(request, false, [&](const RecordFields&) {
            ++number;
            return true;
        });
        if (!page && page.error().reason() == Reason::expired && at == 0) {
            request = {.prefix = std::string(prefix), .start = std::string(start), .revision = 0};
            number = 0;
            ++tries;
            continue;
        }
        if (!page) return page.error();
        if (!page->more) return number;
        request.start = std::move(page->next_key);
        request.revision = page->revision;
    }
    return Status(Reason::server_timeout, "counting was overtaken by compaction again and again: try again");
}

Result<Position> LmdbCore::collect(Position cursor, std::string_view prefix, std::size_t limit,
                                   std::vector<Change>& changes) const {
    const std::size_t before = changes.size();
    while (true) {
        if (closed_) return store_closed();
        const Revision compacted = this->compacted();
        if (cursor < last_position(compacted)) return expired_revision(revision_of(cursor), compacted);
        const std::size_t left = limit - (changes.size() - before);
        Position older_until = 0;
        if (const auto next = recent_->collect(cursor, prefix, left, changes, older_until)) return *next;
        KEELSON_TRY(cursor, collect_older(cursor, older_until, prefix, left, changes));
        if (changes.size() - before == limit) return cursor;
    }
}

// Changes that only the file has: at most `limit` of them, and a bounded piece of the log.
Result<Position> LmdbCore::collect_older(Position cursor, Position until, std::string_view prefix,
                                         std::size_t limit, std::vector<Change>& changes) const {
    KEELSON_TRY(const LmdbRead read, environment_->read());
    if (cursor < last_position(compacted())) return expired_revision(revision_of(cursor), compacted());
    const std::size_t wanted = changes.size() + limit;
    Position position = cursor + 1;
    MDB_val key{sizeof position, &position};
    MDB_val data;
    int code = mdb_cursor_get(read.log(), &key, &data, MDB_SET_RANGE);
    for (std::size_t seen = 0; code == 0; ++seen) {
        std::memcpy(&position, key.mv_data, sizeof position);
        if (position > until) break;
        if (seen == kEventsPerTransaction || changes.size() == wanted) return cursor;
        const auto peeked = peek_record(position, to_view(data));
        if (!peeked) return damaged_value("", position);
        if (peeked->key.starts_with(prefix)) {
            const auto fields = decode_record(position, to_view(data));
            if (!fields) return damaged_value(peeked->key, position);
            Change change{std::make_shared<StoredRecord>(*fields), nullptr};
            if (fields->previous != 0) {
                // A value that cannot be read any more leaves the previous state empty.
                if (auto previous = load(read.get(), fields->previous, fields->key))
                    change.previous = *previous;
            }
            changes.push_back(std::move(change));
        }
        cursor = position;
        code = mdb_cursor_get(read.log(), &key, &data, MDB_NEXT);
    }
    if (code != 0 && code != MDB_NOTFOUND) return lmdb_failure(code);
    return std::max(cursor, until);
}

}  // namespace keelson::store
