#include "kernel/control/deployment_status.h"

#include <algorithm>

#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/conditions.h"
#include "kernel/object/time_format.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::Deployment;
using api_types::apps_v1::DeploymentCondition;
using api_types::apps_v1::DeploymentStatus;
using object::Arena;
using object::ConditionState;
using object::Value;

constexpr std::string_view kAvailable = "Available";
constexpr std::string_view kProgressing = "Progressing";
constexpr std::string_view kFailure = "ReplicaFailure";
constexpr std::string_view kAllAvailable = "NewReplicaSetAvailable";
constexpr std::string_view kTimedOut = "ProgressDeadlineExceeded";
constexpr std::string_view kPaused = "DeploymentPaused";

// Deployments say when a condition was last written as well. One with the same status and reason stays as it
// is.
bool put_condition(DeploymentStatus status, const ConditionState& wanted, base::WallTime now, Arena& arena) {
    const Value conditions = status.make_conditions(arena).untyped();
    const DeploymentCondition before(find_condition(conditions, wanted.type));
    if (before.is_set() && before.status() == wanted.status && before.reason() == wanted.reason) return false;
    set_condition(conditions, wanted, now, arena);
    const DeploymentCondition condition(find_condition(conditions, wanted.type));
    condition.set_last_update_time(arena, object::format_time(object::instant_of(now)));
    return true;
}

DeploymentCondition progress_of(DeploymentStatus status) {
    return DeploymentCondition(find_condition(status.conditions().untyped(), kProgressing));
}

void put_counts(DeploymentStatus status, const DeploymentState& state, Arena& arena) {
    const ObjectList all = state.all();
    std::int64_t ready = 0;
    std::int64_t terminating = 0;
    bool knows_terminating = true;
    for (const ObjectPointer& object : all) {
        const auto own = replica_set_of(object).status();
        ready += own.ready_replicas();
        terminating += own.terminating_replicas();
        knows_terminating = knows_terminating && own.has_terminating_replicas();
    }
    const std::int64_t available = total_available(all);
    status.set_observed_generation(arena, deployment_of(state.deployment).metadata().generation());
    status.set_replicas(arena, total_replicas(all));
    status.set_updated_replicas(arena, state.current ? replica_set_of(state.current).status().replicas() : 0);
    status.set_ready_replicas(arena, ready);
    status.set_available_replicas(arena, available);
    status.set_unavailable_replicas(arena, std::max<std::int64_t>(0, total_wanted(all) - available));
    if (knows_terminating)
        status.set_terminating_replicas(arena, terminating);
    else
        status.clear_terminating_replicas();
}

void put_availability(DeploymentStatus status, Deployment deployment, base::WallTime now, Arena& arena) {
    const std::int64_t least = wanted_replicas(deployment) - fenceposts(deployment).unavailable;
    if (status.available_replicas() >= least)
        put_condition(
            status, {kAvailable, "True", "MinimumReplicasAvailable", "Deployment has minimum availability."},
            now, arena);
    else
        put_condition(status,
                      {kAvailable, "False", "MinimumReplicasUnavailable",
                       "Deployment does not have minimum availability."},
                      now, arena);
}

bool has_progressed(DeploymentStatus before, DeploymentStatus now) {
    return now.updated_replicas() > before.updated_replicas() ||
           now.replicas() - now.updated_replicas() < before.replicas() - before.updated_replicas() ||
           now.ready_replicas() > before.ready_replicas() ||
           now.available_replicas() > before.available_replicas();
}

std::optional<base::Duration> time_left(Deployment deployment, DeploymentCondition progress,
                                        base::WallTime now) {
    const auto since = time_of(progress.last_update_time());
    if (!since) return std::nullopt;
    return *since + std::chrono::seconds(deployment.spec().progress_deadline_seconds()) - now;
}

bool has_timed_out(Deployment deployment, DeploymentStatus status, base::WallTime now) {
    const DeploymentCondition progress = progress_of(status);
    if (!progress.is_set() || progress.reason() == kAllAvailable) return false;
    if (progress.reason() == kTimedOut) return true;
    const auto left = time_left(deployment, progress, now);
    return left && *left < base::Duration::zero();
}

void put_progress(DeploymentStatus status, const DeploymentState& state, base::WallTime now, Arena& arena) {
    const Deployment deployment = deployment_of(state.deployment);
    const std::string subject = state.current
                                    ? "ReplicaSet \"" + state.current->key().name + "\""
                                    : "Deployment \"" + std::string(deployment.metadata().name()) + "\"";
    if (is_complete(deployment, status)) {
        set_progress(status, "True", kAllAvailable, subject + " has successfully progressed.", now, arena);
    } else if (has_progressed(deployment.status(), status)) {
        // Every step of a rollout starts the deadline anew, so it is written again; it is the same state
        // though.
        const DeploymentCondition before = progress_of(status);
        const std::string since(before.status() == "True" ? before.last_transition_time() : "");
        remove_condition(status.conditions().untyped(), kProgressing);
        set_progress(status, "True", "ReplicaSetUpdated", subject + " is progressing.", now, arena);
        if (!since.empty()) progress_of(status).set_last_transition_time(arena, since);
    } else if (has_timed_out(deployment, status, now)) {
        set_progress(status, "False", kTimedOut, subject + " has timed out progressing.", now, arena);
    }
}

// Why pods cannot be made: what a ReplicaSet says of it, the current one first.
void put_failure(DeploymentStatus status, const DeploymentState& state, Arena& arena) {
    ObjectList all = state.all();
    std::ranges::reverse(all);
    Value found;
    for (const ObjectPointer& object : all)
        if (!found.is_set())
            found = find_condition(replica_set_of(object).status().conditions().untyped(), kFailure);
    const Value conditions = status.make_conditions(arena).untyped();
    if (!found.is_set()) {
        remove_condition(conditions, kFailure);
        return;
    }
    const DeploymentCondition condition(found);
    const auto since = time_of(condition.last_transition_time()).value_or(base::WallTime{});
    put_condition(status, {kFailure, condition.status(), condition.reason(), condition.message()}, since,
                  arena);
}

}  // namespace

bool set_progress(DeploymentStatus status, std::string_view value, std::string_view reason,
                  std::string_view message, base::WallTime now, Arena& arena) {
    return put_condition(status, {kProgressing, value, reason, message}, now, arena);
}

bool is_complete(Deployment deployment, DeploymentStatus status) {
    const std::int64_t wanted = wanted_replicas(deployment);
    return status.updated_replicas() == wanted && status.replicas() == wanted &&
           status.available_replicas() == wanted &&
           status.observed_generation() >= deployment.metadata().generation();
}

bool update_deployment_counts(DeploymentStatus status, const DeploymentState& state, base::WallTime now,
                              Arena& arena) {
    put_counts(status, state, arena);
    put_availability(status, deployment_of(state.deployment), now, arena);
    return !is_same_status(status.untyped(), deployment_of(state.deployment).status().untyped());
}

bool update_deployment_status(DeploymentStatus status, const DeploymentState& state, base::WallTime now,
                              Arena& arena) {
    const Deployment deployment = deployment_of(state.deployment);
    put_counts(status, state, arena);
    put_availability(status, deployment, now, arena);
    const bool was_complete = status.replicas() == status.updated_replicas() &&
                              progress_of(deployment.status()).reason() == kAllAvailable;
    if (!has_progress_deadline(deployment))
        remove_condition(status.conditions().untyped(), kProgressing);
    else if (!was_complete)
        put_progress(status, state, now, arena);
    put_failure(status, state, arena);
    return !is_same_status(status.untyped(), deployment.status().untyped());
}

bool update_pause_condition(DeploymentStatus status, Deployment deployment, base::WallTime now,
                            Arena& arena) {
    if (!has_progress_deadline(deployment)) return false;
    const DeploymentCondition progress = progress_of(status);
    // That it is stuck is worth more than that it is paused.
    if (progress.reason() == kTimedOut) return false;
    const bool says_paused = progress.reason() == kPaused;
    if (deployment.spec().paused() == says_paused) return false;
    if (deployment.spec().paused())
        return set_progress(status, "Unknown", kPaused, "Deployment is paused", now, arena);
    return set_progress(status, "Unknown", "DeploymentResumed", "Deployment is resumed", now, arena);
}

std::optional<base::Duration> time_to_deadline(Deployment deployment, base::WallTime now) {
    const DeploymentCondition progress = progress_of(deployment.status());
    if (!has_progress_deadline(deployment) || !progress.is_set()) return std::nullopt;
    if (is_complete(deployment, deployment.status()) || progress.reason() == kTimedOut) return std::nullopt;
    const auto left = time_left(deployment, progress, now);
    if (!left) return std::nullopt;
    // Times are written in whole seconds.
    return std::max<base::Duration>(*left, base::Duration::zero()) + std::chrono::seconds(1);
}

}  // namespace keelson::control
