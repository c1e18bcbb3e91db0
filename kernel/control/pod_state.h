// What the state of a pod means to the controllers. Pure functions.
// Sources: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ and
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#scaling-a-replicaset.
#pragma once

#include <optional>

#include "kernel/base/clock.h"
#include "kernel/control/controller.h"
#include "kernel/object/accessors/core_v1.h"

namespace keelson::control {

[[nodiscard]] inline api_types::core_v1::Pod pod_of(const ObjectPointer& object) {
    return api_types::core_v1::Pod(object->root());
}

// Neither ended nor being deleted.
[[nodiscard]] bool is_active(api_types::core_v1::Pod pod);
// Whether a pod that changed is as before for who only counts pods, its labels apart: the same phase and
// readiness, as much alive. That it was bound, for example, says nothing to a ReplicaSet.
[[nodiscard]] bool counts_the_same(const client::CachedObject& before, const client::CachedObject& now);
// Ended: Succeeded or Failed.
[[nodiscard]] bool is_finished(api_types::core_v1::Pod pod);
[[nodiscard]] bool is_ready(api_types::core_v1::Pod pod);
// Ready for at least that long. With zero seconds every ready pod is available.
[[nodiscard]] bool is_available(api_types::core_v1::Pod pod, std::int64_t min_ready_seconds,
                                base::WallTime now);
// How long until the next ready pod becomes available, which nobody tells; none when no pod will.
[[nodiscard]] std::optional<base::Duration> time_to_next_available(const ObjectList& pods,
                                                                   std::int64_t min_ready_seconds,
                                                                   base::WallTime now);
// The index of an informer of pods by the name of the node that they are bound to; all who ask share it.
inline constexpr std::string_view pods_by_node = "node";
void index_by_node(Informer& pods);

// The condition of that type; an unset one when there is none.
[[nodiscard]] api_types::core_v1::PodCondition condition_of(api_types::core_v1::Pod pod,
                                                            std::string_view type);

// A time of the API; nothing when it is unset or no time.
[[nodiscard]] std::optional<base::WallTime> time_of(std::string_view text);

// The pods of a list in the order in which they are to be deleted when there are too many: not yet bound,
// pending, not ready, cheaper to delete, more of the related pods on the same node, ready for less long, more
// restarts, younger. `related` are all pods that share the work (those of a Deployment's other ReplicaSets as
// well).
void order_for_deletion(ObjectList& pods, const ObjectList& related, base::WallTime now);

}  // namespace keelson::control
