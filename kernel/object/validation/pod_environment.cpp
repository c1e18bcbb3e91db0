#include <algorithm>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kTooManySources = "may not have more than one field specified at a time";

void relaxed_environment_name(FieldErrors& errors, const FieldPath& path, std::string_view name) {
    if (Messages messages = is_relaxed_environment_name(name); !messages.empty())
        errors.invalid_each(path, name, messages);
}

void validate_key_selector(FieldErrors& errors, const FieldPath& path, Value selector) {
    if (std::string_view name = selector["name"].as_string(); !name.empty())
        dns1123_subdomain(errors, path.child("name"), name);
    if (std::string_view key = selector["key"].as_string(); key.empty())
        errors.required(path.child("key"));
    else if (Messages messages = is_config_map_key(key); !messages.empty())
        errors.invalid_each(path.child("key"), key, messages);
}

void validate_file_selector(FieldErrors& errors, const FieldPath& path, Value selector,
                            const Volumes& volumes) {
    if (std::string_view key = selector["key"].as_string(); key.empty())
        errors.required(path.child("key"));
    else
        relaxed_environment_name(errors, path.child("key"), key);
    if (std::string_view name = selector["volumeName"].as_string(); name.empty()) {
        errors.required(path.child("volumeName"));
    } else {
        bool known = std::any_of(volumes.begin(), volumes.end(), [&](Value volume) {
            return volume["name"].as_string() == name && volume["emptyDir"].is_map();
        });
        if (!known) errors.invalid(path.child("volumeName"), name, "must be the name of an emptyDir volume");
    }
    if (std::string_view file = selector["path"].as_string(); file.empty())
        errors.required(path.child("path"));
    else
        validate_descending_path(errors, path.child("path"), file);
}

void validate_value_from(FieldErrors& errors, const FieldPath& path, Value variable, const Volumes& volumes) {
    Value from = variable["valueFrom"];
    if (!from.is_map()) return;
    int sources = 0;
    if (Value reference = from["fieldRef"]; reference.is_map()) {
        ++sources;
        validate_field_reference(errors, path.child("fieldRef"), reference, false);
    }
    if (Value reference = from["resourceFieldRef"]; reference.is_map()) {
        ++sources;
        validate_resource_field_reference(errors, path.child("resourceFieldRef"), reference, false);
    }
    for (std::string_view name : {"configMapKeyRef", "secretKeyRef"})
        if (Value reference = from[name]; reference.is_map()) {
            ++sources;
            validate_key_selector(errors, path.child(name), reference);
        }
    if (Value reference = from["fileKeyRef"]; reference.is_map()) {
        ++sources;
        validate_file_selector(errors, path.child("fileKeyRef"), reference, volumes);
    }
    if (sources == 0)
        errors.invalid(
            path, "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or "
            "`fileKeyRef`");
    else if (!variable["value"].empty())
        errors.invalid(path, "", "may not be specified when `value` is not empty");
    else if (sources > 1)
        errors.invalid(path, "", kTooManySources);
}

// metadata.labels['x'] gives the part before the bracket and x.
bool split_subscript(std::string_view text, std::string_view& base, std::string_view& key) {
    if (!text.ends_with("']")) return false;
    std::size_t open = text.find("['");
    if (open == std::string_view::npos || open == 0) return false;
    base = text.substr(0, open);
    key = text.substr(open + 2, text.size() - open - 4);
    return true;
}

}  // namespace

void validate_field_reference(FieldErrors& errors, const FieldPath& path, Value reference, bool in_volume) {
    constexpr std::string_view kKnown[] = {
        "metadata.annotations", "metadata.labels", "metadata.name",      "metadata.namespace",
        "metadata.uid",         "spec.nodeName",   "spec.restartPolicy", "spec.serviceAccountName",
        "spec.schedulerName",   "status.phase",    "status.hostIP",      "status.hostIPs",
        "status.podIP",         "status.podIPs",   "spec.host"};
    constexpr std::string_view kInEnvironment[] = {
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs"};
    constexpr std::string_view kInVolume[] = {"metadata.annotations", "metadata.labels", "metadata.name",
                                              "metadata.namespace", "metadata.uid"};
    std::string_view version = reference["apiVersion"].as_string();
    std::string_view field = reference["fieldPath"].as_string();
    if (version.empty()) return errors.required(path.child("apiVersion"));
    if (field.empty()) return errors.required(path.child("fieldPath"));
    auto not_converted = [&](std::string_view why) {
        errors.invalid(path.child("fieldPath"), field, "error converting fieldPath: " + std::string(why));
    };
    if (version != "v1") return not_converted("unsupported pod version: " + std::string(version));
    std::string_view base, key;
    if (split_subscript(field, base, key)) {
        if (base == "metadata.annotations")
            errors.invalid_each(path, lower_case(key), is_qualified_name(lower_case(key)));
        else if (base == "metadata.labels")
            qualified_name(errors, path, key);
        else
            not_converted("field label does not support subscript: " + std::string(field));
        return;
    }
    if (std::ranges::find(kKnown, field) == std::end(kKnown))
        return not_converted("field label not supported: " + std::string(field));
    std::span<const std::string_view> allowed = in_volume ? std::span<const std::string_view>(kInVolume)
                                                          : std::span<const std::string_view>(kInEnvironment);
    if (std::ranges::find(allowed, field) == allowed.end())
        errors.not_supported(path.child("fieldPath"), field, allowed);
}

void validate_resource_field_reference(FieldErrors& errors, const FieldPath& path, Value reference,
                                       bool in_volume) {
    constexpr std::string_view kResources[] = {
        "limits.cpu",   "limits.ephemeral-storage",   "limits.memory",
        "requests.cpu", "requests.ephemeral-storage", "requests.memory"};
    constexpr std::string_view kSizes[] = {"1",   "1k",  "1M",  "1G",  "1T",  "1P", "1E",
                                           "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"};
    std::string_view resource = reference["resource"].as_string();
    bool hugepages = resource.starts_with("limits.hugepages-") || resource.starts_with("requests.hugepages-");
    if (in_volume && reference["containerName"].empty())
        errors.required(path.child("containerName"));
    else if (resource.empty())
        errors.required(path.child("resource"));
    else if (!hugepages && std::ranges::find(kResources, resource) == std::end(kResources))
        errors.not_supported(path.child("resource"), resource, kResources);
    std::string_view divisor = reference["divisor"].as_string();
    if (divisor.empty() || divisor == "0") return;
    auto sizes_only = [&](std::string_view what) {
        if (std::ranges::find(kSizes, divisor) == std::end(kSizes))
            errors.invalid(
                path.child("divisor"), resource,
                "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are "
                "supported with the " +
                    std::string(what) + " resource");
    };
    if (resource.ends_with(".cpu")) {
        if (divisor != "1m" && divisor != "1")
            errors.invalid(path.child("divisor"), resource,
                           "only divisor's values 1m and 1 are supported with the cpu resource");
    } else if (resource.ends_with(".memory")) {
        sizes_only("memory");
    } else if (resource.ends_with(".ephemeral-storage")) {
        sizes_only("local ephemeral storage");
    } else if (hugepages) {
        sizes_only("hugepages");
    }
}

void validate_environment(FieldErrors& errors, const FieldPath& path, Value container,
                          const Volumes& volumes) {
    each(container, "env", path, [&](Value variable, const FieldPath& at) {
        if (std::string_view name = variable["name"].as_string(); name.empty())
            errors.required(at.child("name"));
        else
            relaxed_environment_name(errors, at.child("name"), name);
        validate_value_from(errors, at.child("valueFrom"), variable, volumes);
    });
    each(container, "envFrom", path, [&](Value source, const FieldPath& at) {
        if (std::string_view prefix = source["prefix"].as_string(); !prefix.empty())
            relaxed_environment_name(errors, at.child("prefix"), prefix);
        int sources = 0;
        for (std::string_view name : {"configMapRef", "secretRef"})
            if (Value reference = source[name]; reference.is_map()) {
                ++sources;
                const FieldPath reference_path = at.child(name);
                if (reference["name"].empty())
                    errors.required(reference_path.child("name"));
                else
                    dns1123_subdomain(errors, reference_path.child("name"), reference["name"].as_string());
            }
        if (sources == 0)
            errors.invalid(path.child("envFrom"), "", "must specify one of: `configMapRef` or `secretRef`");
        else if (sources > 1)
            errors.invalid(path.child("envFrom"), "", kTooManySources);
    });
}

}  // namespace keelson::object::validation
