#include "kernel/store/memory.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "kernel/store/history.h"
#include "kernel/store/record.h"
#include "kernel/store/rollback.h"
#include "kernel/store/watch_hub.h"

namespace keelson::store {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

// Versions of one key in order of revision; the last may be a tombstone.
using Versions = std::vector<RecordPointer>;

const RecordPointer* version_at(const Versions& versions, Revision revision) {
    const auto after = std::upper_bound(
        versions.begin(), versions.end(), revision,
        [](Revision wanted, const RecordPointer& version) { return wanted < version->fields().modified(); });
    if (after == versions.begin() || (*std::prev(after))->removed()) return nullptr;
    return &*std::prev(after);
}

class MemoryCore final : public ChangeSource {
  public:
    explicit MemoryCore(const MemoryOptions& options)
        : clock_(*options.clock), keep_(options.keep_history), history_(options.keep_history) {}

    Result<Position> collect(Position cursor, std::string_view prefix, std::size_t limit,
                             std::vector<Change>& changes) const override {
        std::lock_guard lock(mutex_);
        if (closed_) return store_closed();
        if (cursor < last_position(compacted_)) return expired_revision(revision_of(cursor), compacted_);
        auto next =
            std::upper_bound(changes_.begin(), changes_.end(), cursor,
                             [](Position at, const Change& change) { return at < change.position(); });
        const std::size_t wanted = changes.size() + limit;
        for (; next != changes_.end(); ++next) {
            if (changes.size() == wanted) return cursor;
            cursor = next->position();
            if (next->record->fields().key.starts_with(prefix)) changes.push_back(*next);
        }
        return std::max(cursor, last_position(current_));
    }

    Revision current() const {
        std::lock_guard lock(mutex_);
        return current_;
    }
    Revision compacted() const {
        std::lock_guard lock(mutex_);
        return compacted_;
    }

    Result<RecordPointer> get(std::string_view key, Revision at) const {
        std::lock_guard lock(mutex_);
        KEELSON_TRY(const Revision revision, readable(at));
        const auto found = keys_.find(key);
        if (found == keys_.end()) return RecordPointer();
        const RecordPointer* version = version_at(found->second, revision);
        return version ? *version : RecordPointer();
    }

    // Copies the page out under the lock, so that a visitor may use the store.
    Result<ScanResult> page(const ScanRequest& request, std::vector<RecordPointer>& records) const {
        std::lock_guard lock(mutex_);
        KEELSON_TRY(const Revision revision, readable(request.revision));
        ScanResult result{.revision = revision};
        std::size_t bytes = 0;
        const std::string& start = std::max(request.start, request.prefix);
        for (auto next = keys_.lower_bound(start); next != keys_.end(); ++next) {
            if (!next->first.starts_with(request.prefix)) break;
            const RecordPointer* version = version_at(next->second, revision);
            if (!version) continue;
            if (bytes > 0 && bytes >= request.limit_bytes) {
                result.more = true;
                result.next_key = next->first;
                break;
            }
            bytes += std::max<std::size_t>((*version)->fields().bytes.size(), 1);
            records.push_back(*version);
        }
        return result;
    }

    Result<std::uint64_t> count(std::string_view prefix, std::string_view start, Revision at) const {
        std::lock_guard lock(mutex_);
        KEELSON_TRY(const Revision revision, readable(at));
        std::uint64_t number = 0;
        for (auto next = keys_.lower_bound(std::max(start, prefix)); next != keys_.end(); ++next) {
            if (!next->first.starts_with(prefix)) break;
            if (version_at(next->second, revision)) ++number;
        }
        return number;
    }

    Result<CommitResult> commit(const Transaction& transaction, std::vector<Change>& made) {
        if (auto refusal = check_transaction(transaction)) return *refusal;
        std::lock_guard lock(mutex_);
        if (closed_) return store_closed();
        for (std::size_t index = 0; index < transaction.operations.size(); ++index) {
            const Operation& operation = transaction.operations[index];
            const RecordPointer current = latest(operation.key);
            const Revision modified = current ? current->fields().modified() : 0;
            if (operation.expected && *operation.expected != modified) {
                Conflict conflict{.operation = index, .current = {}};
                if (current) conflict.current = current->fields().to_owned();
                return CommitResult{.revision = 0, .conflict = std::move(conflict)};
            }
        }
        const Revision revision = current_ + 1;
        for (std::size_t index = 0; index < transaction.operations.size(); ++index) {
            apply(transaction.operations[index], position_of(revision, index), made);
        }
        if (made.empty()) return CommitResult{.revision = current_, .conflict = {}};
        current_ = revision;
        changes_.insert(changes_.end(), made.begin(), made.end());
        ++commits_;
        if (keep_ > base::Duration::zero()) {
            const auto now = clock_.now();
            history_.note(now, current_);
            compact_locked(holds_.limit(history_.due(now), now));
        }
        return CommitResult{.revision = revision, .conflict = {}};
    }

    Result<void> compact(Revision revision) {
        std::lock_guard lock(mutex_);
        if (closed_) return store_closed();
        if (revision > current_) return future_revision(revision, current_);
        compact_locked(holds_.limit(revision, clock_.now()));
        return {};
    }

    void hold(Revision revision, base::Duration duration) {
        std::lock_guard lock(mutex_);
        holds_.add(revision == 0 ? current_ : revision, clock_.now() + duration);
    }

    Statistics statistics() const {
        std::lock_guard lock(mutex_);
        Statistics statistics{
            .current = current_, .compacted = compacted_, .keys = live_, .commits = commits_};
        statistics.groups = commits_;
        for (const auto& [key, versions] : keys_) {
            for (const auto& version : versions) statistics.used_bytes += version->encoded().size();
        }
        return statistics;
    }

    void close() {
        std::lock_guard lock(mutex_);
        closed_ = true;
    }

    [[nodiscard]] Position processed() const { return last_position(current()); }

  private:
    Result<Revision> readable(Revision at) const {
        if (closed_) return store_closed();
        if (at == 0) return current_;
        if (at < compacted_) return expired_revision(at, compacted_);
        if (at > current_) return future_revision(at, current_);
        return at;
    }

    RecordPointer latest(std::string_view key) const {
        const auto found = keys_.find(key);
        if (found == keys_.end() || found->second.back()->removed()) return nullptr;
        return found->second.back();
    }

    void apply(const Operation& operation, Position position, std::vector<Change>& made) {
        if (operation.kind == Operation::Kind::check) return;
        const RecordPointer current = latest(operation.key);
        const bool removal = operation.kind == Operation::Kind::remove;
        if (removal && !current) return;
        const RecordFields fields{
            .kind = removal ? Event::Kind::removed : (current ? Event::Kind::updated : Event::Kind::created),
            .position = position,
            .created = current ? current->fields().created : revision_of(position),
            .previous = current ? current->fields().position : 0,
            .header = operation.header,
            .key = operation.key,
            .bytes = operation.bytes};
        Change change{std::make_shared<StoredRecord>(fields), current};
        keys_[operation.key].push_back(change.record);
        if (removal) --live_;
        if (!current) ++live_;
        made.push_back(std::move(change));
    }

    void compact_locked(Revision revision) {
        if (revision <= compacted_) return;
        compacted_ = revision;
        while (!changes_.empty() && changes_.front().record->fields().modified() <= revision) {
            const auto found = keys_.find(changes_.front().record->fields().key);
            changes_.pop_front();
            if (found == keys_.end()) continue;
            // Keeps the newest version at or below the revision, unless it says that the key is gone.
            Versions& versions = found->second;
            std::size_t old = 0;
            while (old + 1 < versions.size() && versions[old + 1]->fields().modified() <= revision) ++old;
            if (versions[old]->removed() && versions[old]->fields().modified() <= revision) ++old;
            versions.erase(versions.begin(), versions.begin() + static_cast<std::ptrdiff_t>(old));
            if (versions.empty()) keys_.erase(found);
        }
    }

    mutable std::mutex mutex_;
    base::Clock& clock_;
    base::Duration keep_;
    std::map<std::string, Versions, std::less<>> keys_;
    std::deque<Change> changes_;
    Holds holds_;
    HistoryClock history_;
    Revision current_ = 1;  // as etcd: an empty store has a revision that can be listed at
    Revision compacted_ = 0;
    std::uint64_t live_ = 0;
    std::uint64_t commits_ = 0;
    bool closed_ = false;
};

class MemoryStore final : public Store {
  public:
    explicit MemoryStore(const MemoryOptions& options)
        : core_(std::make_shared<MemoryCore>(options)),
          hub_(std::make_shared<WatchHub>(core_->processed())) {}
    ~MemoryStore() override { core_->close(); }

    [[nodiscard]] Revision current() const override { return core_->current(); }
    [[nodiscard]] Revision compacted() const override { return core_->compacted(); }

    [[nodiscard]] Result<std::optional<OwnedRecord>> get(std::string_view key, Revision at) const override {
        KEELSON_TRY(const RecordPointer record, core_->get(key, at));
        if (!record) return std::nullopt;
        return record->fields().to_owned();
    }

    [[nodiscard]] Result<ScanResult> scan(const ScanRequest& request,
                                          const std::function<bool(const Record&)>& visit) const override {
        std::vector<RecordPointer> records;
        KEELSON_TRY(ScanResult result, core_->page(request, records));
        for (std::size_t index = 0; index < records.size(); ++index) {
            const bool go_on = visit(records[index]->fields().to_record());
            if (!go_on && index + 1 < records.size()) {
                result.more = true;
                result.next_key = records[index + 1]->fields().key;
            }
            if (!go_on) break;
        }
        return result;
    }

    [[nodiscard]] Result<std::uint64_t> count(std::string_view prefix, std::string_view start,
                                              Revision at) const override {
        return core_->count(prefix, start, at);
    }

    [[nodiscard]] Task<Result<CommitResult>> commit(Transaction transaction) override {
        std::vector<Change> made;
        // Held over both: watches must hear of commits in their order.
        std::lock_guard lock(publish_mutex_);
        auto result = core_->commit(transaction, made);
        if (!made.empty()) hub_->publish(made, last_position(made.back().record->fields().modified()));
        co_return result;
    }

    [[nodiscard]] Result<std::unique_ptr<Watch>> watch(std::string prefix, Revision after) override {
        std::vector<Change> none;
        // Nothing is collected; this only asks whether the revision is still there.
        KEELSON_TRY([[maybe_unused]] const Position cursor,
                    core_->collect(last_position(after), prefix, 0, none));
        return WatchHub::make_watch(hub_, core_, std::move(prefix), after);
    }

    [[nodiscard]] Task<Result<void>> read_barrier() override { co_return base::ok(); }
    [[nodiscard]] Task<Result<void>> compact(Revision revision) override {
        co_return core_->compact(revision);
    }
    void hold(Revision revision, base::Duration duration) override { core_->hold(revision, duration); }
    [[nodiscard]] Task<Result<void>> flush() override { co_return base::ok(); }
    [[nodiscard]] Task<Result<Revision>> snapshot(std::string) override {
        co_return Status(Reason::method_not_allowed,
                         "the memory store cannot be copied to a file: use the lmdb store");
    }
    [[nodiscard]] Task<Result<Revision>> rollback(std::string prefix, Revision revision) override {
        return rollback_by_writes(*this, std::move(prefix), revision);
    }
    [[nodiscard]] Statistics statistics() const override { return core_->statistics(); }
    void close() override { core_->close(); }

  private:
    std::shared_ptr<MemoryCore> core_;
    std::shared_ptr<WatchHub> hub_;
    std::mutex publish_mutex_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(MemoryOptions options) {
    return std::make_unique<MemoryStore>(options);
}

}  // namespace keelson::store
