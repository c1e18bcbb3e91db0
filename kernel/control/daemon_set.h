// DaemonSets: a pod on every node that is chosen.
// https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_daemon_set_controller(const Surroundings& surroundings);

}  // namespace keelson::control
