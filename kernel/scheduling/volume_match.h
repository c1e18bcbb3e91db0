// Which volumes would serve a pod's waiting claims on a node
// (https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "kernel/scheduling/node_info.h"
#include "kernel/scheduling/storage.h"

namespace keelson::scheduling {

struct VolumePlan {
    bool fits = true;       // each claim has a volume, or can get one made
    bool has_space = true;  // where one has to be made, the driver has room for it
    // What is to be bound: claims and existing volumes; and claims for which a volume has to be made here.
    std::vector<std::pair<const ClaimInfo*, const VolumeInfo*>> bindings;
    std::vector<const ClaimInfo*> to_provision;
};

// Each claim gets the smallest volume that serves it; what is left over is made by its class.
[[nodiscard]] VolumePlan plan_volumes(const Storage& storage, std::vector<const ClaimInfo*> claims,
                                      const NodeInfo& node);

}  // namespace keelson::scheduling
