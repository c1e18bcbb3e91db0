#include "cli/workloads/rollout_status.h"

#include <nlohmann/json.hpp>

#include "cli/describe/description.h"

namespace keelson::cli::kube {
namespace {

std::int64_t number_of(const Object& object, const char* part, const char* name, std::int64_t fallback = 0) {
    return describing::number(member(object, {part, name}), fallback);
}

bool is_observed(const Object& object) {
    return number_of(object, "metadata", "generation") <= number_of(object, "status", "observedGeneration");
}

std::string quoted(const Object& object) {
    return "\"" + name_of(object) + "\"";
}

std::string counts(std::int64_t some, const char* between, std::int64_t all) {
    return std::to_string(some) + between + std::to_string(all);
}

Result<void> check_revision(const Object& deployment, std::int64_t wanted) {
    if (wanted <= 0) return {};
    const std::string now =
        text_at(member(deployment, {"metadata", "annotations"}), "deployment.kubernetes.io/revision");
    if (now == std::to_string(wanted)) return {};
    return fail("desired revision (" + std::to_string(wanted) + ") is different from the running revision (" +
                now + ")");
}

Result<RolloutStatus> of_deployment(const Object& deployment, std::int64_t revision) {
    if (auto good = check_revision(deployment, revision); !good) return pass_on(good);
    if (!is_observed(deployment))
        return RolloutStatus{"Waiting for deployment spec update to be observed...\n"};
    for (const Object& condition : member(deployment, {"status", "conditions"}))
        if (text_at(condition, "type") == "Progressing" &&
            text_at(condition, "reason") == "ProgressDeadlineExceeded")
            return fail("deployment " + quoted(deployment) + " exceeded its progress deadline");
    const std::int64_t wanted = number_of(deployment, "spec", "replicas", 1);
    const std::int64_t updated = number_of(deployment, "status", "updatedReplicas");
    const std::int64_t all = number_of(deployment, "status", "replicas");
    const std::int64_t available = number_of(deployment, "status", "availableReplicas");
    const std::string waiting = "Waiting for deployment " + quoted(deployment) + " rollout to finish: ";
    if (updated < wanted)
        return RolloutStatus{waiting + counts(updated, " out of ", wanted) +
                             " new replicas have been updated...\n"};
    if (all > updated)
        return RolloutStatus{waiting + std::to_string(all - updated) +
                             " old replicas are pending termination...\n"};
    if (available < updated)
        return RolloutStatus{waiting + counts(available, " of ", updated) +
                             " updated replicas are available...\n"};
    return RolloutStatus{"deployment " + quoted(deployment) + " successfully rolled out\n", true};
}

Result<void> need_rolling_update(const Object& set) {
    const std::string strategy = text_at(member(set, {"spec", "updateStrategy"}), "type");
    if (strategy == "RollingUpdate") return {};
    return fail("rollout status is only available for RollingUpdate strategy type");
}

Result<RolloutStatus> of_daemon_set(const Object& set) {
    if (auto good = need_rolling_update(set); !good) return pass_on(good);
    if (!is_observed(set)) return RolloutStatus{"Waiting for daemon set spec update to be observed...\n"};
    const std::int64_t wanted = number_of(set, "status", "desiredNumberScheduled");
    const std::int64_t updated = number_of(set, "status", "updatedNumberScheduled");
    const std::int64_t available = number_of(set, "status", "numberAvailable");
    const std::string waiting = "Waiting for daemon set " + quoted(set) + " rollout to finish: ";
    if (updated < wanted)
        return RolloutStatus{waiting + counts(updated, " out of ", wanted) +
                             " new pods have been updated...\n"};
    if (available < wanted)
        return RolloutStatus{waiting + counts(available, " of ", wanted) +
                             " updated pods are available...\n"};
    return RolloutStatus{"daemon set " + quoted(set) + " successfully rolled out\n", true};
}

Result<RolloutStatus> of_stateful_set(const Object& set) {
    if (auto good = need_rolling_update(set); !good) return pass_on(good);
    const bool is_seen = number_of(set, "status", "observedGeneration") != 0 && is_observed(set);
    if (!is_seen) return RolloutStatus{"Waiting for statefulset spec update to be observed...\n"};
    const std::int64_t wanted = number_of(set, "spec", "replicas", 1);
    const std::int64_t ready = number_of(set, "status", "readyReplicas");
    const std::int64_t updated = number_of(set, "status", "updatedReplicas");
    if (ready < wanted)
        return RolloutStatus{"Waiting for " + std::to_string(wanted - ready) + " pods to be ready...\n"};
    const std::int64_t partition =
        describing::number(member(set, {"spec", "updateStrategy", "rollingUpdate", "partition"}));
    if (partition > 0) {
        if (updated < wanted - partition)
            return RolloutStatus{"Waiting for partitioned roll out to finish: " +
                                 counts(updated, " out of ", wanted - partition) +
                                 " new pods have been updated...\n"};
        return RolloutStatus{
            "partitioned roll out complete: " + std::to_string(updated) + " new pods have been updated...\n",
            true};
    }
    const std::string update = text_at(member(set, "status"), "updateRevision");
    const std::string current = text_at(member(set, "status"), "currentRevision");
    if (update != current)
        return RolloutStatus{"waiting for statefulset rolling update to complete " + std::to_string(updated) +
                             " pods at revision " + update + "...\n"};
    return RolloutStatus{"statefulset rolling update complete " +
                             std::to_string(number_of(set, "status", "currentReplicas")) +
                             " pods at revision " + current + "...\n",
                         true};
}

}  // namespace

Result<RolloutStatus> rollout_status(const std::string& kind, const Object& object, std::int64_t revision) {
    if (kind == "Deployment") return of_deployment(object, revision);
    if (kind == "DaemonSet") return of_daemon_set(object);
    if (kind == "StatefulSet") return of_stateful_set(object);
    return fail("no status viewer has been implemented for " + kind);
}

}  // namespace keelson::cli::kube
