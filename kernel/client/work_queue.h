// A queue of keys to reconcile. A key that is added many times is worked on once; a key that is added while
// it is being worked on comes again afterwards, never twice at the same time (the contract of client-go's
// work queue).
//
// Not thread-safe: everything happens on one executor. Bounded by the number of different keys.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/base/task.h"

namespace keelson::client {

struct BackoffSettings {
    base::Duration initial = std::chrono::milliseconds(5);
    base::Duration longest = std::chrono::seconds(1000);
    // Up to this part of a pause is added at random, so that what failed together is not tried together.
    double jitter = 0.1;

    // The pause after that many failures in a row, at least one.
    [[nodiscard]] base::Duration pause(unsigned failures, base::RandomSource& random) const {
        base::Duration pause = initial;
        for (unsigned count = 1; count < failures && pause < longest; ++count) pause *= 2;
        if (pause > longest) pause = longest;
        const double part = static_cast<double>(random.below(1000)) / 1000.0 * jitter;
        return pause + base::Duration(static_cast<std::int64_t>(static_cast<double>(pause.count()) * part));
    }
};

// Copies of a handle are the same queue; timers that outlive the owner find it shut down.
template <typename Key>
class WorkQueue {
  public:
    WorkQueue(base::Executor& executor, base::RandomSource& random, BackoffSettings backoff = {})
        : state_(std::make_shared<State>(executor, random, backoff)) {}
    WorkQueue(const WorkQueue&) = delete;
    WorkQueue& operator=(const WorkQueue&) = delete;
    ~WorkQueue() { shut_down(); }

    void add(const Key& key) { State::add(state_, key); }

    // The earliest of several times counts.
    void add_after(const Key& key, base::Duration delay) {
        if (delay <= base::Duration::zero()) return add(key);
        State& state = *state_;
        const base::MonotonicTime due = state.executor.clock().now() + delay;
        auto [at, is_new] = state.delayed.try_emplace(key);
        if (!is_new) {
            if (at->second.due <= due) return;
            at->second.timer->cancel();
        }
        at->second.due = due;
        at->second.timer = state.executor.post_at(due, [weak = std::weak_ptr<State>(state_), key, due] {
            const auto alive = weak.lock();
            if (!alive) return;
            const auto found = alive->delayed.find(key);
            if (found == alive->delayed.end() || found->second.due != due) return;
            alive->delayed.erase(found);
            State::add(alive, key);
        });
    }

    // After a failure: the pause grows with every failure in a row.
    void add_rate_limited(const Key& key) {
        const unsigned failures = ++state_->failures[key];
        add_after(key, state_->backoff.pause(failures, state_->random));
    }
    // After a success: the next failure is the first again.
    void forget(const Key& key) { state_->failures.erase(key); }
    [[nodiscard]] unsigned failures(const Key& key) const {
        const auto found = state_->failures.find(key);
        return found == state_->failures.end() ? 0 : found->second;
    }

    // The next key, which the caller has until done(); none after shut_down(). Many may wait.
    base::Task<std::optional<Key>> get() {
        const auto state = state_;
        while (state->ready.empty()) {
            if (state->is_shut_down) co_return std::nullopt;
            const base::Completion<bool> wake;
            state->waiting.push_back(wake);
            co_await wake;
        }
        if (state->is_shut_down) co_return std::nullopt;
        Key key = std::move(state->ready.front());
        state->ready.pop_front();
        state->dirty.erase(key);
        state->processing.insert(key);
        co_return key;
    }
    void done(const Key& key) {
        state_->processing.erase(key);
        if (!state_->dirty.contains(key)) return;
        state_->ready.push_back(key);
        state_->wake_one();
    }

    // Those who wait get nothing, and nothing is added any more.
    void shut_down() {
        State& state = *state_;
        state.is_shut_down = true;
        for (auto& [key, delayed] : state.delayed) delayed.timer->cancel();
        state.delayed.clear();
        for (const auto& wake : std::exchange(state.waiting, {})) wake.complete(true);
    }

    // Keys that wait to be worked on.
    [[nodiscard]] std::size_t depth() const { return state_->ready.size(); }
    [[nodiscard]] std::size_t delayed() const { return state_->delayed.size(); }
    // Nothing waits and nothing is worked on; delayed keys may be there.
    [[nodiscard]] bool is_idle() const { return state_->dirty.empty() && state_->processing.empty(); }

  private:
    struct Delayed {
        base::MonotonicTime due;
        std::shared_ptr<base::Timer> timer;
    };
    struct State {
        State(base::Executor& on, base::RandomSource& source, BackoffSettings settings)
            : executor(on), random(source), backoff(settings) {}

        static void add(const std::shared_ptr<State>& state, const Key& key) {
            if (state->is_shut_down || !state->dirty.insert(key).second) return;
            if (state->processing.contains(key)) return;
            state->ready.push_back(key);
            state->wake_one();
        }
        void wake_one() {
            if (waiting.empty()) return;
            const base::Completion<bool> wake = std::move(waiting.front());
            waiting.pop_front();
            wake.complete(true);
        }

        base::Executor& executor;
        base::RandomSource& random;
        BackoffSettings backoff;
        std::deque<Key> ready;
        std::set<Key> dirty;  // in ready, or to be put there when done
        std::set<Key> processing;
        std::map<Key, Delayed> delayed;
        std::map<Key, unsigned> failures;
        std::deque<base::Completion<bool>> waiting;
        bool is_shut_down = false;
    };
    std::shared_ptr<State> state_;
};

}  // namespace keelson::client
