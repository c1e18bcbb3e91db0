// Affinity and anti-affinity between pods
// (https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity).
#include <algorithm>

#include "kernel/scheduling/plugins.h"

namespace keelson::scheduling {
namespace {

bool chooses_namespace(const AffinityTerm& term, const std::string& name, const Cluster& cluster) {
    if (std::find(term.namespaces.begin(), term.namespaces.end(), name) != term.namespaces.end()) return true;
    if (!term.has_namespace_selector) return false;
    return term.namespace_selector.empty() || term.namespace_selector.matches(cluster.namespace_labels(name));
}

bool chooses(const AffinityTerm& term, const LabelGroup& group, const Cluster& cluster) {
    return term.pods.matches(group.labels) && chooses_namespace(term, group.namespace_name, cluster);
}

bool choose_all(const std::vector<AffinityTerm>& terms, const LabelGroup& group, const Cluster& cluster) {
    return std::all_of(terms.begin(), terms.end(),
                       [&](const AffinityTerm& term) { return chooses(term, group, cluster); });
}

// Calls visit for the groups with pods on nodes that the term chooses.
template <typename Visit>
void each_chosen(const AffinityTerm& term, const Cluster& cluster, Visit visit) {
    if (!term.has_namespace_selector) {
        for (const std::string& name : term.namespaces)
            for (const LabelGroup* group : cluster.groups(name))
                if (term.pods.matches(group->labels)) visit(*group);
        return;
    }
    for (const auto& [name, groups] : cluster.all_groups()) {
        if (!chooses_namespace(term, name, cluster)) continue;
        for (const LabelGroup* group : groups)
            if (term.pods.matches(group->labels)) visit(*group);
    }
}

DomainCounts make_counts(const Topology& topology) {
    DomainCounts made;
    made.topology = &topology;
    made.counts.assign(topology.bound(), 0);
    return made;
}

// What was added; 0 when the node is in no domain.
std::int64_t add(DomainCounts& counts, std::uint32_t slot, std::int64_t pods) {
    const std::int32_t domain = counts.topology->domain(slot);
    if (domain == Topology::kNone) return 0;
    counts.counts[static_cast<std::size_t>(domain)] += pods;
    return pods;
}

DomainCounts& of_topology(std::vector<DomainCounts>& all, const Topology& topology) {
    for (DomainCounts& one : all)
        if (one.topology == &topology) return one;
    all.push_back(make_counts(topology));
    return all.back();
}

class InterPodAffinity final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::inter_pod_affinity; }

    Start start(Cycle& cycle, std::string&) const override {
        AffinityState& state = cycle.affinity;
        state = AffinityState();
        Cluster& cluster = cycle.cluster;
        for (const PodShape* shape : cluster.shapes_with_anti_affinity()) {
            for (const AffinityTerm& term : shape->required_anti_affinity) {
                if (!chooses(term, *cycle.shape.group, cluster)) continue;
                DomainCounts& counts = of_topology(state.existing, cluster.topology(term.topology_key));
                for (const Placement& one : shape->tracking.placements.all()) add(counts, one.slot, one.pods);
            }
        }
        count_affinity(cycle);
        for (const AffinityTerm& term : cycle.shape.required_anti_affinity) {
            DomainCounts counts = make_counts(cluster.topology(term.topology_key));
            each_chosen(term, cluster, [&](const LabelGroup& group) {
                for (const Placement& one : group.placements.all()) add(counts, one.slot, one.pods);
            });
            state.anti_affinity.push_back(std::move(counts));
        }
        const bool has_nothing =
            state.existing.empty() && state.affinity.empty() && state.anti_affinity.empty();
        return has_nothing ? Start::skip : Start::run;
    }

    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        if (!satisfies_affinity(cycle.affinity, node))
            return refuse(cycle, Verdict::Code::unresolvable, "node(s) didn't match pod affinity rules");
        if (has_pods(cycle.affinity.anti_affinity, node))
            return refuse(cycle, Verdict::Code::unschedulable,
                          "node(s) didn't match pod anti-affinity rules");
        if (has_pods(cycle.affinity.existing, node))
            return refuse(cycle, Verdict::Code::unschedulable,
                          "node(s) didn't satisfy existing pods anti-affinity rules");
        return {};
    }

    void change(Cycle& cycle, const PodInfo& pod, const NodeInfo& node, int sign) const override {
        AffinityState& state = cycle.affinity;
        const Cluster& cluster = cycle.cluster;
        for (const AffinityTerm& term : pod.shape->required_anti_affinity)
            if (chooses(term, *cycle.shape.group, cluster))
                add(of_topology(state.existing, cycle.cluster.topology(term.topology_key)), node.slot, sign);
        if (!state.affinity.empty() && choose_all(cycle.shape.required_affinity, *pod.shape->group, cluster))
            for (DomainCounts& counts : state.affinity) state.matching_pods += add(counts, node.slot, sign);
        for (std::size_t index = 0; index < state.anti_affinity.size(); ++index)
            if (chooses(cycle.shape.required_anti_affinity[index], *pod.shape->group, cluster))
                add(state.anti_affinity[index], node.slot, sign);
    }

  private:
    static void count_affinity(Cycle& cycle) {
        AffinityState& state = cycle.affinity;
        const std::vector<AffinityTerm>& terms = cycle.shape.required_affinity;
        if (terms.empty()) return;
        for (const AffinityTerm& term : terms)
            state.affinity.push_back(make_counts(cycle.cluster.topology(term.topology_key)));
        state.matches_itself = choose_all(terms, *cycle.shape.group, cycle.cluster);
        each_chosen(terms.front(), cycle.cluster, [&](const LabelGroup& group) {
            if (!choose_all(terms, group, cycle.cluster)) return;
            for (DomainCounts& counts : state.affinity)
                for (const Placement& one : group.placements.all())
                    state.matching_pods += add(counts, one.slot, one.pods);
        });
    }

    // The first of a group of pods that want to be together may start anywhere.
    static bool satisfies_affinity(const AffinityState& state, const NodeInfo& node) {
        bool has_all = true;
        for (const DomainCounts& counts : state.affinity) {
            const std::int32_t domain = counts.topology->domain(node.slot);
            if (domain == Topology::kNone) return false;
            has_all = has_all && counts.at(domain, 0) > 0;
        }
        return has_all || (state.matching_pods == 0 && state.matches_itself);
    }

    static bool has_pods(const std::vector<DomainCounts>& all, const NodeInfo& node) {
        return std::any_of(all.begin(), all.end(), [&](const DomainCounts& counts) {
            return counts.at(counts.topology->domain(node.slot), 0) > 0;
        });
    }
};

class InterPodAffinityScore final : public ScorePlugin {
  public:
    [[nodiscard]] std::int64_t weight() const override { return 2; }

    bool score(Cycle& cycle, Nodes nodes, std::span<std::int64_t> scores) const override {
        std::vector<DomainCounts> sums;
        const PodShape& shape = cycle.shape;
        for (const AffinityTerm& term : shape.preferred_affinity) add_chosen(cycle, term, term.weight, sums);
        for (const AffinityTerm& term : shape.preferred_anti_affinity)
            add_chosen(cycle, term, -term.weight, sums);
        for (const PodShape* other : cycle.cluster.shapes_with_affinity()) {
            // Whom others must be near to, they are near to as well.
            for (const AffinityTerm& term : other->required_affinity)
                add_placed(cycle, *other, term, kRequiredWeight, sums);
            for (const AffinityTerm& term : other->preferred_affinity)
                add_placed(cycle, *other, term, term.weight, sums);
            for (const AffinityTerm& term : other->preferred_anti_affinity)
                add_placed(cycle, *other, term, -term.weight, sums);
        }
        if (sums.empty()) return false;
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            scores[index] = 0;
            for (const DomainCounts& counts : sums)
                scores[index] += counts.at(counts.topology->domain(nodes[index]->slot), 0);
        }
        const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
        const std::int64_t low = *least, width = *most - *least;
        for (std::int64_t& score : scores) score = width == 0 ? 0 : kHighestScore * (score - low) / width;
        return true;
    }

  private:
    static constexpr std::int64_t kRequiredWeight = 1;

    static void add_chosen(Cycle& cycle, const AffinityTerm& term, std::int64_t weight,
                           std::vector<DomainCounts>& sums) {
        const Topology& topology = cycle.cluster.topology(term.topology_key);
        each_chosen(term, cycle.cluster, [&](const LabelGroup& group) {
            DomainCounts& counts = of_topology(sums, topology);
            for (const Placement& one : group.placements.all())
                add(counts, one.slot, weight * static_cast<std::int64_t>(one.pods));
        });
    }

    static void add_placed(Cycle& cycle, const PodShape& other, const AffinityTerm& term, std::int64_t weight,
                           std::vector<DomainCounts>& sums) {
        if (!chooses(term, *cycle.shape.group, cycle.cluster)) return;
        DomainCounts& counts = of_topology(sums, cycle.cluster.topology(term.topology_key));
        for (const Placement& one : other.tracking.placements.all())
            add(counts, one.slot, weight * static_cast<std::int64_t>(one.pods));
    }
};

}  // namespace

std::unique_ptr<FilterPlugin> make_inter_pod_affinity() {
    return std::make_unique<InterPodAffinity>();
}
std::unique_ptr<ScorePlugin> make_inter_pod_affinity_score() {
    return std::make_unique<InterPodAffinityScore>();
}

}  // namespace keelson::scheduling
