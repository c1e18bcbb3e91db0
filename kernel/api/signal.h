// Tells one waiting task of a loop that something has changed. For tasks of one thread.
#pragma once

#include <optional>
#include <utility>

#include "kernel/base/task.h"

namespace keelson::api {

class Signal {
  public:
    // Waits for the first raise() since the last wait() has ended.
    base::Task<void> wait() {
        if (!std::exchange(is_raised_, false)) {
            const base::Completion<bool> raised;
            waiting_ = raised;
            co_await raised;
            is_raised_ = false;
        }
    }
    void raise() {
        is_raised_ = true;
        if (waiting_) std::exchange(waiting_, std::nullopt)->complete(true);
    }

  private:
    std::optional<base::Completion<bool>> waiting_;
    bool is_raised_ = false;
};

}  // namespace keelson::api
