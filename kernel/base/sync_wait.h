// Ways out of coroutine code for tests and the outermost edge of a program: run a Task and wait for its
// result.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "kernel/base/executor_simulated.h"
#include "kernel/base/task.h"

namespace keelson::base {

// Starts the task on the calling thread and blocks until it has ended. Never call it on a thread of
// `executor`.
template <typename T>
T sync_wait(Executor& executor, Task<T> task) {
    using Slot = std::conditional_t<std::is_void_v<T>, bool, T>;
    struct State {
        std::mutex mutex;
        std::condition_variable done;
        std::optional<Slot> value;
    };
    // Shared: the waiter may return while the finisher is still inside notify.
    auto state = std::make_shared<State>();
    auto finish = [state](Slot value) {
        std::lock_guard lock(state->mutex);
        state->value.emplace(std::move(value));
        state->done.notify_all();
    };
    if constexpr (std::is_void_v<T>) {
        spawn(executor, std::move(task), [finish] { finish(true); });
    } else {
        spawn(executor, std::move(task), [finish](T value) { finish(std::move(value)); });
    }
    std::unique_lock lock(state->mutex);
    state->done.wait(lock, [&] { return state->value.has_value(); });
    if constexpr (!std::is_void_v<T>) return std::move(*state->value);
}

// The same in virtual time: runs the simulation until the task has ended. Ends the process when the task
// cannot end within `limit` of virtual time, which is a deadlock in the code under test.
template <typename T>
T sync_wait(SimulatedExecutor& executor, Task<T> task, Duration limit = std::chrono::hours(1)) {
    using Slot = std::conditional_t<std::is_void_v<T>, bool, T>;
    auto value = std::make_shared<std::optional<Slot>>();
    if constexpr (std::is_void_v<T>) {
        spawn(static_cast<Executor&>(executor), std::move(task), [value] { value->emplace(true); });
    } else {
        spawn(static_cast<Executor&>(executor), std::move(task),
              [value](T result) { value->emplace(std::move(result)); });
    }
    if (!executor.run_until([&] { return value->has_value(); }, limit)) {
        std::fputs("sync_wait: the task does not end: nothing is ready and no timer is due\n", stderr);
        std::abort();
    }
    if constexpr (!std::is_void_v<T>) return std::move(**value);
}

}  // namespace keelson::base
