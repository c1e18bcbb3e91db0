// A node with what runs on it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernel/object/accessors/core_v1.h"
#include "kernel/scheduling/labels.h"
#include "kernel/scheduling/pod_info.h"
#include "kernel/scheduling/resources.h"

namespace keelson::scheduling {

struct Taint {
    std::string key;
    std::string value;
    std::string effect;
    [[nodiscard]] bool keeps_pods_out() const { return effect == "NoSchedule" || effect == "NoExecute"; }
    bool operator==(const Taint&) const = default;
};

[[nodiscard]] bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint);
// Whether a taint that keeps pods out is not tolerated.
[[nodiscard]] bool keeps_out(const std::vector<Taint>& taints, const std::vector<Toleration>& tolerations);

struct NodeImage {
    std::string name;
    std::int64_t size_bytes = 0;
    bool operator==(const NodeImage&) const = default;
};

struct NodeInfo {
    // First what every decision looks at.
    std::uint32_t slot = 0;  // its number in the Cluster, while it is there
    bool exists = false;     // false: only pods that name it are known
    bool is_unschedulable = false;
    std::vector<Taint> taints;
    std::vector<PodPointer> pods;
    std::int64_t non_zero_milli_cpu = 0;
    std::int64_t non_zero_memory_bytes = 0;
    Resources requested;
    Resources allocatable;

    std::string name;
    Labels labels;
    std::vector<NodeImage> images;
    std::vector<HostPort> used_ports;

    // Everything that comes from the node object.
    void set_node(const api_types::core_v1::Node& node);
    void clear_node();
    void add_pod(const PodPointer& pod);
    // By uid; null when it is not there.
    PodPointer remove_pod(const std::string& uid);

  private:
    void count(const PodInfo& pod, int sign);
};

}  // namespace keelson::scheduling
