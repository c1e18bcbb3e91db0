// Topology spread constraints
// (https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/).
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernel/scheduling/plugins.h"

namespace keelson::scheduling {
namespace {

constexpr std::string_view kHostName = "kubernetes.io/hostname";
constexpr std::string_view kZone = "topology.kubernetes.io/zone";

// Whether pods on the node count for the constraint.
bool counts(const SpreadConstraint& constraint, const PodShape& shape, const NodeInfo& node) {
    if (constraint.honors_affinity && shape.limits_nodes() && !shape.allows_node(node.labels, node.name))
        return false;
    return !constraint.honors_taints || !keeps_out(node.taints, shape.tolerations);
}

// Calls visit(slot, pods) for the pods of the namespace that are not going away.
template <typename Visit>
void each_matching(const Cycle& cycle, const Selector& selector, Visit visit) {
    for (const LabelGroup* group : cycle.cluster.groups(cycle.shape.namespace_name())) {
        if (!selector.matches(group->labels)) continue;
        for (const Placement& placement : group->placements.all())
            if (placement.staying > 0) visit(placement.slot, placement.staying);
    }
}

class TopologySpread final : public FilterPlugin {
  public:
    [[nodiscard]] PluginId id() const override { return PluginId::pod_topology_spread; }

    Start start(Cycle& cycle, std::string&) const override {
        std::vector<SpreadState::Hard>& hard = cycle.spread.hard;
        hard.clear();
        for (const SpreadConstraint& constraint : cycle.shape.spread) {
            if (!constraint.is_hard) continue;
            SpreadState::Hard one;
            one.constraint = &constraint;
            one.pods.topology = &cycle.cluster.topology(constraint.topology_key);
            one.pods.counts.assign(one.pods.topology->bound(), DomainCounts::kNotThere);
            one.self = constraint.pods.matches(cycle.shape.labels()) ? 1 : 0;
            hard.push_back(std::move(one));
        }
        if (hard.empty()) return Start::skip;
        for (const NodeInfo* node : cycle.cluster.nodes())
            if (has_all_keys(hard, *node)) open_domains(cycle, *node);
        for (SpreadState::Hard& one : hard) {
            const bool all_count = !one.constraint->honors_taints &&
                                   !(one.constraint->honors_affinity && cycle.shape.limits_nodes());
            each_matching(cycle, one.constraint->pods, [&](std::uint32_t slot, std::uint32_t pods) {
                const NodeInfo& node = cycle.cluster.at(slot);
                if (!node.exists || !has_all_keys(hard, node)) return;
                if (!all_count && !counts(*one.constraint, cycle.shape, node)) return;
                one.pods.counts[static_cast<std::size_t>(one.pods.topology->domain(slot))] += pods;
            });
            find_least(one);
        }
        return Start::run;
    }

    [[nodiscard]] Verdict filter(const Cycle& cycle, const NodeInfo& node) const override {
        for (const SpreadState::Hard& one : cycle.spread.hard) {
            const std::int32_t domain = one.pods.topology->domain(node.slot);
            if (domain == Topology::kNone)
                return refuse(
                    cycle, Verdict::Code::unresolvable,
                    "node(s) didn't match pod topology spread constraints (missing required label)");
            const std::int64_t there = std::max<std::int64_t>(one.pods.at(domain, 0), 0);
            if (there + one.self - one.least > one.constraint->max_skew)
                return refuse(cycle, Verdict::Code::unschedulable,
                              "node(s) didn't match pod topology spread constraints");
        }
        return {};
    }

    void change(Cycle& cycle, const PodInfo& pod, const NodeInfo& node, int sign) const override {
        std::vector<SpreadState::Hard>& hard = cycle.spread.hard;
        if (hard.empty() || pod.is_being_deleted || !has_all_keys(hard, node) ||
            pod.namespace_name() != cycle.shape.namespace_name())
            return;
        for (SpreadState::Hard& one : hard) {
            if (!one.constraint->pods.matches(pod.shape->labels())) continue;
            if (!counts(*one.constraint, cycle.shape, node)) continue;
            std::int64_t& count =
                one.pods.counts[static_cast<std::size_t>(one.pods.topology->domain(node.slot))];
            if (count == DomainCounts::kNotThere) continue;
            count += sign;
            find_least(one);
        }
    }

  private:
    static bool has_all_keys(const std::vector<SpreadState::Hard>& hard, const NodeInfo& node) {
        return std::all_of(hard.begin(), hard.end(), [&](const SpreadState::Hard& one) {
            return one.pods.topology->domain(node.slot) != Topology::kNone;
        });
    }

    static void open_domains(Cycle& cycle, const NodeInfo& node) {
        for (SpreadState::Hard& one : cycle.spread.hard) {
            std::int64_t& count =
                one.pods.counts[static_cast<std::size_t>(one.pods.topology->domain(node.slot))];
            if (count == DomainCounts::kNotThere && counts(*one.constraint, cycle.shape, node)) count = 0;
        }
    }

    static void find_least(SpreadState::Hard& one) {
        std::int64_t least = std::numeric_limits<std::int64_t>::max();
        std::int64_t domains = 0;
        for (std::int64_t count : one.pods.counts) {
            if (count == DomainCounts::kNotThere) continue;
            ++domains;
            least = std::min(least, count);
        }
        one.least = domains == 0 || domains < one.constraint->min_domains ? 0 : least;
    }
};

// What pods get that ask for no spread but belong to a Service or a workload.
std::vector<SpreadConstraint> default_constraints(const Cycle& cycle) {
    const Selector selector = cycle.cluster.workloads.selector_of(cycle.shape);
    std::vector<SpreadConstraint> made;
    if (selector.empty()) return made;
    for (const auto& [key, skew] : {std::pair(kHostName, 3), std::pair(kZone, 5)}) {
        SpreadConstraint one;
        one.topology_key = key;
        one.max_skew = skew;
        one.is_hard = false;
        one.pods = selector;
        made.push_back(std::move(one));
    }
    return made;
}

class TopologySpreadScore final : public ScorePlugin {
  public:
    explicit TopologySpreadScore(bool default_spread) : default_spread_(default_spread) {}
    [[nodiscard]] std::int64_t weight() const override { return 2; }

    bool score(Cycle& cycle, Nodes nodes, std::span<std::int64_t> scores) const override {
        const bool is_asked = !cycle.shape.spread.empty();
        std::vector<SpreadConstraint> soft;
        if (!is_asked && default_spread_) soft = default_constraints(cycle);
        for (const SpreadConstraint& constraint : cycle.shape.spread)
            if (!constraint.is_hard) soft.push_back(constraint);
        if (soft.empty()) return false;

        std::vector<const Topology*> topologies;
        topologies.reserve(soft.size());
        for (const SpreadConstraint& one : soft)
            topologies.push_back(&cycle.cluster.topology(one.topology_key));
        // Nodes without all keys are worth nothing; only where nobody asked, the keys that are there count.
        const auto has_all_keys = [&](std::uint32_t slot) {
            return !is_asked ||
                   std::all_of(topologies.begin(), topologies.end(), [&](const Topology* topology) {
                       return topology->domain(slot) != Topology::kNone;
                   });
        };
        std::vector<double> sums(nodes.size(), 0);
        std::vector<char> is_ignored(nodes.size(), 0);
        std::size_t candidates = 0;
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            is_ignored[index] = has_all_keys(nodes[index]->slot) ? 0 : 1;
            candidates += is_ignored[index] ? 0 : 1;
        }
        for (std::size_t index = 0; index < soft.size(); ++index)
            add(cycle, soft[index], *topologies[index], nodes, is_ignored, candidates, has_all_keys, sums);
        for (std::size_t index = 0; index < nodes.size(); ++index)
            scores[index] = is_ignored[index] ? kIgnored : std::llround(sums[index]);
        normalize(scores);
        return true;
    }

  private:
    static constexpr std::int64_t kIgnored = -1;

    template <typename HasAllKeys>
    static void add(Cycle& cycle, const SpreadConstraint& constraint, const Topology& topology, Nodes nodes,
                    const std::vector<char>& is_ignored, std::size_t candidates,
                    const HasAllKeys& has_all_keys, std::vector<double>& sums) {
        const bool by_host = constraint.topology_key == kHostName;
        // Pods by slot for hosts, else by domain.
        std::vector<std::int64_t> pods(by_host ? cycle.cluster.slots() : topology.bound(), 0);
        std::vector<char> is_candidate(topology.bound(), 0);
        std::size_t domains = candidates;
        if (!by_host) domains = mark_candidates(topology, nodes, is_ignored, is_candidate);
        each_matching(cycle, constraint.pods, [&](std::uint32_t slot, std::uint32_t count) {
            if (by_host) {
                pods[slot] += count;
                return;
            }
            const std::int32_t domain = topology.domain(slot);
            if (domain == Topology::kNone || !is_candidate[static_cast<std::size_t>(domain)]) return;
            if (!has_all_keys(slot) || !counts(constraint, cycle.shape, cycle.cluster.at(slot))) return;
            pods[static_cast<std::size_t>(domain)] += count;
        });
        // Large topologies have few pods a domain; the weight makes up for it.
        const double weight = std::log(static_cast<double>(domains + 2));
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            const std::int32_t domain = topology.domain(nodes[index]->slot);
            if (is_ignored[index] || domain == Topology::kNone) continue;
            const std::int64_t there = pods[by_host ? nodes[index]->slot : static_cast<std::size_t>(domain)];
            sums[index] += static_cast<double>(there) * weight + static_cast<double>(constraint.max_skew - 1);
        }
    }

    // Nodes without the key make one domain together.
    static std::size_t mark_candidates(const Topology& topology, Nodes nodes,
                                       const std::vector<char>& is_ignored, std::vector<char>& is_candidate) {
        std::size_t domains = 0;
        bool has_keyless = false;
        for (std::size_t index = 0; index < nodes.size(); ++index) {
            if (is_ignored[index]) continue;
            const std::int32_t domain = topology.domain(nodes[index]->slot);
            if (domain == Topology::kNone) {
                has_keyless = true;
            } else if (!is_candidate[static_cast<std::size_t>(domain)]) {
                is_candidate[static_cast<std::size_t>(domain)] = 1;
                ++domains;
            }
        }
        return domains + (has_keyless ? 1 : 0);
    }

    // Few pods become high scores.
    static void normalize(std::span<std::int64_t> scores) {
        std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;
        for (std::int64_t score : scores) {
            if (score == kIgnored) continue;
            least = std::min(least, score);
            most = std::max(most, score);
        }
        for (std::int64_t& score : scores) {
            if (score == kIgnored)
                score = 0;
            else
                score = most == 0 ? kHighestScore : kHighestScore * (most + least - score) / most;
        }
    }

    bool default_spread_;
};

}  // namespace

std::unique_ptr<FilterPlugin> make_topology_spread() {
    return std::make_unique<TopologySpread>();
}
std::unique_ptr<ScorePlugin> make_topology_spread_score(bool default_spread) {
    return std::make_unique<TopologySpreadScore>(default_spread);
}

}  // namespace keelson::scheduling
