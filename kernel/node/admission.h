// Whether a pod that was bound to this node can run here: as the kubelet decides when a pod first comes.
#pragma once

#include <optional>
#include <vector>

#include "kernel/node/node_pressure.h"
#include "kernel/node/pod_record.h"

namespace keelson::node {

// Why the pod is refused, in Kubernetes' words: reason "OutOfcpu", message "Node didn't have enough resource:
// cpu, requested: 2000, used: 100, capacity: 1000". `others` are the pods that this node has admitted. The
// node may be null when its object is not known yet: then only the others count. Where the node runs short,
// no more pods are taken than must be.
[[nodiscard]] std::optional<PodFailure> refuse_pod(api_types::core_v1::Pod pod,
                                                   const std::vector<api_types::core_v1::Pod>& others,
                                                   const client::ObjectPointer& node,
                                                   const NodePressure& pressure);

// Whether the node has room for what a pod that runs here has been changed to.
[[nodiscard]] std::optional<ResizeObstacle> refuse_resize(api_types::core_v1::Pod pod,
                                                          const std::vector<api_types::core_v1::Pod>& others,
                                                          const client::ObjectPointer& node);

}  // namespace keelson::node
