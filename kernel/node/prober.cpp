#include "kernel/node/prober.h"

#include <algorithm>

#include "kernel/node/image_puller.h"
#include "kernel/object/time_format.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using base::Task;
using client::EventType;

core_v1::Probe probe_of(core_v1::Container container, ProbeKind kind) {
    switch (kind) {
        case ProbeKind::startup:
            return container.startup_probe();
        case ProbeKind::liveness:
            return container.liveness_probe();
        case ProbeKind::readiness:
            break;
    }
    return container.readiness_probe();
}

// It counts from the start of the container, which may have been long before that of the agent.
base::Duration first_delay(core_v1::Probe probe, const Container& container, base::WallTime now) {
    const base::Duration whole = std::chrono::seconds(probe.initial_delay_seconds());
    const base::WallTime started = object::wall_time_of(container.started_at).value_or(now);
    return std::clamp<base::Duration>(started + whole - now, {}, std::max<base::Duration>(whole, {}));
}

base::Duration seconds_or(std::int64_t value, std::int64_t otherwise) {
    return std::chrono::seconds(value > 0 ? value : otherwise);
}

}  // namespace

std::string_view probe_name(ProbeKind kind) {
    switch (kind) {
        case ProbeKind::startup:
            return "Startup";
        case ProbeKind::liveness:
            return "Liveness";
        case ProbeKind::readiness:
            break;
    }
    return "Readiness";
}

// One probe of one container, for as long as that container runs.
struct Prober::Loop {
    Runtime& runtime;
    client::EventRecorder& recorder;
    base::Executor& executor;
    Changed changed;
    std::shared_ptr<PodRecord> record;
    std::string container;
    std::string container_id;
    ProbeKind kind;
    base::Duration first_delay{};
    base::Pause pause;
    int successes = 0;
    int failures = 0;
    bool is_stopped = false;

    void end() {
        is_stopped = true;
        pause.stop();
    }
    void count(const ProbeResult& result, core_v1::Probe probe) {
        const bool is_success =
            result.outcome == ProbeOutcome::success || result.outcome == ProbeOutcome::warning;
        if (result.outcome == ProbeOutcome::warning)
            tell(EventType::warning, "ProbeWarning", " probe warning: " + result.output);
        if (!is_success)
            tell(EventType::warning, "Unhealthy",
                 result.outcome == ProbeOutcome::unknown ? " probe errored: " + result.output
                                                         : " probe failed: " + result.output);
        if (result.outcome == ProbeOutcome::unknown) return;
        successes = is_success ? successes + 1 : 0;
        failures = is_success ? 0 : failures + 1;
        const auto wanted_successes = std::max<std::int64_t>(probe.success_threshold(), 1);
        const auto wanted_failures = probe.failure_threshold() > 0 ? probe.failure_threshold() : 3;
        if (is_success && successes == wanted_successes)
            changed(record->uid, container, container_id, kind, true);
        else if (!is_success && failures >= wanted_failures &&
                 (failures == wanted_failures || kind != ProbeKind::readiness))
            changed(record->uid, container, container_id, kind, false);
    }
    void tell(EventType type, std::string_view reason, const std::string& text) const {
        recorder.record_part(record->pod->root(), field_path_of(*record, container), type, reason,
                             std::string(probe_name(kind)) + text);
    }
};

Prober::Prober(Runtime& runtime, client::EventRecorder& recorder, base::Executor& executor,
               base::RandomSource& random, Changed changed)
    : runtime_(runtime),
      recorder_(recorder),
      executor_(executor),
      random_(random),
      changed_(std::move(changed)) {}

Prober::~Prober() {
    stop();
}

void Prober::stop() {
    for (auto& [uid, loops] : loops_)
        for (auto& [key, loop] : loops) loop->end();
    loops_.clear();
}

void Prober::forget(const std::string& uid) {
    const auto found = loops_.find(uid);
    if (found == loops_.end()) return;
    for (auto& [key, loop] : found->second) loop->end();
    loops_.erase(found);
}

void Prober::look_at(const std::shared_ptr<PodRecord>& record) {
    auto& loops = loops_[record->uid];
    std::map<Key, const ContainerRecord*> wanted;
    for (const ContainerRecord& container : record->containers) {
        if (!container.is_running() || container.is_stopping || container.role == ContainerRole::init)
            continue;
        const core_v1::Container definition = container_of(record->object(), container.name);
        const auto want = [&](ProbeKind kind) {
            if (probe_of(definition, kind).is_set())
                wanted.emplace(Key(container.current->id, kind), &container);
        };
        if (!container.is_started) {
            want(ProbeKind::startup);
            continue;
        }
        // A pod that is ending is not restarted for want of life.
        if (record->stage == PodStage::living) want(ProbeKind::liveness);
        want(ProbeKind::readiness);
    }
    std::erase_if(loops, [&](const auto& entry) {
        if (wanted.contains(entry.first)) return false;
        entry.second->end();
        return true;
    });
    for (const auto& [key, container] : wanted)
        if (!loops.contains(key)) begin(record, *container, key.second);
    if (loops.empty()) loops_.erase(record->uid);
}

void Prober::begin(const std::shared_ptr<PodRecord>& record, const ContainerRecord& container,
                   ProbeKind kind) {
    const core_v1::Probe probe = probe_of(container_of(record->object(), container.name), kind);
    // An aggregate with references: std::make_shared of this library cannot make it.
    // NOLINTNEXTLINE(modernize-make-shared)
    const auto loop = std::shared_ptr<Loop>(new Loop{.runtime = runtime_,
                                                     .recorder = recorder_,
                                                     .executor = executor_,
                                                     .changed = changed_,
                                                     .record = record,
                                                     .container = container.name,
                                                     .container_id = container.current->id,
                                                     .kind = kind,
                                                     .first_delay = {},
                                                     .pause = {}});
    loop->first_delay = first_delay(probe, *container.current, executor_.clock().wall_now());
    loops_[record->uid].emplace(Key(container.current->id, kind), loop);
    base::spawn(executor_, run(loop), [] {});
}

Task<void> Prober::run(std::shared_ptr<Loop> loop) {
    if (loop->first_delay > base::Duration()) {
        auto waiting = loop->pause.sleep(loop->first_delay);
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
    }
    while (!loop->is_stopped) {
        const client::ObjectPointer pod = loop->record->pod;  // alive until the answer has come
        const core_v1::Container container = container_of(core_v1::Pod(pod->root()), loop->container);
        const core_v1::Probe probe = probe_of(container, loop->kind);
        ProbeTarget target;
        target.container_id = loop->container_id;
        target.container = container.untyped();
        if (!loop->record->addresses.empty()) target.pod_address = loop->record->addresses.front();
        const auto timeout = std::chrono::seconds(std::max<std::int64_t>(probe.timeout_seconds(), 1));
        auto asking = ask(probe.untyped(), target, timeout, loop->runtime, loop->executor);
        const ProbeResult result = co_await asking;
        if (loop->is_stopped) co_return;
        loop->count(result, probe);
        if (loop->is_stopped) co_return;
        auto waiting = loop->pause.sleep(seconds_or(probe.period_seconds(), 10));
        const bool goes_on = co_await waiting;
        if (!goes_on) co_return;
    }
}

}  // namespace keelson::node
