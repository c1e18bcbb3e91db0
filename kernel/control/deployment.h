// Deployments: ReplicaSets that replace one another.
// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_deployment_controller(const Surroundings& surroundings);

}  // namespace keelson::control
