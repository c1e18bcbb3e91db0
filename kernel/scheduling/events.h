// What happens in the cluster, and whether it may help a pod that was refused (queueing hints).
#pragma once

#include <cstdint>
#include <string>

#include "kernel/scheduling/framework.h"

namespace keelson::scheduling {

struct ClusterEvent {
    enum class Kind : std::uint8_t {
        pod_added,    // to a node
        pod_changed,  // on a node: labels, requests
        pod_removed,  // from a node, or going away for good
        node_added,
        node_changed,
        node_removed,
        claim_changed,   // added or changed
        volume_changed,  // PersistentVolume, added or changed
        storage_class_changed,
        storage_class_added,
        csi_node_changed,
        csi_driver_changed,
        csi_capacity_changed,
        count,
    };
    Kind kind = Kind::pod_added;
    const PodInfo* pod_before = nullptr;  // of pod events
    const PodInfo* pod = nullptr;
    const NodeInfo* node_before = nullptr;  // of node events, as they were before
    const NodeInfo* node = nullptr;
    std::string claim;  // of claim events: "namespace/name"
};

// Whether events of the kind ever help pods that the plugin refused. A cheap first look.
[[nodiscard]] bool may_concern(PluginId plugin, ClusterEvent::Kind kind);
// Whether the event may make the plugin accept the pod.
[[nodiscard]] bool may_help(PluginId plugin, const PodInfo& pod, const ClusterEvent& event,
                            const Cluster& cluster);
// Whether a change of the pod itself may make one of the plugins accept it.
[[nodiscard]] bool change_may_help(const PluginSet& refused_by, const PodInfo& before, const PodInfo& now);

}  // namespace keelson::scheduling
