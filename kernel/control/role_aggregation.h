// Gives a ClusterRole with an aggregationRule the rules of the ClusterRoles that it selects, and keeps them
// current. Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles.
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

// One worker is enough: roles that gather from each other are brought up to date one after the other.
[[nodiscard]] std::unique_ptr<Controller> make_role_aggregation_controller(const Surroundings& surroundings);

}  // namespace keelson::control
