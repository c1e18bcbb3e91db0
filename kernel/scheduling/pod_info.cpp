#include "kernel/scheduling/pod_info.h"

#include <algorithm>
#include <functional>

#include "kernel/object/time_format.h"

namespace keelson::scheduling {
namespace {

namespace core_v1 = api_types::core_v1;

// The keys of matchLabelKeys select the pods that have the same values as the pod itself.
template <typename Keys>
void require_own_labels(Selector& selector, Keys keys, const Labels& own, Requirement::Operator op) {
    for (std::string_view key : keys)
        if (const std::string* value = own.find(key)) selector.require(key, op, *value);
}

AffinityTerm read_term(core_v1::PodAffinityTerm term, const LabelGroup& group, std::int64_t weight) {
    AffinityTerm made;
    made.pods = Selector::from(term.label_selector());
    if (term.label_selector().is_set()) {
        require_own_labels(made.pods, term.match_label_keys(), group.labels, Requirement::Operator::in);
        require_own_labels(made.pods, term.mismatch_label_keys(), group.labels,
                           Requirement::Operator::not_in);
    }
    for (std::string_view name : term.namespaces()) made.namespaces.emplace_back(name);
    made.has_namespace_selector = term.has_namespace_selector();
    made.namespace_selector = Selector::from(term.namespace_selector());
    if (made.namespaces.empty() && !made.has_namespace_selector)
        made.namespaces.push_back(group.namespace_name);
    made.topology_key = term.topology_key();
    made.weight = weight;
    return made;
}

template <typename Affinity>
void read_terms(Affinity affinity, const LabelGroup& group, std::vector<AffinityTerm>& required,
                std::vector<AffinityTerm>& preferred) {
    for (core_v1::PodAffinityTerm term : affinity.required_during_scheduling_ignored_during_execution())
        required.push_back(read_term(term, group, 0));
    for (core_v1::WeightedPodAffinityTerm term :
         affinity.preferred_during_scheduling_ignored_during_execution())
        preferred.push_back(read_term(term.pod_affinity_term(), group, term.weight()));
}

void read_affinity(core_v1::Affinity affinity, const LabelGroup& group, PodShape& shape) {
    core_v1::NodeAffinity nodes = affinity.node_affinity();
    shape.has_required_nodes = nodes.has_required_during_scheduling_ignored_during_execution();
    shape.required_nodes = make_node_terms(nodes.required_during_scheduling_ignored_during_execution());
    for (core_v1::PreferredSchedulingTerm term : nodes.preferred_during_scheduling_ignored_during_execution())
        shape.preferred_nodes.push_back({term.weight(), make_node_term(term.preference())});
    read_terms(affinity.pod_affinity(), group, shape.required_affinity, shape.preferred_affinity);
    read_terms(affinity.pod_anti_affinity(), group, shape.required_anti_affinity,
               shape.preferred_anti_affinity);
}

SpreadConstraint read_constraint(core_v1::TopologySpreadConstraint constraint, const Labels& own) {
    SpreadConstraint made;
    made.max_skew = constraint.max_skew();
    made.topology_key = constraint.topology_key();
    made.is_hard = constraint.when_unsatisfiable() != "ScheduleAnyway";
    made.pods = Selector::from(constraint.label_selector());
    if (constraint.label_selector().is_set())
        require_own_labels(made.pods, constraint.match_label_keys(), own, Requirement::Operator::in);
    if (constraint.has_min_domains()) made.min_domains = constraint.min_domains();
    made.honors_affinity = constraint.node_affinity_policy() != "Ignore";
    made.honors_taints = constraint.node_taints_policy() == "Honor";
    return made;
}

Toleration read_toleration(core_v1::Toleration toleration) {
    Toleration made;
    made.key = toleration.key();
    made.value = toleration.value();
    made.effect = toleration.effect();
    made.exists = toleration.operator_() == "Exists";
    return made;
}

template <typename Containers>
void read_containers(Containers containers, bool ports_count, PodShape& shape) {
    for (core_v1::Container container : containers) {
        shape.images.emplace_back(container.image());
        // Of init containers only sidecars keep their ports open.
        if (!ports_count && container.restart_policy() != "Always") continue;
        for (core_v1::ContainerPort port : container.ports()) {
            if (port.host_port() <= 0) continue;
            HostPort made;
            made.ip = port.host_ip().empty() ? "0.0.0.0" : std::string(port.host_ip());
            made.protocol = port.protocol().empty() ? "TCP" : std::string(port.protocol());
            made.port = port.host_port();
            shape.host_ports.push_back(std::move(made));
        }
    }
}

void add_disk(PodShape& shape, DiskUse::Kind kind, std::string id, bool read_only) {
    DiskUse disk;
    disk.kind = kind;
    disk.id = std::move(id);
    disk.read_only = read_only;
    shape.disks.push_back(std::move(disk));
}

void read_volume(core_v1::Volume volume, PodShape& shape) {
    if (volume.has_persistent_volume_claim()) {
        shape.claims.push_back(
            {std::string(volume.name()), std::string(volume.persistent_volume_claim().claim_name())});
    } else if (volume.has_ephemeral()) {
        shape.claims.push_back({std::string(volume.name()), ""});
    } else if (volume.has_csi()) {
        shape.csi_drivers.emplace_back(volume.csi().driver());
    } else if (volume.has_gce_persistent_disk()) {
        core_v1::GCEPersistentDiskVolumeSource disk = volume.gce_persistent_disk();
        add_disk(shape, DiskUse::Kind::gce, std::string(disk.pd_name()), disk.read_only());
    } else if (volume.has_aws_elastic_block_store()) {
        core_v1::AWSElasticBlockStoreVolumeSource disk = volume.aws_elastic_block_store();
        add_disk(shape, DiskUse::Kind::aws, std::string(disk.volume_id()), false);
    } else if (volume.has_iscsi()) {
        add_disk(shape, DiskUse::Kind::iscsi, std::string(volume.iscsi().iqn()), volume.iscsi().read_only());
    } else if (volume.has_rbd()) {
        core_v1::RBDVolumeSource disk = volume.rbd();
        add_disk(shape, DiskUse::Kind::rbd, std::string(disk.pool()) + "/" + std::string(disk.image()),
                 disk.read_only());
        for (std::string_view monitor : disk.monitors()) shape.disks.back().monitors.emplace_back(monitor);
    }
}

void read_controller(api_types::meta_v1::ObjectMeta metadata, PodShape& shape) {
    for (api_types::meta_v1::OwnerReference owner : metadata.owner_references()) {
        if (!owner.controller()) continue;
        shape.controller_kind = owner.kind();
        shape.controller_name = owner.name();
        return;
    }
}

PodShape read_shape(const core_v1::Pod& pod, const std::shared_ptr<const LabelGroup>& group) {
    core_v1::PodSpec spec = pod.spec();
    PodShape shape;
    shape.group = group;
    shape.scheduler_name = spec.scheduler_name();
    shape.priority = static_cast<std::int32_t>(spec.priority());
    shape.may_preempt = spec.preemption_policy() != "Never";
    shape.request = pod_request(pod);
    for (core_v1::Toleration toleration : spec.tolerations())
        shape.tolerations.push_back(read_toleration(toleration));
    shape.node_selector = Selector::from_labels(spec.node_selector());
    if (spec.has_affinity()) read_affinity(spec.affinity(), *group, shape);
    for (core_v1::TopologySpreadConstraint constraint : spec.topology_spread_constraints())
        shape.spread.push_back(read_constraint(constraint, group->labels));
    read_containers(spec.init_containers(), false, shape);
    read_containers(spec.containers(), true, shape);
    for (core_v1::Volume volume : spec.volumes()) read_volume(volume, shape);
    read_controller(pod.metadata(), shape);
    shape.is_gated = !spec.scheduling_gates().empty();
    return shape;
}

bool preempted(object::ListView<core_v1::PodCondition> conditions) {
    for (core_v1::PodCondition condition : conditions)
        if (condition.type() == "DisruptionTarget")
            return condition.status() == "True" && condition.reason() == "PreemptionByScheduler";
    return false;
}

}  // namespace

bool HostPort::conflicts(const HostPort& other) const {
    return port == other.port && protocol == other.protocol &&
           (ip == other.ip || ip == "0.0.0.0" || other.ip == "0.0.0.0");
}

bool DiskUse::conflicts(const DiskUse& other) const {
    if (kind != other.kind || id != other.id || (read_only && other.read_only)) return false;
    if (kind != Kind::rbd) return true;
    return std::find_first_of(monitors.begin(), monitors.end(), other.monitors.begin(),
                              other.monitors.end()) != monitors.end();
}

bool PodShape::allows_node(const Labels& node_labels, const std::string& node_name) const {
    if (!node_selector.matches(node_labels)) return false;
    return !has_required_nodes || required_nodes.matches(node_labels, node_name);
}

void Placements::add(std::uint32_t slot, bool staying) {
    auto at = std::lower_bound(all_.begin(), all_.end(), slot,
                               [](const Placement& one, std::uint32_t wanted) { return one.slot < wanted; });
    if (at == all_.end() || at->slot != slot) at = all_.insert(at, Placement{slot, 0, 0});
    ++at->pods;
    if (staying) ++at->staying;
}

void Placements::remove(std::uint32_t slot, bool staying) {
    auto at = std::lower_bound(all_.begin(), all_.end(), slot,
                               [](const Placement& one, std::uint32_t wanted) { return one.slot < wanted; });
    if (at == all_.end() || at->slot != slot) return;
    if (staying) --at->staying;
    if (--at->pods == 0) all_.erase(at);
}

std::size_t PodReader::GroupHash::operator()(const LabelGroup& group) const {
    const std::hash<std::string> text;
    std::size_t hash = text(group.namespace_name);
    for (const Label& label : group.labels.all()) hash = mix(mix(hash, text(label.key)), text(label.value));
    return hash;
}

std::size_t PodReader::ShapeHash::operator()(const PodShape& shape) const {
    const std::hash<std::string> text;
    std::size_t hash = reinterpret_cast<std::size_t>(shape.group.get());
    hash = mix(hash, text(shape.scheduler_name));
    hash = mix(hash, static_cast<std::size_t>(shape.priority));
    hash = mix(hash, static_cast<std::size_t>(shape.request.exact.milli_cpu));
    hash = mix(hash, static_cast<std::size_t>(shape.request.exact.memory_bytes));
    hash = mix(hash, text(shape.controller_name));
    hash = mix(hash, shape.tolerations.size() * 64 + shape.spread.size());
    for (const std::string& image : shape.images) hash = mix(hash, text(image));
    for (const ClaimUse& use : shape.claims) hash = mix(hash, text(use.claim));
    return hash;
}

PodPointer PodReader::read(const core_v1::Pod& pod) {
    api_types::meta_v1::ObjectMeta metadata = pod.metadata();
    LabelGroup group;
    group.namespace_name = metadata.namespace_();
    group.labels = Labels(metadata.labels());
    auto info = std::make_shared<PodInfo>();
    info->shape = shapes_.get(read_shape(pod, groups_.get(std::move(group))));
    info->name = metadata.name();
    info->uid = metadata.uid();
    info->requested_node = pod.spec().node_name();
    info->created_seconds = read_seconds(metadata.creation_timestamp());
    info->started_seconds = read_seconds(pod.status().start_time());
    info->is_being_deleted = metadata.has_deletion_timestamp();
    info->is_preempted = preempted(pod.status().conditions());
    return info;
}

std::int64_t read_seconds(std::string_view time) {
    if (time.empty()) return 0;
    const auto parsed = object::parse_time(time);
    return parsed ? parsed->seconds : 0;
}

}  // namespace keelson::scheduling
