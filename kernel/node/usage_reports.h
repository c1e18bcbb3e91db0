// What a node tells of what its pods use.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/node/pod_record.h"
#include "kernel/node/usage_sampler.h"

namespace keelson::node {

// The document of a kubelet's /stats/summary, as JSON.
[[nodiscard]] std::string summary_text(const std::string& node_name, const UsageReading& reading,
                                       const std::vector<std::shared_ptr<PodRecord>>& records);
// The text of a kubelet's /metrics/resource
// (https://kubernetes.io/docs/reference/instrumentation/node-metrics/).
[[nodiscard]] std::string resource_metrics_text(const UsageReading& reading,
                                                const std::vector<std::shared_ptr<PodRecord>>& records);

}  // namespace keelson::node
