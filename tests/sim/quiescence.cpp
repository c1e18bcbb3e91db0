// What has to be true of a cluster that has been left alone.
#include <algorithm>

#include "kernel/object/quantity.h"
#include "tests/sim/invariants.h"

namespace keelson::sim {

using object::Value;

namespace {

using Finding = std::optional<std::string>;
using Succeeded = std::map<std::string, std::set<std::string>>;

std::int64_t number(const Seen& object, std::string_view field) {
    return object.at({"status", field}).as_integer();
}

std::int64_t generation_of(const Seen& object) {
    return object.at({"metadata", "generation"}).as_integer();
}

std::vector<SeenPointer> active_pods_of(const Model& model, const Seen& owner) {
    std::vector<SeenPointer> pods = model.controlled_by(owner.uid, "core/pods");
    std::erase_if(pods, [](const SeenPointer& pod) { return !is_active_pod(*pod); });
    return pods;
}

bool is_waiting_for_room(const Seen& pod) {
    return node_of_pod(pod).empty();
}

// --- The scheduler.

bool is_open_to(const Seen& node, const Seen& pod) {
    if (!has_condition(node, "Ready") || node.is_being_deleted) return false;
    for (const Value taint : node.at({"spec", "taints"}).items())
        if (taint["effect"].as_string() != "PreferNoSchedule" && !tolerates(pod, taint)) return false;
    for (const object::Member& label : pod.at({"spec", "nodeSelector"}).members())
        if (!node.at({"metadata", "labels", label.name}).equals(label.value)) return false;
    // The only required affinity of this workload names one node, as daemon sets do.
    const Value terms = pod.at({"spec", "affinity", "nodeAffinity",
                                "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"});
    for (const Value term : terms.items())
        for (const Value field : term["matchFields"].items())
            if (field["values"].at(0).as_string() != node.name) return false;
    return true;
}

Finding pod_that_fits(const Model& model) {
    const auto pods = model.all("core/pods");
    std::map<std::string, std::pair<std::int64_t, std::int64_t>> used;  // cpu and number by node
    for (const SeenPointer& pod : pods) {
        if (is_finished_pod(*pod) || node_of_pod(*pod).empty()) continue;
        used[std::string(node_of_pod(*pod))].first += requested_cpu_milli(*pod);
        used[std::string(node_of_pod(*pod))].second += 1;
    }
    for (const SeenPointer& pod : pods) {
        if (!is_active_pod(*pod) || !is_waiting_for_room(*pod)) continue;
        for (const SeenPointer& node : model.all("core/nodes")) {
            if (!is_open_to(*node, *pod)) continue;
            const auto cpu = object::Quantity::parse(node->at({"status", "allocatable", "cpu"}).as_string());
            const auto most =
                object::Quantity::parse(node->at({"status", "allocatable", "pods"}).as_string());
            const auto& [cpu_used, count] = used[node->name];
            if (cpu && most && cpu_used + requested_cpu_milli(*pod) <= cpu->milli_value() &&
                count < most->value())
                return pod->key + " waits for a node, and fits on " + node->name;
        }
    }
    return std::nullopt;
}

Finding pod_in_between(const Model& model) {
    for (const SeenPointer& pod : model.all("core/pods")) {
        if (pod->is_being_deleted) return pod->key + " is still being deleted";
        if (is_finished_pod(*pod) || is_waiting_for_room(*pod)) continue;
        if (!is_ready_pod(*pod)) return pod->key + " runs and is not ready";
    }
    return std::nullopt;
}

// --- Workloads.

Finding deployment_in_between(const Model& model) {
    for (const SeenPointer& deployment : model.all("apps/deployments")) {
        if (deployment->is_being_deleted) return deployment->key + " is still being deleted";
        if (number(*deployment, "observedGeneration") != generation_of(*deployment))
            return deployment->key + " has changed without being looked at";
        if (deployment->at({"spec", "paused"}).as_boolean()) continue;
        const std::int64_t replicas = replicas_of(*deployment);
        bool lacks_room = false;
        for (const SeenPointer& replica_set : model.controlled_by(deployment->uid, "apps/replicasets"))
            for (const SeenPointer& pod : active_pods_of(model, *replica_set))
                lacks_room |= is_waiting_for_room(*pod);
        if (lacks_room) continue;
        if (number(*deployment, "updatedReplicas") != replicas ||
            number(*deployment, "availableReplicas") != replicas ||
            number(*deployment, "replicas") != replicas)
            return deployment->key + " is not complete";
    }
    return std::nullopt;
}

Finding replicas_in_between(const Model& model) {
    for (const char* resource : {"apps/replicasets", "core/replicationcontrollers"})
        for (const SeenPointer& owner : model.all(resource)) {
            if (owner->is_being_deleted) return owner->key + " is still being deleted";
            const auto pods = active_pods_of(model, *owner);
            const auto ready =
                std::ranges::count_if(pods, [](const auto& pod) { return is_ready_pod(*pod); });
            if (static_cast<std::int64_t>(pods.size()) != replicas_of(*owner))
                return owner->key + " has " + std::to_string(pods.size()) + " pods and wants " +
                       std::to_string(replicas_of(*owner));
            if (number(*owner, "replicas") != replicas_of(*owner) || number(*owner, "readyReplicas") != ready)
                return owner->key + " tells another number of pods";
        }
    return std::nullopt;
}

Finding stateful_set_in_between(const Model& model) {
    for (const SeenPointer& set : model.all("apps/statefulsets")) {
        if (set->is_being_deleted) return set->key + " is still being deleted";
        const auto pods = active_pods_of(model, *set);
        if (std::ranges::any_of(pods, [](const auto& pod) { return is_waiting_for_room(*pod); })) continue;
        if (static_cast<std::int64_t>(pods.size()) != replicas_of(*set))
            return set->key + " has " + std::to_string(pods.size()) + " pods and wants " +
                   std::to_string(replicas_of(*set));
        if (number(*set, "readyReplicas") != replicas_of(*set) ||
            number(*set, "observedGeneration") != generation_of(*set))
            return set->key + " tells another state";
        for (std::int64_t ordinal = 0; ordinal < replicas_of(*set); ++ordinal)
            if (!model.get("core/pods", set->namespace_name, set->name + "-" + std::to_string(ordinal)))
                return set->key + " lacks pod " + std::to_string(ordinal);
    }
    return std::nullopt;
}

Finding daemon_set_in_between(const Model& model) {
    for (const SeenPointer& set : model.all("apps/daemonsets")) {
        if (set->is_being_deleted) return set->key + " is still being deleted";
        const auto pods = active_pods_of(model, *set);
        if (std::ranges::any_of(pods, [](const auto& pod) { return is_waiting_for_room(*pod); })) continue;
        if (static_cast<std::int64_t>(pods.size()) != number(*set, "desiredNumberScheduled") ||
            number(*set, "numberReady") != number(*set, "desiredNumberScheduled"))
            return set->key + " does not run everywhere";
        std::set<std::string_view> nodes;
        for (const SeenPointer& pod : pods)
            if (!nodes.insert(node_of_pod(*pod)).second) return set->key + " runs twice on a node";
    }
    return std::nullopt;
}

Finding job_in_between(const Model& model, const Succeeded& succeeded) {
    for (const SeenPointer& job : model.all("batch/jobs")) {
        if (job->is_being_deleted) return job->key + " is still being deleted";
        if (job->at({"spec", "suspend"}).as_boolean()) continue;
        const auto pods = active_pods_of(model, *job);
        if (std::ranges::any_of(pods, [](const auto& pod) { return is_waiting_for_room(*pod); })) continue;
        const bool is_complete = has_condition(*job, "Complete");
        if (!is_complete && !has_condition(*job, "Failed")) return job->key + " has not ended";
        if (!pods.empty()) return job->key + " has ended and has pods that run";
        const auto known = succeeded.find(job->uid);
        const std::int64_t really =
            known == succeeded.end() ? 0 : static_cast<std::int64_t>(known->second.size());
        if (number(*job, "succeeded") > really)
            return job->key + " counts " + std::to_string(number(*job, "succeeded")) +
                   " successes, there were " + std::to_string(really);
        const Value completions = job->at({"spec", "completions"});
        if (is_complete && completions.is_integer() && number(*job, "succeeded") != completions.as_integer())
            return job->key + " is complete with " + std::to_string(number(*job, "succeeded")) + " of " +
                   std::to_string(completions.as_integer());
    }
    return std::nullopt;
}

// --- Everything.

Finding lost_object(const Model& model) {
    for (const auto& [key, object] : model.everything()) {
        const Value owners = object->at({"metadata", "ownerReferences"});
        bool has_owner = owners.empty();
        for (const Value owner : owners.items())
            has_owner |= model.by_uid(owner["uid"].to_string()) != nullptr;
        if (!has_owner) return key + " is there without any of its owners";
        if (!object->namespace_name.empty() && !model.get("core/namespaces", "", object->namespace_name))
            return key + " is there without its namespace";
    }
    for (const SeenPointer& name : model.all("core/namespaces"))
        if (name->is_being_deleted) return name->key + " is still being deleted";
    return std::nullopt;
}

}  // namespace

std::optional<std::string> unfinished_work(const Model& model, const Succeeded& succeeded) {
    if (auto found = lost_object(model)) return found;
    if (auto found = pod_in_between(model)) return found;
    if (auto found = replicas_in_between(model)) return found;
    if (auto found = deployment_in_between(model)) return found;
    if (auto found = stateful_set_in_between(model)) return found;
    if (auto found = daemon_set_in_between(model)) return found;
    if (auto found = job_in_between(model, succeeded)) return found;
    return pod_that_fits(model);
}

}  // namespace keelson::sim
