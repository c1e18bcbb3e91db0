// Namespaces that are being deleted: their content goes first, pods before everything else.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_namespace_controller(const Surroundings& surroundings);

}  // namespace keelson::control
