// Table columns of storage kinds.
#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <string>

#include "kernel/object/table_cells.h"
#include "kernel/object/table_templates.h"
#include "kernel/object/time_format.h"

namespace keelson::object::tables {
namespace {

// --- storage ---

std::string access_modes(Value modes) {
    std::vector<std::string> items;
    for (auto [name, text] : {std::pair<std::string_view, std::string_view>{"ReadWriteOnce", "RWO"},
                              {"ReadOnlyMany", "ROX"},
                              {"ReadWriteMany", "RWX"},
                              {"ReadWriteOncePod", "RWOP"}})
        for (Value mode : modes.items())
            if (mode.as_string() == name) {
                items.emplace_back(text);
                break;
            }
    return join(items);
}

Value phase_or_terminating(const Cell& cell) {
    if (cell.at("metadata.deletionTimestamp").is_set()) return cell.text("Terminating");
    return cell.text_at("status.phase");
}

Value storage_class(const Cell& cell) {
    Value annotation = cell.at("metadata.annotations")["volume.beta.kubernetes.io/storage-class"];
    return annotation.is_string() ? annotation : cell.text_at("spec.storageClassName");
}

constexpr char kCapacityStorage[] = "spec.capacity.storage";
constexpr char kReclaimPolicy[] = "spec.persistentVolumeReclaimPolicy";
constexpr char kAttributesClass[] = "spec.volumeAttributesClassName";
constexpr char kStatusReason[] = "status.reason";
constexpr char kVolumeMode[] = "spec.volumeMode";
constexpr char kVolumeName[] = "spec.volumeName";

constexpr ColumnRule kPersistentVolume[] = {
    kNameColumn,
    {{"Capacity", "string", "", 0}, text_cell<kCapacityStorage>},
    {{"Access Modes", "string", "", 0},
     [](const Cell& cell) { return cell.text(access_modes(cell.at("spec.accessModes"))); }},
    {{"Reclaim Policy", "string", "", 0}, text_cell<kReclaimPolicy>},
    {{"Status", "string", "", 0}, phase_or_terminating},
    {{"Claim", "string", "", 0},
     [](const Cell& cell) {
         Value claim = cell.at("spec.claimRef");
         if (claim.is_unset()) return cell.text("");
         return cell.text(claim["namespace"].to_string() + "/" + claim["name"].to_string());
     }},
    {{"StorageClass", "string", "", 0}, storage_class},
    {{"VolumeAttributesClass", "string", "", 0}, text_or_unset<kAttributesClass>},
    {{"Reason", "string", "", 0}, text_cell<kStatusReason>},
    kAgeColumn,
    {{"VolumeMode", "string", "", 1}, text_or_unset<kVolumeMode>},
};

constexpr ColumnRule kPersistentVolumeClaim[] = {
    kNameColumn,
    {{"Status", "string", "", 0}, phase_or_terminating},
    {{"Volume", "string", "", 0}, text_cell<kVolumeName>},
    {{"Capacity", "string", "", 0},
     [](const Cell& cell) {
         if (cell.at("spec.volumeName").as_string().empty()) return cell.text("");
         return cell.text_at("status.capacity.storage");
     }},
    {{"Access Modes", "string", "", 0},
     [](const Cell& cell) {
         bool bound = !cell.at("spec.volumeName").as_string().empty();
         return cell.text(bound ? access_modes(cell.at("status.accessModes")) : "");
     }},
    {{"StorageClass", "string", "", 0}, storage_class},
    {{"VolumeAttributesClass", "string", "", 0}, text_or_unset<kAttributesClass>},
    kAgeColumn,
    {{"VolumeMode", "string", "", 1}, text_or_unset<kVolumeMode>},
};

constexpr char kProvisioner[] = "provisioner";
constexpr char kAllowExpansion[] = "allowVolumeExpansion";
constexpr char kDriverName[] = "driverName";

constexpr ColumnRule kStorageClass[] = {
    {{"Name", "string", "name", 0},
     [](const Cell& cell) {
         return name_with_default(cell, {"storageclass.kubernetes.io/is-default-class",
                                         "storageclass.beta.kubernetes.io/is-default-class"});
     }},
    {{"Provisioner", "string", "", 0}, text_cell<kProvisioner>},
    {{"ReclaimPolicy", "string", "", 0},
     [](const Cell& cell) { return cell.text_at("reclaimPolicy", "Delete"); }},
    {{"VolumeBindingMode", "string", "", 0},
     [](const Cell& cell) { return cell.text_at("volumeBindingMode", "Immediate"); }},
    {{"AllowVolumeExpansion", "string", "", 0}, truth_cell<kAllowExpansion>},
    kAgeColumn,
};

constexpr ColumnRule kVolumeAttributesClass[] = {
    kNameColumn, {{"DriverName", "string", "", 0}, text_cell<kDriverName>}, kAgeColumn};

constexpr char kAttacher[] = "spec.attacher";
constexpr char kSourceVolume[] = "spec.source.persistentVolumeName";
constexpr char kNodeName[] = "spec.nodeName";
constexpr char kAttached[] = "status.attached";
constexpr char kDrivers[] = "spec.drivers";

constexpr ColumnRule kVolumeAttachment[] = {
    kNameColumn,
    {{"Attacher", "string", "name", 0}, text_cell<kAttacher>},
    {{"PV", "string", "", 0}, text_cell<kSourceVolume>},
    {{"Node", "string", "", 0}, text_cell<kNodeName>},
    {{"Attached", "boolean", "", 0}, truth_cell<kAttached>},
    kAgeColumn,
};

constexpr ColumnRule kCsiNode[] = {
    kNameColumn, {{"Drivers", "integer", "", 0}, count_cell<kDrivers>}, kAgeColumn};

Value truth_or(const Cell& cell, std::string_view path, bool missing) {
    Value found = cell.at(path);
    return Value::boolean(found.is_boolean() ? found.as_boolean() : missing);
}

constexpr ColumnRule kCsiDriver[] = {
    kNameColumn,
    {{"AttachRequired", "boolean", "", 0},
     [](const Cell& cell) { return truth_or(cell, "spec.attachRequired", true); }},
    {{"PodInfoOnMount", "boolean", "", 0},
     [](const Cell& cell) { return truth_or(cell, "spec.podInfoOnMount", false); }},
    {{"StorageCapacity", "boolean", "", 0},
     [](const Cell& cell) { return truth_or(cell, "spec.storageCapacity", false); }},
    {{"TokenRequests", "string", "", 0},
     [](const Cell& cell) {
         auto audiences = each_text(cell.at("spec.tokenRequests"), "audience");
         return cell.text(audiences.empty() ? "<unset>" : join(audiences));
     }},
    {{"RequiresRepublish", "boolean", "", 0},
     [](const Cell& cell) { return truth_or(cell, "spec.requiresRepublish", false); }},
    {{"Modes", "string", "", 0},
     [](const Cell& cell) {
         auto modes = each_text(cell.at("spec.volumeLifecycleModes"), "");
         return cell.text(modes.empty() ? "<none>" : join(modes));
     }},
    kAgeColumn,
};

}  // namespace

std::span<const ColumnRule> storage_rules(std::string_view type) {
    static const std::map<std::string_view, std::span<const ColumnRule>> rules{
        {"core/v1.PersistentVolume", kPersistentVolume},
        {"core/v1.PersistentVolumeClaim", kPersistentVolumeClaim},
        {"storage/v1.StorageClass", kStorageClass},
        {"storage/v1.VolumeAttributesClass", kVolumeAttributesClass},
        {"storage/v1.VolumeAttachment", kVolumeAttachment},
        {"storage/v1.CSINode", kCsiNode},
        {"storage/v1.CSIDriver", kCsiDriver},
    };
    auto found = rules.find(type);
    return found == rules.end() ? std::span<const ColumnRule>() : found->second;
}

}  // namespace keelson::object::tables
