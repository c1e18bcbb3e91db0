#include <algorithm>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

bool any_has(Value list, std::string_view field, std::string_view text) {
    auto items = list.items();
    return std::any_of(items.begin(), items.end(),
                       [&](Value item) { return item[field].as_string() == text; });
}

bool earlier_has(Value list, std::size_t index, std::string_view field, std::string_view text) {
    for (std::size_t i = 0; i < index; ++i)
        if (list.at(i)[field].as_string() == text) return true;
    return false;
}

void validate_propagation(FieldErrors& errors, const FieldPath& path, Value mount, Value container) {
    Value propagation = mount["mountPropagation"];
    if (propagation.is_unset()) return;
    one_of(errors, path, propagation.as_string(), {"Bidirectional", "HostToContainer", "None"});
    if (propagation.as_string() == "Bidirectional" &&
        !container.path({"securityContext", "privileged"}).as_boolean())
        errors.forbidden(path, "Bidirectional mount propagation is available only to privileged containers");
}

void validate_recursive_read_only(FieldErrors& errors, const FieldPath& path, Value mount) {
    Value mode = mount["recursiveReadOnly"];
    if (mode.is_unset()) return;
    std::string_view text = mode.as_string();
    if (text == "IfPossible" || text == "Enabled") {
        if (!mount["readOnly"].as_boolean())
            errors.forbidden(path, "may only be specified when readOnly is true");
        Value propagation = mount["mountPropagation"];
        if (propagation.is_set() && propagation.as_string() != "None")
            errors.forbidden(path, "may only be specified when mountPropagation is None or not specified");
    } else if (text != "Disabled") {
        errors.not_supported(path, text, {"Disabled", "Enabled", "IfPossible"});
    }
}

}  // namespace

void validate_mounts(FieldErrors& errors, const FieldPath& path, Value container, const Volumes& volumes) {
    Value mounts = container["volumeMounts"], devices = container["volumeDevices"];
    auto find = [&](std::string_view name) {
        for (Value volume : volumes)
            if (volume["name"].as_string() == name) return volume;
        return Value();
    };
    const FieldPath mounts_path = path.child("volumeMounts");
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        const FieldPath at = mounts_path.index(i);
        Value mount = mounts.at(i);
        std::string_view name = mount["name"].as_string(), where = mount["mountPath"].as_string();
        if (name.empty()) errors.required(at.child("name"));
        if (find(name).is_unset()) errors.not_found(at.child("name"), name);
        if (where.empty()) errors.required(at.child("mountPath"));
        if (earlier_has(mounts, i, "mountPath", where))
            errors.invalid(at.child("mountPath"), where, "must be unique");
        if (any_has(devices, "name", name))
            errors.invalid(at.child("name"), name, "must not already exist in volumeDevices");
        if (any_has(devices, "devicePath", where))
            errors.invalid(at.child("mountPath"), where, "must not already exist as a path in volumeDevices");
        std::string_view sub_path = mount["subPath"].as_string(),
                         expression = mount["subPathExpr"].as_string();
        if (!sub_path.empty()) validate_descending_path(errors, mounts_path.child("subPath"), sub_path);
        if (!expression.empty()) {
            if (!sub_path.empty())
                errors.invalid(at.child("subPathExpr"), expression,
                               "subPathExpr and subPath are mutually exclusive");
            validate_descending_path(errors, mounts_path.child("subPathExpr"), expression);
        }
        validate_propagation(errors, mounts_path.child("mountPropagation"), mount, container);
        validate_recursive_read_only(errors, at.child("recursiveReadOnly"), mount);
    }
    for (std::size_t i = 0; i < devices.size(); ++i) {
        const FieldPath at = path.item("volumeDevices", i);
        std::string_view name = devices.at(i)["name"].as_string(),
                         where = devices.at(i)["devicePath"].as_string();
        Value volume = find(name);
        bool is_claim = volume["persistentVolumeClaim"].is_map() || volume["ephemeral"].is_map();
        if (name.empty()) errors.required(at.child("name"));
        if (!name.empty() && earlier_has(devices, i, "name", name))
            errors.invalid(at.child("name"), name, "must be unique");
        if (volume.is_set() && !is_claim)
            errors.invalid(
                at.child("name"), name,
                "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
        if (volume.is_unset()) errors.not_found(at.child("name"), name);
        if (where.empty()) errors.required(at.child("devicePath"));
        if (earlier_has(devices, i, "devicePath", where))
            errors.invalid(at.child("devicePath"), where, "must be unique");
        FieldErrors backsteps;
        if (!where.empty()) validate_no_backsteps(backsteps, at, where);
        if (!backsteps.empty())
            errors.invalid(at.child("devicePath"), where, "can not contain backsteps ('..')");
        if (any_has(mounts, "name", name))
            errors.invalid(at.child("name"), name, "must not already exist in volumeMounts");
        if (any_has(mounts, "mountPath", where))
            errors.invalid(at.child("devicePath"), where, "must not already exist as a path in volumeMounts");
    }
}

}  // namespace keelson::object::validation
