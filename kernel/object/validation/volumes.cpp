#include <algorithm>
#include <set>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kModeRange = "must be a number between 0 and 0777 (octal), both inclusive";

void validate_mode(FieldErrors& errors, const FieldPath& path, Value mode) {
    if (mode.is_set() && (mode.as_integer() < 0 || mode.as_integer() > 0777))
        errors.invalid(path, mode.as_integer(), kModeRange);
}

void validate_key_to_path(FieldErrors& errors, const FieldPath& path, Value item) {
    if (item["key"].empty()) errors.required(path.child("key"));
    if (item["path"].empty()) errors.required(path.child("path"));
    validate_item_path(errors, path.child("path"), item["path"].as_string());
    validate_mode(errors, path.child("mode"), item["mode"]);
}

void validate_secret(FieldErrors& errors, const FieldPath& path, Value source, std::string_view name_field) {
    if (source[name_field].empty()) errors.required(path.child(name_field));
    validate_mode(errors, path.child("defaultMode"), source["defaultMode"]);
    each(source, "items", path,
         [&](Value item, const FieldPath& at) { validate_key_to_path(errors, at, item); });
}

void validate_downward_file(FieldErrors& errors, const FieldPath& path, Value file) {
    if (file["path"].empty()) errors.required(path.child("path"));
    validate_item_path(errors, path.child("path"), file["path"].as_string());
    Value field = file["fieldRef"], resource = file["resourceFieldRef"];
    if (field.is_map()) {
        validate_field_reference(errors, path.child("fieldRef"), field, true);
        if (resource.is_map())
            errors.invalid(path, "resource",
                           "fieldRef and resourceFieldRef can not be specified simultaneously");
    } else if (resource.is_map()) {
        validate_resource_field_reference(errors, path.child("resourceFieldRef"), resource, true);
    } else {
        errors.required(path, "one of fieldRef and resourceFieldRef is required");
    }
    validate_mode(errors, path.child("mode"), file["mode"]);
}

void validate_projected(FieldErrors& errors, const FieldPath& path, Value projected) {
    constexpr std::int64_t kLeastSeconds = 600, kMostSeconds = std::int64_t{1} << 32;
    validate_mode(errors, path.child("defaultMode"), projected["defaultMode"]);
    std::set<std::string_view> paths;
    auto claim_path = [&](std::string_view text, std::string_view shown) {
        if (!text.empty() && !paths.insert(text).second)
            errors.invalid(path, shown, "conflicting duplicate paths");
    };
    each(projected, "sources", path, [&](Value source, const FieldPath& source_path) {
        int sources = 0;
        auto first = [&](std::string_view name) {
            if (!source[name].is_map()) return false;
            if (sources++ == 0) return true;
            errors.forbidden(source_path.child(name), "may not specify more than 1 volume type");
            return false;
        };
        for (std::string_view name : {"secret", "configMap"}) {
            if (!first(name)) continue;
            const FieldPath at = source_path.child(name);
            std::string_view object_name = source[name]["name"].as_string();
            if (object_name.empty()) errors.required(at.child("name"));
            each(source[name], "items", at, [&](Value item, const FieldPath& item_path) {
                validate_key_to_path(errors, item_path, item);
                claim_path(item["path"].as_string(), object_name);
            });
        }
        if (first("downwardAPI"))
            for (Value file : source["downwardAPI"]["items"].items()) {
                validate_downward_file(errors, source_path.child("downwardAPI"), file);
                claim_path(file["path"].as_string(), file["path"].as_string());
            }
        if (first("serviceAccountToken")) {
            Value token = source["serviceAccountToken"];
            const FieldPath at = source_path.child("serviceAccountToken");
            std::int64_t seconds = token["expirationSeconds"].as_integer();
            if (seconds < kLeastSeconds)
                errors.invalid(at.child("expirationSeconds"), seconds,
                               "may not specify a duration less than 10 minutes");
            if (seconds > kMostSeconds)
                errors.invalid(at.child("expirationSeconds"), seconds,
                               "may not specify a duration larger than 2^32 seconds");
            std::string_view text = token["path"].as_string();
            if (text.empty())
                errors.required(path.child("path"));
            else
                validate_item_path(errors, path.child("path"), text);
            claim_path(text, text);
        }
        if (first("clusterTrustBundle")) {
            Value bundle = source["clusterTrustBundle"];
            const FieldPath at = source_path.child("clusterTrustBundle");
            bool named = bundle["name"].is_set(), signer = bundle["signerName"].is_set();
            if (named && signer)
                errors.invalid(at, BadValue::go_structure(bundle),
                               "only one of name and signerName may be used");
            if (!named && !signer) errors.required(at, "either name or signerName must be specified");
            if (bundle["path"].empty()) errors.required(at.child("path"));
        }
    });
}

void validate_ephemeral(FieldErrors& errors, const FieldPath& path, Value ephemeral,
                        std::string_view volume_name, const PodOptions& options) {
    Value claim = ephemeral["volumeClaimTemplate"];
    if (!claim.is_map()) return errors.required(path.child("volumeClaimTemplate"));
    const FieldPath template_path = path.child("volumeClaimTemplate");
    const FieldPath metadata_path = template_path.child("metadata");
    validate_annotations(errors, metadata_path.child("annotations"), claim.path({"metadata", "annotations"}));
    validate_labels(errors, metadata_path.child("labels"), claim.path({"metadata", "labels"}));
    for (const Member& member : claim["metadata"].members())
        if (member.name != "annotations" && member.name != "labels")
            errors.forbidden(metadata_path.child(member.name), "cannot be set for an ephemeral volume");
    validate_claim_spec(errors, template_path.child("spec"), claim["spec"], true);
    if (options.pod_name.empty()) return;
    std::string name = std::string(options.pod_name) + "-" + std::string(volume_name);
    for (const std::string& message : is_dns1123_subdomain(name))
        errors.invalid(path.child("name"), volume_name, "PVC name " + go_quoted(name) + ": " + message);
}

void validate_source(FieldErrors& errors, const FieldPath& path, Value volume, const PodOptions& options) {
    int sources = 0;
    auto first = [&](std::string_view name) {
        if (sources++ == 0) return true;
        errors.forbidden(path.child(name), "may not specify more than 1 volume type");
        return false;
    };
    for (const Member& member : volume.members()) {
        Value source = member.value;
        std::string_view kind = member.name;
        if (!source.is_map() || !first(kind)) continue;
        const FieldPath at = path.child(kind);
        if (kind == "emptyDir") {
            if (quantity_of(source["sizeLimit"]).sign() < 0)
                errors.forbidden(at.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
        } else if (kind == "hostPath") {
            validate_host_path(errors, at, source);
        } else if (kind == "secret") {
            validate_secret(errors, at, source, "secretName");
        } else if (kind == "configMap") {
            validate_secret(errors, at, source, "name");
        } else if (kind == "downwardAPI") {
            validate_mode(errors, at.child("defaultMode"), source["defaultMode"]);
            for (Value file : source["items"].items()) validate_downward_file(errors, at, file);
        } else if (kind == "projected") {
            validate_projected(errors, at, source);
        } else if (kind == "persistentVolumeClaim") {
            if (source["claimName"].empty()) errors.required(at.child("claimName"));
        } else if (kind == "nfs") {
            validate_nfs(errors, at, source);
        } else if (kind == "iscsi") {
            validate_iscsi(errors, at, source, false);
        } else if (kind == "csi") {
            validate_csi_driver_name(errors, at.child("driver"), source["driver"].as_string());
            if (Value secret = source["nodePublishSecretRef"]; secret.is_map() && secret["name"].empty())
                errors.required(at.child("nodePublishSecretRef.name"));
        } else if (kind == "ephemeral") {
            validate_ephemeral(errors, at, source, volume["name"].as_string(), options);
        } else if (kind == "image") {
            if (!options.is_template && source["reference"].empty()) errors.required(at.child("reference"));
            validate_pull_policy(errors, at.child("pullPolicy"), source["pullPolicy"].as_string());
        } else {
            validate_legacy_volume(errors, at, kind, source, false);
        }
    }
    if (sources == 0) errors.required(path, "must specify a volume type");
}

}  // namespace

Volumes validate_volumes(FieldErrors& errors, const FieldPath& path, Value spec, const PodOptions& options) {
    Volumes valid;
    auto volumes = spec["volumes"].items();
    valid.reserve(volumes.size());
    for (std::size_t i = 0; i < volumes.size(); ++i) {
        const FieldPath at = path.index(i);
        std::size_t before = errors.size();
        validate_source(errors, at, volumes[i], options);
        std::string_view name = volumes[i]["name"].as_string();
        if (name.empty())
            errors.required(at.child("name"));
        else
            dns1123_label(errors, at.child("name"), name);
        bool duplicate = std::any_of(valid.begin(), valid.end(),
                                     [&](Value other) { return other["name"].as_string() == name; });
        if (duplicate) errors.duplicate(at.child("name"), name);
        if (errors.size() == before) valid.push_back(volumes[i]);
    }
    return valid;
}

}  // namespace keelson::object::validation
