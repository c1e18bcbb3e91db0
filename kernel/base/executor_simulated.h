// The Executor of the simulation: one thread, virtual time, an order of callbacks that a seed decides.
// Nothing runs until the owner says so; the same seed and the same calls always give the same run.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "kernel/base/executor.h"

namespace keelson::base {

// A clock that stands still until it is told to move. Thread-safe to read.
class ManualClock final : public Clock {
  public:
    // The wall clock starts at 2026-01-01T00:00:00Z, the monotonic one at one hour.
    [[nodiscard]] MonotonicTime now() const override {
        return MonotonicTime(std::chrono::hours(1) + Duration(elapsed_ns_.load(std::memory_order_acquire)));
    }
    [[nodiscard]] WallTime wall_now() const override {
        return WallTime(std::chrono::seconds(1'767'225'600) +
                        Duration(elapsed_ns_.load(std::memory_order_acquire)));
    }
    void advance(Duration duration) { elapsed_ns_.fetch_add(duration.count(), std::memory_order_acq_rel); }

  private:
    std::atomic<std::int64_t> elapsed_ns_{0};
};

// Not thread-safe: everything happens on the thread of the owner. run_blocking() runs its work inline, at
// once.
class SimulatedExecutor final : public Executor {
  public:
    // Seed 0 runs callbacks in the order they were posted; any other seed shuffles those that are ready.
    explicit SimulatedExecutor(std::uint64_t seed = 0);
    ~SimulatedExecutor() override;

    void post(Callback callback) override;
    std::shared_ptr<Timer> post_at(MonotonicTime when, Callback callback) override;
    void run_blocking(Callback work) override;
    [[nodiscard]] Clock& clock() override { return clock_; }

    // Runs what is ready, and what that makes ready, without moving the clock. Returns how many callbacks
    // ran; stops at `limit` so that a livelock ends.
    std::size_t run_until_idle(std::size_t limit = 10'000'000);
    // Moves the clock forward in steps from timer to timer, running everything on the way.
    void advance(Duration duration);
    // Runs until done() holds, jumping from timer to timer for at most `limit` of virtual time. True when it
    // holds.
    bool run_until(const std::function<bool()>& done, Duration limit = std::chrono::hours(1));
    // How many timers have neither fired nor been cancelled.
    [[nodiscard]] std::size_t pending_timers() const;

  private:
    struct Timers;

    bool run_one();
    void fire_due();

    ManualClock clock_;
    std::mt19937_64 random_;
    bool shuffle_;
    std::vector<Callback> ready_;
    std::size_t ready_begin_ = 0;  // ready_[0, ready_begin_) has run already
    std::shared_ptr<Timers> timers_;
};

}  // namespace keelson::base
