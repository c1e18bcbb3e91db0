// A Deployment and its ReplicaSets: what can be said about them without asking anybody. Pure functions.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
#pragma once

#include <optional>

#include "kernel/control/controller.h"
#include "kernel/object/accessors/apps_v1.h"

namespace keelson::control {

inline constexpr std::string_view revision_annotation = "deployment.kubernetes.io/revision";
inline constexpr std::string_view revision_history_annotation = "deployment.kubernetes.io/revision-history";
inline constexpr std::string_view desired_replicas_annotation = "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view max_replicas_annotation = "deployment.kubernetes.io/max-replicas";
inline constexpr std::string_view template_hash_label = "pod-template-hash";

[[nodiscard]] inline api_types::apps_v1::Deployment deployment_of(const ObjectPointer& object) {
    return api_types::apps_v1::Deployment(object->root());
}
[[nodiscard]] inline api_types::apps_v1::ReplicaSet replica_set_of(const ObjectPointer& object) {
    return api_types::apps_v1::ReplicaSet(object->root());
}

struct DeploymentState {
    ObjectPointer deployment;
    ObjectPointer current;  // the ReplicaSet of the present template; null when there is none yet
    ObjectList old;         // all others, oldest first

    [[nodiscard]] ObjectList all() const;     // old ones, then the current one
    [[nodiscard]] ObjectList active() const;  // those that ask for pods
};

// Sorts a Deployment's ReplicaSets into the current one (the oldest with its template) and the others.
[[nodiscard]] DeploymentState sort_replica_sets(ObjectPointer deployment, ObjectList replica_sets);

[[nodiscard]] std::int64_t wanted_replicas(api_types::apps_v1::Deployment deployment);
[[nodiscard]] std::int64_t wanted_replicas(api_types::apps_v1::ReplicaSet replica_set);
[[nodiscard]] bool is_rolling_update(api_types::apps_v1::Deployment deployment);
[[nodiscard]] bool has_progress_deadline(api_types::apps_v1::Deployment deployment);

// How many pods more than wanted, and how many fewer than wanted available, a rolling update allows. Both are
// zero with another strategy; never both zero with a rolling update.
struct Fenceposts {
    std::int64_t surge = 0;
    std::int64_t unavailable = 0;
};
[[nodiscard]] Fenceposts fenceposts(api_types::apps_v1::Deployment deployment);
// "25%" or 3 of a total.
[[nodiscard]] std::int64_t scaled_value(object::Value int_or_percent, std::int64_t total, bool round_up);

// Sums over ReplicaSets.
[[nodiscard]] std::int64_t total_wanted(const ObjectList& replica_sets);
[[nodiscard]] std::int64_t total_replicas(const ObjectList& replica_sets);
[[nodiscard]] std::int64_t total_available(const ObjectList& replica_sets);

[[nodiscard]] std::int64_t revision_of(const ObjectPointer& replica_set);
[[nodiscard]] std::int64_t highest_revision(const ObjectList& replica_sets);

// How many pods the current ReplicaSet may ask for now.
[[nodiscard]] std::int64_t wanted_of_current(const DeploymentState& state, std::int64_t present);
// The sizes that a rollout that is resized on its way gives to its ReplicaSets: in proportion, as far as the
// surge goes. One for each of `active`, in its order.
[[nodiscard]] std::vector<std::int64_t> proportional_sizes(const DeploymentState& state,
                                                           const ObjectList& active);

// Puts the Deployment's annotations and its revision on a ReplicaSet; true when something changed.
bool set_replica_set_annotations(api_types::apps_v1::Deployment deployment,
                                 api_types::apps_v1::ReplicaSet replica_set, std::int64_t revision,
                                 object::Arena& arena);
// How large the Deployment is at present: what a later resizing is in proportion to; true when something
// changed.
bool set_size_annotations(api_types::apps_v1::Deployment deployment,
                          api_types::apps_v1::ReplicaSet replica_set, object::Arena& arena);

}  // namespace keelson::control
