// Removes pods that nobody else removes: the oldest of too many that have ended, those of nodes that are gone
// or out of service, and those deleted before they were bound.
// Source: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection.
#pragma once

#include <cstddef>

#include "kernel/control/controller.h"

namespace keelson::control {

inline constexpr std::size_t terminated_pod_limit = 12'500;

[[nodiscard]] std::unique_ptr<Controller> make_pod_gc_controller(
    const Surroundings& surroundings, std::size_t terminated_limit = terminated_pod_limit);

}  // namespace keelson::control
