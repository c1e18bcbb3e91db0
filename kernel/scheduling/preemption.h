// Making room: which pods of lower priority would have to go so that a pod fits
// (https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/).
#pragma once

#include <string>
#include <vector>

#include "kernel/base/ids.h"
#include "kernel/scheduling/filter_chain.h"
#include "kernel/scheduling/messages.h"

namespace keelson::scheduling {

struct Preemption {
    bool is_found = false;
    std::string node;
    std::vector<PodPointer> victims;  // the most important first
    // Why not; a text for the message about the pod.
    std::string why_not;
    // The pod's earlier nomination is of no use any more.
    bool clears_nomination = false;
};

// Looks at nodes that were refused because of pods on them. Of the nodes where the pod would fit without pods
// of lower priority it takes the one with the fewest broken disruption budgets, then the least important
// victims.
class Preemptor {
  public:
    Preemptor(Cluster& cluster, Reasons& reasons, base::RandomSource& random)
        : cluster_(cluster), reasons_(reasons), random_(random) {}

    // diagnosis: why the pod of the cycle fits nowhere. nominated: its node of an earlier preemption, or
    // empty.
    [[nodiscard]] Preemption find(const Cycle& cycle, const FilterChain& filters, const Diagnosis& diagnosis,
                                  const std::string& nominated);

  private:
    struct Candidate {
        const NodeInfo* node = nullptr;
        std::vector<PodPointer> victims;
        std::int64_t broken_budgets = 0;
    };
    [[nodiscard]] std::string why_not_allowed(const Cycle& cycle, const Diagnosis& diagnosis,
                                              const std::string& nominated) const;
    // No victims: the verdict says why.
    [[nodiscard]] Verdict try_node(const Cycle& cycle, const FilterChain& filters, const NodeInfo& node,
                                   Candidate& candidate);
    void split_by_budgets(const std::vector<PodPointer>& pods, std::vector<PodPointer>& breaking,
                          std::vector<PodPointer>& harmless) const;
    [[nodiscard]] static const Candidate& best(const std::vector<Candidate>& candidates);

    Cluster& cluster_;
    Reasons& reasons_;
    base::RandomSource& random_;
    Diagnosis diagnosis_;
};

// Whether one pod is kept rather than the other: by priority, then by how long it has run.
[[nodiscard]] bool is_more_important(const PodInfo& one, const PodInfo& other);

}  // namespace keelson::scheduling
