// Nodes: whether they are still heard of, the taints that follow from their conditions, and the pods that
// have to leave. https://kubernetes.io/docs/concepts/architecture/nodes/,
// https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_node_lifecycle_controller(const Surroundings& surroundings);
[[nodiscard]] std::unique_ptr<Controller> make_taint_eviction_controller(const Surroundings& surroundings);

}  // namespace keelson::control
