#include "kernel/control/daemon_pods.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <tuple>

#include "kernel/control/deployment_state.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/pod_writes.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::DaemonSet;
using api_types::core_v1::Node;
using api_types::core_v1::NodeSelectorTerm;
using api_types::core_v1::Pod;
using api_types::core_v1::PodSpec;
using object::Arena;
using scheduling::Labels;

constexpr std::string_view kRevisionLabel = "controller-revision-hash";
constexpr std::string_view kGenerationLabel = "pod-template-generation";
constexpr std::string_view kGenerationAnnotation = "deprecated.daemonset.template.generation";
constexpr std::string_view kNameField = "metadata.name";

struct DefaultToleration {
    std::string_view key;
    std::string_view effect;
    bool only_on_host_network = false;
};
constexpr std::array kDefaultTolerations = {
    DefaultToleration{"node.kubernetes.io/not-ready", "NoExecute"},
    DefaultToleration{"node.kubernetes.io/unreachable", "NoExecute"},
    DefaultToleration{"node.kubernetes.io/disk-pressure", "NoSchedule"},
    DefaultToleration{"node.kubernetes.io/memory-pressure", "NoSchedule"},
    DefaultToleration{"node.kubernetes.io/pid-pressure", "NoSchedule"},
    DefaultToleration{"node.kubernetes.io/unschedulable", "NoSchedule"},
    DefaultToleration{"node.kubernetes.io/network-unavailable", "NoSchedule", true},
};

// What the template says of the same taint gives way, a time limit above all.
void add_tolerations(PodSpec spec, Arena& arena) {
    for (const DefaultToleration& wanted : kDefaultTolerations) {
        if (wanted.only_on_host_network && !spec.host_network()) continue;
        const auto tolerations = spec.make_tolerations(arena);
        bool is_there = false;
        for (const auto toleration : tolerations) {
            if (toleration.key() != wanted.key || toleration.effect() != wanted.effect ||
                toleration.operator_() != "Exists" || !toleration.value().empty())
                continue;
            toleration.clear_toleration_seconds();
            is_there = true;
        }
        if (is_there) continue;
        const auto toleration = tolerations.add(arena);
        toleration.set_key(arena, wanted.key);
        toleration.set_operator(arena, "Exists");
        toleration.set_effect(arena, wanted.effect);
    }
}

// Other required terms of the template have been looked at when the node was chosen.
void bind_by_affinity(PodSpec spec, std::string_view node_name, Arena& arena) {
    const auto required = spec.make_affinity(arena)
                              .make_node_affinity(arena)
                              .make_required_during_scheduling_ignored_during_execution(arena);
    required.clear_node_selector_terms();
    const NodeSelectorTerm term = required.make_node_selector_terms(arena).add(arena);
    const auto field = term.make_match_fields(arena).add(arena);
    field.set_key(arena, kNameField);
    field.set_operator(arena, "In");
    field.make_values(arena).add(arena, node_name);
}

std::string_view generation_of(DaemonSet set) {
    const std::string_view text = set.metadata().annotations()[kGenerationAnnotation];
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? text : std::string_view();
}

}  // namespace

DaemonPlacement::DaemonPlacement(DaemonSet set) {
    Arena arena;
    const PodSpec spec(set.spec().template_().spec().untyped().clone(arena));
    add_tolerations(spec, arena);
    node_name_ = spec.node_name();
    for (const auto toleration : spec.tolerations())
        tolerations_.push_back({std::string(toleration.key()), std::string(toleration.value()),
                                std::string(toleration.effect()), toleration.operator_() == "Exists"});
    selector_ = scheduling::Selector::from_labels(spec.node_selector());
    const auto required =
        spec.affinity().node_affinity().required_during_scheduling_ignored_during_execution();
    if (required.is_set()) terms_ = scheduling::make_node_terms(required);
}

NodeVerdict DaemonPlacement::verdict(Node node) const {
    const std::string name(node.metadata().name());
    if (!node_name_.empty() && node_name_ != name) return {};
    const Labels labels(node.metadata().labels());
    if (!selector_.matches(labels) || (terms_ && !terms_->matches(labels, name))) return {};
    NodeVerdict verdict{true, true};
    for (const auto of_node : node.spec().taints()) {
        const scheduling::Taint taint{std::string(of_node.key()), std::string(of_node.value()),
                                      std::string(of_node.effect())};
        if (!taint.keeps_pods_out() || scheduling::tolerates(tolerations_, taint)) continue;
        verdict.should_run = false;
        if (taint.effect == "NoExecute") verdict.may_stay = false;
    }
    return verdict;
}

Pod make_daemon_pod(DaemonSet set, std::string_view revision_hash, std::string_view node_name, Arena& arena) {
    const Pod pod = pod_from_template(set.untyped(), set.spec().template_(), arena);
    const auto labels = pod.make_metadata(arena).make_labels(arena);
    const std::string_view generation = generation_of(set);
    if (!generation.empty()) labels.set(arena, kGenerationLabel, generation);
    labels.set(arena, kRevisionLabel, revision_hash);
    add_tolerations(pod.make_spec(arena), arena);
    bind_by_affinity(pod.make_spec(arena), node_name, arena);
    return pod;
}

std::string_view target_node_of(Pod pod) {
    if (!pod.spec().node_name().empty()) return pod.spec().node_name();
    const auto required =
        pod.spec().affinity().node_affinity().required_during_scheduling_ignored_during_execution();
    for (const NodeSelectorTerm term : required.node_selector_terms())
        for (const auto field : term.match_fields())
            if (field.key() == kNameField && field.operator_() == "In" && field.values().size() == 1)
                return field.values()[0];
    return {};
}

bool is_updated(Pod pod, DaemonSet set, std::string_view revision_hash) {
    const auto labels = pod.metadata().labels();
    const std::string_view generation = generation_of(set);
    return (!revision_hash.empty() && labels[kRevisionLabel] == revision_hash) ||
           (!generation.empty() && labels[kGenerationLabel] == generation);
}

void sort_daemon_pods(ObjectList& pods) {
    const auto rank = [](const ObjectPointer& object) {
        const Pod pod = pod_of(object);
        return std::tuple(pod.spec().node_name().empty(), pod.metadata().creation_timestamp(),
                          std::string_view(object->key().name));
    };
    std::ranges::sort(pods, {}, rank);
}

DaemonRoom daemon_room(DaemonSet set, std::int64_t desired) {
    const auto strategy = set.spec().update_strategy();
    if (strategy.type() != "RollingUpdate") return {};
    const auto rolling = strategy.rolling_update();
    DaemonRoom room{scaled_value(rolling.max_unavailable(), desired, true),
                    scaled_value(rolling.max_surge(), desired, true)};
    // Rounding may leave no room to move: then one node at a time.
    if (room.unavailable == 0 && room.surge == 0) room.unavailable = 1;
    return room;
}

}  // namespace keelson::control
