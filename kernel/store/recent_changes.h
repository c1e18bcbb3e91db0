// The newest part of the store, in memory: versions that the data file may not have yet, and the last changes
// for watches. Private to kernel/store. Thread-safe; add, publish and withdraw come from the commit thread
// only, forget_flushed from the maintenance thread only.
//
// A change is added (the writer sees it), published once it is durable (readers see it), flushed to the data
// file, and forgotten here some time after. Readers look here first and into the data file second: a change
// that moves in between is then seen twice, never missed.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "kernel/store/record.h"

namespace keelson::store {

class RecentChanges {
  public:
    // Everything up to `flushed` is in the data file and visible.
    RecentChanges(Position flushed, std::size_t keep_bytes)
        : keep_bytes_(keep_bytes), ring_start_(flushed), visible_(flushed), flushed_(flushed) {}

    void add(const Change& change, bool deferred);
    // Makes everything that was added visible. Returns the changes, for the watches.
    [[nodiscard]] std::vector<Change> publish(Position visible);
    // Takes back what was added and not published.
    void withdraw();

    // The newest version of a key, visible or not; null when it is not here.
    [[nodiscard]] RecordPointer latest(std::string_view key) const;
    // The version of a key at a revision, perhaps a tombstone; null when it is not here.
    [[nodiscard]] RecordPointer find(std::string_view key, Revision revision) const;

    struct Slice {
        std::vector<RecordPointer> records;  // one a key, tombstones included, in order of key
        std::optional<std::string> cut;      // there is more from this key on
    };
    // The versions at a revision of the keys from `start` on that begin with prefix, up to a limit.
    [[nodiscard]] Slice slice(std::string_view prefix, std::string_view start, Revision revision,
                              std::size_t limit_bytes, std::size_t limit_records) const;

    // Appends up to `limit` changes after the cursor and returns the new cursor; nullopt when the cursor is
    // older than what is kept here (the data file has those up to `older_until`).
    [[nodiscard]] std::optional<Position> collect(Position cursor, std::string_view prefix, std::size_t limit,
                                                  std::vector<Change>& changes, Position& older_until) const;

    // The oldest visible changes that are not in the data file.
    [[nodiscard]] std::vector<RecordPointer> unflushed(std::size_t limit_records) const;
    // These are in the data file now.
    void forget_flushed(const std::vector<RecordPointer>& records);

    [[nodiscard]] Position visible() const { return visible_.load(std::memory_order_acquire); }
    [[nodiscard]] Position flushed() const { return flushed_.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t unflushed_bytes() const {
        return unflushed_bytes_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::size_t deferred_bytes() const {
        return deferred_bytes_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t deferred_count() const {
        return deferred_count_.load(std::memory_order_relaxed);
    }

  private:
    struct Entry {
        Change change;
        bool deferred;
    };
    using Versions = std::vector<RecordPointer>;  // of one key, in order

    [[nodiscard]] static std::size_t cost(const Change& change);
    [[nodiscard]] std::deque<Entry>::const_iterator first_after(Position cursor) const;
    void trim();

    std::size_t keep_bytes_;
    mutable std::shared_mutex mutex_;
    std::map<std::string, Versions, std::less<>> versions_;  // not flushed, or not forgotten yet
    std::deque<Entry> ring_;                                 // after ring_start_, published
    std::vector<Entry> pending_;                             // added, not published
    std::size_t ring_bytes_ = 0;
    Position ring_start_;
    std::atomic<Position> visible_;
    std::atomic<Position> flushed_;
    std::atomic<std::size_t> unflushed_bytes_{0};
    std::atomic<std::size_t> deferred_bytes_{0};
    std::atomic<std::uint64_t> deferred_count_{0};
};

}  // namespace keelson::store
