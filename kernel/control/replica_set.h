// ReplicaSets and ReplicationControllers: as many pods as asked for.
// https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_replica_set_controller(const Surroundings& surroundings);
[[nodiscard]] std::unique_ptr<Controller> make_replication_controller_controller(
    const Surroundings& surroundings);

}  // namespace keelson::control
