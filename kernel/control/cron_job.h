// CronJobs: a Job at each time of a schedule.
// Source: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/.
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_cron_job_controller(const Surroundings& surroundings);

}  // namespace keelson::control
