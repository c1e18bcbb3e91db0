// gather: awaits many tasks at once. Each starts at once on the awaiting thread and goes on as it can; so
// writes that do not depend on each other share one commit. The caller bounds how many there are.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "kernel/base/task.h"

namespace keelson::base {

// The results are in the order of the tasks.
template <typename T>
Task<std::vector<T>> gather(std::vector<Task<T>> tasks) {
    struct State {
        explicit State(std::size_t count) : values(count), left(count) {}
        std::vector<std::optional<T>> values;
        std::atomic<std::size_t> left;
        Completion<bool> all;
    };
    std::vector<T> results;
    if (tasks.empty()) co_return results;
    Executor& executor = co_await current_executor();
    const auto state = std::make_shared<State>(tasks.size());
    for (std::size_t index = 0; index < tasks.size(); ++index)
        spawn(executor, std::move(tasks[index]), [state, index](T value) {
            state->values[index].emplace(std::move(value));
            if (state->left.fetch_sub(1) == 1) state->all.complete(true);
        });
    co_await state->all;
    results.reserve(state->values.size());
    for (auto& value : state->values) results.push_back(std::move(*value));
    co_return results;
}

}  // namespace keelson::base
