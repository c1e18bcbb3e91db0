#include "kernel/scheduling/storage.h"

#include <algorithm>

#include "kernel/object/quantity.h"

namespace keelson::scheduling {
namespace {

namespace core_v1 = api_types::core_v1;

// Where classes and volumes of old clusters name their class.
constexpr std::string_view kClassAnnotation = "volume.beta.kubernetes.io/storage-class";

std::int64_t amount(std::string_view text) {
    const auto quantity = object::Quantity::parse(text);
    return quantity ? quantity->value() : 0;
}

template <typename T>
const T* find_in(const std::unordered_map<std::string, T>& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : &found->second;
}

}  // namespace

bool ClaimInfo::is_for_one_pod() const {
    return std::find(access_modes.begin(), access_modes.end(), "ReadWriteOncePod") != access_modes.end();
}

ClaimInfo read_claim(const core_v1::PersistentVolumeClaim& claim) {
    api_types::meta_v1::ObjectMeta metadata = claim.metadata();
    core_v1::PersistentVolumeClaimSpec spec = claim.spec();
    ClaimInfo made;
    made.namespace_name = metadata.namespace_();
    made.name = metadata.name();
    made.uid = metadata.uid();
    for (api_types::meta_v1::OwnerReference owner : metadata.owner_references())
        if (owner.controller()) made.controller_uid = owner.uid();
    made.volume_name = spec.volume_name();
    made.storage_class = metadata.annotations().has(kClassAnnotation)
                             ? metadata.annotations()[kClassAnnotation]
                             : spec.storage_class_name();
    made.selected_node = metadata.annotations()[kSelectedNodeAnnotation];
    made.volume_mode = spec.volume_mode().empty() ? "Filesystem" : spec.volume_mode();
    for (std::string_view mode : spec.access_modes()) made.access_modes.emplace_back(mode);
    made.request_bytes = amount(spec.resources().requests()["storage"]);
    made.has_selector = spec.has_selector();
    made.selector = Selector::from(spec.selector());
    made.is_bound = !made.volume_name.empty() && metadata.annotations().has(kBindCompletedAnnotation);
    made.is_lost = claim.status().phase() == "Lost";
    made.is_being_deleted = metadata.has_deletion_timestamp();
    return made;
}

VolumeInfo read_persistent_volume(const core_v1::PersistentVolume& volume) {
    core_v1::PersistentVolumeSpec spec = volume.spec();
    VolumeInfo made;
    made.name = volume.metadata().name();
    made.storage_class = spec.storage_class_name();
    made.volume_mode = spec.volume_mode().empty() ? "Filesystem" : spec.volume_mode();
    made.csi_driver = spec.csi().driver();
    made.csi_handle = spec.csi().volume_handle();
    for (std::string_view mode : spec.access_modes()) made.access_modes.emplace_back(mode);
    made.capacity_bytes = amount(spec.capacity()["storage"]);
    made.labels = Labels(volume.metadata().labels());
    made.limits_nodes = spec.node_affinity().has_required();
    made.nodes = make_node_terms(spec.node_affinity().required());
    if (spec.has_claim_ref()) {
        made.claim_key =
            std::string(spec.claim_ref().namespace_()) + "/" + std::string(spec.claim_ref().name());
        made.claim_uid = spec.claim_ref().uid();
    }
    const std::string_view phase = volume.status().phase();
    made.is_available = (phase.empty() || phase == "Available" || phase == "Pending") &&
                        !volume.metadata().has_deletion_timestamp();
    return made;
}

StorageClassInfo read_storage_class(const api_types::storage_v1::StorageClass& storage_class) {
    StorageClassInfo made;
    made.provisioner = storage_class.provisioner();
    made.waits_for_consumer = storage_class.volume_binding_mode() == "WaitForFirstConsumer";
    made.limits_topology = !storage_class.allowed_topologies().empty();
    for (core_v1::TopologySelectorTerm term : storage_class.allowed_topologies()) {
        NodeTerm one;
        for (core_v1::TopologySelectorLabelRequirement label : term.match_label_expressions())
            one.expressions.push_back(make_requirement(label.key(), "In", label.values()));
        made.topologies.terms.push_back(std::move(one));
    }
    return made;
}

CapacityInfo read_capacity(const api_types::storage_v1::CSIStorageCapacity& capacity) {
    CapacityInfo made;
    made.storage_class = capacity.storage_class_name();
    made.nodes = Selector::from(capacity.node_topology());
    if (capacity.has_maximum_volume_size())
        made.capacity_bytes = amount(capacity.maximum_volume_size());
    else if (capacity.has_capacity())
        made.capacity_bytes = amount(capacity.capacity());
    return made;
}

const ClaimInfo* Storage::claim(const std::string& key) const {
    return find_in(claims, key);
}

const VolumeInfo* Storage::volume(const std::string& name) const {
    const auto found = volumes.find(name);
    return found == volumes.end() ? nullptr : &found->second;
}

const StorageClassInfo* Storage::storage_class(const std::string& name) const {
    return find_in(classes, name);
}

}  // namespace keelson::scheduling
