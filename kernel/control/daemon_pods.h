// Which nodes a DaemonSet runs on, and what its pods look like. Pure functions.
// https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#how-daemon-pods-are-scheduled
#pragma once

#include <optional>

#include "kernel/control/controller.h"
#include "kernel/object/accessors/apps_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/scheduling/node_info.h"

namespace keelson::control {

[[nodiscard]] inline api_types::apps_v1::DaemonSet daemon_set_of(const ObjectPointer& object) {
    return api_types::apps_v1::DaemonSet(object->root());
}

struct NodeVerdict {
    bool should_run = false;  // a pod is to be there
    bool may_stay = false;    // one that is there need not go
    bool operator==(const NodeVerdict&) const = default;
};

// The rules of one set, read once for many nodes. Looks at names, labels and taints of nodes, not at what
// runs there.
class DaemonPlacement {
  public:
    explicit DaemonPlacement(api_types::apps_v1::DaemonSet set);
    [[nodiscard]] NodeVerdict verdict(api_types::core_v1::Node node) const;

  private:
    std::string node_name_;
    std::vector<scheduling::Toleration> tolerations_;
    scheduling::Selector selector_;
    std::optional<scheduling::NodeTerms> terms_;
};

// A pod for that node: the scheduler binds it there, and none of the taints that come with a node's troubles
// keeps it away.
[[nodiscard]] api_types::core_v1::Pod make_daemon_pod(api_types::apps_v1::DaemonSet set,
                                                      std::string_view revision_hash,
                                                      std::string_view node_name, object::Arena& arena);

// The node that a pod runs on or is made for; empty when it is for none.
[[nodiscard]] std::string_view target_node_of(api_types::core_v1::Pod pod);
// Made from the present template.
[[nodiscard]] bool is_updated(api_types::core_v1::Pod pod, api_types::apps_v1::DaemonSet set,
                              std::string_view revision_hash);
// Bound ones first, then the oldest.
void sort_daemon_pods(ObjectList& pods);

// How many nodes may have no available pod during an update, and how many may have two; of `desired` nodes.
struct DaemonRoom {
    std::int64_t unavailable = 0;
    std::int64_t surge = 0;
};
[[nodiscard]] DaemonRoom daemon_room(api_types::apps_v1::DaemonSet set, std::int64_t desired);

}  // namespace keelson::control
