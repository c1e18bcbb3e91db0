// Jobs: pods that run to their end, until enough have succeeded or too many have failed. And what removes the
// Jobs that ended some time ago.
// Sources: https://kubernetes.io/docs/concepts/workloads/controllers/job/,
// https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/.
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_job_controller(const Surroundings& surroundings);
[[nodiscard]] std::unique_ptr<Controller> make_ttl_after_finished_controller(
    const Surroundings& surroundings);

}  // namespace keelson::control
