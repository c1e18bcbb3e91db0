// Which volume serves a claim. Pure functions.
// Source: https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernel/control/controller.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/storage_v1.h"

namespace keelson::control {

// Annotations (https://kubernetes.io/docs/reference/labels-annotations-taints/).
inline constexpr std::string_view kBindCompleted = "pv.kubernetes.io/bind-completed";
inline constexpr std::string_view kBoundByController = "pv.kubernetes.io/bound-by-controller";
inline constexpr std::string_view kProvisionedBy = "pv.kubernetes.io/provisioned-by";
inline constexpr std::string_view kSelectedNode = "volume.kubernetes.io/selected-node";
inline constexpr std::string_view kProvisioner = "volume.kubernetes.io/storage-provisioner";
inline constexpr std::string_view kOldProvisioner = "volume.beta.kubernetes.io/storage-provisioner";

[[nodiscard]] inline api_types::core_v1::PersistentVolumeClaim claim_of(const ObjectPointer& object) {
    return api_types::core_v1::PersistentVolumeClaim(object->root());
}
[[nodiscard]] inline api_types::core_v1::PersistentVolume volume_of(const ObjectPointer& object) {
    return api_types::core_v1::PersistentVolume(object->root());
}
[[nodiscard]] inline api_types::storage_v1::StorageClass class_of(const ObjectPointer& object) {
    return api_types::storage_v1::StorageClass(object->root());
}

// The name of the class; the old annotation counts before the field.
[[nodiscard]] std::string class_name_of(api_types::core_v1::PersistentVolumeClaim claim);
[[nodiscard]] std::string class_name_of(api_types::core_v1::PersistentVolume volume);
// Says nothing about a class, not even that it wants none.
[[nodiscard]] bool is_without_class(api_types::core_v1::PersistentVolumeClaim claim);
// The class for claims that name none: the youngest of those that are marked, then the first by name; null
// when there is none.
[[nodiscard]] ObjectPointer default_class(const Informer& classes);

// "namespace/name" of the claim that the volume is bound to or kept for; empty: nobody's.
[[nodiscard]] std::string claim_key_of(api_types::core_v1::PersistentVolume volume);
// Kept for that claim, by name, and by uid if it says one.
[[nodiscard]] bool is_kept_for(api_types::core_v1::PersistentVolume volume,
                               api_types::core_v1::PersistentVolumeClaim claim);
// Why the volume, whoever's it is, cannot serve the claim; empty: it can.
[[nodiscard]] std::string mismatch(api_types::core_v1::PersistentVolume volume,
                                   api_types::core_v1::PersistentVolumeClaim claim);
// The volume that is kept for the claim, else the smallest available one that serves it; null: none.
// `kept_only`: the claim waits until its pod has a node. Volumes that `is_taken` names are another's by now.
[[nodiscard]] ObjectPointer best_volume(const ObjectList& volumes,
                                        api_types::core_v1::PersistentVolumeClaim claim, bool kept_only,
                                        const std::function<bool(const client::CachedObject&)>& is_taken);

}  // namespace keelson::control
