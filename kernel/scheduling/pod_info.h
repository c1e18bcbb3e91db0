// Pods as scheduling sees them: what a pod has of its own, and the shape that pods of one template share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/object/accessors/core_v1.h"
#include "kernel/scheduling/intern.h"
#include "kernel/scheduling/labels.h"
#include "kernel/scheduling/resources.h"

namespace keelson::scheduling {

struct Toleration {
    std::string key;  // empty with exists: all keys
    std::string value;
    std::string effect;  // empty: all effects
    bool exists = false;
    bool operator==(const Toleration&) const = default;
};

struct HostPort {
    std::string ip;  // "0.0.0.0" for all addresses
    std::string protocol;
    std::int64_t port = 0;
    // Both cannot be open on one node.
    [[nodiscard]] bool conflicts(const HostPort& other) const;
    bool operator==(const HostPort&) const = default;
};

struct WeightedNodeTerm {
    std::int64_t weight = 0;
    NodeTerm term;
    bool operator==(const WeightedNodeTerm&) const = default;
};

// How many pods are on a node, in lists sorted by the node's slot.
struct Placement {
    std::uint32_t slot = 0;
    std::uint32_t pods = 0;
    std::uint32_t staying = 0;  // of them, those that are not being deleted
};
class Placements {
  public:
    void add(std::uint32_t slot, bool staying);
    void remove(std::uint32_t slot, bool staying);
    [[nodiscard]] const std::vector<Placement>& all() const { return all_; }
    [[nodiscard]] bool empty() const { return all_.empty(); }

  private:
    std::vector<Placement> all_;
};

// Pods of one namespace with the same labels. All that selectors see of them.
struct LabelGroup {
    std::string namespace_name;
    Labels labels;
    // Kept by the Cluster.
    mutable Placements placements;
    mutable std::size_t position = 0;
    bool operator==(const LabelGroup& other) const {
        return namespace_name == other.namespace_name && labels == other.labels;
    }
};

struct AffinityTerm {
    Selector pods;
    std::vector<std::string> namespaces;  // the pod's own when nothing is said
    bool has_namespace_selector = false;
    Selector namespace_selector;
    std::string topology_key;
    std::int64_t weight = 0;  // of preferred terms
    bool operator==(const AffinityTerm&) const = default;
};

struct SpreadConstraint {
    std::int64_t max_skew = 1;
    std::string topology_key;
    bool is_hard = true;  // DoNotSchedule
    Selector pods;
    std::int64_t min_domains = 1;
    bool honors_affinity = true;
    bool honors_taints = false;
    bool operator==(const SpreadConstraint&) const = default;
};

// A volume that comes through a claim.
struct ClaimUse {
    std::string volume;
    std::string claim;  // empty: a generic ephemeral volume, whose claim is named after pod and volume
    bool operator==(const ClaimUse&) const = default;
};

// A disk named in the pod itself, which some kinds let only one pod have.
struct DiskUse {
    enum class Kind : std::uint8_t { gce, aws, iscsi, rbd };
    Kind kind = Kind::gce;
    std::string id;
    std::vector<std::string> monitors;  // of rbd
    bool read_only = false;
    [[nodiscard]] bool conflicts(const DiskUse& other) const;
    bool operator==(const DiskUse&) const = default;
};

struct PodShape {
    std::shared_ptr<const LabelGroup> group;
    std::string scheduler_name;
    std::int32_t priority = 0;
    bool may_preempt = true;
    PodRequest request;
    std::vector<Toleration> tolerations;
    Selector node_selector;
    bool has_required_nodes = false;
    NodeTerms required_nodes;
    std::vector<WeightedNodeTerm> preferred_nodes;
    std::vector<AffinityTerm> required_affinity;
    std::vector<AffinityTerm> required_anti_affinity;
    std::vector<AffinityTerm> preferred_affinity;
    std::vector<AffinityTerm> preferred_anti_affinity;
    std::vector<SpreadConstraint> spread;
    std::vector<HostPort> host_ports;
    std::vector<ClaimUse> claims;
    std::vector<DiskUse> disks;
    std::vector<std::string> csi_drivers;  // of inline volumes
    std::vector<std::string> images;
    std::string controller_kind;
    std::string controller_name;
    bool is_gated = false;

    // Kept by the Cluster, for shapes with affinity only.
    struct Tracking {
        Placements placements;
        std::size_t affinity_position = 0;
        std::size_t anti_affinity_position = 0;
        bool operator==(const Tracking&) const { return true; }
    };
    mutable Tracking tracking;

    [[nodiscard]] const std::string& namespace_name() const { return group->namespace_name; }
    [[nodiscard]] const Labels& labels() const { return group->labels; }
    [[nodiscard]] bool has_affinity() const {
        return !required_affinity.empty() || !required_anti_affinity.empty() || !preferred_affinity.empty() ||
               !preferred_anti_affinity.empty();
    }
    // nodeSelector and required node affinity.
    [[nodiscard]] bool allows_node(const Labels& node_labels, const std::string& node_name) const;
    [[nodiscard]] bool limits_nodes() const { return has_required_nodes || !node_selector.empty(); }
    bool operator==(const PodShape&) const = default;
};

struct PodInfo {
    std::string name;
    std::string uid;
    std::shared_ptr<const PodShape> shape;
    std::string requested_node;  // spec.nodeName
    std::int64_t created_seconds = 0;
    std::int64_t started_seconds = 0;  // 0: not started
    bool is_being_deleted = false;
    bool is_preempted = false;  // has the condition DisruptionTarget because of preemption

    [[nodiscard]] const std::string& namespace_name() const { return shape->namespace_name(); }
    [[nodiscard]] std::string claim_name(const ClaimUse& use) const {
        return use.claim.empty() ? name + "-" + use.volume : use.claim;
    }
};
using PodPointer = std::shared_ptr<const PodInfo>;

// Makes PodInfos of pods; shapes and label groups of pods that are alike are shared.
class PodReader {
  public:
    [[nodiscard]] PodPointer read(const api_types::core_v1::Pod& pod);
    [[nodiscard]] std::size_t shapes() const { return shapes_.size(); }

  private:
    struct GroupHash {
        std::size_t operator()(const LabelGroup& group) const;
    };
    struct ShapeHash {
        std::size_t operator()(const PodShape& shape) const;
    };
    Intern<LabelGroup, GroupHash> groups_;
    Intern<PodShape, ShapeHash> shapes_;
};

// Seconds since 1970 of an RFC 3339 time; 0 when there is none.
[[nodiscard]] std::int64_t read_seconds(std::string_view time);

}  // namespace keelson::scheduling
