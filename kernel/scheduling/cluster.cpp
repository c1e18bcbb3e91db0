#include "kernel/scheduling/cluster.h"

#include <algorithm>
#include <map>

namespace keelson::scheduling {
namespace {

// "region\0zone": what nodes are interleaved by.
std::string zone_of(const Labels& labels) {
    const auto either = [&](std::string_view name, std::string_view old) -> std::string {
        if (const std::string* value = labels.find(name)) return *value;
        const std::string* value = labels.find(old);
        return value ? *value : std::string();
    };
    std::string zone = either("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region");
    zone += '\0';
    return zone + either("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone");
}

bool has_soft_taint(const NodeInfo& node) {
    return std::any_of(node.taints.begin(), node.taints.end(),
                       [](const Taint& taint) { return taint.effect == "PreferNoSchedule"; });
}

template <typename T>
void remove_position(std::vector<const T*>& list, std::size_t position, std::size_t& moved_position) {
    list[position] = list.back();
    moved_position = position;
    list.pop_back();
}

}  // namespace

Selector Workloads::selector_of(const PodShape& pod) const {
    Selector all;
    if (const auto found = services.find(pod.namespace_name()); found != services.end())
        for (const auto& [name, selector] : found->second)
            if (!selector.empty() && selector.matches(pod.labels())) all.require_all_of(selector);
    if (!pod.controller_kind.empty()) {
        const auto found =
            controllers.find(pod.controller_kind + "/" + pod.namespace_name() + "/" + pod.controller_name);
        if (found != controllers.end()) all.require_all_of(found->second);
    }
    return all;
}

NodeInfo& Cluster::node_for(const std::string& name) {
    auto [at, is_new] = slots_.try_emplace(name, kNoSlot);
    if (!is_new) return *nodes_[at->second];
    if (free_slots_.empty()) {
        at->second = static_cast<std::uint32_t>(nodes_.size());
        nodes_.push_back(std::make_unique<NodeInfo>());
    } else {
        at->second = free_slots_.back();
        free_slots_.pop_back();
        nodes_[at->second] = std::make_unique<NodeInfo>();
    }
    NodeInfo& node = *nodes_[at->second];
    node.slot = at->second;
    node.name = name;
    return node;
}

void Cluster::index_node(const NodeInfo& node, int sign) {
    if (!node.exists) return;
    if (has_soft_taint(node)) soft_taints_ += static_cast<std::uint32_t>(sign);
    for (const NodeImage& image : node.images) {
        std::uint32_t& count = image_nodes_[image.name];
        count += static_cast<std::uint32_t>(sign);
        if (count == 0) image_nodes_.erase(image.name);
    }
}

void Cluster::set_node(const api_types::core_v1::Node& node) {
    NodeInfo& info = node_for(std::string(node.metadata().name()));
    const bool was_there = info.exists;
    const std::string zone = zone_of(info.labels);
    index_node(info, -1);
    info.set_node(node);
    index_node(info, 1);
    for (auto& [key, topology] : topologies_) topology->set(info.slot, info.labels);
    if (!was_there || zone != zone_of(info.labels)) order_is_stale_ = true;
}

void Cluster::remove_node(const std::string& name) {
    const auto found = slots_.find(name);
    if (found == slots_.end()) return;
    NodeInfo& info = *nodes_[found->second];
    index_node(info, -1);
    info.clear_node();
    for (auto& [key, topology] : topologies_) topology->clear(info.slot);
    order_is_stale_ = true;
    release_if_unused(info.slot);
}

void Cluster::release_if_unused(std::uint32_t slot) {
    const NodeInfo& info = *nodes_[slot];
    if (info.exists || !info.pods.empty()) return;
    slots_.erase(info.name);
    free_slots_.push_back(slot);
}

const NodeInfo* Cluster::node(const std::string& name) const {
    const auto found = slots_.find(name);
    if (found == slots_.end() || !nodes_[found->second]->exists) return nullptr;
    return nodes_[found->second].get();
}

const std::vector<const NodeInfo*>& Cluster::nodes() {
    if (!order_is_stale_) return order_;
    std::map<std::string, std::vector<const NodeInfo*>> zones;
    std::size_t count = 0;
    // By name, so that the order does not depend on the order in which nodes came.
    std::map<std::string_view, const NodeInfo*> by_name;
    for (const auto& [name, slot] : slots_)
        if (nodes_[slot]->exists) by_name.emplace(name, nodes_[slot].get());
    for (const auto& [name, node] : by_name) zones[zone_of(node->labels)].push_back(node);
    for (const auto& [zone, nodes] : zones) count = std::max(count, nodes.size());
    order_.clear();
    for (std::size_t index = 0; index < count; ++index)
        for (const auto& [zone, nodes] : zones)
            if (index < nodes.size()) order_.push_back(nodes[index]);
    order_is_stale_ = false;
    return order_;
}

void Cluster::set_pod(const PodPointer& pod, const std::string& node) {
    place(pod, node, false);
}

void Cluster::assume(const PodPointer& pod, const std::string& node) {
    place(pod, node, true);
}

bool Cluster::is_assumed(const std::string& uid) const {
    const auto found = pods_.find(uid);
    return found != pods_.end() && found->second.is_assumed;
}

PodPointer Cluster::pod(const std::string& uid) const {
    const auto found = pods_.find(uid);
    if (found == pods_.end()) return nullptr;
    for (const PodPointer& pod : nodes_[found->second.slot]->pods)
        if (pod->uid == uid) return pod;
    return nullptr;
}

void Cluster::place(const PodPointer& pod, const std::string& node, bool is_assumed) {
    remove_pod(pod->uid);
    NodeInfo& info = node_for(node);
    info.add_pod(pod);
    index_pod(*pod, info.slot);
    pods_[pod->uid] = {info.slot, is_assumed};
    if (is_assumed) ++assumed_;
}

void Cluster::remove_pod(const std::string& uid) {
    const auto found = pods_.find(uid);
    if (found == pods_.end()) return;
    const Place place = found->second;
    pods_.erase(found);
    if (place.is_assumed) --assumed_;
    const PodPointer pod = nodes_[place.slot]->remove_pod(uid);
    drop_from_index(*pod, place.slot);
    release_if_unused(place.slot);
}

void Cluster::index_pod(const PodInfo& pod, std::uint32_t slot) {
    const PodShape& shape = *pod.shape;
    const LabelGroup& group = *shape.group;
    if (group.placements.empty()) {
        auto& list = groups_[group.namespace_name];
        group.position = list.size();
        list.push_back(&group);
    }
    group.placements.add(slot, !pod.is_being_deleted);
    if (shape.has_affinity()) {
        PodShape::Tracking& tracking = shape.tracking;
        if (tracking.placements.empty()) {
            tracking.affinity_position = affinity_.size();
            affinity_.push_back(&shape);
            tracking.anti_affinity_position = anti_affinity_.size();
            if (!shape.required_anti_affinity.empty()) anti_affinity_.push_back(&shape);
        }
        tracking.placements.add(slot, !pod.is_being_deleted);
    }
    for (const ClaimUse& use : shape.claims) ++claim_users_[pod.namespace_name() + "/" + pod.claim_name(use)];
}

void Cluster::drop_from_index(const PodInfo& pod, std::uint32_t slot) {
    const PodShape& shape = *pod.shape;
    const LabelGroup& group = *shape.group;
    group.placements.remove(slot, !pod.is_being_deleted);
    if (group.placements.empty()) {
        const auto found = groups_.find(group.namespace_name);
        auto& list = found->second;
        remove_position(list, group.position, list.back()->position);
        if (list.empty()) groups_.erase(found);
    }
    if (shape.has_affinity()) {
        PodShape::Tracking& tracking = shape.tracking;
        tracking.placements.remove(slot, !pod.is_being_deleted);
        if (tracking.placements.empty()) {
            remove_position(affinity_, tracking.affinity_position,
                            affinity_.back()->tracking.affinity_position);
            if (!shape.required_anti_affinity.empty())
                remove_position(anti_affinity_, tracking.anti_affinity_position,
                                anti_affinity_.back()->tracking.anti_affinity_position);
        }
    }
    for (const ClaimUse& use : shape.claims) {
        const auto found = claim_users_.find(pod.namespace_name() + "/" + pod.claim_name(use));
        if (found != claim_users_.end() && --found->second == 0) claim_users_.erase(found);
    }
}

const Labels& Cluster::namespace_labels(const std::string& name) const {
    static const Labels kNone;
    const auto found = namespaces_.find(name);
    return found == namespaces_.end() ? kNone : found->second;
}

const std::vector<const LabelGroup*>& Cluster::groups(const std::string& namespace_name) const {
    static const std::vector<const LabelGroup*> kNone;
    const auto found = groups_.find(namespace_name);
    return found == groups_.end() ? kNone : found->second;
}

const Topology& Cluster::topology(const std::string& key) {
    auto& topology = topologies_[key];
    if (!topology) {
        topology = std::make_unique<Topology>(key);
        for (const auto& [name, slot] : slots_)
            if (nodes_[slot]->exists) topology->set(slot, nodes_[slot]->labels);
    }
    return *topology;
}

std::uint32_t Cluster::claim_users(const std::string& key) const {
    const auto found = claim_users_.find(key);
    return found == claim_users_.end() ? 0 : found->second;
}

std::uint32_t Cluster::image_spread(const std::string& name) const {
    const auto found = image_nodes_.find(name);
    return found == image_nodes_.end() ? 0 : found->second;
}

}  // namespace keelson::scheduling
