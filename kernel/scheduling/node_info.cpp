#include "kernel/scheduling/node_info.h"

#include <algorithm>

namespace keelson::scheduling {

bool tolerates(const std::vector<Toleration>& tolerations, const Taint& taint) {
    for (const Toleration& toleration : tolerations) {
        if (!toleration.effect.empty() && toleration.effect != taint.effect) continue;
        if (!toleration.key.empty() && toleration.key != taint.key) continue;
        if (toleration.exists || (!toleration.key.empty() && toleration.value == taint.value)) return true;
    }
    return false;
}

bool keeps_out(const std::vector<Taint>& taints, const std::vector<Toleration>& tolerations) {
    for (const Taint& taint : taints)
        if (taint.keeps_pods_out() && !tolerates(tolerations, taint)) return true;
    return false;
}

void NodeInfo::set_node(const api_types::core_v1::Node& node) {
    exists = true;
    name = node.metadata().name();
    labels = Labels(node.metadata().labels());
    is_unschedulable = node.spec().unschedulable();
    taints.clear();
    for (api_types::core_v1::Taint taint : node.spec().taints())
        taints.push_back({std::string(taint.key()), std::string(taint.value()), std::string(taint.effect())});
    allocatable = parse_resources(node.status().allocatable());
    images.clear();
    for (api_types::core_v1::ContainerImage image : node.status().images())
        for (std::string_view image_name : image.names())
            images.push_back({std::string(image_name), image.size_bytes()});
}

void NodeInfo::clear_node() {
    exists = false;
    is_unschedulable = false;
    labels = Labels();
    taints.clear();
    allocatable = Resources();
    images.clear();
}

void NodeInfo::count(const PodInfo& pod, int sign) {
    const PodRequest& request = pod.shape->request;
    if (sign > 0)
        requested.add(request.exact);
    else
        requested.subtract(request.exact);
    non_zero_milli_cpu += sign * request.non_zero_milli_cpu;
    non_zero_memory_bytes += sign * request.non_zero_memory_bytes;
}

void NodeInfo::add_pod(const PodPointer& pod) {
    pods.push_back(pod);
    count(*pod, 1);
    const auto& ports = pod->shape->host_ports;
    used_ports.insert(used_ports.end(), ports.begin(), ports.end());
}

PodPointer NodeInfo::remove_pod(const std::string& uid) {
    const auto at =
        std::find_if(pods.begin(), pods.end(), [&](const PodPointer& pod) { return pod->uid == uid; });
    if (at == pods.end()) return nullptr;
    PodPointer removed = std::move(*at);
    *at = std::move(pods.back());
    pods.pop_back();
    count(*removed, -1);
    for (const HostPort& port : removed->shape->host_ports) {
        const auto used = std::find(used_ports.begin(), used_ports.end(), port);
        if (used != used_ports.end()) used_ports.erase(used);
    }
    return removed;
}

}  // namespace keelson::scheduling
