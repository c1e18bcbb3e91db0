#include "kernel/scheduling/decision.h"

#include <algorithm>

namespace keelson::scheduling {

Decider::Decider(Profile profile, Cluster& cluster, const Nominations& nominations,
                 base::RandomSource& random)
    : profile_(std::move(profile)),
      cluster_(cluster),
      nominations_(nominations),
      random_(random),
      filters_(make_filters()),
      scores_(make_scores(profile_.default_spread)),
      chain_(filters_, nominations_),
      preemptor_(cluster_, reasons_, random_) {}

std::size_t Decider::enough(std::size_t nodes) const {
    constexpr std::size_t kLeast = 100;
    constexpr std::size_t kLeastPercent = 5;
    if (nodes < kLeast) return nodes;
    std::size_t percent = profile_.percentage_of_nodes_to_score;
    if (percent == 0) percent = std::max(kLeastPercent, 50 - std::min<std::size_t>(nodes / 125, 50));
    return std::max(kLeast, nodes * std::min<std::size_t>(percent, 100) / 100);
}

Decision Decider::decide(const PodInfo& pod, const std::string& nominated) {
    Decision decision;
    if (cluster_.nodes().empty()) {
        decision.message = "no nodes available to schedule pods";
        return decision;
    }
    Cycle cycle(pod, cluster_, reasons_);
    diagnosis_.reset(cluster_.slots());
    feasible_.clear();
    FilterChain::Refusal start = chain_.start(cycle);
    if (start.is_refused) {
        diagnosis_.before = std::move(start.why);
        diagnosis_.plugins.insert(start.plugin);
    } else {
        search(cycle, chain_, start, nominated);
    }
    if (feasible_.empty()) {
        explain(cycle, chain_, start.is_refused, nominated, decision);
        return decision;
    }
    const NodeInfo& node = choose(cycle);
    decision.node = node.name;
    if (!cycle.volumes.waiting.empty())
        decision.volumes = plan_volumes(cluster_.storage, cycle.volumes.waiting, node);
    return decision;
}

void Decider::search(Cycle& cycle, FilterChain& filters, const FilterChain::Refusal& start,
                     const std::string& nominated) {
    const auto look_at = [&](const NodeInfo& node) {
        const Verdict verdict = filters.filter_with_nominated(cycle, node);
        if (verdict.fits())
            feasible_.push_back(&node);
        else
            diagnosis_.refuse(node.slot, verdict);
    };
    // The node where room was made is most likely the only one.
    if (!nominated.empty()) {
        if (const NodeInfo* node = cluster_.node(nominated)) look_at(*node);
        if (!feasible_.empty()) return;
    }
    if (cycle.is_limited) {
        diagnosis_.absent_reasons = {"node(s) didn't satisfy plugin(s) [" +
                                     std::string(plugin_name(start.limiting)) + "]"};
        diagnosis_.plugins.insert(start.limiting);
        for (const std::string& name : cycle.only_nodes)
            if (const NodeInfo* node = cluster_.node(name)) look_at(*node);
        return;
    }
    const std::vector<const NodeInfo*>& nodes = cluster_.nodes();
    const std::size_t wanted = enough(nodes.size());
    std::size_t seen = 0;
    std::size_t at = next_node_ % nodes.size();
    while (seen < nodes.size() && feasible_.size() < wanted) {
        look_at(*nodes[at]);
        ++seen;
        if (++at == nodes.size()) at = 0;
    }
    next_node_ = at;
}

const NodeInfo& Decider::choose(Cycle& cycle) {
    if (feasible_.size() == 1) return *feasible_.front();
    totals_.assign(feasible_.size(), 0);
    scratch_.resize(feasible_.size());
    for (const auto& plugin : scores_) {
        if (!plugin->score(cycle, feasible_, scratch_)) continue;
        const std::int64_t weight = plugin->weight();
        for (std::size_t index = 0; index < totals_.size(); ++index)
            totals_[index] += weight * scratch_[index];
    }
    const std::int64_t highest = *std::max_element(totals_.begin(), totals_.end());
    const auto ties = static_cast<std::uint64_t>(std::count(totals_.begin(), totals_.end(), highest));
    std::uint64_t chosen = ties == 1 ? 0 : random_.below(ties);
    for (std::size_t index = 0; index < totals_.size(); ++index)
        if (totals_[index] == highest && chosen-- == 0) return *feasible_[index];
    return *feasible_.front();
}

void Decider::explain(Cycle& cycle, const FilterChain& filters, bool refused_at_once,
                      const std::string& nominated, Decision& decision) {
    if (refused_at_once) {
        // What Kubernetes says when claims of devices, which are asked first, have not been looked at;
        // preemption is not tried then.
        diagnosis_.after = "not found";
    } else {
        decision.preemption = preemptor_.find(cycle, filters, diagnosis_, nominated);
        if (!decision.preemption.is_found)
            diagnosis_.after = "no new claims to deallocate, preemption: " + decision.preemption.why_not;
    }
    decision.refused_by = diagnosis_.plugins;
    decision.message = fit_message(diagnosis_, cluster_.nodes().size(), reasons_);
}

}  // namespace keelson::scheduling
