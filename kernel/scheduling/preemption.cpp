#include "kernel/scheduling/preemption.h"

#include <algorithm>
#include <array>
#include <limits>

namespace keelson::scheduling {
namespace {

// How many nodes are looked at: a tenth, at least so many.
constexpr std::size_t kLeastCandidates = 100;
constexpr std::size_t kCandidatesShare = 10;

std::int64_t start_of(const PodInfo& pod) {
    return pod.started_seconds == 0 ? std::numeric_limits<std::int64_t>::max() : pod.started_seconds;
}

bool comes_first(const PodPointer& one, const PodPointer& other) {
    return is_more_important(*one, *other);
}

}  // namespace

bool is_more_important(const PodInfo& one, const PodInfo& other) {
    if (one.shape->priority != other.shape->priority) return one.shape->priority > other.shape->priority;
    return start_of(one) < start_of(other);
}

std::string Preemptor::why_not_allowed(const Cycle& cycle, const Diagnosis& diagnosis,
                                       const std::string& nominated) const {
    if (!cycle.shape.may_preempt) return "not eligible due to preemptionPolicy=Never.";
    if (nominated.empty()) return {};
    const NodeInfo* node = cluster_.node(nominated);
    if (!node || diagnosis.of(node->slot).code == Verdict::Code::unresolvable) return {};
    for (const PodPointer& pod : node->pods)
        if (pod->shape->priority < cycle.shape.priority && pod->is_being_deleted && pod->is_preempted)
            return "not eligible due to a terminating pod on the nominated node.";
    return {};
}

Preemption Preemptor::find(const Cycle& cycle, const FilterChain& filters, const Diagnosis& diagnosis,
                           const std::string& nominated) {
    Preemption result;
    result.why_not = why_not_allowed(cycle, diagnosis, nominated);
    if (!result.why_not.empty()) return result;

    const std::vector<const NodeInfo*>& nodes = cluster_.nodes();
    std::vector<const NodeInfo*> possible;
    for (const NodeInfo* node : nodes)
        if (diagnosis.of(node->slot).code == Verdict::Code::unschedulable) possible.push_back(node);
    const std::size_t wanted =
        std::min(possible.size(), std::max(possible.size() / kCandidatesShare, kLeastCandidates));
    const std::size_t offset = possible.empty() ? 0 : random_.below(possible.size());

    diagnosis_.reset(cluster_.slots());
    std::vector<Candidate> candidates;
    bool has_harmless = false;
    for (std::size_t index = 0; index < possible.size(); ++index) {
        if (candidates.size() >= wanted && has_harmless) break;
        const NodeInfo& node = *possible[(offset + index) % possible.size()];
        Candidate candidate;
        candidate.node = &node;
        const Verdict verdict = try_node(cycle, filters, node, candidate);
        if (!verdict.fits()) {
            diagnosis_.refuse(node.slot, verdict);
        } else if (!candidate.victims.empty()) {
            has_harmless = has_harmless || candidate.broken_budgets == 0;
            candidates.push_back(std::move(candidate));
        }
    }
    if (candidates.empty()) {
        diagnosis_.absent_reasons = {"Preemption is not helpful for scheduling"};
        result.why_not = fit_message(diagnosis_, nodes.size(), reasons_);
        result.clears_nomination = true;
        return result;
    }
    const Candidate& chosen = best(candidates);
    result.is_found = true;
    result.node = chosen.node->name;
    result.victims = chosen.victims;
    return result;
}

Verdict Preemptor::try_node(const Cycle& cycle, const FilterChain& filters, const NodeInfo& node,
                            Candidate& candidate) {
    std::vector<PodPointer> less_important;
    for (const PodPointer& pod : node.pods)
        if (pod->shape->priority < cycle.shape.priority) less_important.push_back(pod);
    if (less_important.empty())
        return {Verdict::Code::unresolvable, PluginId::default_preemption,
                reasons_.of_literal("No preemption victims found for incoming pod")};
    Cycle trial = cycle;
    NodeInfo emptied = node;
    for (const PodPointer& pod : less_important) filters.remove_pod(trial, emptied, pod);
    const Verdict verdict = filters.filter_with_nominated(trial, emptied);
    if (!verdict.fits()) return verdict;

    // Those that can stay come back, the most important first, and before them those that a budget protects.
    std::sort(less_important.begin(), less_important.end(), comes_first);
    std::vector<PodPointer> breaking, harmless;
    split_by_budgets(less_important, breaking, harmless);
    const auto bring_back = [&](const PodPointer& pod) {
        filters.add_pod(trial, emptied, pod);
        if (filters.filter_with_nominated(trial, emptied).fits()) return true;
        filters.remove_pod(trial, emptied, pod);
        candidate.victims.push_back(pod);
        return false;
    };
    for (const PodPointer& pod : breaking)
        if (!bring_back(pod)) ++candidate.broken_budgets;
    for (const PodPointer& pod : harmless) bring_back(pod);
    std::sort(candidate.victims.begin(), candidate.victims.end(), comes_first);
    return {};
}

void Preemptor::split_by_budgets(const std::vector<PodPointer>& pods, std::vector<PodPointer>& breaking,
                                 std::vector<PodPointer>& harmless) const {
    std::unordered_map<const Budget*, std::int64_t> allowed;
    for (const PodPointer& pod : pods) {
        bool breaks = false;
        for (const auto& [key, budget] : cluster_.budgets) {
            if (pod->shape->labels().empty() || budget.namespace_name != pod->namespace_name()) continue;
            if (budget.selector.empty() || !budget.selector.matches(pod->shape->labels())) continue;
            const auto& disrupted = budget.disrupted_pods;
            if (std::find(disrupted.begin(), disrupted.end(), pod->name) != disrupted.end()) continue;
            auto [left, is_new] = allowed.try_emplace(&budget, budget.allowed);
            if (--left->second < 0) breaks = true;
        }
        (breaks ? breaking : harmless).push_back(pod);
    }
}

const Preemptor::Candidate& Preemptor::best(const std::vector<Candidate>& candidates) {
    // The smaller, the better, from the first to the last.
    const auto cost = [](const Candidate& candidate) {
        const std::int32_t highest = candidate.victims.front()->shape->priority;
        std::int64_t sum = 0;
        std::int64_t earliest = std::numeric_limits<std::int64_t>::max();
        for (const PodPointer& victim : candidate.victims) {
            // Priorities may be negative; shifted, many victims never cost less than few.
            sum += static_cast<std::int64_t>(victim->shape->priority) + (std::int64_t{1} << 31);
            if (victim->shape->priority == highest) earliest = std::min(earliest, start_of(*victim));
        }
        return std::array<std::int64_t, 5>{candidate.broken_budgets, highest, sum,
                                           static_cast<std::int64_t>(candidate.victims.size()), -earliest};
    };
    const Candidate* best = &candidates.front();
    auto lowest = cost(*best);
    for (const Candidate& candidate : candidates) {
        const auto of_candidate = cost(candidate);
        if (of_candidate >= lowest) continue;
        best = &candidate;
        lowest = of_candidate;
    }
    return *best;
}

}  // namespace keelson::scheduling
