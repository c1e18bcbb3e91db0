// Calls to a plugin: a place, the call itself, what is counted about it.
#include <keelson/entry.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernel/base/log.h"
#include "kernel/plugin/contract.h"
#include "kernel/plugin/messages.h"
#include "kernel/plugin/slot.h"

namespace keelson::plugin {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

namespace {

constexpr std::size_t kMostWaiting = 4096;
constexpr std::size_t kTracedBytes = 4096;

}  // namespace

struct Slot::MethodCounters {
    MethodId id;
    base::Counter* good = nullptr;
    base::Counter* bad = nullptr;
    base::Histogram* latency = nullptr;
    std::atomic<std::uint64_t> calls{0};
    std::atomic<std::uint64_t> failures{0};
    std::atomic<std::int64_t> nanoseconds{0};
};

// Gives the place back when the call is over.
class Slot::Place {
  public:
    explicit Place(Slot& slot) : slot_(slot) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { slot_.leave_place(); }

  private:
    Slot& slot_;
};

Slot::Slot(std::string name, const SlotEnvironment& environment)
    : name_(std::move(name)), environment_(environment) {
    since_ = environment.executor.clock().wall_now();
}

Slot::~Slot() = default;

Task<Result<Reply>> Slot::call(std::string_view capability, std::string_view method, std::string request,
                               CallOptions options) {
    const auto id = find_method(capability, method);
    if (!id)
        co_return Status(Reason::method_not_allowed,
                         "there is no plugin method " + std::string(capability) + "." + std::string(method));
    auto entered = co_await enter();
    if (!entered) co_return std::move(entered).error();
    const Place place(*this);
    Instance& instance = *(*entered)->instance;
    if (!instance.methods().has(*id))
        co_return Status(Reason::method_not_allowed,
                         "plugin " + name_ + " does not have " + method_text(*id));
    InstanceCall call;
    call.method = *id;
    call.timeout = std::chrono::milliseconds((*entered)->plan.limits.call_timeout_ms);
    if (options.timeout.count() > 0) call.timeout = std::min(call.timeout, options.timeout);
    call.descriptors = std::move(options.descriptors);
    call.traceparent = std::move(options.traceparent);
    std::string traced;
    if (traced_.load(std::memory_order_relaxed) > 0) traced = request.substr(0, kTracedBytes);
    call.request = std::move(request);
    base::Clock& clock = environment_.executor.clock();
    const base::MonotonicTime begin = clock.now();
    auto calling = perform(instance, std::move(call));
    auto outcome = co_await calling;
    note_call(*id, traced, outcome, clock.now() - begin);
    co_return answer(*id, std::move(outcome));
}

Task<Result<Outcome>> Slot::perform(Instance& instance, InstanceCall call) {
    return environment_.settings.check_documents ? perform_checked(instance, std::move(call))
                                                 : instance.call(std::move(call));
}

Task<Result<Outcome>> Slot::perform_checked(Instance& instance, InstanceCall call) {
    const MethodId method = call.method;
    if (auto kept = check_contract(method, Document::request, call.request); !kept)
        co_return std::move(kept).error().with_context(method_text(method) + ": ");
    auto calling = instance.call(std::move(call));
    auto outcome = co_await calling;
    if (!outcome || outcome->code != KEELSON_OK) co_return outcome;
    if (auto kept = check_contract(method, Document::reply, outcome->body); !kept)
        co_return std::move(kept).error().with_context(method_text(method) + ": ");
    co_return outcome;
}

// Either a generation, or a failure, or (has_to_wait) neither: then `turn` is completed when it is worth
// another try.
Result<std::shared_ptr<Generation>> Slot::try_enter(const base::Completion<bool>& turn, bool& has_to_wait) {
    const std::lock_guard lock(mutex_);
    has_to_wait = false;
    if (!gate_closed_) {
        if (!current_) {
            std::string why = reason_.empty() ? std::string(state_text(state_)) : reason_;
            return Status(Reason::service_unavailable, "plugin " + name_ + " is not running: " + why);
        }
        if (in_flight_ < call_limit_) {
            ++in_flight_;
            return current_;
        }
    }
    if (waiting_.size() >= kMostWaiting)
        return Status(Reason::too_many_requests, "too many calls wait for plugin " + name_);
    waiting_.push_back(turn);
    has_to_wait = true;
    return std::shared_ptr<Generation>();
}

Task<Result<std::shared_ptr<Generation>>> Slot::enter() {
    while (true) {
        base::Completion<bool> turn;
        bool has_to_wait = false;
        auto entered = try_enter(turn, has_to_wait);
        if (!has_to_wait) co_return entered;
        co_await turn;
    }
}

void Slot::leave_place() {
    std::optional<base::Completion<bool>> next;
    {
        const std::lock_guard lock(mutex_);
        --in_flight_;
        if (gate_closed_) {
            if (in_flight_ == 0) next = std::exchange(drained_, std::nullopt);
        } else if (!waiting_.empty()) {
            next = std::move(waiting_.front());
            waiting_.pop_front();
        }
    }
    if (next) next->complete(true);
}

Slot::MethodCounters& Slot::counters(MethodId id) {
    std::atomic<MethodCounters*>& slot = counters_[id.capability][id.method];
    if (MethodCounters* there = slot.load(std::memory_order_acquire)) return *there;
    const std::lock_guard lock(counters_mutex_);
    if (MethodCounters* there = slot.load(std::memory_order_acquire)) return *there;
    auto made = std::make_unique<MethodCounters>();
    made->id = id;
    const std::string method = method_text(id);
    auto counter = [&](const char* result) {
        return &environment_.metrics.counter("keelson_plugin_calls_total", "Calls of plugin methods.",
                                             {{"plugin", name_}, {"method", method}, {"result", result}});
    };
    made->good = counter("ok");
    made->bad = counter("error");
    made->latency = &environment_.metrics.histogram(
        "keelson_plugin_call_seconds", "How long calls of plugin methods took.",
        base::latency_bounds_seconds(), {{"plugin", name_}, {"method", method}});
    slot.store(made.get(), std::memory_order_release);
    all_counters_.push_back(std::move(made));
    return *all_counters_.back();
}

void Slot::note_call(MethodId id, const std::string& request, const Result<Outcome>& outcome,
                     base::Duration took) {
    MethodCounters& counted = counters(id);
    const bool good = outcome && outcome->code == 0;
    counted.calls.fetch_add(1, std::memory_order_relaxed);
    if (!good) counted.failures.fetch_add(1, std::memory_order_relaxed);
    counted.nanoseconds.fetch_add(took.count(), std::memory_order_relaxed);
    (good ? counted.good : counted.bad)->add();
    counted.latency->observe(std::chrono::duration<double>(took).count());
    if (traced_.load(std::memory_order_relaxed) == 0) return;
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    const std::string line =
        nlohmann::json{{"plugin", name_},
                       {"method", method_text(id)},
                       {"microseconds", micros},
                       {"request", request},
                       {"status", outcome ? outcome->code : -1},
                       {"reply", outcome ? outcome->body.substr(0, kTracedBytes) : outcome.error().message()}}
            .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const std::lock_guard lock(trace_mutex_);
    for (const auto& sink : sinks_) (*sink)(line);
}

Result<Reply> Slot::answer(MethodId id, Result<Outcome> outcome) const {
    auto who = [&] { return "plugin " + name_ + ": " + method_text(id); };
    if (!outcome) return std::move(outcome).error().with_context("plugin " + name_ + ": ");
    if (outcome->code != 0) return status_of(outcome->code, outcome->body, who());
    if (outcome->body.empty())
        return Status(Reason::internal_error, who() + " answered nothing; an empty answer is {}");
    return Reply{std::move(outcome->body), std::move(outcome->descriptors)};
}

bool Slot::has(std::string_view capability, std::string_view method) const {
    const auto found = find_capability(capability);
    if (!found) return false;
    const std::lock_guard lock(mutex_);
    if (!current_) return false;
    const MethodSet& methods = current_->instance->methods();
    if (method.empty()) return methods.has_capability(*found);
    const auto id = find_method(capability, method);
    return id && methods.has(*id);
}

std::shared_ptr<void> Slot::trace(std::function<void(const std::string&)> sink) {
    auto kept = std::make_shared<Sink>(std::move(sink));
    {
        const std::lock_guard lock(trace_mutex_);
        sinks_.push_back(kept);
        ++traced_;
    }
    auto forget = [weak = weak_from_this()](Sink* gone) {
        const auto self = weak.lock();
        if (!self) return;
        const std::lock_guard lock(self->trace_mutex_);
        --self->traced_;
        std::erase_if(self->sinks_, [&](const auto& other) { return other.get() == gone; });
    };
    return std::shared_ptr<Sink>(kept.get(), std::move(forget));
}

namespace {

std::vector<ObjectAccess> granted(const std::vector<ObjectAccess>& asked,
                                  const std::vector<ObjectAccess>& waiting) {
    return not_accepted(asked, waiting);
}

std::string waiting_text(const std::vector<ObjectAccess>& waiting) {
    std::string text;
    for (const ObjectAccess& access : waiting) text += (text.empty() ? "" : ", ") + access_text(access);
    return "waits for the operator to accept that it reads " + text;
}

}  // namespace

Info Slot::info() const {
    Info info;
    {
        const std::lock_guard lock(mutex_);
        info.name = name_;
        info.id = manifest_.id;
        info.kind = manifest_.kind;
        info.version = manifest_.version;
        info.description = manifest_.description;
        info.manifest_path = manifest_path_;
        info.sha256 = sha256_;
        info.state = state_;
        info.reason = reason_;
        info.objects_waiting = not_accepted(manifest_.objects, settings_.objects);
        info.objects_accepted = granted(manifest_.objects, info.objects_waiting);
        if (info.reason.empty() && !info.objects_waiting.empty())
            info.reason = waiting_text(info.objects_waiting);
        info.isolation = isolation_;
        info.generation = generations_;
        info.restarts = restarts_;
        info.calls_in_flight = in_flight_;
        info.retired = retired_;
        info.since = since_;
        if (current_) {
            info.process_id = current_->instance->process_id();
            info.capabilities = current_->instance->methods().capability_ids();
        }
    }
    const std::lock_guard lock(counters_mutex_);
    for (const auto& counted : all_counters_)
        info.methods.push_back({std::string(capability_id(counted->id.capability)),
                                std::string(method_name(counted->id)), counted->calls.load(),
                                counted->failures.load(),
                                static_cast<double>(counted->nanoseconds.load()) / 1e9});
    return info;
}

}  // namespace keelson::plugin
