// What a decision is made of: plugins that refuse nodes, plugins that score them, and the state of one
// decision. The plugins are those of Kubernetes' default profile, with its names, reasons and weights
// (https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/scheduling/cluster.h"

namespace keelson::scheduling {

enum class PluginId : std::uint8_t {
    scheduling_gates,
    node_unschedulable,
    node_name,
    taint_toleration,
    node_affinity,
    node_ports,
    node_resources_fit,
    volume_restrictions,
    node_volume_limits,
    volume_binding,
    volume_zone,
    pod_topology_spread,
    inter_pod_affinity,
    default_preemption,
    count,
};
[[nodiscard]] std::string_view plugin_name(PluginId id);

// A set of plugins.
class PluginSet {
  public:
    void insert(PluginId id) { bits_ |= 1U << static_cast<unsigned>(id); }
    [[nodiscard]] bool contains(PluginId id) const { return (bits_ >> static_cast<unsigned>(id) & 1U) != 0; }
    [[nodiscard]] bool empty() const { return bits_ == 0; }
    [[nodiscard]] std::uint32_t bits() const { return bits_; }
    static PluginSet from_bits(std::uint32_t bits) {
        PluginSet set;
        set.bits_ = bits;
        return set;
    }
    bool operator==(const PluginSet&) const = default;

  private:
    std::uint32_t bits_ = 0;
};

// The sentences of refusals by number. Grows with the different refusals, which are few.
class Reasons {
  public:
    using Id = std::uint16_t;
    Id of(std::vector<std::string> sentences);
    // Of one sentence that lives as long as this (a literal): fast.
    Id of_literal(std::string_view sentence) {
        for (const auto& [text, id] : literals_)
            if (text == sentence.data()) return id;
        const Id id = of(std::vector<std::string>(1, std::string(sentence)));
        literals_.emplace_back(sentence.data(), id);
        return id;
    }
    [[nodiscard]] const std::vector<std::string>& sentences(Id id) const { return *all_[id]; }

  private:
    std::map<std::vector<std::string>, Id> ids_;
    std::vector<const std::vector<std::string>*> all_;
    std::vector<std::pair<const char*, Id>> literals_;
};

// What a plugin says of a node.
struct Verdict {
    enum class Code : std::uint8_t {
        fits,
        unschedulable,  // removing pods may help
        unresolvable,   // nothing on the node helps
    };
    Code code = Code::fits;
    PluginId plugin = PluginId::count;
    Reasons::Id reasons = 0;
    [[nodiscard]] bool fits() const { return code == Code::fits; }
};

// Counts of pods by the domains of a topology.
struct DomainCounts {
    static constexpr std::int64_t kNotThere = -1;
    const Topology* topology = nullptr;
    std::vector<std::int64_t> counts;

    [[nodiscard]] std::int64_t at(std::int32_t domain, std::int64_t otherwise) const {
        const auto index = static_cast<std::size_t>(domain);
        return domain < 0 || index >= counts.size() ? otherwise : counts[index];
    }
};

struct SpreadState {
    struct Hard {
        const SpreadConstraint* constraint = nullptr;
        DomainCounts pods;  // kNotThere: no node that counts lies in the domain
        std::int64_t least = 0;
        std::int64_t self = 0;  // 1 when the pod itself is counted
    };
    std::vector<Hard> hard;
};

struct AffinityState {
    std::vector<DomainCounts> affinity;       // by required term: pods that match all terms
    std::vector<DomainCounts> anti_affinity;  // by required term
    std::vector<DomainCounts> existing;       // by topology: terms of others that the pod breaks
    std::int64_t matching_pods = 0;           // entries in `affinity`, all together
    bool matches_itself = false;
};

struct VolumeState {
    std::vector<const ClaimInfo*> bound;
    std::vector<const ClaimInfo*> waiting;                         // for a node to be chosen
    std::vector<const VolumeInfo*> volumes;                        // of the bound claims
    std::vector<std::string> claims_for_one_pod;                   // keys
    std::int64_t conflicting_users = 0;                            // of them, pods elsewhere
    std::vector<std::pair<std::string, std::string>> csi_volumes;  // driver and volume that the pod brings
};

// One decision. The cluster does not change while it lasts.
struct Cycle {
    Cycle(const PodInfo& scheduled, Cluster& in, Reasons& words)
        : pod(scheduled), shape(*scheduled.shape), cluster(in), reasons(words) {}

    const PodInfo& pod;
    const PodShape& shape;
    Cluster& cluster;
    Reasons& reasons;
    SpreadState spread;
    AffinityState affinity;
    VolumeState volumes;
    // Of the resources that were missing (a bit each) the number of the sentences: many nodes lack the same.
    mutable std::vector<std::pair<std::uint64_t, Reasons::Id>> missing_resources;
    // Names of the only nodes that come into question, when limited.
    bool is_limited = false;
    std::vector<std::string> only_nodes;
};

class FilterPlugin {
  public:
    enum class Start : std::uint8_t { run, skip, refuse };

    virtual ~FilterPlugin() = default;
    [[nodiscard]] virtual PluginId id() const = 0;
    // Before the nodes are looked at. skip: filter() would let every node pass. refuse: the pod fits nowhere,
    // and `why` says so.
    virtual Start start(Cycle& cycle, std::string& why) const = 0;
    [[nodiscard]] virtual Verdict filter(const Cycle& cycle, const NodeInfo& node) const = 0;
    // The state as if one more, or one less, pod were on the node.
    virtual void change(Cycle& cycle, const PodInfo& pod, const NodeInfo& node, int sign) const {
        (void)cycle, (void)pod, (void)node, (void)sign;
    }

  protected:
    [[nodiscard]] Verdict refuse(const Cycle& cycle, Verdict::Code code, std::string_view why) const {
        return {code, id(), cycle.reasons.of_literal(why)};
    }
};

using Nodes = std::span<const NodeInfo* const>;
inline constexpr std::int64_t kHighestScore = 100;

class ScorePlugin {
  public:
    virtual ~ScorePlugin() = default;
    [[nodiscard]] virtual std::int64_t weight() const = 0;
    // Writes a score from 0 to kHighestScore for each node. False: it has nothing to say, all nodes are
    // alike.
    virtual bool score(Cycle& cycle, Nodes nodes, std::span<std::int64_t> scores) const = 0;
};

// In the order in which they are asked.
[[nodiscard]] std::vector<std::unique_ptr<FilterPlugin>> make_filters();
// default_spread: pods without constraints are spread by their Services and workloads.
[[nodiscard]] std::vector<std::unique_ptr<ScorePlugin>> make_scores(bool default_spread = true);

// Scores scaled so that the highest becomes kHighestScore; reversed: the lowest does.
void scale_scores(std::span<std::int64_t> scores, bool reversed);

}  // namespace keelson::scheduling
