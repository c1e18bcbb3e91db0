#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

void validate_attributes(FieldErrors& errors, Value spec) {
    const FieldPath path("spec");
    bool resource = spec["resourceAttributes"].is_set(), other = spec["nonResourceAttributes"].is_set();
    if (resource && other)
        errors.invalid(path.child("nonResourceAttributes"),
                       BadValue::go_structure(spec["nonResourceAttributes"]),
                       "cannot be specified in combination with resourceAttributes");
    if (!resource && !other)
        errors.invalid(path.child("resourceAttributes"), Value(),
                       "exactly one of nonResourceAttributes or resourceAttributes must be specified");
}

void validate_user(FieldErrors& errors, Value spec) {
    const FieldPath path("spec");
    if (spec["user"].empty() && spec["groups"].empty())
        errors.invalid(path.child("user"), spec["user"].as_string(),
                       "at least one of user or group must be specified");
}

}  // namespace

void check_token_request(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    std::int64_t seconds = request.spec()["expirationSeconds"].as_integer();
    if (seconds < 600)
        errors.invalid(path.child("expirationSeconds"), seconds,
                       "may not specify a duration less than 10 minutes");
    if (seconds > (std::int64_t{1} << 32))
        errors.invalid(path.child("expirationSeconds"), seconds,
                       "may not specify a duration larger than 2^32 seconds");
}

void check_subject_access_review(FieldErrors& errors, const Request& request) {
    validate_attributes(errors, request.spec());
    validate_user(errors, request.spec());
}

void check_self_subject_access_review(FieldErrors& errors, const Request& request) {
    validate_attributes(errors, request.spec());
}

void check_local_subject_access_review(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    validate_attributes(errors, spec);
    validate_user(errors, spec);
    Value resource = spec["resourceAttributes"];
    std::string_view own = request.object.path({"metadata", "namespace"}).as_string();
    if (resource.is_set() && resource["namespace"].as_string() != own)
        errors.invalid(path.child("resourceAttributes.namespace"), resource["namespace"].as_string(),
                       "must match metadata.namespace");
    if (spec["nonResourceAttributes"].is_set())
        errors.invalid(path.child("nonResourceAttributes"),
                       BadValue::go_structure(spec["nonResourceAttributes"]),
                       "disallowed on this kind of request");
}

}  // namespace keelson::object::validation
