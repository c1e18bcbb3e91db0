#include "kernel/store/recent_changes.h"

#include <algorithm>
#include <mutex>

namespace keelson::store {
namespace {

// What a change takes beside its bytes: control blocks, map nodes, ring entry. Measured, roughly.
constexpr std::size_t kOverheadBytes = 320;
// How many keys are taken out of the map in one go, so that readers wait only shortly.
constexpr std::size_t kForgetBatch = 128;

}  // namespace

std::size_t RecentChanges::cost(const Change& change) {
    const std::size_t previous = change.previous ? change.previous->encoded().size() : 0;
    return kOverheadBytes + change.record->encoded().size() + previous;
}

void RecentChanges::add(const Change& change, bool deferred) {
    std::unique_lock lock(mutex_);
    versions_[std::string(change.record->fields().key)].push_back(change.record);
    pending_.push_back({change, deferred});
}

std::vector<Change> RecentChanges::publish(Position visible) {
    std::vector<Change> changes;
    changes.reserve(pending_.size());
    std::unique_lock lock(mutex_);
    for (Entry& entry : pending_) {
        const std::size_t bytes = cost(entry.change);
        ring_bytes_ += bytes;
        unflushed_bytes_ += bytes;
        if (entry.deferred) {
            deferred_bytes_ += bytes;
            ++deferred_count_;
        }
        changes.push_back(entry.change);
        ring_.push_back(std::move(entry));
    }
    pending_.clear();
    visible_.store(visible, std::memory_order_release);
    return changes;
}

void RecentChanges::withdraw() {
    std::unique_lock lock(mutex_);
    for (auto entry = pending_.rbegin(); entry != pending_.rend(); ++entry) {
        const auto found = versions_.find(entry->change.record->fields().key);
        found->second.pop_back();
        if (found->second.empty()) versions_.erase(found);
    }
    pending_.clear();
}

RecordPointer RecentChanges::latest(std::string_view key) const {
    std::shared_lock lock(mutex_);
    const auto found = versions_.find(key);
    return found == versions_.end() ? nullptr : found->second.back();
}

RecordPointer RecentChanges::find(std::string_view key, Revision revision) const {
    std::shared_lock lock(mutex_);
    const auto found = versions_.find(key);
    if (found == versions_.end()) return nullptr;
    for (auto version = found->second.rbegin(); version != found->second.rend(); ++version) {
        if ((*version)->fields().modified() <= revision) return *version;
    }
    return nullptr;
}

RecentChanges::Slice RecentChanges::slice(std::string_view prefix, std::string_view start, Revision revision,
                                          std::size_t limit_bytes, std::size_t limit_records) const {
    Slice slice;
    std::size_t bytes = 0;
    std::shared_lock lock(mutex_);
    for (auto next = versions_.lower_bound(std::max(prefix, start)); next != versions_.end(); ++next) {
        if (!next->first.starts_with(prefix)) break;
        const auto& versions = next->second;
        const auto version = std::find_if(
            versions.rbegin(), versions.rend(),
            [revision](const RecordPointer& record) { return record->fields().modified() <= revision; });
        if (version == versions.rend()) continue;
        if (slice.records.size() >= limit_records || (bytes > limit_bytes && !slice.records.empty())) {
            slice.cut = next->first;
            break;
        }
        bytes += (*version)->fields().bytes.size();
        slice.records.push_back(*version);
    }
    return slice;
}

std::deque<RecentChanges::Entry>::const_iterator RecentChanges::first_after(Position cursor) const {
    return std::upper_bound(ring_.begin(), ring_.end(), cursor,
                            [](Position at, const Entry& entry) { return at < entry.change.position(); });
}

std::optional<Position> RecentChanges::collect(Position cursor, std::string_view prefix, std::size_t limit,
                                               std::vector<Change>& changes, Position& older_until) const {
    std::shared_lock lock(mutex_);
    if (cursor < ring_start_) {
        older_until = ring_start_;
        return std::nullopt;
    }
    const std::size_t wanted = changes.size() + limit;
    for (auto next = first_after(cursor); next != ring_.end(); ++next) {
        if (changes.size() == wanted) return cursor;
        cursor = next->change.position();
        if (next->change.record->fields().key.starts_with(prefix)) changes.push_back(next->change);
    }
    return std::max(cursor, visible_.load(std::memory_order_relaxed));
}

std::vector<RecordPointer> RecentChanges::unflushed(std::size_t limit_records) const {
    std::vector<RecordPointer> records;
    std::shared_lock lock(mutex_);
    for (auto next = first_after(flushed_); next != ring_.end() && records.size() < limit_records; ++next) {
        records.push_back(next->change.record);
    }
    return records;
}

void RecentChanges::forget_flushed(const std::vector<RecordPointer>& records) {
    for (std::size_t begin = 0; begin < records.size(); begin += kForgetBatch) {
        const std::size_t end = std::min(begin + kForgetBatch, records.size());
        std::unique_lock lock(mutex_);
        for (std::size_t index = begin; index < end; ++index) {
            const auto found = versions_.find(records[index]->fields().key);
            if (found == versions_.end()) continue;
            std::erase(found->second, records[index]);
            if (found->second.empty()) versions_.erase(found);
        }
    }
    std::unique_lock lock(mutex_);
    const Position until = records.back()->fields().position;
    for (auto entry = first_after(flushed_); entry != ring_.end() && entry->change.position() <= until;
         ++entry) {
        const std::size_t bytes = cost(entry->change);
        unflushed_bytes_ -= bytes;
        if (entry->deferred) {
            deferred_bytes_ -= bytes;
            --deferred_count_;
        }
    }
    flushed_.store(until, std::memory_order_release);
    trim();
}

void RecentChanges::trim() {
    while (!ring_.empty() && ring_bytes_ > keep_bytes_ && ring_.front().change.position() <= flushed_) {
        ring_start_ = ring_.front().change.position();
        ring_bytes_ -= cost(ring_.front().change);
        ring_.pop_front();
    }
}

}  // namespace keelson::store
