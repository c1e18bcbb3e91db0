// Which pod has to go when the node runs short, and which have written more than they may. Pure functions, in
// the kubelet's order and words. Source:
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/node/node_pressure.h"
#include "kernel/node/pod_record.h"
#include "kernel/node/usage_sampler.h"

namespace keelson::node {

// Bytes on the node's disk that a pod holds beside the file systems of its containers.
struct PodDiskUsage {
    std::map<std::string, std::int64_t> volumes;  // emptyDirs, by name
    std::int64_t log_bytes = 0;
};
using DiskUsages = std::map<std::string, PodDiskUsage>;  // by uid of the pod

struct Eviction {
    std::shared_ptr<PodRecord> record;
    PodFailure failure;
};

// Critical pods and those of files stay whatever happens; none when only such run.
[[nodiscard]] std::optional<Eviction> choose_eviction(const Shortage& shortage,
                                                      const std::vector<std::shared_ptr<PodRecord>>& records,
                                                      const UsageReading& reading, const DiskUsages& disk);

// Of a pod that has more on the disk than its limits say: of an emptyDir, of a container, of all together.
[[nodiscard]] std::optional<PodFailure> over_its_disk(const PodRecord& record, const UsageReading& reading,
                                                      const PodDiskUsage& disk);
// Whether over_its_disk can ever be something: counting costs.
[[nodiscard]] bool has_disk_limit(api_types::core_v1::Pod pod);

// Whether nothing on the node may end or refuse it: static pods and those of the highest priorities.
[[nodiscard]] bool is_critical(api_types::core_v1::Pod pod);

}  // namespace keelson::node
