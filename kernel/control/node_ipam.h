// Gives every node its part of the pods' addresses: spec.podCIDRs.
// Source: https://kubernetes.io/docs/concepts/architecture/nodes/ (node IPAM).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/control/controller.h"

namespace keelson::control {

// `cluster_cidrs`: at most one per IP family; a node gets a /24 of an IPv4 range and a /64 of an IPv6 range,
// or the whole range when that is smaller. None: nodes get nothing. Run it with one worker.
[[nodiscard]] std::unique_ptr<Controller> make_node_ipam_controller(
    const Surroundings& surroundings, const std::vector<std::string>& cluster_cidrs);

}  // namespace keelson::control
