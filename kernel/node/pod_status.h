// The status of a pod, as a pure function of what the node knows of it. Words and rules are Kubernetes':
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/node/pod_record.h"

namespace keelson::node {

struct StatusSurroundings {
    base::WallTime now{};
    std::vector<std::string> host_addresses;
    std::string runtime_name;  // of container ids: "oci" in "oci://..."
};

// The whole status, with what others have put into the present one (conditions of other owners, nominations)
// kept. `base` is the status to start from: that of the pod as last seen.
[[nodiscard]] object::Document make_pod_status(const PodRecord& record,
                                               const StatusSurroundings& surroundings);

// "Pending", "Running", "Succeeded" or "Failed".
[[nodiscard]] std::string_view phase_of(const PodRecord& record);

}  // namespace keelson::node
