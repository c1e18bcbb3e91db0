#include "kernel/base/executor_real.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace keelson::base {
namespace {

void name_thread(const char* role, std::size_t index) {
    const std::string name = std::string(role) + "-" + std::to_string(index);
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

// What the threads share; timer handles keep it alive past the executor.
struct Core {
    using TimerKey = std::pair<MonotonicTime, std::uint64_t>;

    std::mutex mutex;
    std::condition_variable work_ready;      // for workers
    std::condition_variable blocking_ready;  // for the blocking pool
    std::condition_variable idle;            // for stop()
    std::deque<Callback> queue;
    std::deque<Callback> blocking_queue;
    std::map<TimerKey, Callback> timers;
    std::uint64_t next_timer = 0;
    std::size_t running = 0;  // callbacks and blocking calls under way
    std::size_t idle_blocking = 0;
    bool timer_watched = false;  // one idle worker waits for the next timer, the others for work only
    bool draining = false;
    bool stopped = false;

    [[nodiscard]] bool is_idle() const { return queue.empty() && blocking_queue.empty() && running == 0; }
};

class RealTimer final : public Timer {
  public:
    RealTimer(std::weak_ptr<Core> core, Core::TimerKey key) : core_(std::move(core)), key_(key) {}
    void cancel() override {
        const auto core = core_.lock();
        if (!core) return;
        Callback dropped;  // destroyed outside the lock: it may own anything
        std::lock_guard lock(core->mutex);
        if (const auto found = core->timers.find(key_); found != core->timers.end()) {
            dropped = std::move(found->second);
            core->timers.erase(found);
        }
    }

  private:
    std::weak_ptr<Core> core_;
    Core::TimerKey key_;
};

class RealExecutor final : public ThreadExecutor {
  public:
    RealExecutor(std::size_t threads, std::size_t blocking_threads)
        : core_(std::make_shared<Core>()), blocking_limit_(std::max<std::size_t>(1, blocking_threads)) {
        threads = std::max<std::size_t>(1, threads);
        workers_.reserve(threads);
        for (std::size_t index = 0; index < threads; ++index) {
            workers_.emplace_back([core = core_, index] {
                name_thread("worker", index);
                work(*core);
            });
        }
    }
    ~RealExecutor() override { stop(); }

    void post(Callback callback) override {
        std::unique_lock lock(core_->mutex);
        if (core_->stopped) {
            lock.unlock();
            return;
        }
        core_->queue.push_back(std::move(callback));
        lock.unlock();
        core_->work_ready.notify_one();
    }

    std::shared_ptr<Timer> post_at(MonotonicTime when, Callback callback) override {
        std::unique_lock lock(core_->mutex);
        const Core::TimerKey key{when, core_->next_timer++};
        auto handle = std::make_shared<RealTimer>(core_, key);
        if (core_->draining) {
            lock.unlock();
            return handle;
        }
        const auto place = core_->timers.emplace(key, std::move(callback)).first;
        const bool first = place == core_->timers.begin();
        // The worker that waits for the next timer may be any of them, so an earlier timer wakes them all.
        if (first) core_->work_ready.notify_all();
        return handle;
    }

    void run_blocking(Callback work) override {
        std::unique_lock lock(core_->mutex);
        if (core_->stopped) {
            lock.unlock();
            return;
        }
        core_->blocking_queue.push_back(std::move(work));
        if (core_->idle_blocking < core_->blocking_queue.size() && blockers_.size() < blocking_limit_) {
            blockers_.emplace_back([core = core_, index = blockers_.size()] {
                name_thread("blocking", index);
                block(*core);
            });
        }
        core_->blocking_ready.notify_one();
    }

    [[nodiscard]] Clock& clock() override { return system_clock(); }

    void stop() override {
        std::map<Core::TimerKey, Callback> dropped;
        std::vector<std::thread> threads;
        {
            std::unique_lock lock(core_->mutex);
            if (core_->stopped) return;
            core_->draining = true;
            dropped.swap(core_->timers);
            core_->idle.wait(lock, [this] { return core_->is_idle(); });
            core_->stopped = true;
            core_->work_ready.notify_all();
            core_->blocking_ready.notify_all();
            threads = std::move(workers_);
            for (auto& blocker : blockers_) threads.push_back(std::move(blocker));
            blockers_.clear();
        }
        for (auto& thread : threads) thread.join();
    }

  private:
    static void run_one(Core& core, std::unique_lock<std::mutex>& lock, std::deque<Callback>& queue) {
        Callback callback = std::move(queue.front());
        queue.pop_front();
        ++core.running;
        lock.unlock();
        callback();
        callback = nullptr;
        lock.lock();
        --core.running;
        if (core.draining && core.is_idle()) core.idle.notify_all();
    }

    static void queue_due_timers(Core& core) {
        if (core.timers.empty()) return;
        const auto now = system_clock().now();
        while (!core.timers.empty() && core.timers.begin()->first.first <= now) {
            core.queue.push_back(std::move(core.timers.begin()->second));
            core.timers.erase(core.timers.begin());
        }
    }

    static void work(Core& core) {
        std::unique_lock lock(core.mutex);
        while (true) {
            queue_due_timers(core);
            if (!core.queue.empty()) {
                // Whoever watched the timers is busy now, and one callback may have become several.
                if (core.queue.size() > 1 || (!core.timers.empty() && !core.timer_watched)) {
                    core.work_ready.notify_one();
                }
                run_one(core, lock, core.queue);
                continue;
            }
            if (core.stopped) return;
            if (!core.timers.empty() && !core.timer_watched) {
                core.timer_watched = true;
                const auto when = core.timers.begin()->first.first;
                core.work_ready.wait_until(lock, when);
                core.timer_watched = false;
            } else {
                core.work_ready.wait(lock);
            }
        }
    }

    static void block(Core& core) {
        std::unique_lock lock(core.mutex);
        while (true) {
            if (!core.blocking_queue.empty()) {
                run_one(core, lock, core.blocking_queue);
                continue;
            }
            if (core.stopped) return;
            ++core.idle_blocking;
            core.blocking_ready.wait(lock);
            --core.idle_blocking;
        }
    }

    std::shared_ptr<Core> core_;
    std::size_t blocking_limit_;
    std::vector<std::thread> workers_;
    std::vector<std::thread> blockers_;
};

}  // namespace

std::unique_ptr<ThreadExecutor> make_thread_executor(std::size_t threads, std::size_t blocking_threads) {
    return std::make_unique<RealExecutor>(threads, blocking_threads);
}

}  // namespace keelson::base
