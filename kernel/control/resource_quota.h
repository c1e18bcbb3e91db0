// ResourceQuotas: counting what a namespace uses. What is new is charged by those who write it
// (kernel/resource/quota_charge.h); here is found what has gone or ended.
// Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/.
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

// Looks at the metadata of everything that can be counted: to be made after those who look at whole objects.
[[nodiscard]] std::unique_ptr<Controller> make_resource_quota_controller(const Surroundings& surroundings);

}  // namespace keelson::control
