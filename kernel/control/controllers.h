// All controllers of a control plane.
#pragma once

#include <string>
#include <vector>

#include "kernel/control/certificates_x509.h"
#include "kernel/control/engine.h"
#include "kernel/control/metrics_source.h"
#include "kernel/control/volume_provisioner.h"

namespace keelson::control {

struct ControllerSettings {
    std::string root_certificates;          // PEM: what pods trust the API server by
    std::vector<std::string> pod_cidrs;     // of the cluster; none: nodes get no addresses for pods
    CertificateAuthority authority;         // signs certificate requests; no key: nobody does
    std::string server;                     // "https://192.0.2.1:6443": where machines that join find the API
    std::string dns_address;                // of the cluster's DNS, when a node has a server for it
    VolumeMakers* volume_makers = nullptr;  // outlive the controllers; null: no volumes are made
    MetricsSource* metrics = nullptr;       // outlives the controllers; null: nothing is autoscaled
};

void add_all_controllers(Engine& engine, const Surroundings& surroundings,
                         const ControllerSettings& settings);

}  // namespace keelson::control
