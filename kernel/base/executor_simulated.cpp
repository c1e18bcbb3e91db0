#include "kernel/base/executor_simulated.h"

#include <utility>

namespace keelson::base {

struct SimulatedExecutor::Timers {
    using Key = std::pair<MonotonicTime, std::uint64_t>;
    std::map<Key, Callback> pending;
    std::uint64_t next = 0;
};

namespace {

template <typename Timers>
class SimulatedTimer final : public Timer {
  public:
    SimulatedTimer(std::weak_ptr<Timers> timers, typename Timers::Key key)
        : timers_(std::move(timers)), key_(key) {}
    void cancel() override {
        if (const auto timers = timers_.lock()) {
            // Taken out first: destroying the callback may cancel other timers.
            auto dropped = timers->pending.extract(key_);
        }
    }

  private:
    std::weak_ptr<Timers> timers_;
    typename Timers::Key key_;
};

}  // namespace

SimulatedExecutor::SimulatedExecutor(std::uint64_t seed)
    : random_(seed), shuffle_(seed != 0), timers_(std::make_shared<Timers>()) {}
SimulatedExecutor::~SimulatedExecutor() = default;

void SimulatedExecutor::post(Callback callback) {
    ready_.push_back(std::move(callback));
}

std::shared_ptr<Timer> SimulatedExecutor::post_at(MonotonicTime when, Callback callback) {
    const Timers::Key key{when, timers_->next++};
    timers_->pending.emplace(key, std::move(callback));
    return std::make_shared<SimulatedTimer<Timers>>(timers_, key);
}

void SimulatedExecutor::run_blocking(Callback work) {
    work();
}

bool SimulatedExecutor::run_one() {
    if (ready_begin_ == ready_.size()) {
        ready_.clear();
        ready_begin_ = 0;
        return false;
    }
    if (shuffle_) {
        const std::size_t waiting = ready_.size() - ready_begin_;
        std::swap(ready_[ready_begin_], ready_[ready_begin_ + random_() % waiting]);
    }
    Callback callback = std::move(ready_[ready_begin_++]);
    // Keeps the vector from growing without end while callbacks post callbacks.
    if (ready_begin_ >= 1024 && ready_begin_ * 2 > ready_.size()) {
        ready_.erase(ready_.begin(), ready_.begin() + static_cast<std::ptrdiff_t>(ready_begin_));
        ready_begin_ = 0;
    }
    callback();
    return true;
}

void SimulatedExecutor::fire_due() {
    while (!timers_->pending.empty() && timers_->pending.begin()->first.first <= clock_.now()) {
        post(std::move(timers_->pending.extract(timers_->pending.begin()).mapped()));
    }
}

std::size_t SimulatedExecutor::run_until_idle(std::size_t limit) {
    std::size_t count = 0;
    fire_due();
    while (count < limit && run_one()) {
        ++count;
        fire_due();
    }
    return count;
}

void SimulatedExecutor::advance(Duration duration) {
    const auto end = clock_.now() + duration;
    run_until_idle();
    while (!timers_->pending.empty() && timers_->pending.begin()->first.first <= end) {
        const auto when = timers_->pending.begin()->first.first;
        if (when > clock_.now()) clock_.advance(when - clock_.now());
        run_until_idle();
    }
    if (clock_.now() < end) clock_.advance(end - clock_.now());
}

bool SimulatedExecutor::run_until(const std::function<bool()>& done, Duration limit) {
    const auto end = clock_.now() + limit;
    while (!done()) {
        fire_due();
        if (run_one()) continue;
        if (timers_->pending.empty()) return false;
        const auto when = timers_->pending.begin()->first.first;
        if (when > end) return false;
        if (when > clock_.now()) clock_.advance(when - clock_.now());
    }
    return true;
}

std::size_t SimulatedExecutor::pending_timers() const {
    return timers_->pending.size();
}

}  // namespace keelson::base
