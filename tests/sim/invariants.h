// What must always hold, and what must hold when everything has calmed down. Judged by the model: by what is
// really in the store, not by what some part believes.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "kernel/client/client.h"
#include "tests/sim/model.h"
#include "tests/sim/nodes.h"

namespace keelson::sim {

struct InvariantSettings {
    // Nobody but controllers takes pods away, and nodes are well: then no rollout may have too few of them.
    bool is_calm = false;
};

// Those that hold at every revision. The first that is broken is kept.
class StepInvariants {
  public:
    StepInvariants(const InvariantSettings& settings, const Model& model, const base::Clock& clock)
        : settings_(settings), model_(model), clock_(clock) {}

    void see(const SeenChange& change);
    // Of machines rather than objects: that no StatefulSet's pod runs twice.
    void see_running(const Nodes& nodes);
    // A binding of which the scheduler cannot know whether it happened: what fits on that node is not known
    // for a while.
    void see_unknown_outcome(const client::Address& address, object::Value sent);
    [[nodiscard]] const std::optional<std::string>& broken() const { return broken_; }
    // Pods of a Job that have ever succeeded, by the uid of the Job.
    [[nodiscard]] const std::map<std::string, std::set<std::string>>& succeeded() const { return succeeded_; }

  private:
    // How a Deployment may look between its settled states.
    struct Rollout {
        bool is_settled = false;
        bool is_known = false;      // changed once since it was settled, in a way that bounds its sizes
        bool is_disturbed = false;  // available pods went for other reasons
        std::int64_t generation = 0;
        std::int64_t replicas = 0;
        std::int64_t ceiling = 0;  // of what its ReplicaSets ask for
        std::int64_t floor = 0;    // of its available pods
    };

    void breaks(std::string what);
    void see_pod(const SeenChange& change);
    void see_binding(const Seen& pod);
    void see_making(const Seen& pod);
    void see_quota(const Seen& pod);
    void see_node(const SeenChange& change);
    void see_replica_set(const SeenChange& change);
    void see_deployment(const SeenChange& change);
    void judge_rollout(const std::string& deployment_uid);
    [[nodiscard]] std::string deployment_of_pod(const Seen& pod) const;
    [[nodiscard]] bool is_namespace_ending(const std::string& name) const;

    InvariantSettings settings_;
    const Model& model_;
    const base::Clock& clock_;
    std::optional<std::string> broken_;
    std::unordered_map<std::string, Rollout> rollouts_;
    std::map<std::string, std::set<std::string>> succeeded_;
    std::map<std::string, base::MonotonicTime> unsure_nodes_;
    // Owners by uid that may have more pods than their controller knows, or that want fewer since a moment
    // ago.
    std::map<std::string, base::MonotonicTime> unsure_owners_;
    // Since when a node has had a taint without a break: "node key=value:effect".
    std::map<std::string, std::map<std::string, base::MonotonicTime>> taints_;
};

// What is left to be done, or wrong, in a cluster that has been left alone; empty when it has converged.
[[nodiscard]] std::optional<std::string> unfinished_work(
    const Model& model, const std::map<std::string, std::set<std::string>>& succeeded);

// Bounds of a Deployment's rollout.
struct Bounds {
    std::int64_t surge = 0;
    std::int64_t unavailable = 0;
};
[[nodiscard]] Bounds bounds_of(const Seen& deployment);
// The pod tolerates the taint.
[[nodiscard]] bool tolerates(const Seen& pod, object::Value taint);

}  // namespace keelson::sim
