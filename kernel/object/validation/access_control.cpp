#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kGroup = "rbac.authorization.k8s.io";

void validate_rule(FieldErrors& errors, const FieldPath& path, Value rule, bool namespaced) {
    if (rule["verbs"].empty()) errors.required(path.child("verbs"), "verbs must contain at least one value");
    if (Value urls = rule["nonResourceURLs"]; !urls.empty()) {
        if (namespaced)
            errors.invalid(path.child("nonResourceURLs"), urls,
                           "namespaced rules cannot apply to non-resource URLs");
        if (!rule["apiGroups"].empty() || !rule["resources"].empty() || !rule["resourceNames"].empty())
            errors.invalid(path.child("nonResourceURLs"), urls,
                           "rules cannot apply to both regular resources and non-resource URLs");
        return;
    }
    if (rule["apiGroups"].empty())
        errors.required(path.child("apiGroups"), "resource rules must supply at least one api group");
    if (rule["resources"].empty())
        errors.required(path.child("resources"), "resource rules must supply at least one resource");
}

void validate_subject(FieldErrors& errors, const FieldPath& path, Value subject, bool namespaced) {
    std::string_view kind = subject["kind"].as_string(), name = subject["name"].as_string();
    std::string_view group = subject["apiGroup"].as_string();
    if (name.empty()) errors.required(path.child("name"));
    if (kind == "ServiceAccount") {
        if (!name.empty()) dns1123_subdomain(errors, path.child("name"), name);
        if (!group.empty()) errors.not_supported(path.child("apiGroup"), group, {""});
        if (!namespaced && subject["namespace"].empty()) errors.required(path.child("namespace"));
    } else if (kind == "User" || kind == "Group") {
        if (group != kGroup) errors.not_supported(path.child("apiGroup"), group, {kGroup});
    } else {
        errors.not_supported(path.child("kind"), kind, {"ServiceAccount", "User", "Group"});
    }
}

void validate_rules(FieldErrors& errors, const Request& request, bool namespaced) {
    validate_object_meta(errors, request, name_is_path_segment);
    each(request.object, "rules", FieldPath(),
         [&](Value rule, const FieldPath& at) { validate_rule(errors, at, rule, namespaced); });
}

void check_binding_of(FieldErrors& errors, const Request& request, bool namespaced) {
    const FieldPath path("roleRef");
    Value reference = request.object["roleRef"];
    validate_object_meta(errors, request, name_is_path_segment);
    if (std::string_view group = reference["apiGroup"].as_string(); group != kGroup)
        errors.not_supported(path.child("apiGroup"), group, {kGroup});
    std::string_view kind = reference["kind"].as_string(), name = reference["name"].as_string();
    if (namespaced)
        one_of(errors, path.child("kind"), kind, {"Role", "ClusterRole"});
    else
        one_of(errors, path.child("kind"), kind, {"ClusterRole"});
    if (name.empty())
        errors.required(path.child("name"));
    else if (Messages messages = is_path_segment(name); !messages.empty())
        errors.invalid_each(path.child("name"), name, messages);
    each(request.object, "subjects", FieldPath(),
         [&](Value subject, const FieldPath& at) { validate_subject(errors, at, subject, namespaced); });
    if (!request.is_update()) return;
    validate_object_meta_update(errors, request);
    if (!same(reference, request.old["roleRef"]))
        errors.invalid(path, BadValue::go_structure(reference), "cannot change roleRef");
}

}  // namespace

void check_role(FieldErrors& errors, const Request& request) {
    validate_rules(errors, request, true);
    if (request.is_update()) validate_object_meta_update(errors, request);
}

void check_cluster_role(FieldErrors& errors, const Request& request) {
    validate_rules(errors, request, false);
    if (Value rule = request.object["aggregationRule"]; rule.is_map()) {
        const FieldPath path("aggregationRule");
        if (rule["clusterRoleSelectors"].empty())
            errors.required(path.child("clusterRoleSelectors"),
                            "at least one clusterRoleSelector required if aggregationRule is non-nil");
        each(rule, "clusterRoleSelectors", path,
             [&](Value selector, const FieldPath& at) { validate_label_selector(errors, at, selector); });
    }
    if (request.is_update()) validate_object_meta_update(errors, request);
}

void check_role_binding(FieldErrors& errors, const Request& request) {
    check_binding_of(errors, request, true);
}

void check_cluster_role_binding(FieldErrors& errors, const Request& request) {
    check_binding_of(errors, request, false);
}

}  // namespace keelson::object::validation
