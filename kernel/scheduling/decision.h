// Choosing a node for a pod.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/base/ids.h"
#include "kernel/scheduling/filter_chain.h"
#include "kernel/scheduling/messages.h"
#include "kernel/scheduling/preemption.h"
#include "kernel/scheduling/volume_match.h"

namespace keelson::scheduling {

// How pods of one scheduler name are placed.
struct Profile {
    std::string scheduler_name = "default-scheduler";
    // Of the nodes, how many that fit are enough to choose from; 0: the fewer, the larger the cluster
    // (https://kubernetes.io/docs/concepts/scheduling-eviction/scheduler-perf-tuning/).
    unsigned percentage_of_nodes_to_score = 0;
    // Pods of Services and workloads that ask for no spread are spread all the same.
    bool default_spread = true;
};

struct Decision {
    std::string node;  // empty: none
    VolumePlan volumes;
    // Without a node: why, and who refused.
    std::string message;
    PluginSet refused_by;
    Preemption preemption;

    [[nodiscard]] bool is_placed() const { return !node.empty(); }
};

class Decider {
  public:
    // All must outlive it. `random` breaks ties.
    Decider(Profile profile, Cluster& cluster, const Nominations& nominations, base::RandomSource& random);
    // nominated: the node on which room was made for the pod, or empty.
    [[nodiscard]] Decision decide(const PodInfo& pod, const std::string& nominated);

  private:
    [[nodiscard]] std::size_t enough(std::size_t nodes) const;
    void search(Cycle& cycle, FilterChain& filters, const FilterChain::Refusal& start,
                const std::string& nominated);
    [[nodiscard]] const NodeInfo& choose(Cycle& cycle);
    void explain(Cycle& cycle, const FilterChain& filters, bool refused_at_once, const std::string& nominated,
                 Decision& decision);

    Profile profile_;
    Cluster& cluster_;
    const Nominations& nominations_;
    base::RandomSource& random_;
    Reasons reasons_;
    std::vector<std::unique_ptr<FilterPlugin>> filters_;
    std::vector<std::unique_ptr<ScorePlugin>> scores_;
    FilterChain chain_;
    Preemptor preemptor_;
    Diagnosis diagnosis_;
    std::size_t next_node_ = 0;  // where the next search begins, so that all nodes get their turn
    std::vector<const NodeInfo*> feasible_;
    std::vector<std::int64_t> totals_;
    std::vector<std::int64_t> scratch_;
};

}  // namespace keelson::scheduling
