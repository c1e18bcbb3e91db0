#include "cli/workloads/drain_plan.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernel/object/time_format.h"

namespace keelson::cli::kube {
namespace {

constexpr const char* kMirror = "kubernetes.io/config.mirror";

std::string controller_kind(const Object& pod) {
    for (const Object& owner : member(pod, {"metadata", "ownerReferences"}))
        if (member(owner, "controller") == true) return text_at(owner, "kind");
    return {};
}

bool has_ended(const Object& pod) {
    const std::string phase = text_at(member(pod, "status"), "phase");
    return phase == "Succeeded" || phase == "Failed";
}

bool has_empty_dir(const Object& pod) {
    for (const Object& volume : member(pod, {"spec", "volumes"}))
        if (volume.contains("emptyDir")) return true;
    return false;
}

bool was_deleted_before(const Object& pod, std::int64_t time) {
    const auto deleted = object::parse_time(text_at(member(pod, "metadata"), "deletionTimestamp"));
    return deleted && deleted->seconds < time;
}

// What each filter says of a pod.
struct Verdict {
    bool goes = true;
    std::optional<std::string> warning;
    std::optional<std::string> problem;
};

Verdict of_daemon_set(const Object& pod, const DrainRules& rules) {
    if (controller_kind(pod) != "DaemonSet" || has_ended(pod)) return {};
    if (!rules.ignores_daemon_sets)
        return {false, {}, "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"};
    return {false, "ignoring DaemonSet-managed Pods", {}};
}

Verdict of_mirror(const Object& pod) {
    return {!member(pod, {"metadata", "annotations"}).contains(kMirror), {}, {}};
}

Verdict of_storage(const Object& pod, const DrainRules& rules) {
    if (!has_empty_dir(pod) || has_ended(pod)) return {};
    if (!rules.deletes_empty_dirs)
        return {false, {}, "Pods with local storage (use --delete-emptydir-data to override)"};
    return {true, "deleting Pods with local storage", {}};
}

Verdict of_owner(const Object& pod, const DrainRules& rules) {
    if (has_ended(pod) || !controller_kind(pod).empty()) return {};
    if (!rules.forces) return {false, {}, "Pods that declare no controller (use --force to override)"};
    return {true, "deleting Pods that declare no controller", {}};
}

Verdict verdict_on(const Object& pod, const DrainRules& rules) {
    Verdict last;
    const bool is_going =
        rules.skips_deleted_after > 0 && was_deleted_before(pod, rules.now - rules.skips_deleted_after);
    if (is_going) return {false, {}, {}};
    for (const Verdict& verdict :
         {of_daemon_set(pod, rules), of_mirror(pod), of_storage(pod, rules), of_owner(pod, rules)}) {
        if (!verdict.goes) return verdict;
        if (verdict.warning) last = verdict;
    }
    return last;
}

std::vector<std::string> lines_of(const std::map<std::string, std::string>& pods_by_text,
                                  const std::string& before) {
    std::vector<std::string> lines;
    for (const auto& [text, pods] : pods_by_text) lines.push_back(before + text + ": " + pods);
    return lines;
}

}  // namespace

DrainPlan plan_drain(const std::vector<Object>& pods, const DrainRules& rules) {
    DrainPlan plan;
    std::map<std::string, std::string> warnings, problems;
    for (const Object& pod : pods) {
        const Verdict verdict = verdict_on(pod, rules);
        const std::string name = namespace_of(pod) + "/" + name_of(pod);
        const auto add = [&name](std::string& list) { list += (list.empty() ? "" : ", ") + name; };
        if (verdict.warning) add(warnings[*verdict.warning]);
        if (verdict.problem) add(problems[*verdict.problem]);
        if (verdict.goes) plan.pods.push_back(pod);
    }
    plan.warnings = lines_of(warnings, "");
    plan.problems = lines_of(problems, "cannot delete ");
    return plan;
}

}  // namespace keelson::cli::kube
