// What a node tells those who ask it directly: its pods, and where a container's log is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/node/node_agent.h"
#include "kernel/node/pod_record.h"

namespace keelson::node {

using Records = std::vector<std::shared_ptr<PodRecord>>;

// A PodList as JSON.
[[nodiscard]] std::string list_pods(const Records& records);
// Failures in the words of the kubelet.
[[nodiscard]] base::Result<ContainerView> container_view(const PodRecord& record, const ContainerQuery& query,
                                                         const NodeSettings& settings);

}  // namespace keelson::node
