#include "kernel/client/reflector.h"

#include <chrono>
#include <utility>

#include "kernel/base/pause.h"
#include "kernel/client/work_queue.h"

namespace keelson::client {
namespace {

using base::Reason;
using base::Result;
using base::Task;

constexpr BackoffSettings kPauses{
    .initial = std::chrono::milliseconds(100), .longest = std::chrono::seconds(30), .jitter = 0.5};

}  // namespace

Reflector::Reflector(Client& client, base::RandomSource& random, Subject subject, Sink& sink)
    : client_(client), random_(random), subject_(std::move(subject)), sink_(sink) {}

Reflector::~Reflector() = default;

Task<void> Reflector::run() {
    unsigned failures = 0;
    while (!is_stopping_) {
        const bool is_list = needs_list_;
        auto going_on = is_list ? list() : follow();
        const Result<void> result = co_await going_on;
        if (result) {
            failures = 0;
            continue;
        }
        const Reason reason = result.error().reason();
        const bool is_forgotten = reason == Reason::expired || reason == Reason::gone;
        needs_list_ |= is_forgotten;
        if (is_stopping_ || (is_forgotten && !is_list)) continue;
        sink_.fail(result.error());
        if (is_stopping_) break;  // by the sink
        auto pausing = pause(++failures);
        co_await pausing;
    }
}

void Reflector::stop() {
    is_stopping_ = true;
    if (watch_) watch_->stop();
    retry();
}

void Reflector::retry() {
    if (pause_) pause_->stop();
}

Task<void> Reflector::pause(unsigned failures) {
    pause_ = std::make_shared<base::Pause>();
    auto pausing = pause_->sleep(kPauses.pause(failures, random_));
    (void)co_await pausing;
    pause_.reset();
}

Task<Result<void>> Reflector::list() {
    ListOptions options;
    options.limit = subject_.page_size;
    options.field_selector = subject_.field_selector;
    sink_.begin_list();
    do {
        auto listing = client_.list(subject_.collection, options);
        const Result<Page> page = co_await listing;
        if (!page) co_return page.error();
        if (is_stopping_) co_return base::ok();
        sink_.take(*page);
        version_seen_ = page->resource_version;
        options.continue_token = page->continue_token;
    } while (!options.continue_token.empty());
    needs_list_ = false;
    sink_.end_list(version_seen_);
    co_return base::ok();
}

Task<Result<void>> Reflector::follow() {
    ListOptions options;
    options.resource_version = version_seen_;
    options.allow_watch_bookmarks = true;
    options.field_selector = subject_.field_selector;
    auto opening = client_.watch(subject_.collection, options);
    auto opened = co_await opening;
    if (!opened) co_return std::move(opened).error();
    watch_ = std::move(*opened);
    Result<void> end = base::ok();
    while (!is_stopping_) {
        auto waiting = watch_->next();
        const Result<std::vector<WatchEvent>> events = co_await waiting;
        if (!events) {
            end = events.error();
            break;
        }
        if (events->empty()) break;
        version_seen_ = events->back().resource_version;
        sink_.apply(*events);
    }
    watch_.reset();
    co_return end;
}

}  // namespace keelson::client
