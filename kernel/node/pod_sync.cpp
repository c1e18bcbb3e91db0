#include "kernel/node/pod_sync.h"

#include <algorithm>

#include "kernel/base/log.h"
#include "kernel/node/admission.h"
#include "kernel/node/pod_directory.h"
#include "kernel/node/pod_plan.h"
#include "kernel/object/conditions.h"
#include "kernel/object/json.h"
#include "kernel/object/time_format.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using base::FileDescriptor;
using base::Result;
using base::Task;
using client::EventType;

constexpr base::Duration kRetry = std::chrono::seconds(2);
constexpr base::Duration kVolumeInterval = std::chrono::minutes(1);
// A container that ran this long starts its pauses anew.
constexpr base::Duration kLongRun = std::chrono::minutes(10);

bool is_terminal(core_v1::Pod pod) {
    return pod.status().phase() == "Succeeded" || pod.status().phase() == "Failed";
}

std::map<std::string, std::string> wanted_requests(core_v1::Pod pod) {
    std::map<std::string, std::string> requests;
    for (const core_v1::Container container : pod.spec().containers())
        requests[std::string(container.name())] =
            object::to_json(container.resources().untyped()["requests"]);
    return requests;
}

// What an earlier process has agreed to is in the status.
std::map<std::string, std::string> agreed_requests(core_v1::Pod pod,
                                                   std::map<std::string, std::string> wanted) {
    for (const core_v1::ContainerStatus status : pod.status().container_statuses()) {
        const object::Value allocated = status.untyped()["allocatedResources"];
        if (allocated.is_set()) wanted[std::string(status.name())] = object::to_json(allocated);
    }
    return wanted;
}

client::ObjectPointer with_requests(core_v1::Pod pod, const std::map<std::string, std::string>& requests) {
    object::Document document;
    document.root = pod.untyped().clone(document.arena);
    for (const core_v1::Container container : core_v1::Pod(document.root).spec().containers()) {
        const auto found = requests.find(std::string(container.name()));
        if (found == requests.end()) continue;
        const auto agreed = object::parse_json_copy(found->second, document.arena);
        if (agreed)
            container.untyped()
                .child_map(document.arena, "resources")
                .set(document.arena, "requests", *agreed);
    }
    return std::make_shared<const client::CachedObject>(document.root, "Pod", "v1");
}

std::string_view or_default(bool is_host, std::string_view otherwise) {
    return is_host ? "host" : otherwise;
}

SandboxConfig sandbox_config(const PodRecord& record, const NodeSettings& settings) {
    const core_v1::Pod pod = record.object();
    const core_v1::PodSpec spec = pod.spec();
    SandboxConfig config;
    config.id = make_sandbox_id(record.uid, record.sandbox_attempt);
    config.pod = identity_of(pod);
    const HostNames names = host_names(pod.untyped(), settings.dns.cluster_domain);
    config.hostname =
        spec.set_hostname_as_fqdn() && !names.full_name.empty() ? names.full_name : names.hostname;
    if (spec.host_network()) config.hostname = settings.name;
    config.log_directory = ContainerLife::log_directory(settings, record);
    config.cgroup_parent = cgroup_of_pod(pod.untyped());
    config.network = or_default(spec.host_network(), "pod");
    config.processes = or_default(spec.host_pid(), spec.share_process_namespace() ? "pod" : "container");
    config.ipc = or_default(spec.host_ipc(), "pod");
    for (const core_v1::Sysctl sysctl : spec.security_context().sysctls())
        config.sysctls[std::string(sysctl.name())] = sysctl.value();
    config.limits = pod_limits(pod.untyped());
    return config;
}

std::vector<HostPort> host_ports(core_v1::Pod pod) {
    std::vector<HostPort> ports;
    const auto add_all = [&ports](auto containers) {
        for (const core_v1::Container container : containers)
            for (const core_v1::ContainerPort port : container.ports())
                if (port.host_port() > 0)
                    ports.push_back({port.protocol().empty() ? "TCP" : std::string(port.protocol()),
                                     static_cast<std::int32_t>(port.host_port()),
                                     static_cast<std::int32_t>(port.container_port()),
                                     std::string(port.host_ip())});
    };
    add_all(pod.spec().containers());
    add_all(pod.spec().init_containers());
    return ports;
}

}  // namespace

PodSync::PodSync(const AgentParts& parts, Volumes& volumes, Prober& prober, std::string runtime_name,
                 Others others)
    : parts_(parts),
      volumes_(volumes),
      prober_(prober),
      life_(parts),
      writer_(parts.node.client),
      runtime_name_(std::move(runtime_name)),
      others_(std::move(others)) {}

void PodSync::tell(const PodRecord& record, EventType type, std::string_view reason, std::string message) {
    parts_.recorder.record(record.pod->root(), type, reason, std::move(message));
}

void PodSync::look_at_volumes(PodRecord& record) {
    record.volumes_due = {};
}

Task<Result<PodSync::Outcome>> PodSync::sync(Record record) {
    take_containers(*record);
    auto refreshing = refresh(record);
    KEELSON_CO_TRY_VOID(co_await refreshing);
    decide_stage(*record);
    Outcome outcome;
    Result<void> failure;
    if (record->stage == PodStage::living) {
        auto living = live(record);
        Result<Again> again = co_await living;
        if (again)
            outcome.look_again = *again;
        else
            failure = std::move(again).error();
        decide_stage(*record);
        if (record->stage != PodStage::living) {
            // Some may have been started just now.
            auto looking = refresh(record);
            KEELSON_CO_TRY_VOID(co_await looking);
        }
    }
    if (record->stage == PodStage::ending) end(record);
    if (record->stage == PodStage::ending && !record->has_running()) record->stage = PodStage::ended;
    prober_.look_at(record);
    if (record->stage == PodStage::ended && !record->is_given_back) {
        auto giving = give_back(record);
        failure = co_await giving;
    }
    auto writing = writer_.write(
        record, {parts_.node.executor.clock().wall_now(), parts_.settings.addresses, runtime_name_});
    const Result<void> written = co_await writing;
    if (!written && written.error().code() != 404) co_return written.error();
    const bool is_unwanted = record->pod->is_being_deleted() || record->is_orphan || !written;
    if (record->stage == PodStage::ended && record->is_given_back && is_unwanted) {
        auto clearing = clear(record);
        KEELSON_CO_TRY_VOID(co_await clearing);
        outcome.is_gone = true;
    }
    if (!failure) co_return failure.error();
    co_return outcome;
}

void PodSync::decide_stage(PodRecord& record) {
    if (record.stage != PodStage::living) return;
    const core_v1::Pod pod = record.object();
    const base::MonotonicTime now = parts_.now();
    const auto begin_ending = [&](std::optional<std::chrono::seconds> grace) {
        record.stage = PodStage::ending;
        record.ending_since = now;
        record.grace = grace;
    };
    if (record.is_orphan || record.pod->is_being_deleted()) {
        // One that was removed by force still ends as it has said itself.
        if (!pod.metadata().has_deletion_grace_period_seconds()) return begin_ending(std::nullopt);
        return begin_ending(std::chrono::seconds(pod.metadata().deletion_grace_period_seconds()));
    }
    if (is_terminal(pod)) return begin_ending(std::nullopt);
    if (!record.is_admitted && !record.failure) {
        // Pods that were here before are not asked again.
        const bool was_here = !pod.status().container_statuses().empty();
        if (!was_here)
            record.failure = refuse_pod(pod, others_(record.uid),
                                        parts_.nodes.get({"", parts_.settings.name}), parts_.pressure);
        record.is_admitted = !record.failure;
        if (record.failure) tell(record, EventType::warning, record.failure->reason, record.failure->message);
    }
    const std::int64_t deadline_seconds = pod.spec().active_deadline_seconds();
    const auto started = object::wall_time_of(pod.status().start_time());
    if (deadline_seconds > 0 && started &&
        parts_.node.executor.clock().wall_now() >= *started + std::chrono::seconds(deadline_seconds) &&
        !record.failure) {
        record.failure =
            PodFailure{"DeadlineExceeded", "Pod was active on the node longer than the specified deadline"};
        tell(record, EventType::normal, "DeadlineExceeded",
             "Pod was active on the node longer than the specified deadline");
    }
    if (record.failure) begin_ending(record.failure->grace);
}

// Other requests than those agreed to are only met when there is room for them; until then the pod keeps what
// it has.
void PodSync::decide_resize(PodRecord& record) {
    const core_v1::Pod pod = record.object();
    const std::map<std::string, std::string> wanted = wanted_requests(pod);
    if (record.agreed_requests.empty()) record.agreed_requests = agreed_requests(pod, wanted);
    record.resize_obstacle.reset();
    record.agreed_pod.reset();
    if (wanted == record.agreed_requests) return;
    record.resize_obstacle =
        refuse_resize(pod, others_(record.uid), parts_.nodes.get({"", parts_.settings.name}));
    if (record.resize_obstacle)
        record.agreed_pod = with_requests(pod, record.agreed_requests);
    else
        record.agreed_requests = wanted;
}

// --- a pod that lives ---

Task<Result<PodSync::Again>> PodSync::live(Record record) {
    PodPlan plan = plan_pod(*record, parts_.now());
    if (plan.is_over) {
        record->stage = PodStage::ending;
        record->ending_since = parts_.now();
        co_return Again();
    }
    auto preparing = prepare_volumes(record);
    KEELSON_CO_TRY_VOID(co_await preparing);
    if (plan.needs_sandbox) {
        auto making = make_sandbox(record);
        KEELSON_CO_TRY_VOID(co_await making);
        plan = plan_pod(*record, parts_.now());
    }
    for (const ContainerStop& stop : plan.stop)
        life_.stop(record, stop.name, std::nullopt, stop.reason, stop.message);
    for (const std::string& name : plan.held_back) hold_back(*record, name);
    decide_resize(*record);
    for (std::size_t index = 0; index < record->containers.size() && !record->resize_obstacle; ++index) {
        auto resizing = life_.resize(record, record->containers[index].name);
        KEELSON_CO_TRY_VOID(co_await resizing);
    }
    auto starting = start_containers(record, plan.start);
    Again again = co_await starting;
    const auto sooner = [&again](base::Duration other) { again = std::min(again.value_or(other), other); };
    if (plan.look_again) sooner(*plan.look_again);
    sooner(kVolumeInterval);
    if (const std::int64_t deadline = record->object().spec().active_deadline_seconds(); deadline > 0)
        if (const auto started = object::wall_time_of(record->object().status().start_time()))
            sooner(std::max<base::Duration>(
                *started + std::chrono::seconds(deadline) - parts_.node.executor.clock().wall_now(),
                std::chrono::milliseconds(100)));
    co_return again;
}

// One after the other, in the order of the pod; the next follow when an init container has to be waited for.
Task<PodSync::Again> PodSync::start_containers(Record record, std::vector<std::string> names) {
    Again again;
    bool has_started = false;
    for (const std::string& name : names) {
        auto starting = life_.start(record, name);
        const Again wanted = co_await starting;
        if (wanted) again = std::min(again.value_or(*wanted), *wanted);
        if (record->pod->is_being_deleted()) break;
        const ContainerRecord* known = record->find(name);
        has_started = has_started || (known != nullptr && known->current);
    }
    if (has_started) {
        auto refreshing = refresh(record);
        const Result<void> refreshed = co_await refreshing;
        if (!refreshed) again = kRetry;
        // What had to wait for these may go on.
        const PodPlan next = plan_pod(*record, parts_.now());
        if (!next.start.empty() && next.start != names) again = base::Duration::zero();
    }
    co_return again;
}

void PodSync::hold_back(PodRecord& record, const std::string& container) {
    ContainerRecord* known = record.find(container);
    if (known == nullptr || known->waiting_reason == "CrashLoopBackOff") return;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(known->backoff).count();
    const std::string pod =
        record.pod->key().name + "_" + record.pod->key().namespace_name + "(" + record.uid + ")";
    const std::string time = seconds < 60
                                 ? std::to_string(seconds) + "s"
                                 : std::to_string(seconds / 60) + "m" + std::to_string(seconds % 60) + "s";
    known->waiting_reason = "CrashLoopBackOff";
    known->waiting_message = "back-off " + time + " restarting failed container=" + container + " pod=" + pod;
    parts_.recorder.record_part(record.pod->root(), field_path_of(record, container), EventType::warning,
                                "BackOff",
                                "Back-off restarting failed container " + container + " in pod " + pod);
}

Task<Result<void>> PodSync::prepare_volumes(Record record) {
    const base::MonotonicTime now = parts_.now();
    if (record->volumes && now < record->volumes_due) co_return base::ok();
    auto preparing = volumes_.prepare(record->pod);
    Result<MountedVolumes> prepared = co_await preparing;
    if (!prepared) {
        if (record->volume_error != prepared.error().message())
            tell(*record, EventType::warning, "FailedMount", prepared.error().message());
        record->volume_error = prepared.error().message();
        // What runs already goes on with what it has.
        if (!record->volumes) co_return std::move(prepared).error();
        record->volumes_due = now + kRetry;
        co_return base::ok();
    }
    record->volume_error.clear();
    record->volumes = std::move(*prepared);
    record->volumes_due = now + kVolumeInterval;
    co_return base::ok();
}

Task<Result<void>> PodSync::make_sandbox(Record record) {
    if (!record->sandbox_id.empty()) {
        tell(*record, EventType::normal, "SandboxChanged",
             "Pod sandbox changed, it will be killed and re-created.");
        auto clearing = clear_sandbox(record);
        KEELSON_CO_TRY_VOID(co_await clearing);
        ++record->sandbox_attempt;
    }
    SandboxConfig config = sandbox_config(*record, parts_.settings);
    if (const HostNames names = host_names(record->object().untyped(), parts_.settings.dns.cluster_domain);
        !names.problem.empty())
        co_return base::Status(base::Reason::invalid, names.problem);
    const std::string id = config.id;
    const bool has_own_network = config.network != "host";
    auto making_files = write_pod_files(record);
    KEELSON_CO_TRY_VOID(co_await making_files);
    auto running = parts_.node.runtime.run_sandbox(std::move(config));
    Result<FileDescriptor> made = co_await running;
    if (!made) {
        tell(*record, EventType::warning, "FailedCreatePodSandBox",
             "Failed to create pod sandbox: " + made.error().message());
        co_return std::move(made).error();
    }
    record->sandbox_id = id;
    record->addresses.clear();
    if (has_own_network) {
        auto connecting = connect(record, made->get());
        const Result<void> connected = co_await connecting;
        if (!connected) {
            tell(*record, EventType::warning, "FailedCreatePodSandBox",
                 "Failed to create pod sandbox: " + connected.error().message());
            co_return connected;
        }
    }
    record->has_network = true;
    record->is_sandbox_ready = true;
    // The addresses are known now.
    auto writing_files = write_pod_files(record);
    co_return co_await writing_files;
}

Task<Result<void>> PodSync::connect(Record record, int network_namespace) {
    if (!parts_.node.network.is_there()) co_return base::ok();
    auto attaching = parts_.node.network.attach(record->sandbox_id, identity_of(record->object()),
                                                host_ports(record->object()), network_namespace);
    Result<std::vector<std::string>> addresses = co_await attaching;
    if (!addresses) co_return std::move(addresses).error();
    record->addresses = std::move(*addresses);
    co_return base::ok();
}

// The old sandbox with all that ran in it: its containers count as restarts.
Task<Result<void>> PodSync::clear_sandbox(Record record) {
    const std::string id = record->sandbox_id;
    if (parts_.node.network.is_there()) {
        auto detaching = parts_.node.network.detach(id);
        KEELSON_CO_TRY_VOID(co_await detaching);
    }
    auto removing = parts_.node.runtime.remove_sandbox(id);
    KEELSON_CO_TRY_VOID(co_await removing);
    record->is_sandbox_ready = false;
    record->has_network = false;
    for (ContainerRecord& container : record->containers) {
        container.forgotten_attempts = container.next_attempt();
        if (container.current) container.previous = std::move(container.current);
        container.current.reset();
        container.is_started = container.is_ready = container.is_stopping = false;
    }
    co_return base::ok();
}

Task<Result<void>> PodSync::write_pod_files(Record record) {
    PodFiles files;
    const core_v1::Pod pod = record->object();
    files.names = host_names(pod.untyped(), parts_.settings.dns.cluster_domain);
    if (pod.spec().host_network()) files.names.hostname = parts_.settings.name;
    files.directory = parts_.settings.root_directory + "/pods/" + record->uid;
    files.log_directory = ContainerLife::log_directory(parts_.settings, *record);
    files.addresses = pod.spec().host_network() ? parts_.settings.addresses : record->addresses;
    auto writing = keep_pod_files(record->pod, std::move(files), parts_.settings.dns);
    co_return co_await writing;
}

// --- what the runtime says ---

Task<Result<void>> PodSync::refresh(Record record) {
    if (record->sandbox_id.empty()) co_return base::ok();
    auto listing = parts_.node.runtime.list_containers(record->sandbox_id);
    Result<std::vector<Container>> listed = co_await listing;
    if (!listed) co_return std::move(listed).error();
    take(*record, std::move(*listed));
    co_return base::ok();
}

void PodSync::take(PodRecord& record, std::vector<Container> containers) {
    std::ranges::sort(containers, {}, &Container::attempt);
    for (ContainerRecord& known : record.containers) {
        const bool was_exited = known.has_exited();
        const std::string old_id = known.current ? known.current->id : std::string();
        std::vector<Container*> mine;
        for (Container& container : containers)
            if (container.name == known.name) mine.push_back(&container);
        if (mine.empty()) continue;
        Container& newest = *mine.back();
        if (newest.phase == ContainerPhase::exited && newest.message.empty() &&
            !(was_exited && old_id == newest.id))
            read_termination_message(record, newest);
        else if (was_exited && old_id == newest.id)
            newest.message = known.current->message;
        if (mine.size() > 1 && (!known.previous || known.previous->id != mine[mine.size() - 2]->id))
            known.previous = *mine[mine.size() - 2];
        const bool is_adopted = old_id != newest.id;
        known.current = newest;
        if (is_adopted) adopt(record.object(), known);
        if (known.is_running()) known.waiting_reason.clear();
        if (known.has_exited() && !(was_exited && old_id == known.current->id)) noticed_exit(record, known);
    }
}

// That the agent was away is no reason to take a container out of service: it is what its pod's status says
// until its probes say otherwise.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-node/4781-kublet-restart-pod-status
void PodSync::adopt(core_v1::Pod pod, ContainerRecord& container) {
    const core_v1::Container definition = container_of(pod, container.name);
    const core_v1::ContainerStatus last = container_status_of(pod, container.name);
    const bool is_known = last.container_id().ends_with("://" + container.current->id);
    if (is_known) container.image_reference = last.image_id();
    if (!container.is_running()) return;
    const bool was_ready =
        is_known && last.ready() && object::is_condition_true(pod.status().conditions().untyped(), "Ready");
    container.is_started = !definition.has_startup_probe() || (is_known && last.started());
    container.is_ready = container.is_started && (!definition.has_readiness_probe() || was_ready);
}

void PodSync::noticed_exit(PodRecord& record, ContainerRecord& container) {
    container.is_stopping = false;
    container.is_ready = false;
    container.is_started = false;
    container.waiting_reason.clear();
    container.waiting_message.clear();
    const auto started = object::wall_time_of(container.current->started_at);
    const auto finished = object::wall_time_of(container.current->finished_at);
    if (started && finished && *finished - *started >= kLongRun) container.backoff = {};
    base::Duration since{};
    if (finished)
        since = std::max<base::Duration>(parts_.node.executor.clock().wall_now() - *finished, since);
    container.not_before = parts_.now() + std::max<base::Duration>(container.backoff - since, {});
    if (container.current->exit_code != 0 && container.current->reason == "StartError")
        parts_.recorder.record_part(record.pod->root(), field_path_of(record, container.name),
                                    EventType::warning, "Failed", "Error: " + container.current->message);
}

void PodSync::read_termination_message(const PodRecord& record, Container& container) const {
    const core_v1::Container definition = container_of(record.object(), container.name);
    const std::string directory = parts_.settings.root_directory + "/pods/" + record.uid;
    const std::string log = ContainerLife::log_directory(parts_.settings, record) + "/" +
                            ContainerLife::log_path(container.name, container.attempt);
    const bool falls_back =
        definition.termination_message_policy() == "FallbackToLogsOnError" && container.exit_code != 0;
    container.message = termination_message(
        termination_log_path(directory, container.name, container.attempt), falls_back ? log : std::string());
}

void PodSync::probed(const Record& record, const std::string& container, const std::string& container_id,
                     ProbeKind kind, bool is_success) {
    ContainerRecord* known = record->find(container);
    if (known == nullptr || !known->current || known->current->id != container_id) return;
    switch (kind) {
        case ProbeKind::readiness:
            known->is_ready = is_success;
            break;
        case ProbeKind::startup:
            known->is_started = is_success;
            if (is_success)
                known->is_ready = !container_of(record->object(), container).has_readiness_probe();
            break;
        case ProbeKind::liveness:
            break;
    }
    if (!is_success && kind != ProbeKind::readiness && record->stage == PodStage::living) {
        const core_v1::Container definition = container_of(record->object(), container);
        const core_v1::Probe probe =
            kind == ProbeKind::startup ? definition.startup_probe() : definition.liveness_probe();
        std::optional<std::chrono::seconds> grace;
        if (probe.has_termination_grace_period_seconds())
            grace = std::chrono::seconds(probe.termination_grace_period_seconds());
        const std::string_view what = kind == ProbeKind::startup ? "startup" : "liveness";
        life_.stop(record, container, grace, "Killing",
                   "Container " + container + " failed " + std::string(what) + " probe, will be restarted");
    }
    parts_.wake(record->uid);
}

// --- a pod that ends ---

void PodSync::end(const Record& record) {
    // A shorter grace may come while it ends.
    if (record->pod->is_being_deleted()) {
        const core_v1::Pod pod = record->object();
        const std::chrono::seconds grace(pod.metadata().deletion_grace_period_seconds());
        if (record->grace && grace < *record->grace) {
            record->grace = grace;
            for (ContainerRecord& container : record->containers) container.is_stopping = false;
        }
    }
    std::optional<std::chrono::seconds> left;
    if (record->grace) {
        const auto passed =
            std::chrono::duration_cast<std::chrono::seconds>(parts_.now() - record->ending_since);
        left = std::max(*record->grace - passed, std::chrono::seconds(record->grace->count() == 0 ? 0 : 2));
    }
    for (const std::string& name : plan_ending(*record))
        life_.stop(record, name, left, "Killing", "Stopping container " + name);
}

// What a pod that has ended no longer needs; its containers stay for their logs.
Task<Result<void>> PodSync::give_back(Record record) {
    prober_.forget(record->uid);
    parts_.puller.forget(record->uid);
    if (!record->sandbox_id.empty()) {
        if (parts_.node.network.is_there()) {
            auto detaching = parts_.node.network.detach(record->sandbox_id);
            KEELSON_CO_TRY_VOID(co_await detaching);
        }
        auto stopping = parts_.node.runtime.stop_sandbox(record->sandbox_id);
        KEELSON_CO_TRY_VOID(co_await stopping);
        record->is_sandbox_ready = false;
        record->has_network = false;
    }
    auto taking_down = volumes_.take_down(record->uid);
    KEELSON_CO_TRY_VOID(co_await taking_down);
    parts_.objects.release(record->uid);
    record->is_given_back = true;
    co_return base::ok();
}

Task<Result<void>> PodSync::clear(Record record) {
    if (!record->sandbox_id.empty()) {
        auto removing = parts_.node.runtime.remove_sandbox(record->sandbox_id);
        KEELSON_CO_TRY_VOID(co_await removing);
    }
    auto removing_files = remove_pod_files(parts_.settings.root_directory + "/pods/" + record->uid,
                                           ContainerLife::log_directory(parts_.settings, *record));
    KEELSON_CO_TRY_VOID(co_await removing_files);
    record->stage = PodStage::cleared;
    if (record->is_orphan) co_return base::ok();
    auto removing = writer_.remove(record);
    co_return co_await removing;
}

}  // namespace keelson::node
