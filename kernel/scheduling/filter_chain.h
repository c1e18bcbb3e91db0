// The filters of one decision, asked in order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/scheduling/framework.h"
#include "kernel/scheduling/nominations.h"

namespace keelson::scheduling {

class FilterChain {
  public:
    FilterChain(const std::vector<std::unique_ptr<FilterPlugin>>& filters, const Nominations& nominations)
        : filters_(filters), nominations_(nominations) {}

    struct Refusal {
        bool is_refused = false;
        PluginId plugin = PluginId::count;
        std::string why;
        PluginId limiting = PluginId::count;  // who left only some nodes
    };
    // Must come first.
    [[nodiscard]] Refusal start(Cycle& cycle);
    // The verdict of the first filter that refuses the node.
    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const;
    // The same, also with the pods that are nominated to the node and may not be pushed aside: the pod has to
    // fit with and without them.
    [[nodiscard]] Verdict filter_with_nominated(const Cycle& cycle, const NodeInfo& node) const;
    // Puts a pod on a copy of a node, or takes it away, for this decision only.
    void add_pod(Cycle& cycle, NodeInfo& node, const PodPointer& pod) const;
    void remove_pod(Cycle& cycle, NodeInfo& node, const PodPointer& pod) const;

  private:
    const std::vector<std::unique_ptr<FilterPlugin>>& filters_;
    const Nominations& nominations_;
    std::vector<const FilterPlugin*> active_;
};

}  // namespace keelson::scheduling
