// Claims, volumes and storage classes as scheduling sees them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/storage_v1.h"
#include "kernel/scheduling/labels.h"

namespace keelson::scheduling {

// Annotations of claims and volumes (https://kubernetes.io/docs/reference/labels-annotations-taints/).
inline constexpr std::string_view kSelectedNodeAnnotation = "volume.kubernetes.io/selected-node";
inline constexpr std::string_view kBindCompletedAnnotation = "pv.kubernetes.io/bind-completed";
inline constexpr std::string_view kBoundByControllerAnnotation = "pv.kubernetes.io/bound-by-controller";

struct ClaimInfo {
    std::string namespace_name;
    std::string name;
    std::string uid;
    std::string controller_uid;
    std::string volume_name;
    std::string storage_class;
    std::string selected_node;
    std::string volume_mode;
    std::vector<std::string> access_modes;
    std::int64_t request_bytes = 0;
    bool has_selector = false;
    Selector selector;
    bool is_bound = false;  // to the end, both sides
    bool is_lost = false;
    bool is_being_deleted = false;

    [[nodiscard]] bool is_for_one_pod() const;  // ReadWriteOncePod
};

struct VolumeInfo {
    std::string name;
    std::string storage_class;
    std::string volume_mode;
    std::string csi_driver;
    std::string csi_handle;
    std::vector<std::string> access_modes;
    std::int64_t capacity_bytes = 0;
    Labels labels;
    bool limits_nodes = false;
    NodeTerms nodes;
    std::string claim_key;  // "namespace/name" that it is bound to or kept for
    std::string claim_uid;
    bool is_available = false;  // nobody's, and not going
};

struct StorageClassInfo {
    std::string provisioner;
    bool waits_for_consumer = false;
    bool limits_topology = false;
    NodeTerms topologies;
};

struct CapacityInfo {
    std::string storage_class;
    Selector nodes;
    std::optional<std::int64_t> capacity_bytes;  // the largest volume, when the driver says so
};

[[nodiscard]] ClaimInfo read_claim(const api_types::core_v1::PersistentVolumeClaim& claim);
[[nodiscard]] VolumeInfo read_persistent_volume(const api_types::core_v1::PersistentVolume& volume);
[[nodiscard]] StorageClassInfo read_storage_class(const api_types::storage_v1::StorageClass& storage_class);
[[nodiscard]] CapacityInfo read_capacity(const api_types::storage_v1::CSIStorageCapacity& capacity);

struct Storage {
    std::unordered_map<std::string, ClaimInfo> claims;  // by "namespace/name"
    std::map<std::string, VolumeInfo> volumes;
    std::unordered_map<std::string, StorageClassInfo> classes;
    std::unordered_map<std::string, CapacityInfo> capacities;
    std::unordered_map<std::string, bool> drivers_with_capacity;
    // Of each node the drivers with a limit of volumes.
    std::unordered_map<std::string, std::vector<std::pair<std::string, std::int64_t>>> node_limits;
    // What pods on their way to a node have taken and the API does not show yet: volume -> claim key.
    std::unordered_map<std::string, std::string> assumed_volumes;

    [[nodiscard]] const ClaimInfo* claim(const std::string& key) const;
    [[nodiscard]] const VolumeInfo* volume(const std::string& name) const;
    [[nodiscard]] const StorageClassInfo* storage_class(const std::string& name) const;
};

}  // namespace keelson::scheduling
