// Task<T>: a lazily started coroutine with one awaiter, and the ways in and out of coroutine code.
//
// A task starts when it is awaited and runs on the thread that awaits it until it waits for something itself
// (a Completion, a timer, blocking work); then it resumes on the Executor that it was spawned with. An
// exception that reaches a task's border ends the process: kernel code reports failures as Result.
#pragma once

#include <atomic>
#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "kernel/base/executor.h"

namespace keelson::base {

template <typename T>
class Task;

namespace detail {

// Every promise knows the executor that its root was spawned with.
struct PromiseBase {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    Executor* executor = nullptr;

    std::suspend_always initial_suspend() noexcept { return {}; }
    struct FinalAwaiter {
        bool await_ready() noexcept { return false; }
        template <typename Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
            return self.promise().continuation;
        }
        void await_resume() noexcept {}
    };
    FinalAwaiter final_suspend() noexcept { return {}; }
    void unhandled_exception() noexcept { std::terminate(); }
};

template <typename T>
struct Promise : PromiseBase {
    std::optional<T> value;
    Task<T> get_return_object();
    template <typename U>
    void return_value(U&& result) {
        value.emplace(std::forward<U>(result));
    }
};

template <>
struct Promise<void> : PromiseBase {
    Task<void> get_return_object();
    void return_void() {}
};

}  // namespace detail

template <typename T = void>
class [[nodiscard]] Task {
  public:
    using promise_type = detail::Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Task& operator=(Task&& other) noexcept {
        if (this != &other) {
            if (handle_) handle_.destroy();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~Task() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    template <typename Parent>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Parent> parent) noexcept {
        handle_.promise().continuation = parent;
        handle_.promise().executor = parent.promise().executor;
        return handle_;
    }
    T await_resume() {
        if constexpr (!std::is_void_v<T>) return std::move(*handle_.promise().value);
    }

  private:
    friend detail::Promise<T>;
    explicit Task(Handle handle) : handle_(handle) {}
    Handle handle_;
};

namespace detail {

template <typename T>
Task<T> Promise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// The root of a spawned coroutine: starts at once, destroys itself at its end.
struct Detached {
    struct promise_type {
        Executor* executor = nullptr;
        template <typename... Arguments>
        explicit promise_type(Executor& root, Arguments&...) : executor(&root) {}
        Detached get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

template <typename T, typename Done>
Detached run_detached([[maybe_unused]] Executor& executor, Task<T> task, Done done) {
    if constexpr (std::is_void_v<T>) {
        co_await task;
        done();
    } else {
        done(co_await task);
    }
}

}  // namespace detail

// Starts a task on the calling thread; later resumptions are posted to the executor. `done` receives the
// result.
template <typename T, typename Done>
void spawn(Executor& executor, Task<T> task, Done done) {
    detail::run_detached(executor, std::move(task), std::move(done));
}
inline void spawn(Executor& executor, Task<void> task) {
    detail::run_detached(executor, std::move(task), [] {});
}

// A value that arrives once, from any thread; one coroutine awaits it and resumes on its own executor.
// Copies share the same slot.
template <typename T>
class Completion {
  public:
    Completion() : state_(std::make_shared<State>()) {}

    // The first call wins; true when it did.
    bool complete(T value) const {
        std::coroutine_handle<> waiter;
        Executor* executor = nullptr;
        {
            std::lock_guard lock(state_->mutex);
            if (state_->value) return false;
            state_->value.emplace(std::move(value));
            waiter = std::exchange(state_->waiter, {});
            executor = state_->executor;
        }
        if (waiter) executor->post([waiter] { waiter.resume(); });
        return true;
    }

    [[nodiscard]] bool is_complete() const {
        std::lock_guard lock(state_->mutex);
        return state_->value.has_value();
    }

    auto operator co_await() const { return Awaiter{state_}; }

  private:
    struct State {
        std::mutex mutex;
        std::optional<T> value;
        std::coroutine_handle<> waiter;
        Executor* executor = nullptr;
    };
    struct Awaiter {
        std::shared_ptr<State> state;
        bool await_ready() const { return false; }
        template <typename Promise>
        bool await_suspend(std::coroutine_handle<Promise> handle) {
            std::lock_guard lock(state->mutex);
            if (state->value) return false;
            state->waiter = handle;
            state->executor = handle.promise().executor;
            return true;
        }
        T await_resume() { return std::move(*state->value); }
    };
    std::shared_ptr<State> state_;
};

// co_await current_executor(): the executor of the running coroutine.
struct current_executor {
    Executor* executor = nullptr;
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
        executor = handle.promise().executor;
        return false;
    }
    Executor& await_resume() const noexcept { return *executor; }
};

// co_await sleep_for(duration): resumes after that much of the executor's time.
struct sleep_for {
    explicit sleep_for(Duration length) : duration(length) {}
    Duration duration;
    bool await_ready() const noexcept { return duration <= Duration::zero(); }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> handle) {
        handle.promise().executor->post_after(duration, [handle] { handle.resume(); });
    }
    void await_resume() const noexcept {}
};

// co_await blocking(work): runs work() on the bounded pool for blocking calls and returns what it returned.
template <typename Work>
auto blocking(Work work) -> Task<std::invoke_result_t<Work&>> {
    using T = std::invoke_result_t<Work&>;
    Executor& executor = co_await current_executor();
    Completion<std::conditional_t<std::is_void_v<T>, bool, T>> done;
    executor.run_blocking([done, work = std::move(work)]() mutable {
        if constexpr (std::is_void_v<T>) {
            work();
            done.complete(true);
        } else {
            done.complete(work());
        }
    });
    if constexpr (std::is_void_v<T>) {
        co_await done;
    } else {
        co_return co_await done;
    }
}

}  // namespace keelson::base
