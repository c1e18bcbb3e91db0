// Ports of this machine that lead to ports of a pod.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/kube/api.h"
#include "cli/result.h"

namespace keelson::cli::streams {

struct PortPair {
    std::uint16_t local = 0;  // 0: any that is free
    std::uint16_t remote = 0;
};

// Listens, tells on standard output where, and forwards until the connection to the pod is lost: that is a
// failure.
Result<void> forward_ports(kube::Api& api, const kube::ApiCall& call,
                           const std::vector<std::string>& addresses, const std::vector<PortPair>& ports);

}  // namespace keelson::cli::streams
