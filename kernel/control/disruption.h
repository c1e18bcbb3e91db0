// PodDisruptionBudgets: how many of their pods are healthy, and how many may be evicted.
// Source: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/.
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_disruption_controller(const Surroundings& surroundings);

}  // namespace keelson::control
