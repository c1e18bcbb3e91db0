// What goes with bootstrap tokens: their end, and what a machine reads before it can trust anybody.
#pragma once

#include <memory>
#include <string>

#include "kernel/control/controller.h"

namespace keelson::control {

// Removes tokens that have expired.
[[nodiscard]] std::unique_ptr<Controller> make_token_cleaning_controller(const Surroundings& surroundings);

// Keeps the ConfigMap cluster-info in kube-public, as kubeadm writes it: a kubeconfig with the CA and the
// address of the API, and a signature of it for each token that may sign (usage-bootstrap-signing).
struct ClusterInfo {
    std::string server;             // "https://192.0.2.1:6443"
    std::string root_certificates;  // PEM
};
[[nodiscard]] std::unique_ptr<Controller> make_cluster_info_controller(const Surroundings& surroundings,
                                                                       const ClusterInfo& info);

}  // namespace keelson::control
