// How a plugin starts, changes, fails, comes back and ends.
#include <fcntl.h>
#include <keelson/entry.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernel/base/log.h"
#include "kernel/plugin/messages.h"
#include "kernel/plugin/slot.h"

namespace keelson::plugin {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

namespace {

constexpr std::chrono::milliseconds kFirstBackoff{100};
constexpr std::chrono::milliseconds kLastBackoff{30'000};
constexpr std::uint64_t kBackoffDoublings = 9;
// Who ran that long has not failed in a row.
constexpr auto kSteady = std::chrono::seconds(60);
constexpr std::chrono::milliseconds kHealthTimeout{3'000};
constexpr int kMissedHealthChecks = 3;
constexpr std::size_t kRetiredListed = 20;

base::LogLevel log_level_of(int level) {
    switch (level) {
        case 0:
            return base::LogLevel::debug;
        case 1:
            return base::LogLevel::info;
        case 2:
            return base::LogLevel::warning;
        default:
            return base::LogLevel::error;
    }
}

// Names and labels of a plugin's own metrics; nothing that the text format cannot say.
void record_metric(base::Metrics& metrics, const std::string& plugin, int kind, std::string_view name,
                   double value, std::string_view labels_json) {
    const bool plain = !name.empty() && name.size() <= 80 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    if (!plain) return;
    base::MetricLabels labels{{"plugin", plugin}};
    const auto document = nlohmann::json::parse(labels_json, nullptr, false);
    if (document.is_object())
        for (const auto& [label, text] : document.items())
            if (text.is_string() && label != "plugin") labels.emplace_back(label, text.get<std::string>());
    const std::string full = "keelson_plugin_" + std::string(name);
    if (kind == 0)
        metrics.counter(full, "Reported by a plugin.", labels)
            .add(value > 0 ? static_cast<std::uint64_t>(value) : 0);
    else if (kind == 1)
        metrics.gauge(full, "Reported by a plugin.", labels).set(value);
    else
        metrics.histogram(full, "Reported by a plugin.", base::latency_bounds_seconds(), labels)
            .observe(value);
}

std::int64_t microseconds(auto time) {
    return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

bool has_handover(const Generation& generation) {
    const MethodSet& methods = generation.instance->methods();
    return std::ranges::all_of(std::initializer_list<const char*>{"quiesce", "give", "adopt", "resume"},
                               [&](const char* method) {
                                   const auto id = find_method("keelson.handover/0", method);
                                   return id && methods.has(*id);
                               });
}

MethodId handover_method(const char* method) {
    return find_method("keelson.handover/0", method).value_or(MethodId{});
}

}  // namespace

std::string_view state_text(State state) {
    constexpr std::string_view kTexts[] = {"disabled",  "waiting",    "starting", "ready",
                                           "unhealthy", "restarting", "failed"};
    return kTexts[static_cast<std::size_t>(state)];
}

HostServices Slot::services(std::shared_ptr<ObjectsBroker> objects) {
    HostServices services;
    services.objects = std::move(objects);
    base::Clock* clock = &environment_.executor.clock();
    const Listener* listener = &environment_.listener;
    base::Metrics* metrics = &environment_.metrics;
    services.log = [name = name_](int level, std::string_view message) {
        base::log(log_level_of(level), message, {{"plugin", name}});
    };
    services.metric = [name = name_, metrics](int kind, std::string_view metric, double value,
                                              std::string_view labels) {
        record_metric(*metrics, name, kind, metric, value, labels);
    };
    services.event = [name = name_, listener](std::string_view event) {
        if (listener->event) listener->event(name, std::string(event));
    };
    services.reconcile = [name = name_, listener](std::string_view key) {
        if (listener->reconcile) listener->reconcile(name, std::string(key));
    };
    services.monotonic_us = [clock] { return microseconds(clock->now()); };
    services.unix_us = [clock] { return microseconds(clock->wall_now()); };
    return services;
}

// --- loading and swapping ---

Task<Result<void>> Slot::load(PluginSettings settings, std::string manifest_path, bool may_adopt) {
    auto self = shared_from_this();
    const AsyncLock::Hold hold = co_await life_.acquire();
    auto loading = load_files(settings, manifest_path, may_adopt);
    auto loaded = co_await loading;
    Result<void> placed = base::ok();
    if (loaded) {
        auto placing = put_in_place(std::move(*loaded));
        placed = co_await placing;
    } else {
        placed = std::move(loaded).error();
    }
    bool runs = false;
    {
        const std::lock_guard lock(mutex_);
        runs = current_ != nullptr;
    }
    // What runs on keeps its own settings.
    if (placed || !runs) keep_settings(std::move(settings), std::move(manifest_path));
    if (!placed && !runs) {
        set_state(State::failed, placed.error().message());
        schedule_restart(placed.error().message());
    }
    changed();
    co_return placed;
}

void Slot::keep_settings(PluginSettings settings, std::string manifest_path) {
    const std::lock_guard lock(mutex_);
    settings_ = std::move(settings);
    manifest_path_ = std::move(manifest_path);
}

Task<Result<std::shared_ptr<Generation>>> Slot::load_files(PluginSettings settings, std::string manifest_path,
                                                           bool may_adopt) {
    using Loaded = Result<std::shared_ptr<Generation>>;
    auto work = [this, settings = std::move(settings), manifest_path = std::move(manifest_path),
                 may_adopt]() -> Loaded {
        KEELSON_TRY(const Plan plan, make_plan(settings, manifest_path, environment_.settings.trusted_user));
        {
            const std::lock_guard lock(mutex_);
            if (!manifest_.id.empty() && manifest_.id != plan.manifest.id)
                return Status(Reason::conflict, manifest_path + " is the manifest of " + plan.manifest.id +
                                                    ", but plugin " + name_ + " is " + manifest_.id);
            if (!current_) {
                manifest_ = plan.manifest;
                isolation_ = plan.isolation;
            }
        }
        const LoadEnvironment environment{environment_.settings, environment_.executor};
        auto broker = make_broker(environment, plan, settings.objects);
        KEELSON_TRY(auto generation, load_generation(environment, plan, services(broker), may_adopt));
        generation->objects = std::move(broker);
        return generation;
    };
    auto working = base::blocking(std::move(work));
    co_return co_await working;
}

Task<Result<void>> Slot::put_in_place(std::shared_ptr<Generation> fresh) {
    std::shared_ptr<Generation> old;
    {
        const std::lock_guard lock(mutex_);
        fresh->number = ++generations_;
        old = current_;
    }
    if (old) {
        auto replacing = replace_running(std::move(old), std::move(fresh));
        co_return co_await replacing;
    }
    auto starting = start_instance(*fresh);
    auto started = co_await starting;
    if (!started) {
        auto ending = end_instance(std::move(fresh), false, false);
        co_await ending;
        co_return started;
    }
    open_gate(fresh, State::ready, "");
    begin_watching(fresh);
    co_return base::ok();
}

Task<Result<void>> Slot::replace_running(std::shared_ptr<Generation> old, std::shared_ptr<Generation> fresh) {
    const std::chrono::milliseconds patience(old->plan.limits.call_timeout_ms + 1000);
    const std::uint64_t former = old->number;
    auto closing = close_gate(patience);
    const bool drained = co_await closing;
    Result<void> swapped =
        Status(Reason::conflict, "plugin " + name_ + ": calls under way did not end; nothing was changed");
    if (drained) {
        const bool both = has_handover(*old) && has_handover(*fresh);
        auto swapping = both ? hand_over(*old, *fresh) : stop_and_start(old, *fresh);
        swapped = co_await swapping;
    }
    if (!swapped) {
        // `old` is what runs on: itself unless it has ended meanwhile, another instance of it, or nothing.
        const bool is_another = old && old->number != former;
        if (old && !is_another && !is_current(*old)) old = nullptr;
        open_gate(old, old ? State::ready : State::failed, old ? "" : swapped.error().message());
        if (is_another) begin_watching(old);
        auto ending = end_instance(std::move(fresh), false, false);
        co_await ending;
        co_return swapped;
    }
    open_gate(fresh, State::ready, "");
    begin_watching(fresh);
    auto ending = end_instance(std::move(old), false, false);
    co_await ending;
    co_return base::ok();
}

Task<Result<Outcome>> Slot::put(Generation& generation, MethodId method, std::string request,
                                std::chrono::milliseconds timeout, std::vector<int> descriptors) {
    // A plugin that is told to stop must not wait for objects in a thread that it has to end.
    if (method == kStop && generation.objects) generation.objects->close();
    InstanceCall call;
    call.method = method;
    call.request = std::move(request);
    call.timeout = timeout;
    call.descriptors = std::move(descriptors);
    auto calling = perform(*generation.instance, std::move(call));
    co_return co_await calling;
}

Task<Result<Outcome>> Slot::ask(Generation& generation, MethodId method, std::string request,
                                std::vector<int> descriptors) {
    const std::chrono::milliseconds timeout(generation.plan.limits.call_timeout_ms);
    auto putting = put(generation, method, std::move(request), timeout, std::move(descriptors));
    auto outcome = co_await putting;
    if (outcome && outcome->code != KEELSON_OK)
        co_return status_of(outcome->code, outcome->body, "plugin " + name_ + ": " + method_text(method));
    co_return outcome;
}

Task<Result<void>> Slot::start_instance(Generation& generation) {
    if (!generation.is_started) {
        auto asking = ask(generation, kStart, generation.plan.config);
        auto started = co_await asking;
        if (!started) co_return std::move(started).error();
        generation.is_started = true;
    }
    auto checking = check_health(generation);
    co_return co_await checking;
}

Task<Result<void>> Slot::check_health(Generation& generation) {
    auto putting = put(generation, kHealth, "{}", kHealthTimeout, std::vector<int>());
    auto outcome = co_await putting;
    if (!outcome) co_return std::move(outcome).error();
    // Without a health method it is well as long as it is there.
    if (outcome->code == KEELSON_UNSUPPORTED) co_return base::ok();
    if (outcome->code != KEELSON_OK) co_return status_of(outcome->code, outcome->body, "health");
    co_return health_of(outcome->body);
}

// The old one parks its work and gives it to the new one; should that fail it goes on.
Task<Result<void>> Slot::hand_over(Generation& old, Generation& fresh) {
    auto asking = ask(old, handover_method("quiesce"), "{}");
    auto quiet = co_await asking;
    Result<void> result = base::ok();
    if (!quiet) result = std::move(quiet).error();
    Outcome given;
    if (result) {
        auto giving = ask(old, handover_method("give"), "{}");
        auto outcome = co_await giving;
        if (outcome)
            given = std::move(*outcome);
        else
            result = std::move(outcome).error();
    }
    if (result) {
        auto starting = ask(fresh, kStart, fresh.plan.config);
        auto started = co_await starting;
        if (!started) result = std::move(started).error();
    }
    if (result) {
        std::vector<int> descriptors;
        for (const auto& descriptor : given.descriptors) descriptors.push_back(descriptor.get());
        auto adopting = ask(fresh, handover_method("adopt"), given.body, std::move(descriptors));
        auto adopted = co_await adopting;
        if (!adopted) result = std::move(adopted).error();
    }
    if (result) {
        auto checking = check_health(fresh);
        result = co_await checking;
    }
    if (result) {
        fresh.is_started = true;
        auto stopping = ask(old, kStop, "{}");
        (void)co_await stopping;
        old.is_started = false;
        co_return base::ok();
    }
    auto resuming = ask(old, handover_method("resume"), "{}");
    auto resumed = co_await resuming;
    if (!resumed)
        base::log_error("a plugin does not resume after a failed handover",
                        {{"plugin", name_}, {"error", resumed.error()}});
    co_return result;
}

// Without a handover they must not run side by side. `old` becomes what runs when it fails: another instance
// of the old library, or nothing.
Task<Result<void>> Slot::stop_and_start(std::shared_ptr<Generation>& old, Generation& fresh) {
    auto stopping = ask(*old, kStop, "{}");
    auto stopped = co_await stopping;
    old->is_started = false;
    if (!stopped)
        base::log_warning("a plugin did not stop cleanly", {{"plugin", name_}, {"error", stopped.error()}});
    auto starting = start_instance(fresh);
    auto started = co_await starting;
    if (started) co_return base::ok();
    auto work = [this, &old] {
        using Renewed = Result<std::shared_ptr<Generation>>;
        const LoadEnvironment environment{environment_.settings, environment_.executor};
        auto broker = make_broker(environment, old->plan, this->settings().objects);
        Renewed renewed = renew_generation(environment, *old, services(broker));
        if (renewed) (*renewed)->objects = std::move(broker);
        return renewed;
    };
    auto renewing = base::blocking(std::move(work));
    auto renewed = co_await renewing;
    auto ended = std::exchange(old, nullptr);
    auto ending = end_instance(std::move(ended), false, false);
    co_await ending;
    if (!renewed) co_return started;
    auto restarting = start_instance(**renewed);
    auto again = co_await restarting;
    if (!again) {
        auto ending_renewed = end_instance(std::move(*renewed), false, false);
        co_await ending_renewed;
        co_return started;
    }
    old = std::move(*renewed);
    {
        const std::lock_guard lock(mutex_);
        old->number = ++generations_;
    }
    co_return started;
}

// From now on calls wait. True when those under way have ended.
Task<bool> Slot::close_gate(std::chrono::milliseconds patience) {
    base::Completion<bool> drained;
    {
        const std::lock_guard lock(mutex_);
        gate_closed_ = true;
        if (in_flight_ == 0) co_return true;
        drained_ = drained;
    }
    auto timer = environment_.executor.post_after(patience, [drained] { drained.complete(false); });
    const bool result = co_await drained;
    timer->cancel();
    const std::lock_guard lock(mutex_);
    drained_.reset();
    co_return result;
}

bool Slot::is_current(const Generation& generation) const {
    const std::lock_guard lock(mutex_);
    return current_.get() == &generation;
}

void Slot::open_gate(std::shared_ptr<Generation> generation, State state, const std::string& reason) {
    std::deque<base::Completion<bool>> waiting;
    bool is_news = false;
    {
        const std::lock_guard lock(mutex_);
        if (generation) {
            manifest_ = generation->plan.manifest;
            sha256_ = generation->sha256;
            isolation_ = generation->plan.isolation;
            call_limit_ = generation->plan.limits.concurrent_calls;
            started_at_ = environment_.executor.clock().now();
            ++epoch_;
        }
        if (current_ && current_ != generation) {
            retired_.push_back(
                {current_->number, current_->plan.manifest.version, current_->remote == nullptr});
            if (retired_.size() > kRetiredListed) retired_.erase(retired_.begin());
        }
        current_ = std::move(generation);
        gate_closed_ = false;
        waiting.swap(waiting_);
        is_news = note_state(state, reason);
    }
    if (is_news) announce_state(state, reason);
    for (const auto& turn : waiting) turn.complete(true);
}

Task<void> Slot::end_instance(std::shared_ptr<Generation> generation, bool was_started, bool keep_process) {
    if (!generation) co_return;
    generation->watching->stop();
    if (generation->objects) generation->objects->close();
    if (generation->remote && keep_process) {
        generation->remote->detach();
    } else if (generation->remote) {
        auto leave = [remote = generation->remote] { remote->leave(); };
        auto leaving = base::blocking(std::move(leave));
        co_await leaving;
    } else if (was_started) {
        auto stopping = ask(*generation, kStop, "{}");
        (void)co_await stopping;
    }
    // Its destructor may wait for threads.
    auto drop = [last = std::move(generation)]() mutable { last.reset(); };
    auto dropping = base::blocking(std::move(drop));
    co_await dropping;
}

Task<void> Slot::unload(State state, std::string reason, bool keep_process) {
    auto self = shared_from_this();
    const AsyncLock::Hold hold = co_await life_.acquire();
    std::shared_ptr<Generation> old;
    {
        const std::lock_guard lock(mutex_);
        ++epoch_;
        old = current_;
    }
    if (old) {
        const std::chrono::milliseconds patience(old->plan.limits.call_timeout_ms + 1000);
        // An isolated one that stays finishes its calls by itself; nobody is there for the answers.
        if (!keep_process) {
            auto closing = close_gate(patience);
            co_await closing;
        }
        open_gate(nullptr, state, reason);
        auto ending = end_instance(std::move(old), true, keep_process);
        co_await ending;
    }
    set_state(state, reason);
    changed();
}

// --- failing and coming back ---

// Once it is what runs: the end of anything else is no news.
void Slot::begin_watching(const std::shared_ptr<Generation>& generation) {
    const std::uint64_t number = generation->number;
    if (generation->remote)
        generation->remote->on_lost([weak = weak_from_this(), number](std::string why) {
            if (const auto self = weak.lock()) self->lost(number, std::move(why));
        });
    base::spawn(environment_.executor, watch_health(number, generation->watching));
}

void Slot::lost(std::uint64_t generation, std::string why) {
    std::deque<base::Completion<bool>> waiting;
    std::shared_ptr<Generation> gone;
    bool is_news = false;
    {
        const std::lock_guard lock(mutex_);
        if (!current_ || current_->number != generation) return;
        gone = std::exchange(current_, nullptr);
        ++restarts_;
        waiting.swap(waiting_);
        if (environment_.executor.clock().now() - started_at_ > kSteady) failures_in_a_row_ = 0;
        is_news = note_state(State::restarting, why);
    }
    base::log_warning("a plugin's process has ended; it is started again", {{"plugin", name_}, {"why", why}});
    gone->watching->stop();
    if (is_news) announce_state(State::restarting, why);
    for (const auto& turn : waiting) turn.complete(true);
    schedule_restart(std::move(why));
    changed();
    auto drop = [gone = std::move(gone)]() mutable { gone.reset(); };
    environment_.executor.run_blocking(std::move(drop));
}

void Slot::schedule_restart(std::string why) {
    std::chrono::milliseconds backoff;
    std::uint64_t epoch = 0;
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return;
        epoch = ++epoch_;
        backoff =
            std::min(kFirstBackoff * (1 << std::min(failures_in_a_row_, kBackoffDoublings)), kLastBackoff);
        ++failures_in_a_row_;
    }
    base::log_info("a plugin will be tried again",
                   {{"plugin", name_}, {"after_ms", backoff.count()}, {"why", why}});
    environment_.executor.post_after(backoff, [weak = weak_from_this(), epoch] {
        if (const auto self = weak.lock()) base::spawn(self->environment_.executor, self->restart(epoch));
    });
}

Task<void> Slot::restart(std::uint64_t epoch) {
    auto self = shared_from_this();
    const AsyncLock::Hold hold = co_await life_.acquire();
    PluginSettings settings;
    std::string manifest_path;
    {
        const std::lock_guard lock(mutex_);
        if (closed_ || epoch != epoch_ || current_) co_return;
        settings = settings_;
        manifest_path = manifest_path_;
    }
    auto loading = load_files(std::move(settings), std::move(manifest_path), false);
    auto loaded = co_await loading;
    Result<void> placed = base::ok();
    if (loaded) {
        auto placing = put_in_place(std::move(*loaded));
        placed = co_await placing;
    } else {
        placed = std::move(loaded).error();
    }
    if (!placed) {
        set_state(State::failed, placed.error().message());
        schedule_restart(placed.error().message());
    }
    changed();
}

Task<void> Slot::watch_health(std::uint64_t generation, std::shared_ptr<base::Pause> pause) {
    auto self = shared_from_this();
    int missed = 0;
    while (true) {
        auto pausing = pause->sleep(environment_.settings.health_interval);
        const bool is_whole = co_await pausing;
        if (!is_whole) co_return;
        std::shared_ptr<Generation> watched;
        {
            const std::lock_guard lock(mutex_);
            if (closed_ || !current_ || current_->number != generation) co_return;
            watched = current_;
        }
        auto checking = check_health(*watched);
        auto health = co_await checking;
        const bool silent = !health && health.error().reason() == Reason::timeout;
        missed = silent ? missed + 1 : 0;
        const State state = health ? State::ready : State::unhealthy;
        const std::string reason = health ? "" : health.error().message();
        bool is_news = false;
        {
            const std::lock_guard lock(mutex_);
            if (closed_ || current_ != watched) co_return;
            is_news = note_state(state, reason);
        }
        if (is_news) announce_state(state, reason);
        if (missed >= kMissedHealthChecks) watched->instance->kill("it does not answer health checks");
    }
}

// --- small things ---

bool Slot::note_state(State state, const std::string& reason) {
    const bool is_news = state_ != state || reason_ != reason;
    if (state_ != state) since_ = environment_.executor.clock().wall_now();
    state_ = state;
    reason_ = reason;
    return is_news;
}

void Slot::announce_state(State state, const std::string& reason) {
    if (state == State::failed || state == State::unhealthy)
        base::log_warning("a plugin is not well",
                          {{"plugin", name_}, {"state", state_text(state)}, {"reason", reason}});
    else
        base::log_info("plugin", {{"plugin", name_}, {"state", state_text(state)}});
    changed();
}

void Slot::set_state(State state, const std::string& reason) {
    bool is_news = false;
    {
        const std::lock_guard lock(mutex_);
        is_news = note_state(state, reason);
    }
    if (is_news) announce_state(state, reason);
}

void Slot::changed() {
    if (environment_.listener.changed) environment_.listener.changed(name_);
}

PluginSettings Slot::settings() const {
    const std::lock_guard lock(mutex_);
    return settings_;
}
std::string Slot::manifest_path() const {
    const std::lock_guard lock(mutex_);
    return manifest_path_;
}
std::string Slot::id() const {
    const std::lock_guard lock(mutex_);
    return manifest_.id;
}
std::vector<std::string> Slot::required() const {
    const std::lock_guard lock(mutex_);
    return manifest_.requires_plugins;
}
void Slot::accept(std::vector<ObjectAccess> objects) {
    std::shared_ptr<Generation> current;
    {
        const std::lock_guard lock(mutex_);
        settings_.objects = objects;
        current = current_;
    }
    if (current && current->objects) current->objects->accept(std::move(objects));
    changed();
}
void Slot::close() {
    std::shared_ptr<Generation> current;
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        ++epoch_;
        current = current_;
    }
    if (current) current->watching->stop();
}

}  // namespace keelson::plugin
