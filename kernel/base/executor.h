// Where kernel code runs. Rooms never start threads or block: they post to an Executor, and hand blocking
// work (files, exec, commits, plugin calls) to run_blocking, which is bounded. The simulation supplies an
// Executor of its own with virtual time, where run_blocking runs inline.
#pragma once

#include <functional>
#include <memory>

#include "kernel/base/clock.h"

namespace keelson::base {

using Callback = std::move_only_function<void()>;

// A timer that has not fired may be cancelled; cancelling twice, or after it fired, does nothing.
// Dropping the handle does not cancel. Thread-safe.
class Timer {
  public:
    virtual ~Timer() = default;
    virtual void cancel() = 0;
};

// Thread-safe. Callbacks never run inside post() itself.
class Executor {
  public:
    virtual ~Executor() = default;
    virtual void post(Callback callback) = 0;
    virtual std::shared_ptr<Timer> post_at(MonotonicTime when, Callback callback) = 0;
    // Runs work on a bounded pool for blocking calls; it must post its own continuation.
    virtual void run_blocking(Callback work) = 0;
    [[nodiscard]] virtual Clock& clock() = 0;

    std::shared_ptr<Timer> post_after(Duration delay, Callback callback) {
        return post_at(clock().now() + delay, std::move(callback));
    }
};

}  // namespace keelson::base
