// Which endpoints of a service get connections on a node. Rules: kube-proxy 1.36, and
// https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-policies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/network/service_objects.h"
#include "kernel/network/service_table.h"

namespace keelson::network {

// The endpoints of one port, of one address family.
struct PortEndpoints {
    std::vector<Backend> cluster;  // for whoever may use them all; sorted
    std::vector<Backend> local;    // those of this node, for traffic that has to stay on it; sorted
    bool has_any = false;          // anywhere, in whatever state that gets connections
};

[[nodiscard]] PortEndpoints choose_endpoints(const ServiceObjects::Slices& slices, bool is_v6,
                                             std::string_view port_name, std::string_view protocol,
                                             const NodeFacts& node);

// Endpoints on this node that are ready, whatever their port: pods, each once with all of its addresses, and
// addresses that are no pods.
[[nodiscard]] std::size_t count_local_ready(const ServiceObjects::Slices& slices, const NodeFacts& node);

}  // namespace keelson::network
