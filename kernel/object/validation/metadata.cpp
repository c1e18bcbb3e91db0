#include <algorithm>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

constexpr std::int64_t kAnnotationsMost = 256 << 10;
constexpr std::size_t kManagerMost = 128;
constexpr std::size_t kSubresourceMost = 256;

void validate_owner_references(FieldErrors& errors, const FieldPath& path, Value references) {
    std::string_view controller;
    for (Value reference : references.items()) {
        std::string_view version = reference["apiVersion"].as_string();
        std::size_t slash = version.find('/');
        bool has_version = slash == std::string_view::npos ? !version.empty() : slash + 1 < version.size();
        if (!has_version || std::count(version.begin(), version.end(), '/') > 1)
            errors.invalid(path.child("apiVersion"), version, "version must not be empty");
        for (std::string_view name : {"kind", "name", "uid"})
            if (reference[name].empty()) errors.invalid(path.child(name), "", "must not be empty");
        if (reference["kind"].as_string() == "Event" && version == "v1")
            errors.invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner");
        if (!reference["controller"].as_boolean()) continue;
        std::string_view name = reference["name"].as_string();
        if (controller.empty())
            controller = name;
        else
            errors.invalid(
                path, references,
                "Only one reference can have Controller set to true. Found \"true\" in references for " +
                    std::string(controller) + " and " + std::string(name));
    }
}

void validate_finalizers(FieldErrors& errors, const FieldPath& path, Value finalizers) {
    bool orphan = false, foreground = false;
    for (Value finalizer : finalizers.items()) {
        std::string_view name = finalizer.as_string();
        qualified_name(errors, path, name);
        orphan = orphan || name == "orphan";
        foreground = foreground || name == "foregroundDeletion";
    }
    if (orphan && foreground)
        errors.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
}

void validate_managed_fields(FieldErrors& errors, const FieldPath& path, Value entries) {
    auto items = entries.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
        const FieldPath entry = path.index(i);
        std::string_view operation = items[i]["operation"].as_string();
        if (operation != "Apply" && operation != "Update")
            errors.invalid(entry.child("operation"), operation, "must be `Apply` or `Update`");
        std::string_view type = items[i]["fieldsType"].as_string();
        if (!type.empty() && type != "FieldsV1")
            errors.invalid(entry.child("fieldsType"), type, "must be `FieldsV1`");
        std::string_view manager = items[i]["manager"].as_string();
        if (manager.size() > kManagerMost)
            errors.too_long(entry.child("manager"), static_cast<std::int64_t>(kManagerMost));
        for (std::size_t at = 0; at < manager.size(); ++at)
            if (static_cast<unsigned char>(manager[at]) < 0x20 || manager[at] == 0x7f) {
                errors.invalid(entry.child("manager"), manager, "should only contain printable characters");
                break;
            }
        if (items[i]["subresource"].size() > kSubresourceMost)
            errors.too_long(entry.child("subresource"), static_cast<std::int64_t>(kSubresourceMost));
    }
}

void validate_shared(FieldErrors& errors, const FieldPath& path, Value metadata) {
    validate_labels(errors, path.child("labels"), metadata["labels"]);
    validate_annotations(errors, path.child("annotations"), metadata["annotations"]);
    validate_owner_references(errors, path.child("ownerReferences"), metadata["ownerReferences"]);
}

}  // namespace

void dns1123_label(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    if (text.size() > 63 || !has_dns1123_label_form(text))
        errors.invalid_each(path, text, is_dns1123_label(text));
}

void dns1123_subdomain(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    if (text.size() > 253 || !has_dns1123_subdomain_form(text))
        errors.invalid_each(path, text, is_dns1123_subdomain(text));
}

void qualified_name(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    if (Messages messages = is_qualified_name(text); !messages.empty())
        errors.invalid_each(path, text, messages);
}

void validate_label_key(FieldErrors& errors, const FieldPath& path, std::string_view key) {
    qualified_name(errors, path, key);
}

void validate_labels(FieldErrors& errors, const FieldPath& path, Value labels) {
    for (const Member& label : labels.members()) {
        qualified_name(errors, path, label.name);
        if (Messages messages = is_label_value(label.value.as_string()); !messages.empty())
            errors.invalid_each(path, label.value.as_string(), messages);
    }
}

void validate_annotations(FieldErrors& errors, const FieldPath& path, Value annotations) {
    std::size_t total = 0;
    for (const Member& annotation : annotations.members()) {
        if (Messages messages = is_qualified_name(lower_case(annotation.name)); !messages.empty())
            errors.invalid_each(path, annotation.name, messages);
        total += annotation.name.size() + annotation.value.size();
    }
    if (total > static_cast<std::size_t>(kAnnotationsMost)) errors.too_long(path, kAnnotationsMost);
}

void validate_plain_object_meta(FieldErrors& errors, const Request& request, NameCheck check) {
    const FieldPath path("metadata");
    Value metadata = request.object["metadata"];
    if (std::string_view prefix = metadata["generateName"].as_string(); !prefix.empty())
        errors.invalid_each(path.child("generateName"), prefix, check(prefix, true));
    std::string_view name = metadata["name"].as_string();
    if (name.empty())
        errors.required(path.child("name"), "name or generateName is required");
    else if (Messages messages = check(name, false); !messages.empty())
        errors.invalid_each(path.child("name"), name, messages);
    std::string_view name_space = metadata["namespace"].as_string();
    if (request.namespaced) {
        if (name_space.empty())
            errors.required(path.child("namespace"));
        else
            dns1123_label(errors, path.child("namespace"), name_space);
    } else if (!name_space.empty()) {
        errors.forbidden(path.child("namespace"), "not allowed on this type");
    }
    not_negative(errors, path.child("generation"), metadata["generation"]);
    validate_shared(errors, path, metadata);
    validate_finalizers(errors, path.child("finalizers"), metadata["finalizers"]);
    validate_managed_fields(errors, path.child("managedFields"), metadata["managedFields"]);
}

void validate_object_meta(FieldErrors& errors, const Request& request, NameCheck check) {
    validate_plain_object_meta(errors, request, check);
    const FieldPath path("metadata");
    each(request.object["metadata"], "finalizers", path, [&](Value finalizer, const FieldPath& at) {
        std::string_view name = finalizer.as_string();
        if (name.find('/') != std::string_view::npos) return;
        if (name != "kubernetes" && name != "orphan" && name != "foregroundDeletion")
            errors.invalid(at, name, "name is neither a standard finalizer name nor is it fully qualified");
    });
}

void validate_object_meta_update(FieldErrors& errors, const Request& request) {
    const FieldPath path("metadata");
    Value metadata = request.object["metadata"];
    Value old = request.old["metadata"];
    if (old["deletionTimestamp"].is_set()) {
        std::string added;
        for (Value finalizer : metadata["finalizers"].items())
            if (!contains(old["finalizers"], finalizer.as_string())) {
                if (!added.empty()) added += ", ";
                added += go_quoted(finalizer.as_string());
            }
        if (!added.empty())
            errors.forbidden(path.child("finalizers"),
                             "no new finalizers can be added if the object is being deleted, found new "
                             "finalizers []string{" +
                                 added + "}");
    }
    if (metadata["generation"].as_integer() < old["generation"].as_integer())
        errors.invalid(path.child("generation"), metadata["generation"].as_integer(),
                       "must not be decremented");
    auto unchanged = [&](std::string_view name) {
        if (metadata[name].as_string() != old[name].as_string())
            errors.invalid(path.child(name), metadata[name].as_string(), kImmutable);
    };
    unchanged("name");
    unchanged("namespace");
    unchanged("uid");
    for (std::string_view name : {"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"})
        immutable(errors, path.child(name), metadata[name], old[name]);
    validate_shared(errors, path, metadata);
    validate_managed_fields(errors, path.child("managedFields"), metadata["managedFields"]);
}

bool contains(Value list, std::string_view text) {
    auto items = list.items();
    return std::any_of(items.begin(), items.end(), [&](Value item) { return item.as_string() == text; });
}

bool same(Value a, Value b) {
    bool a_none = a.is_unset() || ((a.is_list() || a.is_map()) && a.empty());
    bool b_none = b.is_unset() || ((b.is_list() || b.is_map()) && b.empty());
    if (a_none || b_none) return a_none == b_none;
    return a.equals(b);
}

void not_negative(FieldErrors& errors, const FieldPath& path, Value number) {
    if (number.as_integer() < 0) errors.invalid(path, number.as_integer(), kNotNegative);
}

void immutable(FieldErrors& errors, const FieldPath& path, Value value, Value old, bool map) {
    if (!same(value, old)) errors.invalid(path, map ? BadValue::map(value) : BadValue(value), kImmutable);
}

void one_of(FieldErrors& errors, const FieldPath& path, std::string_view text,
            std::initializer_list<std::string_view> allowed) {
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end())
        errors.not_supported(path, text, allowed);
}

}  // namespace keelson::object::validation
