// Pause: a sleep that can be ended early, once and for all. For loops that wait most of their time and have
// to end when their owner does: a coroutine that merely sleeps is lost with the timer that an executor drops
// when it stops.
//
// Thread-safe; one sleeper at a time.
#pragma once

#include <mutex>
#include <optional>

#include "kernel/base/task.h"

namespace keelson::base {

class Pause {
  public:
    // True after the whole time; false when stop() was called, before or meanwhile. The Pause outlives the
    // task.
    Task<bool> sleep(Duration length) {
        Executor& executor = co_await current_executor();
        const Completion<bool> over;
        {
            const std::lock_guard lock(mutex_);
            if (is_stopped_) co_return false;
            present_ = over;
        }
        const auto timer = executor.post_after(length, [over] { over.complete(true); });
        const bool is_whole = co_await over;
        timer->cancel();
        co_return is_whole;
    }

    void stop() {
        const std::lock_guard lock(mutex_);
        is_stopped_ = true;
        if (present_) present_->complete(false);
    }

  private:
    std::mutex mutex_;
    std::optional<Completion<bool>> present_;
    bool is_stopped_ = false;
};

}  // namespace keelson::base
