// The commit thread of the lmdb engine: takes every transaction that waits, checks and orders them, writes
// the durable ones to the journal with one sync, makes all visible, tells watches and writers.
#include <algorithm>
#include <cstring>

#include "kernel/base/log.h"
#include "kernel/store/lmdb_core.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kMaximumQueued = 65'536;
constexpr std::size_t kMaximumQueuedBytes = 256u << 20;
constexpr std::size_t kMaximumGroupBytes = 2u << 20;

std::size_t bytes_of(const Transaction& transaction) {
    std::size_t bytes = 0;
    for (const Operation& operation : transaction.operations)
        bytes += operation.key.size() + operation.bytes.size() + 64;
    return bytes;
}

bool has_put(const Transaction& transaction) {
    return std::any_of(transaction.operations.begin(), transaction.operations.end(),
                       [](const Operation& operation) { return operation.kind == Operation::Kind::put; });
}

}  // namespace

// What one round of the commit thread does.
struct LmdbCore::Group {
    JournalGroup journal;
    std::vector<Result<CommitResult>> results;  // one for each pending transaction
    std::vector<std::string> new_classes;
    Position last = 0;  // of its changes; 0 = it changes nothing
    Revision reserved = 0;
    std::int64_t keys_added = 0;
    std::size_t applied = 0;
    bool deferred = false;
    bool removed = false;
};

LmdbCore::CommitCompletion LmdbCore::submit(Transaction transaction) {
    CommitCompletion done;
    if (auto refusal = check_transaction(transaction)) {
        done.complete(*refusal);
        return done;
    }
    const std::size_t bytes = bytes_of(transaction);
    if (bytes > options_.journal_bytes / 2) {
        done.complete(Status(Reason::request_entity_too_large, "a transaction of " + std::to_string(bytes) +
                                                                   " bytes does not fit into the journal"));
        return done;
    }
    {
        std::lock_guard lock(queue_mutex_);
        if (closing_) {
            done.complete(store_closed());
            return done;
        }
        if (queue_.size() >= kMaximumQueued || queue_bytes_ + bytes > kMaximumQueuedBytes) {
            Status busy(Reason::too_many_requests,
                        "too many writes wait for the disk: try again in a second");
            busy.mutable_details().retry_after_seconds = 1;
            done.complete(std::move(busy));
            return done;
        }
        queue_.push_back({std::move(transaction), done});
        queue_bytes_ += bytes;
    }
    queue_ready_.notify_one();
    return done;
}

void LmdbCore::run_commits() {
    std::vector<Pending> batch;
    while (true) {
        {
            std::unique_lock lock(queue_mutex_);
            queue_ready_.wait(lock, [this] { return closing_ || !queue_.empty(); });
            if (queue_.empty()) return;
            std::size_t bytes = 0;
            std::size_t count = 0;
            while (count < queue_.size() && (count == 0 || bytes < kMaximumGroupBytes)) {
                bytes += bytes_of(queue_[count++].transaction);
                // A group fits into an empty journal file, whatever its last transaction is.
                if (bytes > options_.journal_bytes / 4) break;
            }
            queue_bytes_ -= bytes;
            if (count == queue_.size()) {
                batch.swap(queue_);
            } else {
                const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
                batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
                queue_.erase(queue_.begin(), end);
            }
        }
        process(batch);
        batch.clear();
    }
}

void LmdbCore::process(std::vector<Pending>& batch) {
    std::size_t put_bytes = 0;
    for (const Pending& pending : batch) {
        if (has_put(pending.transaction)) put_bytes += bytes_of(pending.transaction);
    }
    if (put_bytes > 0) {
        // Memory is bounded by waiting for the file when deferred writes come faster than it takes them.
        const std::size_t limit = 2 * options_.journal_bytes + 4 * options_.deferred_limit_bytes;
        std::unique_lock lock(maintenance_mutex_);
        if (recent_->unflushed_bytes() > limit) wait_for_flush(lock);
        lock.unlock();
        const bool full = !has_space(put_bytes);
        if (full != read_only_) {
            read_only_ = full;
            if (full) base::log_error("the store takes removals only", {{"reason", full_disk()}});
            if (!full) base::log_info("the store takes writes again", {{"directory", directory_}});
        }
    }
    Group group;
    group.reserved = reserved_;
    group.results.reserve(batch.size());
    for (Pending& pending : batch) apply(pending, group);
    finish(batch, group, make_durable(group));
}

void LmdbCore::apply(Pending& pending, Group& group) {
    const Transaction& transaction = pending.transaction;
    if (broken_) {
        group.results.emplace_back(Status(Reason::service_unavailable, broken_message_));
        return;
    }
    if (read_only_ && has_put(transaction)) {
        group.results.emplace_back(full_disk());
        return;
    }
    std::vector<Latest> latest(transaction.operations.size());
    auto conflict = find_conflict(transaction, latest);
    if (!conflict) {
        group.results.emplace_back(conflict.error());
        return;
    }
    if (*conflict) {
        group.results.emplace_back(CommitResult{.revision = 0, .conflict = std::move(**conflict)});
        return;
    }
    const Revision revision = next_revision_;
    const bool deferred = transaction.durability == Durability::deferred;
    const Position before = group.last;
    for (std::size_t index = 0; index < transaction.operations.size(); ++index) {
        change(transaction.operations[index], latest[index], position_of(revision, index), deferred, group);
    }
    if (group.last == before) {
        group.results.emplace_back(CommitResult{.revision = revision - 1, .conflict = {}});
        return;
    }
    if (revision > group.reserved)
        group.reserved = revision - 1 + std::max<std::uint64_t>(options_.revision_block, 1);
    ++next_revision_;
    ++group.applied;
    group.results.emplace_back(CommitResult{.revision = revision, .conflict = {}});
}

Result<std::optional<Conflict>> LmdbCore::find_conflict(const Transaction& transaction,
                                                        std::vector<Latest>& latest) const {
    for (std::size_t index = 0; index < transaction.operations.size(); ++index) {
        const Operation& operation = transaction.operations[index];
        KEELSON_TRY(latest[index], find_latest(operation.key));
        const Revision modified = revision_of(latest[index].position);
        if (!operation.expected || *operation.expected == modified) continue;
        Conflict conflict{.operation = index, .current = {}};
        if (latest[index].record) {
            conflict.current = latest[index].record->fields().to_owned();
        } else if (latest[index].position != 0) {
            KEELSON_TRY(const LmdbRead read, environment_->read());
            KEELSON_TRY(const RecordPointer record, load(read.get(), latest[index].position, operation.key));
            conflict.current = record->fields().to_owned();
        }
        return conflict;
    }
    return std::nullopt;
}

Result<LmdbCore::Latest> LmdbCore::find_latest(const std::string& key) const {
    // Memory first, then the file: a version may move between the two meanwhile.
    if (const RecordPointer record = recent_->latest(key)) {
        if (record->removed()) return Latest{};
        return Latest{record->fields().position, record->fields().created, record};
    }
    KEELSON_TRY(const LmdbRead read, environment_->read());
    IndexKey wanted(key, ~Position{0});
    MDB_val index_key = wanted.value();
    MDB_val data;
    const int code = mdb_cursor_get(read.index(), &index_key, &data, MDB_SET_RANGE);
    if (code == MDB_NOTFOUND) return Latest{};
    if (code != 0)
        return Status(Reason::store_read_error, std::string("reading the data file: ") + mdb_strerror(code));
    const auto found = IndexKey::parse(index_key);
    if (!found || found->first != key) return Latest{};
    Revision created = 0;
    if (data.mv_size == sizeof created) std::memcpy(&created, data.mv_data, sizeof created);
    if (created == 0) return Latest{};
    return Latest{found->second, created, nullptr};
}

RecordPointer LmdbCore::load_previous(const Latest& latest, std::string_view key) const {
    if (latest.position == 0 || latest.record) return latest.record;
    const auto read = environment_->read();
    if (!read) return nullptr;
    // A damaged value does not stand in the way of replacing or removing it.
    auto record = load(read->get(), latest.position, key);
    return record ? *record : nullptr;
}

void LmdbCore::change(const Operation& operation, const Latest& latest, Position position, bool deferred,
                      Group& group) {
    if (operation.kind == Operation::Kind::check) return;
    const bool exists = latest.position != 0;
    const bool removal = operation.kind == Operation::Kind::remove;
    if (removal && !exists) return;
    const RecordFields fields{.kind = removal  ? Event::Kind::removed
                                      : exists ? Event::Kind::updated
                                               : Event::Kind::created,
                              .position = position,
                              .created = exists ? latest.created : revision_of(position),
                              .previous = latest.position,
                              .header = operation.header,
                              .key = operation.key,
                              .bytes = operation.bytes};
    const Change made{std::make_shared<StoredRecord>(fields), load_previous(latest, operation.key)};
    recent_->add(made, deferred);
    if (deferred) {
        const std::string_view name = class_of(operation.key);
        std::lock_guard lock(classes_mutex_);
        if (!deferred_classes_.contains(name) &&
            std::find(group.new_classes.begin(), group.new_classes.end(), name) == group.new_classes.end()) {
            group.new_classes.emplace_back(name);
            group.journal.add_deferred_class(name);
        }
        group.deferred = true;
    } else {
        group.journal.add(*made.record);
    }
    group.last = position;
    group.keys_added += removal ? -1 : exists ? 0 : 1;
    group.removed = group.removed || removal;
}

// True when the journal can take that much; waits for the maintenance thread to empty a file if need be.
bool LmdbCore::wait_for_room(std::size_t payload_bytes) {
    std::unique_lock lock(maintenance_mutex_);
    while (!journal_->has_room(payload_bytes, recent_->flushed())) {
        const Position flushed = recent_->flushed();
        wait_for_flush(lock);
        if (recent_->flushed() == flushed && !journal_->has_room(payload_bytes, flushed)) return false;
    }
    return true;
}

Result<void> LmdbCore::make_durable(Group& group) {
    if (group.last == 0) return {};
    const bool reserves = group.reserved != reserved_;
    if (group.journal.empty() && !reserves) return {};
    const std::size_t bytes = group.journal.size();
    if (!wait_for_room(bytes)) return full_disk();
    const bool turns = journal_->will_turn(bytes);
    if (auto written = journal_->append(group.journal, group.last, group.reserved); !written) {
        // After a failed sync the system may have dropped the data; going on could acknowledge what is not
        // there.
        broken_message_ = "the store has stopped taking writes: " + written.error().message() +
                          ": check the disk, then restart";
        broken_ = true;
        base::log_error("the journal failed", {{"reason", written.error()}});
        return Status(Reason::service_unavailable, broken_message_);
    }
    reserved_ = group.reserved;
    if (turns) {
        std::lock_guard lock(maintenance_mutex_);
        flush_requested_ = true;
        maintenance_ready_.notify_one();
    }
    return {};
}

void LmdbCore::finish(std::vector<Pending>& batch, Group& group, const Result<void>& durable) {
    if (!durable) {
        recent_->withdraw();
        next_revision_ = current() + 1;
    } else if (group.last != 0) {
        const Position visible = last_position(revision_of(group.last));
        {
            std::lock_guard lock(classes_mutex_);
            deferred_classes_.insert(group.new_classes.begin(), group.new_classes.end());
        }
        keys_ += static_cast<std::uint64_t>(group.keys_added);
        commits_ += group.applied;
        const auto changes = recent_->publish(visible);
        {
            const auto now = options_.clock->now();
            std::lock_guard lock(maintenance_mutex_);
            bool wake = history_.empty();
            history_.note(now, revision_of(visible));
            dirty_meta_ = true;
            if (group.deferred && oldest_deferred_ == base::MonotonicTime{}) {
                oldest_deferred_ = now;
                wake = true;
            }
            const bool crowded = recent_->deferred_bytes() > options_.deferred_limit_bytes;
            const bool relieve = read_only_ && group.removed;
            if (crowded || relieve) flush_requested_ = true;
            if (wake || crowded || relieve) maintenance_ready_.notify_one();
        }
        hub_->publish(changes, visible);
    }
    for (std::size_t index = 0; index < batch.size(); ++index) {
        // A conflict may stem from a change of the same group that has failed: then it is the group's failure
        // too.
        const bool failed = !durable && group.results[index];
        if (failed) {
            batch[index].done.complete(durable.error());
        } else {
            batch[index].done.complete(std::move(group.results[index]));
        }
    }
}

}  // namespace keelson::store
