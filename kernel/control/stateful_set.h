// StatefulSets: pods with names, claims and an order of their own.
// https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_stateful_set_controller(const Surroundings& surroundings);

}  // namespace keelson::control
