// How much history a store keeps: time-limited holds, and which revision is old enough to be compacted. Not
// thread-safe. Private to kernel/store.
#pragma once

#include <algorithm>
#include <deque>
#include <map>

#include "kernel/base/clock.h"
#include "kernel/store/store.h"

namespace keelson::store {

// Revisions that somebody still reads, each until a point in time.
class Holds {
  public:
    void add(Revision revision, base::MonotonicTime until) {
        auto& known = until_[revision];
        known = std::max(known, until);
    }
    // The highest revision that may be compacted although `wanted` was asked for.
    Revision limit(Revision wanted, base::MonotonicTime now) {
        std::erase_if(until_, [now](const auto& hold) { return hold.second <= now; });
        return until_.empty() ? wanted : std::min(wanted, until_.begin()->first);
    }

  private:
    std::map<Revision, base::MonotonicTime> until_;
};

// Remembers when which revision was current, coarsely: a sample at most every quarter of the time to keep,
// for each sample that becomes due is a write of the disk, and an idle store should write (almost) nothing.
class HistoryClock {
  public:
    explicit HistoryClock(base::Duration keep) : keep_(keep) {}

    void note(base::MonotonicTime now, Revision revision) {
        if (samples_.empty() || now - samples_.back().when >= keep_ / 4) {
            samples_.push_back({now, revision});
        } else {
            samples_.back().revision = revision;
        }
    }
    // The newest revision that is older than the time to keep; 0 = none.
    Revision due(base::MonotonicTime now) {
        while (!samples_.empty() && now - samples_.front().when >= keep_ + keep_ / 4) {
            due_ = samples_.front().revision;
            samples_.pop_front();
        }
        return due_;
    }
    [[nodiscard]] bool empty() const { return samples_.empty(); }
    // When the next revision becomes due; only when not empty.
    [[nodiscard]] base::MonotonicTime next() const { return samples_.front().when + keep_ + keep_ / 4; }

  private:
    struct Sample {
        base::MonotonicTime when;
        Revision revision;
    };
    base::Duration keep_;
    std::deque<Sample> samples_;
    Revision due_ = 0;
};

}  // namespace keelson::store
