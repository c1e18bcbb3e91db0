// All controllers of a control plane.
#pragma once

#include <string>
#include <vector>

#include "kernel/control/engine.h"

namespace keelson::control {

struct ControllerSettings {
    std::string root_certificates;       // PEM: what pods trust the API server by
    std::vector<std::string> pod_cidrs;  // of the cluster; none: nodes get no addresses for pods
};

void add_all_controllers(Engine& engine, const Surroundings& surroundings,
                         const ControllerSettings& settings);

}  // namespace keelson::control
