#include "kernel/scheduling/framework.h"

#include <algorithm>

#include "kernel/scheduling/plugins.h"

namespace keelson::scheduling {

std::string_view plugin_name(PluginId id) {
    switch (id) {
        case PluginId::scheduling_gates:
            return "SchedulingGates";
        case PluginId::node_unschedulable:
            return "NodeUnschedulable";
        case PluginId::node_name:
            return "NodeName";
        case PluginId::taint_toleration:
            return "TaintToleration";
        case PluginId::node_affinity:
            return "NodeAffinity";
        case PluginId::node_ports:
            return "NodePorts";
        case PluginId::node_resources_fit:
            return "NodeResourcesFit";
        case PluginId::volume_restrictions:
            return "VolumeRestrictions";
        case PluginId::node_volume_limits:
            return "NodeVolumeLimits";
        case PluginId::volume_binding:
            return "VolumeBinding";
        case PluginId::volume_zone:
            return "VolumeZone";
        case PluginId::pod_topology_spread:
            return "PodTopologySpread";
        case PluginId::inter_pod_affinity:
            return "InterPodAffinity";
        case PluginId::default_preemption:
            return "DefaultPreemption";
        case PluginId::count:
            break;
    }
    return "";
}

Reasons::Id Reasons::of(std::vector<std::string> sentences) {
    auto [at, is_new] = ids_.try_emplace(std::move(sentences), static_cast<Id>(all_.size()));
    if (is_new) all_.push_back(&at->first);
    return at->second;
}

std::vector<std::unique_ptr<FilterPlugin>> make_filters() {
    std::vector<std::unique_ptr<FilterPlugin>> filters;
    filters.push_back(make_node_unschedulable());
    filters.push_back(make_node_name());
    filters.push_back(make_taint_toleration());
    filters.push_back(make_node_affinity());
    filters.push_back(make_node_ports());
    filters.push_back(make_node_resources_fit());
    filters.push_back(make_volume_restrictions());
    filters.push_back(make_node_volume_limits());
    filters.push_back(make_volume_binding());
    filters.push_back(make_volume_zone());
    filters.push_back(make_topology_spread());
    filters.push_back(make_inter_pod_affinity());
    return filters;
}

std::vector<std::unique_ptr<ScorePlugin>> make_scores(bool default_spread) {
    std::vector<std::unique_ptr<ScorePlugin>> scores;
    scores.push_back(make_taint_score());
    scores.push_back(make_node_affinity_score());
    scores.push_back(make_least_allocated_score());
    scores.push_back(make_topology_spread_score(default_spread));
    scores.push_back(make_inter_pod_affinity_score());
    scores.push_back(make_balanced_allocation_score());
    scores.push_back(make_image_locality_score());
    return scores;
}

void scale_scores(std::span<std::int64_t> scores, bool reversed) {
    std::int64_t highest = 0;
    for (std::int64_t score : scores) highest = std::max(highest, score);
    for (std::int64_t& score : scores) {
        if (highest > 0) score = score * kHighestScore / highest;
        if (reversed) score = kHighestScore - score;
    }
}

}  // namespace keelson::scheduling
