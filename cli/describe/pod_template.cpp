// Templates of pods, and what pods and templates share besides containers and volumes.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

std::string toleration_text(const Json& toleration) {
    std::string line = text(toleration, {"key"});
    const std::string value = text(toleration, {"value"});
    const std::string effect = text(toleration, {"effect"});
    const bool has_key = !line.empty();
    if (!value.empty()) line += "=" + value;
    if (!effect.empty()) line += ":" + effect;
    if (text(toleration, {"operator"}) == "Exists" && value.empty())
        line += has_key || !effect.empty() ? " op=Exists" : "op=Exists";
    const Json& seconds = at(toleration, {"tolerationSeconds"});
    if (!seconds.is_null()) line += " for " + text(seconds) + "s";
    return line;
}

}  // namespace

void write_tolerations(Description& out, const Json& tolerations, std::string_view indent) {
    std::string before = std::string(indent) + "Tolerations:\t";
    if (!tolerations.is_array() || tolerations.empty()) return out.line(0, before + std::string(kNone));
    std::vector<Json> sorted(tolerations.begin(), tolerations.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const Json& left, const Json& right) {
        return text(left, {"key"}) < text(right, {"key"});
    });
    for (const Json& toleration : sorted) {
        out.line(0, before + toleration_text(toleration));
        before = "\t";
    }
}

void write_topology_spread(Description& out, const Json& constraints, std::string_view indent) {
    if (!constraints.is_array() || constraints.empty()) return;
    std::vector<Json> sorted(constraints.begin(), constraints.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const Json& left, const Json& right) {
        return text(left, {"topologyKey"}) < text(right, {"topologyKey"});
    });
    std::string before = std::string(indent) + "Topology Spread Constraints:\t";
    for (const Json& constraint : sorted) {
        std::string line = text(constraint, {"topologyKey"}) + ":" + text(constraint, {"whenUnsatisfiable"}) +
                           " when max skew " + text(constraint, {"maxSkew"}) + " is exceeded";
        const Json& selector = at(constraint, {"labelSelector"});
        if (selector.is_object()) line += " for selector " + format_selector(selector);
        out.line(0, before + line);
        before = std::string(indent) + "\t";
    }
}

void write_short_conditions(Description& out, const Json& conditions) {
    if (!conditions.is_array() || conditions.empty()) return;
    out.line(0, "Conditions:");
    out.row(1, {"Type", "Status", "Reason"});
    out.row(1, {"----", "------", "------"});
    for (const Json& condition : conditions)
        out.row(1,
                {text(condition, {"type"}) + " ", text(condition, {"status"}), text(condition, {"reason"})});
}

void write_pod_template(Description& out, const Json& pod_template) {
    out.line(0, "Pod Template:");
    const Json& spec = at(pod_template, {"spec"});
    const Json& annotations = at(pod_template, {"metadata", "annotations"});
    write_labels(out, "  Labels", at(pod_template, {"metadata", "labels"}));
    if (annotations.is_object() && !annotations.empty()) write_annotations(out, "  Annotations", annotations);
    const std::string account = text(spec, {"serviceAccountName"});
    if (!account.empty()) out.field(1, "Service Account", account);
    const Json& first = at(spec, {"initContainers"});
    static const Json kNoStatuses;
    if (first.is_array() && !first.empty())
        write_containers(out, {"Init Containers", first, kNoStatuses, "  "});
    write_containers(out, {"Containers", at(spec, {"containers"}), kNoStatuses, "  "});
    write_volumes(out, at(spec, {"volumes"}), "  ");
    write_topology_spread(out, at(spec, {"topologySpreadConstraints"}), "  ");
    const std::string priority = text(spec, {"priorityClassName"});
    if (!priority.empty()) out.field(1, "Priority Class Name", priority);
    write_labels(out, "  Node-Selectors", at(spec, {"nodeSelector"}));
    write_tolerations(out, at(spec, {"tolerations"}), "  ");
}

std::string selector_query(const Json& selector) {
    const std::string query = format_selector(selector);
    return query == kNone ? std::string() : query;
}

std::string pods_status(const Context& context, const Json& selector) {
    const auto pods = context.related.list("pods", kube::namespace_of(context.object),
                                           {.labels = selector_query(selector)});
    if (!pods) return "error in fetching pods: " + pods.error().message;
    int running = 0, waiting = 0, succeeded = 0, failed = 0;
    const std::string owner_uid = text(context.object, {"metadata", "uid"});
    for (const Json& pod : at(*pods, {"items"})) {
        std::string controller;
        for (const Json& owner : at(pod, {"metadata", "ownerReferences"}))
            if (is_true(at(owner, {"controller"}))) controller = text(owner, {"uid"});
        if (controller != owner_uid) continue;
        const std::string phase = text(pod, {"status", "phase"});
        running += phase == "Running" ? 1 : 0;
        waiting += phase == "Pending" ? 1 : 0;
        succeeded += phase == "Succeeded" ? 1 : 0;
        failed += phase == "Failed" ? 1 : 0;
    }
    return std::to_string(running) + " Running / " + std::to_string(waiting) + " Waiting / " +
           std::to_string(succeeded) + " Succeeded / " + std::to_string(failed) + " Failed";
}

}  // namespace keelson::cli::describing
