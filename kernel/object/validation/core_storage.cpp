#include "kernel/object/validation/internal_form.h"
#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

void validate_access_modes(FieldErrors& errors, const FieldPath& path, Value modes) {
    bool single = false, other = false;
    for (Value mode : modes.items()) {
        std::string_view text = mode.as_string();
        one_of(errors, path, text, {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"});
        (text == "ReadWriteOncePod" ? single : other) = true;
    }
    if (single && other) errors.forbidden(path, "may not use ReadWriteOncePod with other access modes");
}

void validate_positive_quantity(FieldErrors& errors, const FieldPath& path, Value value) {
    if (quantity_of(value).sign() <= 0) errors.invalid(path, value.as_string(), "must be greater than zero");
}

void validate_data_source(FieldErrors& errors, const FieldPath& path, Value source) {
    if (!source.is_map()) return;
    if (source["name"].empty()) errors.required(path.child("name"));
    if (source["kind"].empty()) errors.required(path.child("kind"));
    std::string_view group = source["apiGroup"].as_string();
    if (group.empty() && source["kind"].as_string() != "PersistentVolumeClaim")
        errors.invalid(path, source["kind"].as_string(),
                       "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
    if (!group.empty()) dns1123_subdomain(errors, path.child("apiGroup"), group);
}

void validate_secret_reference(FieldErrors& errors, const FieldPath& path, Value reference) {
    if (!reference.is_map()) return;
    if (reference["name"].empty()) errors.required(path.child("name"));
    if (reference["namespace"].empty()) errors.required(path.child("namespace"));
}

bool is_volume_source(std::string_view member) {
    return member != "claimRef" && member != "nodeAffinity" && member != "capacity";
}

void validate_source(FieldErrors& errors, const FieldPath& path, Value spec) {
    int sources = 0;
    for (const Member& member : spec.members()) {
        Value source = member.value;
        if (!source.is_map() || !is_volume_source(member.name)) continue;
        const FieldPath at = path.child(member.name);
        if (sources++ > 0) {
            errors.forbidden(at, "may not specify more than 1 volume type");
            continue;
        }
        if (member.name == "hostPath") {
            validate_host_path(errors, at, source);
        } else if (member.name == "nfs") {
            validate_nfs(errors, at, source);
        } else if (member.name == "iscsi") {
            validate_iscsi(errors, at, source, true);
        } else if (member.name == "csi") {
            validate_csi_driver_name(errors, at.child("driver"), source["driver"].as_string());
            if (source["volumeHandle"].empty()) errors.required(at.child("volumeHandle"));
            for (std::string_view name : {"controllerPublishSecretRef", "controllerExpandSecretRef",
                                          "nodePublishSecretRef", "nodeExpandSecretRef"})
                validate_secret_reference(errors, at.child(name), source[name]);
        } else {
            validate_legacy_volume(errors, at, member.name, source, true);
            if (member.name == "local" && spec["nodeAffinity"].is_unset())
                errors.required(path.child("nodeAffinity"), "Local volume requires node affinity");
        }
    }
    if (sources == 0) errors.required(path, "must specify a volume type");
}

void validate_capacity(FieldErrors& errors, const FieldPath& path, Value capacity) {
    if (capacity.empty()) errors.required(path);
    if (capacity["storage"].is_unset() || capacity.size() > 1)
        errors.not_supported(path, BadValue::map(capacity), {"storage"});
    for (const Member& member : capacity.members()) {
        const FieldPath at = path.key(member.name);
        validate_not_negative_quantity(errors, at, member.value);
        validate_positive_quantity(errors, at, member.value);
    }
}

Value volume_source_of(Value spec, Arena& arena) {
    Value out = Value::map(arena);
    for (const Member& member : spec.members())
        if (member.value.is_map() && is_volume_source(member.name))
            out.append(arena, member.name, member.value);
    return out;
}

void validate_volume_update(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec(), old = request.old_spec();
    Arena& arena = *request.arena;
    Value now = volume_source_of(spec, arena), before = volume_source_of(old, arena);
    if (now["csi"].is_map() && before.path({"csi", "controllerExpandSecretRef"}).is_unset()) {
        Value copy = now["csi"].clone(arena);
        copy.erase("controllerExpandSecretRef");
        now.set(arena, "csi", copy);
    }
    if (!now.equals(before))
        errors.forbidden(path.child("persistentvolumesource"),
                         "spec.persistentvolumesource is immutable after creation");
    immutable(errors, FieldPath("volumeMode"), spec["volumeMode"], old["volumeMode"]);
    if (spec["volumeAttributesClassName"].is_unset() && old["volumeAttributesClassName"].is_set())
        errors.forbidden(path.child("volumeAttributesClassName"),
                         "update from non-nil value to nil is forbidden");
}

void validate_claim_update(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec(), old = request.old_spec();
    Arena& arena = *request.arena;
    Value munged = spec.clone(arena), before = old.clone(arena);
    bool bound = request.object.path({"status", "phase"}).as_string() == "Bound";
    auto restore = [&](Value into, Value from, std::string_view name) {
        if (from[name].is_set())
            into.set(arena, name, from[name]);
        else
            into.erase(name);
    };
    if (old["volumeName"].empty()) restore(before, munged, "volumeName");
    if (old["storageClassName"].is_unset()) restore(before, munged, "storageClassName");
    Value size = spec.path({"resources", "requests", "storage"}),
          old_size = old.path({"resources", "requests", "storage"});
    if (bound) {
        if (size.is_set() && old_size.is_set())
            munged.path({"resources", "requests"}).set(arena, "storage", old_size);
        restore(munged, before, "volumeAttributesClassName");
    }
    if (!munged.equals(before)) {
        errors.forbidden(
            path,
            "spec is immutable after creation except resources.requests and volumeAttributesClassName "
            "for bound claims\n" +
                internal_difference(InternalType::claim_spec, before, munged));
    } else if (bound && quantity_of(size) < quantity_of(old_size) &&
               !(quantity_of(size) > quantity_of(request.old.path({"status", "capacity", "storage"})))) {
        errors.forbidden(path.child("resources.requests.storage"),
                         "field can not be less than status.capacity");
    }
    immutable(errors, FieldPath("volumeMode"), spec["volumeMode"], old["volumeMode"]);
    Value class_name = spec["volumeAttributesClassName"];
    if (request.old.path({"status", "currentVolumeAttributesClassName"}).is_set() && class_name.empty())
        errors.forbidden(path.child("volumeAttributesClassName"),
                         class_name.is_unset() ? "update from non-nil value to nil is forbidden"
                                               : "update from non-nil value to an empty string is forbidden");
}

void validate_claim_status(FieldErrors& errors, const Request& request) {
    const FieldPath path("status");
    Value status = request.object["status"];
    for (const Member& member : status["capacity"].members())
        validate_not_negative_quantity(errors, path.entry("capacity", member.name), member.value);
    for (const Member& member : status["allocatedResourceStatuses"].members())
        one_of(errors, path.entry("allocatedResourceStatuses", member.name), member.value.as_string(),
               {"ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizePending",
                "NodeResizeInProgress", "NodeResizeInfeasible"});
    for (const Member& member : status["allocatedResources"].members())
        validate_not_negative_quantity(errors, path.entry("allocatedResources", member.name), member.value);
}

}  // namespace

void validate_claim_spec(FieldErrors& errors, const FieldPath& path, Value spec, bool) {
    if (spec["accessModes"].empty())
        errors.required(path.child("accessModes"), "at least 1 access mode is required");
    validate_label_selector(errors, path.child("selector"), spec["selector"]);
    validate_access_modes(errors, path.child("accessModes"), spec["accessModes"]);
    Value storage = spec.path({"resources", "requests", "storage"});
    const FieldPath storage_path = path.entry("resources", "storage");
    if (storage.is_unset()) {
        errors.required(storage_path);
    } else {
        validate_resource_quantity(errors, storage_path, "storage", storage);
        validate_positive_quantity(errors, storage_path, storage);
    }
    if (Value name = spec["storageClassName"]; !name.empty())
        dns1123_subdomain(errors, path.child("storageClassName"), name.as_string());
    if (Value mode = spec["volumeMode"]; mode.is_set())
        one_of(errors, path.child("volumeMode"), mode.as_string(), {"Block", "Filesystem"});
    validate_data_source(errors, path.child("dataSource"), spec["dataSource"]);
    validate_data_source(errors, path.child("dataSourceRef"), spec["dataSourceRef"]);
    Value source = spec["dataSource"], reference = spec["dataSourceRef"];
    if (reference.is_map() && !reference["namespace"].empty()) {
        if (source.is_map())
            errors.invalid(path, source["name"].as_string(),
                           "may not be specified when dataSourceRef.namespace is specified");
    } else if (source.is_map() && reference.is_map() && !source.equals(reference)) {
        errors.invalid(path, source["name"].as_string(), "must match dataSourceRef");
    }
    if (Value name = spec["volumeAttributesClassName"]; !name.empty())
        dns1123_subdomain(errors, path.child("volumeAttributesClassName"), name.as_string());
}

void validate_persistent_volume_spec(FieldErrors& errors, const FieldPath& path, Value spec, std::string_view,
                                     bool inline_spec) {
    constexpr std::string_view kRefused = "may not be specified in the context of inline volumes";
    if (inline_spec) {
        if (spec["claimRef"].is_set()) errors.forbidden(path.child("claimRef"), kRefused);
        if (!spec["capacity"].empty()) errors.forbidden(path.child("capacity"), kRefused);
        if (spec["csi"].is_unset())
            errors.required(path.child("csi"), "has to be specified in the context of inline volumes");
    }
    if (spec["accessModes"].empty()) errors.required(path.child("accessModes"));
    validate_access_modes(errors, path.child("accessModes"), spec["accessModes"]);
    std::string_view reclaim = spec["persistentVolumeReclaimPolicy"].as_string();
    if (!inline_spec) {
        validate_capacity(errors, path.child("capacity"), spec["capacity"]);
        if (!reclaim.empty())
            one_of(errors, path.child("persistentVolumeReclaimPolicy"), reclaim,
                   {"Delete", "Recycle", "Retain"});
    } else if (!reclaim.empty()) {
        errors.forbidden(path.child("persistentVolumeReclaimPolicy"), kRefused);
    }
    if (Value affinity = spec["nodeAffinity"]; affinity.is_map()) {
        if (affinity["required"].is_map())
            validate_node_selector(errors, path.child("nodeAffinity.required"), affinity["required"]);
        else
            errors.required(path.child("nodeAffinity.required"), "must specify required node constraints");
    }
    validate_source(errors, path, spec);
    if (spec.path({"hostPath", "path"}).as_string() == "/" && reclaim == "Recycle")
        errors.forbidden(path.child("persistentVolumeReclaimPolicy"),
                         "may not be 'recycle' for a hostPath mount of '/'");
    if (std::string_view name = spec["storageClassName"].as_string(); !name.empty()) {
        if (inline_spec)
            errors.forbidden(path.child("storageClassName"), kRefused);
        else
            dns1123_subdomain(errors, path.child("storageClassName"), name);
    }
    if (Value mode = spec["volumeMode"]; mode.is_set()) {
        if (inline_spec)
            errors.forbidden(path.child("volumeMode"), kRefused);
        else
            one_of(errors, path.child("volumeMode"), mode.as_string(), {"Block", "Filesystem"});
    }
    if (Value name = spec["volumeAttributesClassName"]; name.is_set()) {
        if (name.empty())
            errors.required(path.child("volumeAttributesClassName"), "an empty string is disallowed");
        else
            dns1123_subdomain(errors, path.child("volumeAttributesClassName"), name.as_string());
        if (spec["csi"].is_unset())
            errors.required(path.child("csi"), "has to be specified when using volumeAttributesClassName");
    }
}

void check_persistent_volume(FieldErrors& errors, const Request& request) {
    if (request.is_update() && request.subresource == "status")
        return validate_object_meta_update(errors, request);
    validate_object_meta(errors, request, name_is_dns_subdomain);
    validate_persistent_volume_spec(errors, FieldPath("spec"), request.spec(),
                                    request.object.path({"metadata", "name"}).as_string(), false);
    if (request.is_update()) validate_volume_update(errors, request);
}

void check_claim(FieldErrors& errors, const Request& request) {
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (request.subresource == "status") return validate_claim_status(errors, request);
    validate_object_meta(errors, request, name_is_dns_subdomain);
    validate_claim_spec(errors, FieldPath("spec"), request.spec(), false);
    if (request.is_update()) validate_claim_update(errors, request);
}

}  // namespace keelson::object::validation
