// The cluster as the scheduler believes it to be: nodes, pods on them (also those that are only on their
// way), and the indexes that make a decision cheap.
//
// A decision is made without waiting, on the thread that also changes the cluster, so it needs no snapshot:
// the cluster is its own. Indexes count pods by what they share (labels, affinity) and node, so that a
// constraint over pods costs as much as the pods it is about, not as much as the cluster.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernel/scheduling/node_info.h"
#include "kernel/scheduling/pod_info.h"
#include "kernel/scheduling/storage.h"
#include "kernel/scheduling/topology.h"

namespace keelson::scheduling {

// What chooses the pods of Services and workloads, for the spread that pods get without asking.
struct Workloads {
    std::unordered_map<std::string, std::unordered_map<std::string, Selector>> services;  // namespace, name
    // "ReplicaSet/namespace/name", and so for ReplicationController and StatefulSet.
    std::unordered_map<std::string, Selector> controllers;

    // All that choose the pod, together; empty when none does.
    [[nodiscard]] Selector selector_of(const PodShape& pod) const;
};

struct Budget {  // a PodDisruptionBudget
    std::string namespace_name;
    Selector selector;
    std::int64_t allowed = 0;
    std::vector<std::string> disrupted_pods;
};

class Cluster {
  public:
    static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

    void set_node(const api_types::core_v1::Node& node);
    void remove_node(const std::string& name);
    // Adds a pod to its node or replaces it; ends an assumption.
    void set_pod(const PodPointer& pod, const std::string& node);
    // Adds a pod to the node that was chosen for it, before the API says so.
    void assume(const PodPointer& pod, const std::string& node);
    [[nodiscard]] bool is_assumed(const std::string& uid) const;
    // Whether the pod is on a node, assumed or not.
    [[nodiscard]] bool has_pod(const std::string& uid) const { return pods_.contains(uid); }
    void remove_pod(const std::string& uid);
    // Null when it is on no node.
    [[nodiscard]] PodPointer pod(const std::string& uid) const;

    void set_namespace(const std::string& name, Labels labels) { namespaces_[name] = std::move(labels); }
    void remove_namespace(const std::string& name) { namespaces_.erase(name); }
    // Empty labels for one that is not known.
    [[nodiscard]] const Labels& namespace_labels(const std::string& name) const;
    [[nodiscard]] const std::unordered_map<std::string, Labels>& namespaces() const { return namespaces_; }

    // Null when there is no such node.
    [[nodiscard]] const NodeInfo* node(const std::string& name) const;
    [[nodiscard]] const NodeInfo& at(std::uint32_t slot) const { return *nodes_[slot]; }
    // The nodes, zone by zone in turn, so that a search over a part of them sees all zones.
    [[nodiscard]] const std::vector<const NodeInfo*>& nodes();
    // Above every slot in use.
    [[nodiscard]] std::size_t slots() const { return nodes_.size(); }
    [[nodiscard]] std::size_t pod_count() const { return pods_.size(); }
    [[nodiscard]] std::size_t assumed_count() const { return assumed_; }

    // The groups with pods on nodes of one namespace.
    [[nodiscard]] const std::vector<const LabelGroup*>& groups(const std::string& namespace_name) const;
    [[nodiscard]] const std::unordered_map<std::string, std::vector<const LabelGroup*>>& all_groups() const {
        return groups_;
    }
    // The shapes with pods on nodes that have any affinity, and those with required anti-affinity.
    [[nodiscard]] const std::vector<const PodShape*>& shapes_with_affinity() const { return affinity_; }
    [[nodiscard]] const std::vector<const PodShape*>& shapes_with_anti_affinity() const {
        return anti_affinity_;
    }
    // Made when it is first asked for; lives as long as the cluster.
    [[nodiscard]] const Topology& topology(const std::string& key);

    // How many pods on nodes use the claim ("namespace/name").
    [[nodiscard]] std::uint32_t claim_users(const std::string& key) const;
    // On how many nodes the image is.
    [[nodiscard]] std::uint32_t image_spread(const std::string& name) const;
    [[nodiscard]] bool has_images() const { return !image_nodes_.empty(); }
    // Of all nodes those with a taint that only makes them less wanted.
    [[nodiscard]] std::uint32_t nodes_with_soft_taints() const { return soft_taints_; }

    Storage storage;
    Workloads workloads;
    std::unordered_map<std::string, Budget> budgets;  // by "namespace/name"

  private:
    struct Place {
        std::uint32_t slot = 0;
        bool is_assumed = false;
    };

    NodeInfo& node_for(const std::string& name);
    void index_node(const NodeInfo& node, int sign);
    void release_if_unused(std::uint32_t slot);
    void place(const PodPointer& pod, const std::string& node, bool is_assumed);
    void index_pod(const PodInfo& pod, std::uint32_t slot);
    void drop_from_index(const PodInfo& pod, std::uint32_t slot);

    std::vector<std::unique_ptr<NodeInfo>> nodes_;
    std::vector<std::uint32_t> free_slots_;
    std::unordered_map<std::string, std::uint32_t> slots_;
    std::vector<const NodeInfo*> order_;
    bool order_is_stale_ = false;
    std::unordered_map<std::string_view, Place> pods_;  // by the uid of the pod that the node holds
    std::size_t assumed_ = 0;
    std::unordered_map<std::string, Labels> namespaces_;
    std::unordered_map<std::string, std::vector<const LabelGroup*>> groups_;
    std::vector<const PodShape*> affinity_;
    std::vector<const PodShape*> anti_affinity_;
    std::unordered_map<std::string, std::unique_ptr<Topology>> topologies_;
    std::unordered_map<std::string, std::uint32_t> claim_users_;
    std::unordered_map<std::string, std::uint32_t> image_nodes_;
    std::uint32_t soft_taints_ = 0;
};

}  // namespace keelson::scheduling
