#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

void check_priority_class(FieldErrors& errors, const Request& request) {
    constexpr std::int64_t kUserMost = 1000000000;
    const FieldPath metadata("metadata");
    Value object = request.object;
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        if (object["value"].as_integer() != request.old["value"].as_integer())
            errors.forbidden(FieldPath("value"), "may not be changed in an update.");
        return immutable(errors, FieldPath("preemptionPolicy"), object["preemptionPolicy"],
                         request.old["preemptionPolicy"]);
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    std::string_view name = object.path({"metadata", "name"}).as_string();
    std::int64_t value = object["value"].as_integer();
    if (name.starts_with("system-")) {
        bool critical = (name == "system-node-critical" && value == 2000001000) ||
                        (name == "system-cluster-critical" && value == 2000000000);
        if (!critical)
            errors.forbidden(
                metadata.child("name"),
                "priority class names with 'system-' prefix are reserved for system use only. error: " +
                    std::string(name) + " is not a known system priority class");
    } else if (value > kUserMost) {
        errors.forbidden(FieldPath("value"),
                         "maximum allowed value of a user defined priority is 1000000000");
    }
    if (Value policy = object["preemptionPolicy"]; policy.is_set()) {
        if (policy.empty())
            errors.required(FieldPath("preemptionPolicy"));
        else
            one_of(errors, FieldPath("preemptionPolicy"), policy.as_string(),
                   {"PreemptLowerPriority", "Never"});
    }
}

void check_runtime_class(FieldErrors& errors, const Request& request) {
    Value object = request.object;
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        return immutable(errors, FieldPath("handler"), object["handler"], request.old["handler"]);
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    if (std::string_view handler = object["handler"].as_string(); handler.empty())
        errors.required(FieldPath("handler"));
    else
        dns1123_label(errors, FieldPath("handler"), handler);
    const FieldPath overhead("overhead");
    const FieldPath fixed = overhead.child("podFixed");
    for (const Member& member : object.path({"overhead", "podFixed"}).members()) {
        const FieldPath at = fixed.key(member.name);
        validate_container_resource_name(errors, at, member.name);
        validate_resource_quantity(errors, at, member.name, member.value);
    }
    if (Value scheduling = object["scheduling"]; scheduling.is_map()) {
        const FieldPath path("scheduling");
        validate_labels(errors, path.child("nodeSelector"), scheduling["nodeSelector"]);
        validate_tolerations(errors, path.child("tolerations"), scheduling["tolerations"]);
    }
}

}  // namespace keelson::object::validation
