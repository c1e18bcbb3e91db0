#include "kernel/scheduling/events.h"

#include <algorithm>
#include <initializer_list>

namespace keelson::scheduling {
namespace {

using Kind = ClusterEvent::Kind;

bool is_one_of(Kind kind, std::initializer_list<Kind> kinds) {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// Whether the node is new to what `accepts` asks for.
template <typename Accepts>
bool newly(const ClusterEvent& event, Accepts accepts) {
    if (!event.node || !accepts(*event.node)) return false;
    return !event.node_before || !accepts(*event.node_before);
}

bool fits_empty(const PodInfo& pod, const NodeInfo& node) {
    const Resources& wanted = pod.shape->request.exact;
    const Resources& has = node.allocatable;
    return has.pods > 0 && wanted.milli_cpu <= has.milli_cpu && wanted.memory_bytes <= has.memory_bytes &&
           wanted.storage_bytes <= has.storage_bytes &&
           std::all_of(wanted.others.begin(), wanted.others.end(),
                       [&](const auto& entry) { return entry.second <= has.other(entry.first); });
}

bool has_grown(const Resources& before, const Resources& now) {
    if (now.milli_cpu > before.milli_cpu || now.memory_bytes > before.memory_bytes ||
        now.storage_bytes > before.storage_bytes || now.pods > before.pods)
        return true;
    return std::any_of(now.others.begin(), now.others.end(),
                       [&](const auto& entry) { return entry.second > before.other(entry.first); });
}

bool helps_fit(const PodInfo& pod, const ClusterEvent& event) {
    if (event.kind == Kind::pod_removed) return true;
    if (event.kind == Kind::pod_changed)
        return event.pod && event.pod_before &&
               has_grown(event.pod->shape->request.exact, event.pod_before->shape->request.exact);
    if (!event.node || !fits_empty(pod, *event.node)) return false;
    return !event.node_before || has_grown(event.node_before->allocatable, event.node->allocatable);
}

bool uses_claim(const PodInfo& pod, const std::string& key) {
    const auto& claims = pod.shape->claims;
    return std::any_of(claims.begin(), claims.end(), [&](const ClaimUse& use) {
        return pod.namespace_name() + "/" + pod.claim_name(use) == key;
    });
}

bool shares_volume(const PodInfo& pod, const PodInfo& gone) {
    for (const DiskUse& wanted : pod.shape->disks)
        for (const DiskUse& used : gone.shape->disks)
            if (wanted.conflicts(used)) return true;
    const auto& claims = gone.shape->claims;
    return std::any_of(claims.begin(), claims.end(), [&](const ClaimUse& use) {
        return uses_claim(pod, gone.namespace_name() + "/" + gone.claim_name(use));
    });
}

bool spread_counts(const PodInfo& pod, const PodInfo* other) {
    if (!other || other->namespace_name() != pod.namespace_name()) return false;
    const auto& spread = pod.shape->spread;
    return std::any_of(spread.begin(), spread.end(), [&](const SpreadConstraint& constraint) {
        return constraint.is_hard && constraint.pods.matches(other->shape->labels());
    });
}

bool helps_spread(const PodInfo& pod, const ClusterEvent& event) {
    if (event.kind == Kind::pod_changed)
        return spread_counts(pod, event.pod_before) != spread_counts(pod, event.pod);
    if (event.pod || event.pod_before) return spread_counts(pod, event.pod ? event.pod : event.pod_before);
    const auto has_keys = [&](const NodeInfo& node) {
        return std::all_of(
            pod.shape->spread.begin(), pod.shape->spread.end(),
            [&](const SpreadConstraint& one) { return !one.is_hard || node.labels.find(one.topology_key); });
    };
    if (event.node && event.node_before)
        return event.node->labels != event.node_before->labels ||
               event.node->taints != event.node_before->taints;
    return (event.node && has_keys(*event.node)) || (event.node_before && has_keys(*event.node_before));
}

bool term_chooses(const AffinityTerm& term, const PodInfo& pod, const Cluster& cluster) {
    if (!term.pods.matches(pod.shape->labels())) return false;
    const auto& names = term.namespaces;
    if (std::find(names.begin(), names.end(), pod.namespace_name()) != names.end()) return true;
    return term.has_namespace_selector &&
           term.namespace_selector.matches(cluster.namespace_labels(pod.namespace_name()));
}

bool any_chooses(const std::vector<AffinityTerm>& terms, const PodInfo& pod, const Cluster& cluster) {
    return std::any_of(terms.begin(), terms.end(),
                       [&](const AffinityTerm& term) { return term_chooses(term, pod, cluster); });
}

bool helps_affinity(const PodInfo& pod, const ClusterEvent& event, const Cluster& cluster) {
    const PodShape& shape = *pod.shape;
    switch (event.kind) {
        case Kind::pod_added:
            return event.pod && any_chooses(shape.required_affinity, *event.pod, cluster);
        case Kind::pod_changed:
            return event.pod && event.pod->shape->group != event.pod_before->shape->group;
        case Kind::pod_removed: {
            const PodInfo* gone = event.pod_before;
            return gone && (any_chooses(shape.required_anti_affinity, *gone, cluster) ||
                            any_chooses(gone->shape->required_anti_affinity, pod, cluster) ||
                            // The last one of a group: the next may start anywhere.
                            any_chooses(shape.required_affinity, *gone, cluster));
        }
        default:
            return event.node && (!event.node_before || event.node->labels != event.node_before->labels);
    }
}

}  // namespace

bool may_concern(PluginId plugin, Kind kind) {
    switch (plugin) {
        case PluginId::node_unschedulable:
        case PluginId::node_name:
        case PluginId::taint_toleration:
        case PluginId::node_affinity:
            return is_one_of(kind, {Kind::node_added, Kind::node_changed});
        case PluginId::node_ports:
            return is_one_of(kind, {Kind::pod_removed, Kind::node_added});
        case PluginId::node_resources_fit:
            return is_one_of(kind,
                             {Kind::pod_removed, Kind::pod_changed, Kind::node_added, Kind::node_changed});
        case PluginId::volume_restrictions:
            return is_one_of(kind, {Kind::pod_removed, Kind::claim_changed});
        case PluginId::node_volume_limits:
            return is_one_of(
                kind, {Kind::pod_removed, Kind::claim_changed, Kind::csi_node_changed, Kind::node_added});
        case PluginId::volume_binding:
            return !is_one_of(kind,
                              {Kind::pod_added, Kind::pod_changed, Kind::pod_removed, Kind::node_removed});
        case PluginId::volume_zone:
            return is_one_of(kind, {Kind::node_added, Kind::node_changed, Kind::claim_changed,
                                    Kind::volume_changed, Kind::storage_class_added});
        case PluginId::pod_topology_spread:
            return is_one_of(kind, {Kind::pod_added, Kind::pod_changed, Kind::pod_removed, Kind::node_added,
                                    Kind::node_changed, Kind::node_removed});
        case PluginId::inter_pod_affinity:
            return is_one_of(kind, {Kind::pod_added, Kind::pod_changed, Kind::pod_removed, Kind::node_added,
                                    Kind::node_changed});
        case PluginId::scheduling_gates:
        case PluginId::default_preemption:
        case PluginId::count:
            return false;
    }
    return false;
}

bool may_help(PluginId plugin, const PodInfo& pod, const ClusterEvent& event, const Cluster& cluster) {
    if (!may_concern(plugin, event.kind)) return false;
    const PodShape& shape = *pod.shape;
    switch (plugin) {
        case PluginId::node_unschedulable:
            return newly(event, [&](const NodeInfo& node) { return !node.is_unschedulable; });
        case PluginId::node_name:
            return event.node && event.node->name == pod.requested_node;
        case PluginId::taint_toleration:
            return newly(event,
                         [&](const NodeInfo& node) { return !keeps_out(node.taints, shape.tolerations); });
        case PluginId::node_affinity:
            return newly(event,
                         [&](const NodeInfo& node) { return shape.allows_node(node.labels, node.name); });
        case PluginId::node_ports:
            if (event.kind == Kind::node_added) return true;
            for (const HostPort& wanted : shape.host_ports)
                for (const HostPort& freed : event.pod_before->shape->host_ports)
                    if (wanted.conflicts(freed)) return true;
            return false;
        case PluginId::node_resources_fit:
            return helps_fit(pod, event);
        case PluginId::volume_restrictions:
            return event.kind == Kind::pod_removed ? shares_volume(pod, *event.pod_before)
                                                   : uses_claim(pod, event.claim);
        case PluginId::node_volume_limits:
            if (event.kind == Kind::claim_changed) return uses_claim(pod, event.claim);
            return event.kind != Kind::pod_removed || !event.pod_before->shape->claims.empty() ||
                   !event.pod_before->shape->csi_drivers.empty();
        case PluginId::volume_binding:
        case PluginId::volume_zone:
            if (event.kind == Kind::claim_changed) return uses_claim(pod, event.claim);
            if (event.kind == Kind::node_changed) return event.node->labels != event.node_before->labels;
            return true;
        case PluginId::pod_topology_spread:
            return helps_spread(pod, event);
        case PluginId::inter_pod_affinity:
            return helps_affinity(pod, event, cluster);
        default:
            return false;
    }
}

bool change_may_help(const PluginSet& refused_by, const PodInfo& before, const PodInfo& now) {
    if (before.shape == now.shape) return false;
    const PodShape& was = *before.shape;
    const PodShape& is = *now.shape;
    if (was.is_gated && !is.is_gated) return true;
    if (refused_by.contains(PluginId::node_resources_fit) && has_grown(is.request.exact, was.request.exact))
        return true;
    if ((refused_by.contains(PluginId::taint_toleration) ||
         refused_by.contains(PluginId::node_unschedulable)) &&
        was.tolerations != is.tolerations)
        return true;
    if ((refused_by.contains(PluginId::inter_pod_affinity) ||
         refused_by.contains(PluginId::pod_topology_spread)) &&
        was.group != is.group)
        return true;
    // What else may change of a pending pod (gated ones only) is its node affinity.
    return refused_by.contains(PluginId::node_affinity);
}

}  // namespace keelson::scheduling
