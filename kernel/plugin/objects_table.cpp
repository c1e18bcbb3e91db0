#include "kernel/plugin/objects_table.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "kernel/plugin/messages.h"

namespace keelson::plugin {
namespace {

constexpr std::size_t kRequestLimitBytes = 64 << 10;
// How often a waiting thread looks whether its call was cancelled: the flag is a number in memory.
constexpr std::chrono::milliseconds kLook{100};
// A service that has not answered this long after the call should have ended is not waited for.
constexpr std::chrono::seconds kGrace{5};

// Not zero at the start: mold 1.10 lays out a program whose thread-local data are all zero so that, once in
// a few hundred links, it cannot be loaded.
thread_local bool is_allowed_here = true;

// Outlives the waiting thread: the answer may come when nobody waits any more.
struct Waiting {
    std::mutex mutex;
    std::condition_variable arrived;
    std::optional<Outcome> outcome;
};

bool is_cancelled(const keelson_call* call) {
    return call && KEELSON_HAS_FIELD(call, keelson_call, cancelled) && keelson_is_cancelled(call);
}

std::int64_t deadline_of(const keelson_call* call) {
    return call && KEELSON_HAS_FIELD(call, keelson_call, deadline_us) ? call->deadline_us : 0;
}

Outcome wait_for(Waiting& waiting, ObjectsService& service, std::uint64_t id, const keelson_call* call) {
    using Clock = std::chrono::steady_clock;
    auto last = Clock::now() + kObjectsLongestWait + kGrace;
    if (const std::int64_t deadline_us = deadline_of(call); deadline_us > 0)
        last = std::min(last, Clock::time_point(std::chrono::microseconds(deadline_us)) + kGrace);
    bool was_cancelled = false;
    std::unique_lock lock(waiting.mutex);
    while (!waiting.arrived.wait_for(lock, kLook, [&] { return waiting.outcome.has_value(); })) {
        if (Clock::now() > last)
            return {KEELSON_DEADLINE_EXCEEDED, error_document("the kernel did not answer"), {}};
        if (was_cancelled || !is_cancelled(call)) continue;
        was_cancelled = true;
        last = Clock::now() + kGrace;
        lock.unlock();
        service.cancel(id);
        lock.lock();
    }
    return std::move(*waiting.outcome);
}

Outcome ask(ObjectsService& service, ObjectVerb verb, const keelson_call* call, std::string_view request) {
    if (!is_allowed_here)
        return {KEELSON_UNSUPPORTED,
                error_document("methods of this capability are short: read objects in another thread and "
                               "answer from memory"),
                {}};
    if (request.size() > kRequestLimitBytes)
        return {KEELSON_INVALID, error_document("the request is larger than 64 KiB"), {}};
    auto waiting = std::make_shared<Waiting>();
    ObjectsRequest asked{verb, std::string(request), deadline_of(call)};
    const std::uint64_t id = service.ask(std::move(asked), [waiting](Outcome outcome) {
        const std::lock_guard lock(waiting->mutex);
        waiting->outcome = std::move(outcome);
        waiting->arrived.notify_all();
    });
    return wait_for(*waiting, service, id, call);
}

}  // namespace

std::string_view verb_text(ObjectVerb verb) {
    constexpr std::string_view kTexts[] = {"get", "list", "watch"};
    return kTexts[static_cast<std::size_t>(verb)];
}

ObjectsForbidden::ObjectsForbidden(bool is_forbidden) : before_(is_allowed_here) {
    is_allowed_here = is_allowed_here && !is_forbidden;
}
ObjectsForbidden::~ObjectsForbidden() {
    is_allowed_here = before_;
}

std::int32_t ask_objects(ObjectsService& service, ObjectVerb verb, const keelson_call* call,
                         keelson_bytes request, keelson_reply* reply) {
    const std::string_view text =
        request.data ? std::string_view(request.data, request.size) : std::string_view();
    const Outcome outcome = ask(service, verb, call, text);
    if (reply && KEELSON_HAS_FIELD(reply, keelson_reply, write) && reply->write)
        reply->write(reply->context, outcome.body.data(), outcome.body.size());
    return outcome.code;
}

}  // namespace keelson::plugin
