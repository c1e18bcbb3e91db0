#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

void write_optional(Description& out, const char* title, const Json& value) {
    const std::string shown = text(value);
    if (!shown.empty()) out.field(0, title, shown);
}

void write_place(Description& out, const Json& pod) {
    const std::string node = text(pod, {"spec", "nodeName"});
    out.field(0, "Node", node.empty() ? std::string(kNone) : node + "/" + text(pod, {"status", "hostIP"}));
    const Json& start = at(pod, {"status", "startTime"});
    if (!start.is_null()) out.field(0, "Start Time", long_time(start));
}

void write_status(const Context& context) {
    const Json& pod = context.object;
    Description& out = context.out;
    const std::string phase = text(pod, {"status", "phase"});
    const Json& deleted = at(pod, {"metadata", "deletionTimestamp"});
    if (!deleted.is_null() && phase != "Failed" && phase != "Succeeded") {
        out.field(0, "Status", "Terminating (lasts " + age(deleted, context.options.now) + ")");
        out.field(0, "Termination Grace Period", text(pod, {"metadata", "deletionGracePeriodSeconds"}) + "s");
    } else {
        out.field(0, "Status", phase);
    }
    write_optional(out, "Reason", at(pod, {"status", "reason"}));
    write_optional(out, "Message", at(pod, {"status", "message"}));
    const Json& profile = at(pod, {"spec", "securityContext", "seccompProfile"});
    if (profile.is_object()) {
        out.field(0, "SeccompProfile", text(profile, {"type"}));
        if (text(profile, {"type"}) == "Localhost")
            out.field(1, "LocalhostProfile", text(profile, {"localhostProfile"}));
    }
}

void write_addresses(Description& out, const Json& pod) {
    out.field(0, "IP", text(pod, {"status", "podIP"}));
    const Json& all = at(pod, {"status", "podIPs"});
    if (!all.is_array() || all.empty()) return out.field(0, "IPs", kNone);
    out.line(0, "IPs:");
    for (const Json& one : all) out.field(1, "IP", text(one, {"ip"}));
}

void write_all_containers(Description& out, const Json& pod) {
    constexpr const char* kKinds[][3] = {
        {"initContainers", "Init Containers", "initContainerStatuses"},
        {"containers", "Containers", "containerStatuses"},
        {"ephemeralContainers", "Ephemeral Containers", "ephemeralContainerStatuses"}};
    for (const auto& [name, label, statuses] : kKinds) {
        const Json& specs = at(pod, {"spec", name});
        const bool is_main = std::string_view(name) == "containers";
        if (!is_main && (!specs.is_array() || specs.empty())) continue;
        write_containers(out, {label, specs, at(pod, {"status", statuses}), "", &pod});
    }
}

std::string condition_status(const Json& pod, const std::string& type) {
    for (const Json& condition : at(pod, {"status", "conditions"}))
        if (text(condition, {"type"}) == type) return text(condition, {"status"});
    return std::string(kNone);
}

void write_conditions(Description& out, const Json& pod) {
    const Json& gates = at(pod, {"spec", "readinessGates"});
    if (gates.is_array() && !gates.empty()) {
        out.line(0, "Readiness Gates:");
        out.row(1, {"Type", "Status"});
        for (const Json& gate : gates) {
            const std::string type = text(gate, {"conditionType"});
            out.row(1, {type + " ", condition_status(pod, type) + " "});
        }
    }
    const Json& conditions = at(pod, {"status", "conditions"});
    if (!conditions.is_array() || conditions.empty()) return;
    out.line(0, "Conditions:");
    out.row(1, {"Type", "Status"});
    for (const Json& condition : conditions)
        out.row(1, {text(condition, {"type"}) + " ", text(condition, {"status"}) + " "});
}

}  // namespace

void describe_pod(const Context& context) {
    const Json& pod = context.object;
    Description& out = context.out;
    write_name(out, pod);
    write_optional(out, "Priority", at(pod, {"spec", "priority"}));
    write_optional(out, "Priority Class Name", at(pod, {"spec", "priorityClassName"}));
    write_optional(out, "Runtime Class Name", at(pod, {"spec", "runtimeClassName"}));
    write_optional(out, "Service Account", at(pod, {"spec", "serviceAccountName"}));
    write_place(out, pod);
    write_metadata(out, pod);
    write_status(context);
    write_addresses(out, pod);
    write_controller(out, pod);
    write_optional(out, "NominatedNodeName", at(pod, {"status", "nominatedNodeName"}));
    write_all_containers(out, pod);
    write_conditions(out, pod);
    write_volumes(out, at(pod, {"spec", "volumes"}), "");
    write_optional(out, "QoS Class", at(pod, {"status", "qosClass"}));
    write_labels(out, "Node-Selectors", at(pod, {"spec", "nodeSelector"}));
    write_tolerations(out, at(pod, {"spec", "tolerations"}));
    write_topology_spread(out, at(pod, {"spec", "topologySpreadConstraints"}), "");
    write_events(context);
}

}  // namespace keelson::cli::describing
