#include "kernel/scheduling/filter_chain.h"

#include <algorithm>

namespace keelson::scheduling {

FilterChain::Refusal FilterChain::start(Cycle& cycle) {
    active_.clear();
    Refusal refusal;
    for (const auto& filter : filters_) {
        const bool was_limited = cycle.is_limited;
        const FilterPlugin::Start started = filter->start(cycle, refusal.why);
        if (started == FilterPlugin::Start::refuse) {
            refusal.is_refused = true;
            refusal.plugin = filter->id();
            return refusal;
        }
        if (cycle.is_limited && !was_limited) refusal.limiting = filter->id();
        if (started == FilterPlugin::Start::run) active_.push_back(filter.get());
    }
    return refusal;
}

Verdict FilterChain::filter(const Cycle& cycle, const NodeInfo& node) const {
    for (const FilterPlugin* filter : active_) {
        const Verdict verdict = filter->filter(cycle, node);
        if (!verdict.fits()) return verdict;
    }
    return {};
}

Verdict FilterChain::filter_with_nominated(const Cycle& cycle, const NodeInfo& node) const {
    if (nominations_.empty()) return filter(cycle, node);
    std::vector<PodPointer> others;
    for (const PodPointer& pod : nominations_.on(node.name))
        if (pod->shape->priority >= cycle.shape.priority && pod->uid != cycle.pod.uid) others.push_back(pod);
    if (others.empty()) return filter(cycle, node);
    Cycle with = cycle;
    NodeInfo fuller = node;
    for (const PodPointer& pod : others) add_pod(with, fuller, pod);
    const Verdict verdict = filter(with, fuller);
    return verdict.fits() ? filter(cycle, node) : verdict;
}

void FilterChain::add_pod(Cycle& cycle, NodeInfo& node, const PodPointer& pod) const {
    node.add_pod(pod);
    for (const FilterPlugin* filter : active_) filter->change(cycle, *pod, node, 1);
}

void FilterChain::remove_pod(Cycle& cycle, NodeInfo& node, const PodPointer& pod) const {
    // Held: the caller's may be the node's own.
    const PodPointer kept = pod;
    node.remove_pod(kept->uid);
    for (const FilterPlugin* filter : active_) filter->change(cycle, *kept, node, -1);
}

}  // namespace keelson::scheduling
