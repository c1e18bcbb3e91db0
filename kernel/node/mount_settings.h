// The mounts of a container: its volumes, parts of them, and the files that every container gets.
#pragma once

#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/node/container_settings.h"
#include "kernel/node/environment.h"

namespace keelson::node {

// One mount with what has to be done for it on the node.
struct PlannedMount {
    Mount mount;             // its source is the volume itself
    std::string sub_path;    // a relative path in the volume; empty: all of it
    std::string bind_point;  // where that part is bound to, from where the runtime takes it
    std::string failure;     // what people are told: not why, because that tells about the node's files
};

struct MountPlan {
    std::vector<PlannedMount> mounts;
    std::string termination_log;  // a file to make; empty: none
};

// Pure. `environment`: what subPathExpr refers to.
[[nodiscard]] base::Result<MountPlan> plan_mounts(const ContainerSurroundings& surroundings,
                                                  const Environment& environment);

// Makes what is planned: the parts of volumes, made where they are missing, bound without following a link
// out of the volume; the termination log. Again at will. Blocks.
[[nodiscard]] base::Result<std::vector<Mount>> make_mounts(const MountPlan& plan);

}  // namespace keelson::node
