// The way out for threads that wait when the server stops.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>

#include "kernel/base/task.h"

namespace keelson::admin {

class Gate {
  public:
    enum class Stage { open, draining, closed };

    void move_to(Stage stage) {
        const std::lock_guard lock(mutex_);
        stage_ = stage;
        changed_.notify_all();
    }
    [[nodiscard]] Stage stage() const {
        const std::lock_guard lock(mutex_);
        return stage_;
    }

    // Runs the task and waits for its result; nothing when the server stops first. The task then goes on by
    // itself.
    template <typename T>
    static std::optional<T> wait(const std::shared_ptr<Gate>& gate, base::Executor& executor,
                                 base::Task<T> task) {
        // Shared: the task may end long after the waiter has left.
        auto value = std::make_shared<std::optional<T>>();
        base::spawn(executor, std::move(task), [gate, value](T result) {
            const std::lock_guard lock(gate->mutex_);
            value->emplace(std::move(result));
            gate->changed_.notify_all();
        });
        std::unique_lock lock(gate->mutex_);
        gate->changed_.wait(lock, [&] { return value->has_value() || gate->stage_ == Stage::closed; });
        return std::move(*value);
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Stage stage_ = Stage::open;
};

}  // namespace keelson::admin
