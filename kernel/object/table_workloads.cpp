// Table columns of pods and of the kinds that make pods.
#include <algorithm>
#include <map>
#include <string>

#include "kernel/object/table_cells.h"
#include "kernel/object/time_format.h"

namespace keelson::object::tables {
namespace {

bool is_sidecar(Value pod, std::string_view name) {
    for (Value container : pod["spec"]["initContainers"].items())
        if (container["name"].as_string() == name) return container["restartPolicy"].as_string() == "Always";
    return false;
}

std::string ended_text(Value terminated, std::string_view prefix) {
    std::string reason = terminated["reason"].to_string();
    if (!reason.empty()) return std::string(prefix) + reason;
    if (std::int64_t signal = terminated["signal"].as_integer(); signal != 0)
        return std::string(prefix) + "Signal:" + std::to_string(signal);
    return std::string(prefix) + "ExitCode:" + std::to_string(terminated["exitCode"].as_integer());
}

// What the pod shows while its init containers run; empty when they are done.
std::string initializing_text(Value pod) {
    Value statuses = pod["status"]["initContainerStatuses"];
    std::size_t total = pod["spec"]["initContainers"].size();
    std::size_t index = 0;
    for (Value status : statuses.items()) {
        Value state = status["state"];
        Value terminated = state["terminated"];
        std::size_t at = index++;
        if (terminated.is_set() && terminated["exitCode"].as_integer() == 0) continue;
        if (is_sidecar(pod, status["name"].as_string()) && status["started"].as_boolean()) continue;
        if (terminated.is_set()) return ended_text(terminated, "Init:");
        std::string waiting = state["waiting"]["reason"].to_string();
        if (!waiting.empty() && waiting != "PodInitializing") return "Init:" + waiting;
        return "Init:" + std::to_string(at) + "/" + std::to_string(total);
    }
    return {};
}

bool is_condition_true(Value pod, std::string_view type) {
    return condition_of(pod["status"], type)["status"].as_string() == "True";
}

std::string running_text(Value pod, std::string reason) {
    auto statuses = pod["status"]["containerStatuses"].items();
    bool running = false;
    std::string failure;
    for (std::size_t i = statuses.size(); i-- > 0;) {
        Value state = statuses[i]["state"];
        if (std::string waiting = state["waiting"]["reason"].to_string(); !waiting.empty()) {
            reason = waiting;
        } else if (state["terminated"].is_set()) {
            reason = ended_text(state["terminated"], "");
            if (state["terminated"]["exitCode"].as_integer() != 0) failure = reason;
        } else if (state["running"].is_set() && statuses[i]["ready"].as_boolean()) {
            running = true;
        }
    }
    if (reason == "Completed") {
        if (running) return is_condition_true(pod, "Ready") ? "Running" : "NotReady";
        if (!failure.empty()) return failure;
    }
    return reason;
}

std::string pod_status(Value pod) {
    Value status = pod["status"];
    std::string reason = status["reason"].to_string();
    if (reason.empty()) reason = status["phase"].to_string();
    if (condition_of(status, "PodScheduled")["reason"].as_string() == "SchedulingGated")
        reason = "SchedulingGated";
    std::string initializing = initializing_text(pod);
    if (!initializing.empty()) reason = initializing;
    if (initializing.empty() || is_condition_true(pod, "Initialized")) reason = running_text(pod, reason);
    if (pod["metadata"]["deletionTimestamp"].is_set()) {
        std::string_view phase = status["phase"].as_string();
        if (status["reason"].as_string() == "NodeLost") return "Unknown";
        if (phase != "Succeeded" && phase != "Failed") return "Terminating";
    }
    return reason;
}

struct ContainerCount {
    std::int64_t total = 0;
    std::int64_t ready = 0;
    std::int64_t restarts = 0;
    std::string last_restart;  // RFC 3339
};

ContainerCount count_containers(Value pod) {
    ContainerCount count;
    count.total = static_cast<std::int64_t>(pod["spec"]["containers"].size());
    std::int64_t init_restarts = 0, sidecar_restarts = 0;
    std::string init_last, sidecar_last;
    auto note_restart = [](Value status, std::string& last) {
        std::string finished = status["lastState"]["terminated"]["finishedAt"].to_string();
        last = std::max(last, finished);
    };
    for (Value container : pod["spec"]["initContainers"].items())
        if (container["restartPolicy"].as_string() == "Always") ++count.total;
    for (Value status : pod["status"]["initContainerStatuses"].items()) {
        init_restarts += status["restartCount"].as_integer();
        note_restart(status, init_last);
        if (!is_sidecar(pod, status["name"].as_string())) continue;
        sidecar_restarts += status["restartCount"].as_integer();
        note_restart(status, sidecar_last);
        if (status["started"].as_boolean() && status["ready"].as_boolean()) ++count.ready;
    }
    bool initializing = !initializing_text(pod).empty() && !is_condition_true(pod, "Initialized");
    if (initializing) {
        count.restarts = init_restarts;
        count.last_restart = init_last;
        return count;
    }
    count.restarts = sidecar_restarts;
    count.last_restart = sidecar_last;
    for (Value status : pod["status"]["containerStatuses"].items()) {
        count.restarts += status["restartCount"].as_integer();
        note_restart(status, count.last_restart);
        if (status["ready"].as_boolean() && status["state"]["running"].is_set()) ++count.ready;
    }
    return count;
}

Value pod_restarts(const Cell& cell) {
    ContainerCount count = count_containers(cell.object);
    std::string text = std::to_string(count.restarts);
    if (count.restarts != 0 && !count.last_restart.empty())
        text += " (" + cell.age(Value::reference(count.last_restart)) + " ago)";
    return cell.text(text);
}

Value readiness_gates(const Cell& cell) {
    Value gates = cell.at("spec.readinessGates");
    if (gates.empty()) return cell.text("<none>");
    std::size_t passed = 0;
    for (Value gate : gates.items())
        if (is_condition_true(cell.object, gate["conditionType"].as_string())) ++passed;
    return cell.text(std::to_string(passed) + "/" + std::to_string(gates.size()));
}

std::string ratio(const Cell& cell, std::string_view part, std::string_view whole) {
    return std::to_string(cell.at(part).as_integer()) + "/" + std::to_string(cell.at(whole).as_integer());
}

std::string container_texts(const Cell& cell, std::string_view pod_spec, std::string_view member) {
    return join(each_text(cell.at(std::string(pod_spec) + ".containers"), member));
}

constexpr ColumnRule kContainers{{"Containers", "string", "", 1}, [](const Cell& cell) {
                                     return cell.text(container_texts(cell, "spec.template.spec", "name"));
                                 }};
constexpr ColumnRule kImages{{"Images", "string", "", 1}, [](const Cell& cell) {
                                 return cell.text(container_texts(cell, "spec.template.spec", "image"));
                             }};
constexpr ColumnRule kSelector{{"Selector", "string", "", 1}, [](const Cell& cell) {
                                   return cell.text(selector_text(cell.at("spec.selector")));
                               }};

template <const char* Path>
Value number_cell(const Cell& cell) {
    return cell.number_at(Path);
}

constexpr char kSpecReplicas[] = "spec.replicas";
constexpr char kStatusReplicas[] = "status.replicas";
constexpr char kReadyReplicas[] = "status.readyReplicas";
constexpr char kUpdatedReplicas[] = "status.updatedReplicas";
constexpr char kAvailableReplicas[] = "status.availableReplicas";
constexpr char kDesiredScheduled[] = "status.desiredNumberScheduled";
constexpr char kCurrentScheduled[] = "status.currentNumberScheduled";
constexpr char kNumberReady[] = "status.numberReady";
constexpr char kUpdatedScheduled[] = "status.updatedNumberScheduled";
constexpr char kNumberAvailable[] = "status.numberAvailable";

constexpr ColumnRule kPod[] = {
    kNameColumn,
    {{"Ready", "string", "", 0},
     [](const Cell& cell) {
         ContainerCount count = count_containers(cell.object);
         return cell.text(std::to_string(count.ready) + "/" + std::to_string(count.total));
     }},
    {{"Status", "string", "", 0}, [](const Cell& cell) { return cell.text(pod_status(cell.object)); }},
    {{"Restarts", "string", "", 0}, pod_restarts},
    kAgeColumn,
    {{"IP", "string", "", 1},
     [](const Cell& cell) {
         std::string address = cell.at("status.podIPs").at(0)["ip"].to_string();
         return cell.text(address.empty() ? "<none>" : address);
     }},
    {{"Node", "string", "", 1}, [](const Cell& cell) { return cell.text_at("spec.nodeName", "<none>"); }},
    {{"Nominated Node", "string", "", 1},
     [](const Cell& cell) { return cell.text_at("status.nominatedNodeName", "<none>"); }},
    {{"Readiness Gates", "string", "", 1}, readiness_gates},
};

constexpr ColumnRule kPodTemplate[] = {
    kNameColumn,
    {{"Containers", "string", "", 0},
     [](const Cell& cell) { return cell.text(container_texts(cell, "template.spec", "name")); }},
    {{"Images", "string", "", 0},
     [](const Cell& cell) { return cell.text(container_texts(cell, "template.spec", "image")); }},
    {{"Pod Labels", "string", "", 0},
     [](const Cell& cell) { return cell.text(labels_text(cell.at("template.metadata.labels"))); }},
};

constexpr ColumnRule kReplicationController[] = {
    kNameColumn,
    {{"Desired", "integer", "", 0}, number_cell<kSpecReplicas>},
    {{"Current", "integer", "", 0}, number_cell<kStatusReplicas>},
    {{"Ready", "integer", "", 0}, number_cell<kReadyReplicas>},
    kAgeColumn,
    kContainers,
    kImages,
    {{"Selector", "string", "", 1},
     [](const Cell& cell) { return cell.text(labels_text(cell.at("spec.selector"))); }},
};

constexpr ColumnRule kReplicaSet[] = {
    kNameColumn,
    {{"Desired", "integer", "", 0}, number_cell<kSpecReplicas>},
    {{"Current", "integer", "", 0}, number_cell<kStatusReplicas>},
    {{"Ready", "integer", "", 0}, number_cell<kReadyReplicas>},
    kAgeColumn,
    kContainers,
    kImages,
    kSelector,
};

constexpr ColumnRule kDaemonSet[] = {
    kNameColumn,
    {{"Desired", "integer", "", 0}, number_cell<kDesiredScheduled>},
    {{"Current", "integer", "", 0}, number_cell<kCurrentScheduled>},
    {{"Ready", "integer", "", 0}, number_cell<kNumberReady>},
    {{"Up-to-date", "integer", "", 0}, number_cell<kUpdatedScheduled>},
    {{"Available", "integer", "", 0}, number_cell<kNumberAvailable>},
    {{"Node Selector", "string", "", 0},
     [](const Cell& cell) { return cell.text(labels_text(cell.at("spec.template.spec.nodeSelector"))); }},
    kAgeColumn,
    kContainers,
    kImages,
    kSelector,
};

constexpr ColumnRule kDeployment[] = {
    kNameColumn,
    {{"Ready", "string", "", 0},
     [](const Cell& cell) { return cell.text(ratio(cell, kReadyReplicas, kSpecReplicas)); }},
    {{"Up-to-date", "string", "", 0}, number_cell<kUpdatedReplicas>},
    {{"Available", "string", "", 0}, number_cell<kAvailableReplicas>},
    kAgeColumn,
    kContainers,
    kImages,
    {{"Selector", "string", "", 1},
     [](const Cell& cell) {
         std::string text = selector_text(cell.at("spec.selector"));
         return cell.text(text == "<none>" ? "" : text);
     }},
};

constexpr ColumnRule kStatefulSet[] = {
    kNameColumn,
    {{"Ready", "string", "", 0},
     [](const Cell& cell) { return cell.text(ratio(cell, kReadyReplicas, kSpecReplicas)); }},
    kAgeColumn,
    kContainers,
    kImages,
};

std::string job_status(Value job) {
    Value status = job["status"];
    auto is_true = [&](std::string_view type) {
        return condition_of(status, type)["status"].as_string() == "True";
    };
    if (is_true("Complete")) return "Complete";
    if (is_true("Failed")) return "Failed";
    if (job["metadata"]["deletionTimestamp"].is_set()) return "Terminating";
    for (std::string_view type : {"Suspended", "FailureTarget", "SuccessCriteriaMet"})
        if (is_true(type)) return std::string(type);
    return "Running";
}

Value job_completions(const Cell& cell) {
    std::string succeeded = std::to_string(cell.at("status.succeeded").as_integer());
    Value wanted = cell.at("spec.completions");
    if (wanted.is_integer()) return cell.text(succeeded + "/" + std::to_string(wanted.as_integer()));
    std::int64_t parallelism = cell.at("spec.parallelism").as_integer();
    return cell.text(succeeded + "/1" + (parallelism > 1 ? " of " + std::to_string(parallelism) : ""));
}

Value job_duration(const Cell& cell) {
    Value start = cell.at("status.startTime"), end = cell.at("status.completionTime");
    if (start.is_unset()) return cell.text("");
    auto begun = parse_time(start.as_string());
    std::int64_t until = cell.now_seconds;
    if (end.is_set())
        if (auto ended = parse_time(end.as_string())) until = ended->seconds;
    return cell.text(begun ? human_duration(until - begun->seconds) : "");
}

constexpr ColumnRule kJob[] = {
    kNameColumn,
    {{"Status", "string", "", 0}, [](const Cell& cell) { return cell.text(job_status(cell.object)); }},
    {{"Completions", "string", "", 0}, job_completions},
    {{"Duration", "string", "", 0}, job_duration},
    kAgeColumn,
    kContainers,
    kImages,
    kSelector,
};

constexpr char kJobPodSpec[] = "spec.jobTemplate.spec.template.spec";

constexpr ColumnRule kCronJob[] = {
    kNameColumn,
    {{"Schedule", "string", "", 0}, [](const Cell& cell) { return cell.text_at("spec.schedule"); }},
    {{"Timezone", "string", "", 0}, [](const Cell& cell) { return cell.text_at("spec.timeZone", "<none>"); }},
    {{"Suspend", "boolean", "", 0},
     [](const Cell& cell) {
         Value suspend = cell.at("spec.suspend");
         return cell.text(!suspend.is_boolean() ? "<unset>" : suspend.as_boolean() ? "True" : "False");
     }},
    {{"Active", "integer", "", 0},
     [](const Cell& cell) {
         return Value::integer(static_cast<std::int64_t>(cell.at("status.active").size()));
     }},
    {{"Last Schedule", "string", "", 0},
     [](const Cell& cell) {
         Value last = cell.at("status.lastScheduleTime");
         return cell.text(last.is_unset() ? "<none>" : cell.age(last));
     }},
    kAgeColumn,
    {{"Containers", "string", "", 1},
     [](const Cell& cell) { return cell.text(container_texts(cell, kJobPodSpec, "name")); }},
    {{"Images", "string", "", 1},
     [](const Cell& cell) { return cell.text(container_texts(cell, kJobPodSpec, "image")); }},
    {{"Selector", "string", "", 1},
     [](const Cell& cell) { return cell.text(selector_text(cell.at("spec.jobTemplate.spec.selector"))); }},
};

}  // namespace

std::span<const ColumnRule> workload_rules(std::string_view type) {
    static const std::map<std::string_view, std::span<const ColumnRule>> rules{
        {"core/v1.Pod", kPod},
        {"core/v1.PodTemplate", kPodTemplate},
        {"core/v1.ReplicationController", kReplicationController},
        {"apps/v1.ReplicaSet", kReplicaSet},
        {"apps/v1.DaemonSet", kDaemonSet},
        {"apps/v1.Deployment", kDeployment},
        {"apps/v1.StatefulSet", kStatefulSet},
        {"batch/v1.Job", kJob},
        {"batch/v1.CronJob", kCronJob},
    };
    auto found = rules.find(type);
    return found == rules.end() ? std::span<const ColumnRule>() : found->second;
}

}  // namespace keelson::object::tables
