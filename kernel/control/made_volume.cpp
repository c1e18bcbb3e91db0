#include "kernel/control/made_volume.h"

#include "kernel/control/persistent_volume_match.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/quantity.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Node;
using api_types::core_v1::ObjectReference;
using api_types::core_v1::PersistentVolume;
using api_types::core_v1::PersistentVolumeSpec;
using api_types::core_v1::TopologySelectorLabelRequirement;
using api_types::core_v1::TopologySelectorTerm;
using api_types::storage_v1::StorageClass;
using base::Reason;
using base::Result;
using base::Status;
using object::Arena;
using object::Document;
using object::Quantity;
using object::Value;

// Parameters that are the provisioner's own.
constexpr std::string_view kOwnParameters = "csi.storage.k8s.io/";
constexpr std::string_view kFileSystem = "csi.storage.k8s.io/fstype";
constexpr std::string_view kHostname = "kubernetes.io/hostname";
constexpr std::string_view kZone = "topology.kubernetes.io/zone";
constexpr std::string_view kRegion = "topology.kubernetes.io/region";
constexpr std::size_t kMostPlaces = 256;

Result<void> add_parameters(StorageClass storage_class, NewVolume& wanted) {
    for (const auto& [name, value] : storage_class.parameters()) {
        if (name == kFileSystem)
            wanted.file_system = value;
        else if (name.starts_with(kOwnParameters))
            return Status(Reason::bad_request, "parameter " + std::string(name) + " is not served here");
        else
            wanted.parameters[std::string(name)] = value;
    }
    return base::ok();
}

Topology place_of(const ObjectPointer& node) {
    Topology place;
    const auto labels = Node(node->root()).metadata().labels();
    place[std::string(kHostname)] = labels.has(kHostname) ? labels[kHostname] : node->key().name;
    for (const std::string_view key : {kZone, kRegion})
        if (labels.has(key)) place[std::string(key)] = labels[key];
    return place;
}

// Every combination of the values that a term allows.
void add_places(TopologySelectorTerm term, std::vector<Topology>& places) {
    std::vector<Topology> combined = {{}};
    for (const TopologySelectorLabelRequirement label : term.match_label_expressions()) {
        std::vector<Topology> longer;
        for (const Topology& place : combined)
            for (const std::string_view value : label.values()) {
                if (longer.size() == kMostPlaces) break;
                longer.push_back(place);
                longer.back()[std::string(label.key())] = value;
            }
        combined = std::move(longer);
    }
    for (Topology& place : combined)
        if (!place.empty() && places.size() < kMostPlaces) places.push_back(std::move(place));
}

void put_topology(PersistentVolumeSpec spec, const std::vector<Topology>& topology, Arena& arena) {
    if (topology.empty()) return;
    const auto terms = spec.make_node_affinity(arena).make_required(arena).make_node_selector_terms(arena);
    for (const Topology& place : topology) {
        const auto expressions = terms.add(arena).make_match_expressions(arena);
        for (const auto& [key, value] : place) {
            const auto expression = expressions.add(arena);
            expression.set_key(arena, key);
            expression.set_operator(arena, "In");
            expression.make_values(arena).add(arena, value);
        }
    }
}

void put_claim(PersistentVolumeSpec spec, const ObjectPointer& claim, Arena& arena) {
    const ObjectReference reference = spec.make_claim_ref(arena);
    reference.set_api_version(arena, "v1");
    reference.set_kind(arena, "PersistentVolumeClaim");
    reference.set_namespace(arena, claim->key().namespace_name);
    reference.set_name(arena, claim->key().name);
    reference.set_uid(arena, claim->uid());
    reference.set_resource_version(arena, claim_of(claim).metadata().resource_version());
}

void put_metadata(PersistentVolume volume, const std::string& name, StorageClass storage_class,
                  Arena& arena) {
    const auto metadata = volume.make_metadata(arena);
    metadata.set_name(arena, name);
    metadata.make_annotations(arena).set(arena, kProvisionedBy, storage_class.provisioner());
    if (storage_class.reclaim_policy() != "Retain")
        metadata.make_finalizers(arena).add(arena, kMadeVolumeFinalizer);
}

}  // namespace

std::string made_volume_name(const ObjectPointer& claim) {
    return "pvc-" + std::string(claim->uid());
}

Result<NewVolume> wanted_volume(const ObjectPointer& claim, const ObjectPointer& storage_class,
                                const ObjectPointer& node) {
    const auto spec = claim_of(claim).spec();
    if (spec.has_data_source() || spec.has_data_source_ref())
        return Status(Reason::bad_request, "volumes are not made from data sources here");
    if (spec.has_selector())
        return Status(Reason::bad_request, "claim.spec.selector is not supported for volumes that are made");
    NewVolume wanted;
    wanted.name = made_volume_name(claim);
    KEELSON_TRY(const Quantity size, Quantity::parse(spec.resources().requests()["storage"]));
    wanted.capacity_bytes = size.value();
    for (const std::string_view mode : spec.access_modes()) wanted.access_modes.emplace_back(mode);
    wanted.volume_mode = spec.volume_mode().empty() ? "Filesystem" : spec.volume_mode();
    const StorageClass typed = class_of(storage_class);
    for (const std::string_view option : typed.mount_options()) wanted.mount_options.emplace_back(option);
    KEELSON_TRY_VOID(add_parameters(typed, wanted));
    if (node)
        wanted.preferred.push_back(place_of(node));
    else
        for (const TopologySelectorTerm term : typed.allowed_topologies()) add_places(term, wanted.preferred);
    return wanted;
}

Document persistent_volume_of(const NewVolume& wanted, const MadeVolume& made, const ObjectPointer& claim,
                              const ObjectPointer& storage_class) {
    Document document;
    Arena& arena = document.arena;
    document.root = Value::map(arena);
    const PersistentVolume volume(document.root);
    volume.set_api_version(arena, "v1");
    volume.set_kind(arena, "PersistentVolume");
    const StorageClass typed = class_of(storage_class);
    put_metadata(volume, wanted.name, typed, arena);
    const PersistentVolumeSpec spec = volume.make_spec(arena);
    const std::int64_t bytes = made.capacity_bytes > 0 ? made.capacity_bytes : wanted.capacity_bytes;
    spec.make_capacity(arena).set(arena, "storage", Quantity(bytes, Quantity::Format::binary_si).to_string());
    for (const std::string& mode : wanted.access_modes) spec.make_access_modes(arena).add(arena, mode);
    spec.set_persistent_volume_reclaim_policy(
        arena, typed.reclaim_policy().empty() ? "Delete" : typed.reclaim_policy());
    spec.set_storage_class_name(arena, storage_class->key().name);
    spec.set_volume_mode(arena, wanted.volume_mode);
    for (const std::string& option : wanted.mount_options) spec.make_mount_options(arena).add(arena, option);
    const auto source = spec.make_csi(arena);
    source.set_driver(arena, plugin_of_provisioner(typed.provisioner()));
    source.set_volume_handle(arena, made.id);
    if (!wanted.file_system.empty()) source.set_fs_type(arena, wanted.file_system);
    for (const auto& [name, value] : made.attributes)
        source.make_volume_attributes(arena).set(arena, name, value);
    put_topology(spec, made.topology, arena);
    put_claim(spec, claim, arena);
    return document;
}

}  // namespace keelson::control
