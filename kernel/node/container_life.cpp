#include "kernel/node/container_life.h"

#include <algorithm>

#include "kernel/client/collections.h"
#include "kernel/node/pod_plan.h"
#include "kernel/object/quantity.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using base::Result;
using base::Task;
using client::EventType;

constexpr base::Duration kRetry = std::chrono::seconds(5);
constexpr base::Duration kFirstBackoff = std::chrono::seconds(10);
constexpr base::Duration kLongestBackoff = std::chrono::minutes(5);
constexpr std::chrono::minutes kLongestHook{10};

// The next start waits twice as long, for a container that keeps ending.
void back_off(ContainerRecord& container) {
    container.backoff = container.backoff == base::Duration()
                            ? kFirstBackoff
                            : std::min(container.backoff * 2, kLongestBackoff);
}

}  // namespace

std::string ContainerLife::log_directory(const NodeSettings& settings, const PodRecord& record) {
    const auto& key = record.pod->key();
    return settings.log_directory + "/" + key.namespace_name + "_" + key.name + "_" + record.uid;
}

std::string ContainerLife::log_path(const std::string& container, std::int32_t attempt) {
    return container + "/" + std::to_string(attempt) + ".log";
}

void ContainerLife::tell(const PodRecord& record, const std::string& container, EventType type,
                         std::string_view reason, std::string message) {
    parts_.recorder.record_part(record.pod->root(), field_path_of(record, container), type, reason,
                                std::move(message));
}

std::optional<base::Duration> ContainerLife::wait(PodRecord& record, const std::string& container,
                                                  std::string_view reason, std::string message,
                                                  base::Duration again) {
    if (ContainerRecord* known = record.find(container)) {
        known->waiting_reason = reason;
        known->waiting_message = std::move(message);
    }
    return again;
}

Task<std::optional<base::Duration>> ContainerLife::start(Record record, std::string container) {
    auto needing = parts_.puller.need(record, container);
    ImageAnswer answer = co_await needing;
    ContainerRecord* known = record->find(container);
    if (known == nullptr || record->stage != PodStage::living) co_return std::nullopt;
    if (!answer.image) {
        if (!answer.reason.empty() || !known->has_exited()) known->waiting_reason = answer.reason;
        known->waiting_message = answer.message;
        co_return answer.look_again;
    }
    auto configuring = configure(record, container, std::move(*answer.image));
    Result<ContainerConfig> config = co_await configuring;
    if (!config) {
        tell(*record, container, EventType::warning, "Failed", "Error: " + config.error().message());
        co_return wait(*record, container, kConfigErrorReason, config.error().message(), kRetry);
    }
    auto launching = launch(record, container, std::move(*config));
    const Result<void> launched = co_await launching;
    (void)launched;  // the record says how it went
    co_return launched ? std::nullopt : std::optional<base::Duration>(kRetry);
}

Task<Result<ContainerConfig>> ContainerLife::configure(Record record, std::string container, Image image) {
    ContainerSurroundings surroundings;
    surroundings.pod = record->pod;
    surroundings.container_name = container;
    surroundings.attempt = record->find(container)->next_attempt();
    surroundings.host_addresses = parts_.settings.addresses;
    surroundings.pod_addresses =
        record->object().spec().host_network() ? parts_.settings.addresses : record->addresses;
    surroundings.node = parts_.nodes.get({"", parts_.settings.name});
    surroundings.services = parts_.services.list(record->pod->key().namespace_name);
    if (record->pod->key().namespace_name != "default")
        if (auto master = parts_.services.get({"default", "kubernetes"}))
            surroundings.services.push_back(std::move(master));
    if (record->volumes) surroundings.volumes = *record->volumes;
    surroundings.pod_directory = parts_.settings.root_directory + "/pods/" + record->uid;
    surroundings.image_user = image.user;
    surroundings.seccomp_directory = parts_.settings.seccomp_directory;
    auto making = container_config(surroundings, parts_.objects);
    Result<ContainerConfig> config = co_await making;
    if (!config) co_return config;
    const core_v1::Container definition = container_of(record->object(), container);
    config->attempt = surroundings.attempt;
    config->sandbox_id = record->sandbox_id;
    config->id = make_container_id(record->uid, definition, config->attempt);
    config->name = container;
    config->image_id = image.id;
    config->log_path = log_path(container, config->attempt);
    for (const core_v1::EphemeralContainer ephemeral : record->object().spec().ephemeral_containers()) {
        if (ephemeral.name() != container || ephemeral.target_container_name().empty()) continue;
        const ContainerRecord* target = record->find(ephemeral.target_container_name());
        if (target != nullptr && target->current) config->target_container_id = target->current->id;
    }
    co_return config;
}

Task<Result<void>> ContainerLife::launch(Record record, std::string container, ContainerConfig config) {
    const std::string id = config.id;
    const std::int32_t attempt = config.attempt;
    const ResourceLimits limits = config.limits;
    const std::string image_id = config.image_id;
    auto creating = parts_.node.runtime.create_container(std::move(config));
    const Result<void> created = co_await creating;
    ContainerRecord* known = record->find(container);
    if (known == nullptr) co_return base::ok();
    if (!created) {
        tell(*record, container, EventType::warning, "Failed", "Error: " + created.error().message());
        (void)wait(*record, container, "CreateContainerError", created.error().message(), kRetry);
        co_return created;
    }
    tell(*record, container, EventType::normal, "Created", "Container created");
    std::string forgotten;
    if (known->current) {
        if (known->previous) forgotten = known->previous->id;
        known->previous = std::move(known->current);
        back_off(*known);
    }
    known->current = Container{.id = id,
                               .sandbox_id = record->sandbox_id,
                               .name = container,
                               .attempt = attempt,
                               .image_id = image_id,
                               .phase = ContainerPhase::created};
    known->limits = limits;
    known->waiting_reason.clear();
    known->waiting_message.clear();
    const client::ObjectPointer pod = record->pod;  // it may change meanwhile
    const core_v1::Container definition = container_of(core_v1::Pod(pod->root()), container);
    known->is_started = !definition.has_startup_probe();
    known->is_ready = known->is_started && !definition.has_readiness_probe();
    if (!forgotten.empty()) {
        auto removing = parts_.node.runtime.remove_container(forgotten);
        (void)co_await removing;
    }
    auto starting = parts_.node.runtime.start_container(id);
    const Result<void> started = co_await starting;
    known = record->find(container);
    if (known == nullptr) co_return base::ok();
    if (!started) {
        tell(*record, container, EventType::warning, "Failed", "Error: " + started.error().message());
        (void)wait(*record, container, "RunContainerError", started.error().message(), kRetry);
        co_return base::ok();
    }
    tell(*record, container, EventType::normal, "Started", "Container started");
    if (definition.lifecycle().has_post_start()) {
        known->is_in_hook = true;
        base::spawn(parts_.node.executor, run_post_start(record, container, id), [] {});
    }
    co_return base::ok();
}

Task<Result<void>> ContainerLife::run_hook(Record record, std::string container, std::string id,
                                           object::Value handler, std::chrono::seconds timeout) {
    const client::ObjectPointer pod = record->pod;  // whose document the handler is part of
    const core_v1::LifecycleHandler hook(handler);
    if (hook.has_sleep()) {
        co_await base::sleep_for(
            std::min<base::Duration>(std::chrono::seconds(hook.sleep().seconds()), timeout));
        co_return base::ok();
    }
    ProbeTarget target;
    target.container_id = std::move(id);
    target.container = container_of(core_v1::Pod(pod->root()), container).untyped();
    target.user_agent = "kube-lifecycle/1.36";
    if (!record->addresses.empty()) target.pod_address = record->addresses.front();
    auto asking = ask(handler, target, timeout, parts_.node.runtime, parts_.node.executor);
    const ProbeResult result = co_await asking;
    if (result.outcome == ProbeOutcome::success || result.outcome == ProbeOutcome::warning)
        co_return base::ok();
    co_return base::Status(base::Reason::internal_error, result.output);
}

Task<void> ContainerLife::run_post_start(Record record, std::string container, std::string id) {
    const client::ObjectPointer pod = record->pod;
    const core_v1::Container definition = container_of(core_v1::Pod(pod->root()), container);
    auto running =
        run_hook(record, container, id, definition.lifecycle().post_start().untyped(), kLongestHook);
    const Result<void> result = co_await running;
    ContainerRecord* known = record->find(container);
    if (known == nullptr || !known->current || known->current->id != id) co_return;
    known->is_in_hook = false;
    if (!result) {
        tell(*record, container, EventType::warning, "FailedPostStartHook", "PostStartHook failed");
        if (known->is_running())
            stop(record, container, std::nullopt, "FailedPostStartHook", "FailedPostStartHook");
    }
    parts_.wake(record->uid);
}

std::int64_t ContainerLife::node_memory_bytes() const {
    const client::ObjectPointer node = parts_.nodes.get({"", parts_.settings.name});
    if (!node) return 0;
    const auto quantity = object::Quantity::parse(core_v1::Node(node->root()).status().capacity()["memory"]);
    return quantity ? quantity->value() : 0;
}

Task<Result<void>> ContainerLife::resize(Record record, std::string container) {
    ContainerRecord* known = record->find(container);
    if (known == nullptr || !known->is_running() || known->is_stopping) co_return base::ok();
    const core_v1::Container definition = container_of(record->object(), container);
    const ResourceLimits wanted =
        container_limits(definition.untyped(), record->object().untyped(), node_memory_bytes());
    if (known->limits && *known->limits == wanted) co_return base::ok();
    for (const core_v1::ContainerResizePolicy policy : definition.resize_policy()) {
        if (!known->limits || policy.restart_policy() != "RestartContainer") continue;
        const bool is_changed = policy.resource_name() == "memory"
                                    ? known->limits->memory_limit_bytes != wanted.memory_limit_bytes
                                    : known->limits->cpu_shares != wanted.cpu_shares ||
                                          known->limits->cpu_quota_us != wanted.cpu_quota_us;
        if (!is_changed) continue;
        known->limits = wanted;
        stop(record, container, std::nullopt, "Killing",
             "Container " + container + " resize requires restart");
        co_return base::ok();
    }
    const std::string id = known->current->id;
    auto updating = parts_.node.runtime.update_resources(id, wanted);
    Result<void> updated = co_await updating;
    known = record->find(container);
    if (updated && known != nullptr && known->current && known->current->id == id) known->limits = wanted;
    if (!updated)
        tell(*record, container, EventType::warning, "ResizeError",
             "Error resizing container: " + updated.error().message());
    co_return updated;
}

void ContainerLife::stop(const Record& record, const std::string& container,
                         std::optional<std::chrono::seconds> grace, std::string_view reason,
                         std::string message) {
    ContainerRecord* known = record->find(container);
    if (known == nullptr || !known->current || known->is_stopping) return;
    known->is_stopping = true;
    tell(*record, container, EventType::normal, reason, std::move(message));
    const core_v1::PodSpec spec = record->object().spec();
    const std::chrono::seconds own(
        spec.has_termination_grace_period_seconds() ? spec.termination_grace_period_seconds() : 30);
    base::spawn(parts_.node.executor, end(record, container, known->current->id, grace.value_or(own)), [] {});
}

// A plugin may answer before the end, when its calls are bounded in time: it is asked again.
Task<void> ContainerLife::end(Record record, std::string container, std::string id,
                              std::chrono::seconds grace) {
    const base::MonotonicTime deadline = parts_.now() + grace;
    const client::ObjectPointer pod = record->pod;
    const core_v1::Container definition = container_of(core_v1::Pod(pod->root()), container);
    const bool was_running = record->find(container) != nullptr && record->find(container)->is_running();
    if (definition.lifecycle().has_pre_stop() && was_running && grace > std::chrono::seconds::zero()) {
        auto running = run_hook(record, container, id, definition.lifecycle().pre_stop().untyped(), grace);
        const Result<void> hook = co_await running;
        if (!hook) tell(*record, container, EventType::warning, "FailedPreStopHook", "PreStopHook failed");
    }
    const std::string signal(definition.lifecycle().stop_signal());
    while (true) {
        // A hook that took all the time leaves the container two seconds, as the kubelet does.
        const auto left = std::chrono::duration_cast<std::chrono::seconds>(deadline - parts_.now());
        const auto wait =
            grace == std::chrono::seconds::zero() ? grace : std::max(left, std::chrono::seconds(2));
        auto stopping = parts_.node.runtime.stop_container(id, wait, signal);
        const Result<void> stopped = co_await stopping;
        if (stopped) break;
        if (stopped.error().reason() != base::Reason::service_unavailable &&
            stopped.error().reason() != base::Reason::timeout) {
            tell(*record, container, EventType::warning, "FailedKillPod",
                 "error killing container: " + stopped.error().message());
        }
        co_await base::sleep_for(std::chrono::seconds(1));
        const ContainerRecord* known = record->find(container);
        if (known == nullptr || !known->current || known->current->id != id || known->has_exited()) break;
    }
    ContainerRecord* known = record->find(container);
    if (known != nullptr && known->current && known->current->id == id) known->is_stopping = false;
    parts_.wake(record->uid);
}

}  // namespace keelson::node
