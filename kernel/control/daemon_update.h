// How a DaemonSet comes to its present template, node by node. Pure functions of what was found.
// https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/
#pragma once

#include <map>
#include <optional>

#include "kernel/control/controller.h"
#include "kernel/control/daemon_pods.h"

namespace keelson::control {

// Where a set is to run: remembered, as neither sets nor what they look at in nodes change often.
struct Placement {
    std::string uid;  // of the set
    std::int64_t generation = 0;
    std::uint64_t nodes_epoch = 0;
    std::map<std::string, NodeVerdict> verdicts;  // by node
    std::int64_t desired = 0;
};

// What one look at a set found.
struct DaemonState {
    ObjectPointer set;
    std::string hash;  // of the present revision
    std::shared_ptr<const Placement> placement;
    std::map<std::string, ObjectList> pods_on;  // by node
};

struct DaemonPlan {
    std::vector<std::string> nodes_to_fill;
    ObjectList pods_to_delete;
    std::optional<base::Duration> look_again_after;
    [[nodiscard]] bool empty() const { return nodes_to_fill.empty() && pods_to_delete.empty(); }
};

// With the minReadySeconds of the set.
[[nodiscard]] bool is_daemon_available(const DaemonState& state, const ObjectPointer& pod,
                                       base::WallTime now);

// Which old pods are to go and which nodes are to have a new pod beside the old one, as far as enough nodes
// keep an available pod. For a set whose pods are where they are to be. Nothing with another strategy than
// RollingUpdate.
[[nodiscard]] DaemonPlan plan_update(const DaemonState& state, base::WallTime now);

}  // namespace keelson::control
