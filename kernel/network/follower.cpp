#include "kernel/network/follower.h"

#include <algorithm>

#include "kernel/base/log.h"

namespace keelson::network {
namespace {

using base::Result;
using base::Task;

// The first change goes at once; what comes right behind it goes together.
constexpr base::Duration kShortest = std::chrono::milliseconds(50);
constexpr base::Duration kLookInterval = std::chrono::seconds(10);
constexpr base::Duration kFirstPause = std::chrono::milliseconds(200);
constexpr base::Duration kLongestPause = std::chrono::seconds(10);

}  // namespace

Follower::Follower(Parts parts)
    : parts_(std::move(parts)),
      duration_(parts_.metrics.histogram("keelson_" + parts_.metric + "_sync_duration_seconds",
                                         "How long the plugin took to take over a change.",
                                         base::latency_bounds_seconds())),
      failures_(parts_.metrics.counter("keelson_" + parts_.metric + "_sync_failures_total",
                                       "Changes that the plugin did not take over.")) {}

Task<void> Follower::run() {
    while (!is_stopped_) {
        if (has_changed_ || needs_everything_) {
            auto following = follow();
            const Result<void> followed = co_await following;
            settled(followed);
            is_resting_ = true;
            auto resting = wait(has_failed_ ? pause_ : kShortest);
            (void)co_await resting;
            is_resting_ = false;
            continue;
        }
        auto waiting = wait(std::max<base::Duration>(look_at_ - parts_.executor.clock().now(), kShortest));
        const bool was_woken = co_await waiting;
        if (!was_woken && !is_stopped_) {
            auto looking = look();
            co_await looking;
        }
    }
}

// True when there is something to be done, or it is over.
Task<bool> Follower::wait(base::Duration longest) {
    if (is_stopped_) co_return true;
    const base::Completion<bool> over;
    waiting_ = over;
    const auto timer = parts_.executor.post_after(longest, [over] { over.complete(false); });
    const bool was_woken = co_await over;
    timer->cancel();
    waiting_.reset();
    co_return was_woken;
}

void Follower::stop() {
    is_stopped_ = true;
    if (waiting_) waiting_->complete(true);
}

void Follower::table_changed() {
    has_changed_ = true;
    // A rest is not cut short: what comes meanwhile goes together.
    if (waiting_ && !is_resting_) waiting_->complete(true);
}

void Follower::settings_changed() {
    if (waiting_) waiting_->complete(true);
    ++settings_;
    needs_everything_ = true;
    has_changed_ = true;
}

void Follower::when_in_step(base::Callback callback) {
    if (is_in_step())
        callback();
    else
        when_in_step_.push_back(std::move(callback));
}

Task<Result<void>> Follower::follow() {
    const base::MonotonicTime began = parts_.executor.clock().now();
    const bool full = needs_everything_;
    const std::uint64_t told = settings_;
    if (full) {
        auto beginning = begin();
        KEELSON_CO_TRY_VOID(co_await beginning);
    }
    has_changed_ = false;
    auto applying = parts_.apply(generation_ + 1, full);
    const Result<bool> applied = co_await applying;
    if (!applied) {
        needs_everything_ = true;
        co_return applied.error();
    }
    // What has changed since the plugin was configured was not told.
    needs_everything_ = settings_ != told;
    if (*applied) {
        ++generation_;
        duration_.observe(std::chrono::duration<double>(parts_.executor.clock().now() - began).count());
    }
    look_at_ = parts_.executor.clock().now() + kLookInterval;
    co_return base::ok();
}

// A plugin that outlived the last kernel goes on counting.
Task<Result<void>> Follower::begin() {
    auto configuring = parts_.configure();
    KEELSON_CO_TRY_VOID(co_await configuring);
    auto asking = parts_.state();
    KEELSON_CO_TRY(const PluginState state, co_await asking);
    generation_ = std::max(generation_, state.generation);
    co_return base::ok();
}

Task<void> Follower::look() {
    look_at_ = parts_.executor.clock().now() + kLookInterval;
    auto asking = parts_.state();
    const Result<PluginState> state = co_await asking;
    if (state && state->is_intact && state->generation == generation_) co_return;
    const std::string why = !state              ? state.error().message()
                            : !state->is_intact ? "something of it has been taken away"
                                                : "it has forgotten the last change";
    base::log_info("what a plugin holds is brought up to date", {{"what", parts_.what}, {"why", why}});
    needs_everything_ = true;
}

void Follower::settled(const Result<void>& outcome) {
    if (outcome) {
        if (std::exchange(has_failed_, false)) base::log_info("is in step again", {{"what", parts_.what}});
        pause_ = {};
        if (!is_in_step()) return;
        for (base::Callback& callback : std::exchange(when_in_step_, {})) callback();
        return;
    }
    failures_.add();
    pause_ = std::clamp<base::Duration>(pause_ * 2, kFirstPause, kLongestPause);
    // Once, not at every try.
    if (!std::exchange(has_failed_, true))
        base::log_warning("a plugin did not take over a change; it will be tried again",
                          {{"what", parts_.what}, {"reason", outcome.error()}});
}

}  // namespace keelson::network
