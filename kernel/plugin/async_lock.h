// Mutual exclusion for coroutines: whoever waits does so without holding a thread.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "kernel/base/task.h"

namespace keelson::plugin {

class AsyncLock {
  public:
    // Lets go when it is destroyed.
    class Hold {
      public:
        explicit Hold(AsyncLock& lock) : lock_(&lock) {}
        Hold(Hold&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
        Hold& operator=(Hold&&) = delete;
        ~Hold() {
            if (lock_) lock_->release();
        }

      private:
        AsyncLock* lock_;
    };

    base::Task<Hold> acquire() {
        base::Completion<bool> turn;
        bool is_free = false;
        {
            const std::lock_guard lock(mutex_);
            is_free = !std::exchange(held_, true);
            if (!is_free) waiting_.push_back(turn);
        }
        if (!is_free) co_await turn;
        co_return Hold(*this);
    }

  private:
    void release() {
        base::Completion<bool> next;
        {
            const std::lock_guard lock(mutex_);
            if (waiting_.empty()) {
                held_ = false;
                return;
            }
            next = std::move(waiting_.front());
            waiting_.pop_front();
        }
        next.complete(true);
    }

    std::mutex mutex_;
    bool held_ = false;
    std::deque<base::Completion<bool>> waiting_;
};

}  // namespace keelson::plugin
