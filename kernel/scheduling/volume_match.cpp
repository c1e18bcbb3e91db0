#include "kernel/scheduling/volume_match.h"

#include <algorithm>

namespace keelson::scheduling {
namespace {

constexpr std::string_view kNoProvisioner = "kubernetes.io/no-provisioner";

std::string key_of(const ClaimInfo& claim) {
    return claim.namespace_name + "/" + claim.name;
}

bool is_kept_for(const VolumeInfo& volume, const ClaimInfo& claim) {
    return volume.claim_key == key_of(claim) && (volume.claim_uid.empty() || volume.claim_uid == claim.uid);
}

bool serves(const Storage& storage, const VolumeInfo& volume, const ClaimInfo& claim, const NodeInfo& node) {
    if (volume.storage_class != claim.storage_class || volume.volume_mode != claim.volume_mode) return false;
    if (volume.capacity_bytes < claim.request_bytes) return false;
    if (!volume.claim_key.empty() && !is_kept_for(volume, claim)) return false;
    if (volume.claim_key.empty() && !volume.is_available) return false;
    const auto taken = storage.assumed_volumes.find(volume.name);
    if (taken != storage.assumed_volumes.end() && taken->second != key_of(claim)) return false;
    if (claim.has_selector && !claim.selector.matches(volume.labels)) return false;
    for (const std::string& mode : claim.access_modes)
        if (std::find(volume.access_modes.begin(), volume.access_modes.end(), mode) ==
            volume.access_modes.end())
            return false;
    return !volume.limits_nodes || volume.nodes.matches(node.labels, node.name);
}

const VolumeInfo* smallest(const Storage& storage, const ClaimInfo& claim, const NodeInfo& node,
                           const VolumePlan& plan) {
    const VolumeInfo* best = nullptr;
    for (const auto& entry : storage.volumes) {
        const VolumeInfo& volume = entry.second;
        if (!serves(storage, volume, claim, node)) continue;
        const bool is_used = std::any_of(plan.bindings.begin(), plan.bindings.end(),
                                         [&](const auto& binding) { return binding.second == &volume; });
        if (is_used) continue;
        if (is_kept_for(volume, claim)) return &volume;
        if (!best || volume.capacity_bytes < best->capacity_bytes) best = &volume;
    }
    return best;
}

bool can_be_made(const Storage& storage, const ClaimInfo& claim, const NodeInfo& node) {
    const StorageClassInfo* made_by = storage.storage_class(claim.storage_class);
    if (!made_by || made_by->provisioner.empty() || made_by->provisioner == kNoProvisioner) return false;
    return !made_by->limits_topology || made_by->topologies.matches(node.labels, node.name);
}

bool has_space(const Storage& storage, const ClaimInfo& claim, const NodeInfo& node) {
    const StorageClassInfo* made_by = storage.storage_class(claim.storage_class);
    const auto driver = storage.drivers_with_capacity.find(made_by->provisioner);
    if (driver == storage.drivers_with_capacity.end() || !driver->second) return true;
    return std::any_of(storage.capacities.begin(), storage.capacities.end(), [&](const auto& entry) {
        const CapacityInfo& capacity = entry.second;
        return capacity.storage_class == claim.storage_class && capacity.capacity_bytes &&
               *capacity.capacity_bytes >= claim.request_bytes && capacity.nodes.matches(node.labels);
    });
}

}  // namespace

VolumePlan plan_volumes(const Storage& storage, std::vector<const ClaimInfo*> claims, const NodeInfo& node) {
    VolumePlan plan;
    // The small ones first, so that none takes a volume that a larger claim needs.
    std::stable_sort(claims.begin(), claims.end(), [](const ClaimInfo* one, const ClaimInfo* other) {
        return one->request_bytes < other->request_bytes;
    });
    for (const ClaimInfo* claim : claims) {
        if (!claim->selected_node.empty()) {
            // A volume is being made for it, on that node.
            if (claim->selected_node == node.name)
                plan.to_provision.push_back(claim);
            else
                plan.fits = false;
            continue;
        }
        if (const VolumeInfo* volume = smallest(storage, *claim, node, plan)) {
            plan.bindings.emplace_back(claim, volume);
        } else if (!can_be_made(storage, *claim, node)) {
            plan.fits = false;
        } else {
            plan.has_space = plan.has_space && has_space(storage, *claim, node);
            plan.to_provision.push_back(claim);
        }
    }
    return plan;
}

}  // namespace keelson::scheduling
