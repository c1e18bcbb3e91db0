// What stands behind Services: EndpointSlices made of pods, the older Endpoints beside them, and slices that
// mirror Endpoints which somebody else wrote.
// https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
#pragma once

#include "kernel/control/controller.h"

namespace keelson::control {

[[nodiscard]] std::unique_ptr<Controller> make_endpoint_slice_controller(const Surroundings& surroundings);
[[nodiscard]] std::unique_ptr<Controller> make_endpoints_controller(const Surroundings& surroundings);
[[nodiscard]] std::unique_ptr<Controller> make_endpoint_mirroring_controller(
    const Surroundings& surroundings);

}  // namespace keelson::control
