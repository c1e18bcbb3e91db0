#include "kernel/node/pod_status.h"

#include <algorithm>

#include "kernel/node/container_settings.h"
#include "kernel/node/pod_plan.h"
#include "kernel/object/conditions.h"
#include "kernel/object/time_format.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using object::Arena;
using object::ConditionState;
using object::Value;

bool is_terminal(std::string_view phase) {
    return phase == "Succeeded" || phase == "Failed";
}

std::string join(const std::vector<std::string>& names) {
    std::string text = "[";
    for (const std::string& name : names) text += (text.size() > 1 ? " " : "") + name;
    return text + "]";
}

// One condition about containers that are not as they should be: "containers with unready status: [a b]".
ConditionState not_all(std::string_view type, std::string_view reason, std::string_view what,
                       const std::vector<std::string>& names, std::string& storage) {
    if (names.empty()) return {type, "True", "", ""};
    storage = "containers with " + std::string(what) + " status: " + join(names);
    return {type, "False", reason, storage};
}

class StatusMaker {
  public:
    StatusMaker(const PodRecord& record, const StatusSurroundings& surroundings, object::Document& document)
        : record_(record), surroundings_(surroundings), arena_(document.arena) {
        document.root = record.object().status().untyped().is_set()
                            ? record.object().status().untyped().clone(arena_)
                            : Value::map(arena_);
        status_ = core_v1::PodStatus(document.root);
    }

    void make() {
        const std::string_view phase = phase_of(record_);
        status_.set_phase(arena_, phase);
        if (record_.failure) {
            status_.set_reason(arena_, record_.failure->reason);
            status_.set_message(arena_, record_.failure->message);
        }
        put_addresses();
        if (!status_.has_start_time()) status_.set_start_time(arena_, text_of(surroundings_.now));
        status_.set_qos_class(arena_, quality_of_service(record_.pod->root()));
        const std::int64_t generation = record_.object().metadata().generation();
        if (generation > 0) status_.set_observed_generation(arena_, generation);
        // A pod that never came so far has no statuses of containers.
        if (record_.is_admitted || !record_.failure) put_containers();
        put_conditions(phase);
    }

  private:
    static std::string text_of(base::WallTime time) { return object::format_time(object::instant_of(time)); }
    // The API has whole seconds.
    static std::string second_of(std::string_view time) {
        const auto instant = object::parse_time(time);
        return instant ? object::format_time({instant->seconds, 0}) : std::string(time);
    }

    void put_addresses() {
        if (!surroundings_.host_addresses.empty()) {
            status_.set_host_ip(arena_, surroundings_.host_addresses.front());
            const auto list = core_v1::PodStatus(status_).make_host_ips(arena_);
            clear(list.untyped());
            for (const std::string& address : surroundings_.host_addresses)
                list.add(arena_).set_ip(arena_, address);
        }
        const auto& addresses =
            record_.object().spec().host_network() ? surroundings_.host_addresses : record_.addresses;
        if (addresses.empty()) return;
        status_.set_pod_ip(arena_, addresses.front());
        const auto list = status_.make_pod_ips(arena_);
        clear(list.untyped());
        for (const std::string& address : addresses) list.add(arena_).set_ip(arena_, address);
    }

    static void clear(Value list) {
        while (list.size() > 0) list.remove_at(list.size() - 1);
    }

    void put_containers() {
        const Value before = status_.untyped().clone(arena_);
        const core_v1::PodStatus old(before);
        put_list(
            old.init_container_statuses().untyped(), status_.make_init_container_statuses(arena_).untyped(),
            [](ContainerRole role) { return role == ContainerRole::init || role == ContainerRole::sidecar; });
        put_list(old.container_statuses().untyped(), status_.make_container_statuses(arena_).untyped(),
                 [](ContainerRole role) { return role == ContainerRole::main; });
        put_list(old.ephemeral_container_statuses().untyped(),
                 status_.make_ephemeral_container_statuses(arena_).untyped(),
                 [](ContainerRole role) { return role == ContainerRole::ephemeral; });
        if (status_.init_container_statuses().untyped().empty()) status_.clear_init_container_statuses();
        if (status_.ephemeral_container_statuses().untyped().empty())
            status_.clear_ephemeral_container_statuses();
    }

    template <typename Wanted>
    void put_list(Value old, Value list, Wanted wanted) {
        clear(list);
        std::vector<const ContainerRecord*> ordered;
        for (const ContainerRecord& container : record_.containers)
            if (wanted(container.role)) ordered.push_back(&container);
        // Main containers are listed by name.
        if (!ordered.empty() && ordered.front()->role == ContainerRole::main)
            std::ranges::sort(ordered, {}, [](const ContainerRecord* container) { return container->name; });
        for (const ContainerRecord* container : ordered) {
            core_v1::ContainerStatus last;
            for (const Value item : old.items())
                if (core_v1::ContainerStatus(item).name() == container->name)
                    last = core_v1::ContainerStatus(item);
            const Value made = Value::map(arena_);
            put_container(*container, last, core_v1::ContainerStatus(made));
            list.push_back(arena_, made);
        }
    }

    void put_container(const ContainerRecord& container, core_v1::ContainerStatus last,
                       core_v1::ContainerStatus status) {
        const core_v1::Container definition = container_of(record_.object(), container.name);
        status.set_name(arena_, container.name);
        put_state(container, last, status.make_state(arena_));
        if (container.previous)
            put_terminated(*container.previous, status.make_last_state(arena_).make_terminated(arena_));
        else if (container.has_exited() && is_waiting_to_restart(container))
            put_terminated(*container.current, status.make_last_state(arena_).make_terminated(arena_));
        else if (!container.current && last.has_last_state())
            status.untyped().set(arena_, "lastState", last.last_state().untyped().clone(arena_));
        else
            status.make_last_state(arena_);
        const bool is_running = container.is_running();
        status.set_ready(arena_, is_ready(container));
        status.set_restart_count(arena_, restarts(container, last));
        status.set_image(arena_, definition.image());
        status.set_image_id(arena_, container.image_reference);
        if (container.current)
            status.set_container_id(arena_, surroundings_.runtime_name + "://" + container.current->id);
        status.set_started(arena_, is_running && container.is_started);
        put_resources(definition, last, status);
        put_mounts(definition, status);
    }

    static bool is_ready(const ContainerRecord& container) {
        if (container.role == ContainerRole::init)
            return container.has_exited() && container.current->exit_code == 0;
        return container.is_running() && container.is_ready;
    }

    static std::int64_t restarts(const ContainerRecord& container, core_v1::ContainerStatus last) {
        return std::max<std::int64_t>(container.restarts(), last.restart_count());
    }

    // Between its end and its next start a container waits, for the API, with the end as its last state.
    [[nodiscard]] bool is_waiting_to_restart(const ContainerRecord& container) const {
        return record_.stage == PodStage::living && !record_.failure && !container.waiting_reason.empty() &&
               restarts_after(container, record_.object());
    }

    void put_state(const ContainerRecord& container, core_v1::ContainerStatus last,
                   core_v1::ContainerState state) {
        if (container.is_running()) {
            const auto running = state.make_running(arena_);
            if (!container.current->started_at.empty())
                running.set_started_at(arena_, second_of(container.current->started_at));
            return;
        }
        if (container.has_exited() && !is_waiting_to_restart(container)) {
            put_terminated(*container.current, state.make_terminated(arena_));
            return;
        }
        // What has ended stays ended although the runtime has forgotten it.
        if (!container.current && last.state().has_terminated()) {
            state.untyped().set(arena_, "terminated", last.state().terminated().untyped().clone(arena_));
            return;
        }
        const core_v1::ContainerStateWaiting waiting = state.make_waiting(arena_);
        std::string_view reason = container.waiting_reason;
        if (reason.empty()) {
            const bool waits_for_init =
                container.role == ContainerRole::main && has_init() && !is_initialized(record_);
            const bool is_later_init = container.role != ContainerRole::main && !record_.is_sandbox_ready;
            reason = waits_for_init || is_later_init || container.role == ContainerRole::init
                         ? "PodInitializing"
                         : "ContainerCreating";
        }
        waiting.set_reason(arena_, reason);
        if (!container.waiting_message.empty()) waiting.set_message(arena_, container.waiting_message);
    }

    [[nodiscard]] bool has_init() const {
        return std::ranges::any_of(record_.containers, [](const ContainerRecord& container) {
            return container.role == ContainerRole::init || container.role == ContainerRole::sidecar;
        });
    }

    void put_terminated(const Container& container, core_v1::ContainerStateTerminated state) {
        state.set_exit_code(arena_, container.exit_code);
        state.set_reason(arena_, container.reason.empty() ? (container.exit_code == 0 ? "Completed" : "Error")
                                                          : std::string_view(container.reason));
        if (!container.message.empty()) state.set_message(arena_, container.message);
        if (!container.started_at.empty()) state.set_started_at(arena_, second_of(container.started_at));
        if (!container.finished_at.empty()) state.set_finished_at(arena_, second_of(container.finished_at));
        state.set_container_id(arena_, surroundings_.runtime_name + "://" + container.id);
    }

    void put_resources(core_v1::Container definition, core_v1::ContainerStatus last,
                       core_v1::ContainerStatus status) {
        if (record_.resize_obstacle && last.has_resources()) {
            for (const std::string_view name : {"resources", "allocatedResources"})
                if (last.untyped().has(name))
                    status.untyped().set(arena_, name, last.untyped()[name].clone(arena_));
            return;
        }
        if (!definition.has_resources() || definition.resources().untyped().empty()) {
            status.make_resources(arena_);
            return;
        }
        status.untyped().set(arena_, "resources", definition.resources().untyped().clone(arena_));
        if (definition.resources().has_requests())
            status.untyped().set(arena_, "allocatedResources",
                                 definition.resources().untyped()["requests"].clone(arena_));
    }

    void put_mounts(core_v1::Container definition, core_v1::ContainerStatus status) {
        for (const core_v1::VolumeMount mount : definition.volume_mounts()) {
            const core_v1::VolumeMountStatus made = status.make_volume_mounts(arena_).add(arena_);
            made.set_name(arena_, mount.name());
            made.set_mount_path(arena_, mount.mount_path());
            if (!mount.read_only()) continue;
            made.set_read_only(arena_, true);
            made.set_recursive_read_only(arena_, "Disabled");
        }
    }

    void put_conditions(std::string_view phase) {
        const Value conditions = status_.make_conditions(arena_).untyped();
        const bool is_over = is_terminal(phase);
        std::vector<std::string> unready;
        std::vector<std::string> uninitialized;
        for (const ContainerRecord& container : record_.containers) {
            const bool counts =
                container.role == ContainerRole::main || container.role == ContainerRole::sidecar;
            if (counts && !is_ready(container)) unready.push_back(container.name);
            const bool is_done = container.role == ContainerRole::sidecar
                                     ? container.is_running() && container.is_started
                                     : is_ready(container);
            if ((container.role == ContainerRole::init || container.role == ContainerRole::sidecar) &&
                !is_done)
                uninitialized.push_back(container.name);
        }
        put(conditions, {"PodReadyToStartContainers",
                         record_.is_sandbox_ready && record_.has_network ? "True" : "False", "", ""});
        std::string text;
        if (phase == "Succeeded" || is_initialized(record_))
            put(conditions, {"Initialized", "True", phase == "Succeeded" ? "PodCompleted" : "", ""});
        else
            put(conditions,
                not_all("Initialized", "ContainersNotInitialized", "incomplete", uninitialized, text));
        put_readiness(conditions, phase, is_over, unready);
        put(conditions, {"PodScheduled", "True", "", ""});
        if (record_.resize_obstacle && !is_over)
            put(conditions, {"PodResizePending", "True", record_.resize_obstacle->reason,
                             record_.resize_obstacle->message});
        else
            object::remove_condition(conditions, "PodResizePending");
        if (record_.failure && record_.failure->is_eviction)
            put(conditions, {"DisruptionTarget", "True", "TerminationByKubelet", record_.failure->message});
    }

    void put_readiness(Value conditions, std::string_view phase, bool is_over,
                       const std::vector<std::string>& unready) {
        std::string text;
        ConditionState containers =
            not_all("ContainersReady", "ContainersNotReady", "unready", unready, text);
        if (is_over)
            containers = {"ContainersReady", "False", phase == "Succeeded" ? "PodCompleted" : "PodFailed",
                          ""};
        ConditionState ready = containers;
        ready.type = "Ready";
        std::string gates;
        if (containers.status == "True") {
            gates = missing_gates(conditions);
            if (!gates.empty()) ready = {"Ready", "False", "ReadinessGatesNotReady", gates};
        }
        put(conditions, ready);
        put(conditions, containers);
    }

    [[nodiscard]] std::string missing_gates(Value conditions) const {
        std::vector<std::string> messages;
        for (const core_v1::PodReadinessGate gate : record_.object().spec().readiness_gates()) {
            const std::string type(gate.condition_type());
            const Value condition = object::find_condition(conditions, type);
            if (condition.is_unset())
                messages.push_back("corresponding condition of pod readiness gate \"" + type +
                                   "\" does not exist.");
            else if (condition["status"].as_string() != "True")
                messages.push_back("the status of pod readiness gate \"" + type + "\" is not \"True\", but " +
                                   condition["status"].to_string());
        }
        if (messages.empty()) return {};
        std::string text;
        for (const std::string& message : messages) text += (text.empty() ? "" : ", ") + message;
        return messages.size() == 1 ? text : "[" + text + "]";
    }

    // Reason and message stay away when they say nothing.
    void put(Value conditions, const ConditionState& state) {
        object::set_condition(conditions, state, surroundings_.now, arena_);
        const Value condition = object::find_condition(conditions, state.type);
        if (state.reason.empty()) condition.erase("reason");
        if (state.message.empty()) condition.erase("message");
        const std::int64_t generation = record_.object().metadata().generation();
        if (generation > 0) core_v1::PodCondition(condition).set_observed_generation(arena_, generation);
    }

    const PodRecord& record_;
    const StatusSurroundings& surroundings_;
    Arena& arena_;
    core_v1::PodStatus status_;
};

bool is_ended_well(const ContainerRecord& container) {
    return container.has_exited() && container.current->exit_code == 0;
}

}  // namespace

std::string_view phase_of(const PodRecord& record) {
    const std::string_view before = record.object().status().phase();
    if (is_terminal(before)) return before;
    if (record.failure) return "Failed";
    bool all_ended = true;
    bool all_well = true;
    bool any_running = false;
    bool any_never = false;
    const bool is_final = record.stage != PodStage::living;
    for (const ContainerRecord& container : record.containers) {
        if (container.role == ContainerRole::init && container.has_exited() &&
            container.current->exit_code != 0 && (is_final || !restarts_after(container, record.object())))
            return record.has_running() ? "Pending" : "Failed";
        if (container.role != ContainerRole::main) continue;
        any_running = any_running || container.is_running();
        any_never = any_never || !container.current;
        const bool has_ended =
            container.has_exited() && (is_final || !restarts_after(container, record.object()));
        all_ended = all_ended && has_ended;
        all_well = all_well && is_ended_well(container);
    }
    if (all_ended && !record.containers.empty()) {
        if (record.has_running()) return "Running";
        return all_well ? "Succeeded" : "Failed";
    }
    // Some have not started yet, or wait for their image.
    if (any_never) return "Pending";
    return "Running";
}

object::Document make_pod_status(const PodRecord& record, const StatusSurroundings& surroundings) {
    object::Document document;
    StatusMaker(record, surroundings, document).make();
    return document;
}

}  // namespace keelson::node
