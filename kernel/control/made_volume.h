// What is asked of a plugin for a claim, and the PersistentVolume that its answer becomes. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "kernel/control/volume_provisioner.h"
#include "kernel/object/value.h"

namespace keelson::control {

// Keeps a volume until what it stands for is deleted: the one that CSI provisioners use.
inline constexpr std::string_view kMadeVolumeFinalizer =
    "external-provisioner.volume.kubernetes.io/finalizer";

// "pvc-<uid of the claim>".
[[nodiscard]] std::string made_volume_name(const ObjectPointer& claim);

// `node`: the one that the scheduler has chosen, or null. A failure says what the claim or its class wants
// that is not served.
[[nodiscard]] base::Result<NewVolume> wanted_volume(const ObjectPointer& claim,
                                                    const ObjectPointer& storage_class,
                                                    const ObjectPointer& node);

// Bound to the claim from the start.
[[nodiscard]] object::Document persistent_volume_of(const NewVolume& wanted, const MadeVolume& made,
                                                    const ObjectPointer& claim,
                                                    const ObjectPointer& storage_class);

}  // namespace keelson::control
