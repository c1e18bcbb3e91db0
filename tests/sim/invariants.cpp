#include "tests/sim/invariants.h"

#include <algorithm>
#include <charconv>

#include "kernel/object/quantity.h"

namespace keelson::sim {

using base::MonotonicTime;
using object::Value;

namespace {

// What a part may not have seen yet: delays, watches that end, and the pauses after failures.
constexpr base::Duration kLag = std::chrono::seconds(90);

std::int64_t scaled(Value value, std::int64_t total, bool rounds_up) {
    if (value.is_integer()) return value.as_integer();
    const std::string_view text = value.as_string();
    std::int64_t percent = 25;
    std::from_chars(text.data(), text.data() + text.size(), percent);
    return (total * percent + (rounds_up ? 99 : 0)) / 100;
}

std::int64_t allocatable_cpu_milli(const Seen& node) {
    const auto cpu = object::Quantity::parse(node.at({"status", "allocatable", "cpu"}).as_string());
    return cpu ? cpu->milli_value() : 0;
}

std::string text_of(Value taint) {
    return taint["key"].to_string() + "=" + taint["value"].to_string() + ":" + taint["effect"].to_string();
}

}  // namespace

Bounds bounds_of(const Seen& deployment) {
    const std::int64_t replicas = replicas_of(deployment);
    const Value rolling = deployment.at({"spec", "strategy", "rollingUpdate"});
    Bounds bounds{scaled(rolling["maxSurge"], replicas, true),
                  scaled(rolling["maxUnavailable"], replicas, false)};
    if (bounds.surge == 0 && bounds.unavailable == 0) bounds.unavailable = 1;
    bounds.unavailable = std::min(bounds.unavailable, replicas);
    return bounds;
}

bool tolerates(const Seen& pod, Value taint) {
    for (const Value toleration : pod.at({"spec", "tolerations"}).items()) {
        const std::string_view effect = toleration["effect"].as_string();
        if (!effect.empty() && effect != taint["effect"].as_string()) continue;
        const std::string_view key = toleration["key"].as_string();
        const bool is_exists = toleration["operator"].as_string() == "Exists";
        if (key.empty() && is_exists) return true;
        if (key != taint["key"].as_string()) continue;
        if (is_exists || toleration["value"].as_string() == taint["value"].as_string()) return true;
    }
    return false;
}

void StepInvariants::breaks(std::string what) {
    if (!broken_) broken_ = std::move(what);
}

bool StepInvariants::is_namespace_ending(const std::string& name) const {
    const SeenPointer found = model_.get("core/namespaces", "", name);
    return !found || found->is_being_deleted;
}

void StepInvariants::see(const SeenChange& change) {
    const std::string& resource = change.any().resource;
    if (resource == "core/pods")
        see_pod(change);
    else if (resource == "core/nodes")
        see_node(change);
    else if (resource == "apps/replicasets")
        see_replica_set(change);
    else if (resource == "apps/deployments")
        see_deployment(change);
}

// --- Pods and nodes.

void StepInvariants::see_pod(const SeenChange& change) {
    const bool is_same = change.before && change.now && change.before->uid == change.now->uid;
    if (change.now) {
        const Seen& pod = *change.now;
        const std::string_view before = is_same ? node_of_pod(*change.before) : std::string_view();
        if (!before.empty() && before != node_of_pod(pod))
            breaks("pod " + pod.key + " was bound twice, to " + std::string(before) + " and " +
                   std::string(node_of_pod(pod)));
        if (before.empty() && !node_of_pod(pod).empty()) see_binding(pod);
        if (pod.at({"status", "phase"}).as_string() == "Succeeded" && !pod.controller_uid.empty())
            succeeded_[pod.controller_uid].insert(pod.uid);
    }
    if (change.now && !is_same) {
        see_making(*change.now);
        see_quota(*change.now);
    }
    const std::string deployment = deployment_of_pod(change.any());
    if (deployment.empty()) return;
    // It went by itself: a failure of its own or of its node.
    if (is_same && is_ready_pod(*change.before) && !is_ready_pod(*change.now) &&
        !change.now->is_being_deleted)
        rollouts_[deployment].is_disturbed = true;
    judge_rollout(deployment);
}

// Whoever makes a pod is refused when that is one too many; a quota that is made later may find more.
void StepInvariants::see_quota(const Seen& pod) {
    for (const SeenPointer& quota : model_.all("core/resourcequotas", pod.namespace_name)) {
        const Value hard = quota->at({"spec", "hard", "pods"});
        const auto limit = object::Quantity::parse(hard.as_string());
        // Quotas count from when their controller has looked at them.
        if (!limit || clock_.now() - quota->since < kLag || quota->at({"status", "hard"}).is_unset())
            continue;
        std::int64_t count = 0;
        bool all_are_younger = true;
        for (const SeenPointer& other : model_.all("core/pods", pod.namespace_name)) {
            // One that takes longer to go than it was given is not counted any more.
            if (!is_active_pod(*other)) continue;
            ++count;
            all_are_younger &= other->since >= quota->since;
        }
        if (count > limit->value() && all_are_younger)
            breaks(quota->key + " allows " + hard.to_string() + " pods, there are " + std::to_string(count) +
                   " since " + pod.key);
    }
}

// A controller that sees its own writes never makes more pods than are wanted.
void StepInvariants::see_making(const Seen& pod) {
    if (pod.controller_uid.empty()) return;
    const SeenPointer owner = model_.by_uid(pod.controller_uid);
    const bool is_job = owner && owner->resource == "batch/jobs";
    if (!owner || (owner->resource != "apps/replicasets" && !is_job)) return;
    std::int64_t active = 0;
    for (const SeenPointer& other : model_.controlled_by(owner->uid, "core/pods"))
        active += is_active_pod(*other) ? 1 : 0;
    const std::int64_t wanted =
        is_job ? owner->at({"spec", "parallelism"}).as_integer() : replicas_of(*owner);
    if (active <= wanted) return;
    if (!owner->controller_uid.empty()) rollouts_[owner->controller_uid].is_disturbed = true;
    const auto unsure = unsure_owners_.find(owner->uid);
    if (unsure == unsure_owners_.end() || clock_.now() - unsure->second > kLag)
        breaks(owner->key + " wants " + std::to_string(wanted) + " pods and has " + std::to_string(active) +
               " since " + pod.key);
}

void StepInvariants::see_binding(const Seen& pod) {
    const std::string name(node_of_pod(pod));
    const SeenPointer node = model_.get("core/nodes", "", name);
    if (!node) return;
    std::int64_t used = 0;
    for (const SeenPointer& other : model_.all("core/pods"))
        if (node_of_pod(*other) == name && !is_finished_pod(*other)) used += requested_cpu_milli(*other);
    const auto unsure = unsure_nodes_.find(name);
    const bool is_unsure = unsure != unsure_nodes_.end() && clock_.now() - unsure->second < kLag;
    if (used > allocatable_cpu_milli(*node) && !is_unsure)
        breaks("node " + name + " has " + std::to_string(allocatable_cpu_milli(*node)) + "m cpu and " +
               std::to_string(used) + "m of requests since " + pod.key);
    for (const Value taint : node->at({"spec", "taints"}).items()) {
        if (taint["effect"].as_string() == "PreferNoSchedule" || tolerates(pod, taint)) continue;
        const auto since = taints_[name].find(text_of(taint));
        if (since != taints_[name].end() && clock_.now() - since->second > kLag)
            breaks("pod " + pod.key + " was bound to " + name + " in spite of its taint " + text_of(taint));
    }
}

void StepInvariants::see_node(const SeenChange& change) {
    std::map<std::string, MonotonicTime>& known = taints_[change.any().name];
    std::map<std::string, MonotonicTime> present;
    if (change.now)
        for (const Value taint : change.now->at({"spec", "taints"}).items()) {
            const auto since = known.find(text_of(taint));
            present[text_of(taint)] = since == known.end() ? clock_.now() : since->second;
        }
    known = std::move(present);
}

void StepInvariants::see_unknown_outcome(const client::Address& address, Value sent) {
    if (address.resource != "pods") return;
    for (const Value owner : sent.path({"metadata", "ownerReferences"}).items())
        unsure_owners_[owner["uid"].to_string()] = clock_.now();
    if (address.subresource != "binding") return;
    unsure_nodes_[sent.path({"target", "name"}).to_string()] = clock_.now();
}

void StepInvariants::see_running(const Nodes& nodes) {
    std::map<client::ObjectKey, std::string> seen;
    for (const auto& [key, uid] : nodes.running()) {
        const auto [at, is_new] = seen.emplace(key, uid);
        if (!is_new && at->second != uid) breaks("two pods named " + key.text() + " run at once");
    }
}

// --- Deployments.

std::string StepInvariants::deployment_of_pod(const Seen& pod) const {
    if (pod.controller_uid.empty()) return {};
    const SeenPointer owner = model_.by_uid(pod.controller_uid);
    if (!owner || owner->resource != "apps/replicasets") return {};
    return owner->controller_uid;
}

void StepInvariants::see_replica_set(const SeenChange& change) {
    const SeenPointer& before = change.before;
    const bool is_going =
        before && !before->is_being_deleted && (!change.now || change.now->is_being_deleted);
    if (is_going && !before->controller_uid.empty() && replicas_of(*before) > 0) {
        const SeenPointer owner = model_.by_uid(before->controller_uid);
        if (owner && !owner->is_being_deleted && !is_namespace_ending(before->namespace_name))
            breaks(before->key + " was deleted while its owner " + owner->key + " is alive and wants it");
    }
    if (before && (!change.now || replicas_of(*change.now) < replicas_of(*before)))
        unsure_owners_[before->uid] = clock_.now();
    if (!change.any().controller_uid.empty()) judge_rollout(change.any().controller_uid);
}

void StepInvariants::see_deployment(const SeenChange& change) {
    if (!change.now) {
        rollouts_.erase(change.before->uid);
        return;
    }
    const Seen& deployment = *change.now;
    Rollout& rollout = rollouts_[deployment.uid];
    const std::int64_t generation = deployment.at({"metadata", "generation"}).as_integer();
    if (generation != rollout.generation) {
        const std::int64_t replicas = replicas_of(deployment);
        const bool is_rolling = deployment.at({"spec", "strategy", "type"}).as_string() == "RollingUpdate";
        rollout.is_known = rollout.is_settled && is_rolling && rollout.replicas == replicas &&
                           !deployment.at({"spec", "paused"}).as_boolean();
        const Bounds bounds = bounds_of(deployment);
        rollout.ceiling = std::max(rollout.is_known ? rollout.ceiling : 0, replicas + bounds.surge);
        // Whoever has not seen the change yet may act by the bounds before it.
        const std::int64_t floor = replicas - bounds.unavailable;
        rollout.floor = rollout.is_known ? std::min(rollout.floor, floor) : floor;
        rollout.is_settled = false;
        rollout.generation = generation;
        rollout.replicas = replicas;
    }
    judge_rollout(deployment.uid);
}

void StepInvariants::judge_rollout(const std::string& deployment_uid) {
    const SeenPointer deployment = model_.by_uid(deployment_uid);
    const auto found = rollouts_.find(deployment_uid);
    if (!deployment || found == rollouts_.end()) return;
    Rollout& rollout = found->second;
    if (deployment->is_being_deleted || is_namespace_ending(deployment->namespace_name)) {
        rollout.is_known = rollout.is_settled = false;
        return;
    }
    std::int64_t wanted = 0;
    std::int64_t active = 0;
    std::int64_t available = 0;
    bool is_seen = true;  // nobody acts by an older size of a replica set
    for (const SeenPointer& replica_set : model_.controlled_by(deployment_uid, "apps/replicasets")) {
        wanted += replicas_of(*replica_set);
        is_seen &= replica_set->at({"status", "observedGeneration"}).as_integer() ==
                   replica_set->at({"metadata", "generation"}).as_integer();
        for (const SeenPointer& pod : model_.controlled_by(replica_set->uid, "core/pods")) {
            if (!is_active_pod(*pod)) continue;
            ++active;
            if (is_ready_pod(*pod)) ++available;
        }
    }
    const Value status = (*deployment)["status"];
    const std::int64_t replicas = rollout.replicas;
    if (rollout.is_known && wanted > rollout.ceiling)
        breaks(deployment->key + ": its replica sets ask for " + std::to_string(wanted) +
               " pods, allowed are " + std::to_string(rollout.ceiling));
    if (rollout.is_known && !rollout.is_disturbed && settings_.is_calm && available < rollout.floor)
        breaks(deployment->key + ": " + std::to_string(available) + " pods are available, " +
               std::to_string(rollout.floor) + " have to be");
    const bool is_told = status["observedGeneration"].as_integer() == rollout.generation &&
                         status["updatedReplicas"].as_integer() == replicas &&
                         status["availableReplicas"].as_integer() == replicas &&
                         status["replicas"].as_integer() == replicas;
    if (!is_told || !is_seen || wanted != replicas || active != replicas || available != replicas) return;
    rollout.is_settled = true;
    rollout.is_known = true;
    rollout.is_disturbed = false;
    const Bounds bounds = bounds_of(*deployment);
    rollout.ceiling = replicas + bounds.surge;
    rollout.floor = replicas - bounds.unavailable;
}

}  // namespace keelson::sim
