#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::size_t kNameMost = 128;
constexpr std::size_t kNoteMost = 1024;
constexpr std::string_view kOtherNamespace = "does not match event.namespace";

void required_short(FieldErrors& errors, std::string_view field, std::string_view text) {
    if (text.empty()) errors.required(FieldPath(field));
    if (text.size() > kNameMost) errors.invalid(FieldPath(field), "", "can have at most 128 characters");
}

// The rules of both API groups; the names of the members differ.
void validate_shared(FieldErrors& errors, const Request& request, bool old_group) {
    Value event = request.object;
    Value about = event[old_group ? "involvedObject" : "regarding"];
    std::string_view own = event.path({"metadata", "namespace"}).as_string();
    std::string_view other = about["namespace"].as_string();
    const FieldPath involved("involvedObject");
    const FieldPath metadata("metadata");
    const FieldPath namespace_path("namespace");
    if (event["eventTime"].is_unset()) {
        bool fits = other.empty() ? own.empty() || own == "default" : own == other;
        if (!fits) errors.invalid(involved.child("namespace"), other, kOtherNamespace);
    } else {
        bool fits = !other.empty() ? true : own == "default" || own == "kube-system";
        if (!fits) errors.invalid(involved.child("namespace"), other, kOtherNamespace);
        std::string_view controller_field = old_group ? "reportingComponent" : "reportingController";
        std::string_view controller = event[controller_field].as_string();
        if (controller.empty()) errors.required(FieldPath(controller_field));
        qualified_name(errors, FieldPath(controller_field), controller);
        required_short(errors, "reportingInstance", event["reportingInstance"].as_string());
        required_short(errors, "action", event["action"].as_string());
        required_short(errors, "reason", event["reason"].as_string());
        if (event[old_group ? "message" : "note"].size() > kNoteMost)
            errors.invalid(FieldPath("message"), "", "can have at most 1024 characters");
    }
    dns1123_subdomain(errors, namespace_path, own);
}

void validate_type(FieldErrors& errors, Value event) {
    std::string_view type = event["type"].as_string();
    if (type != "Normal" && type != "Warning")
        errors.invalid(FieldPath("type"), "", "has invalid value: " + std::string(type));
}

}  // namespace

void check_event(FieldErrors& errors, const Request& request) {
    validate_shared(errors, request, true);
}

void check_events_event(FieldErrors& errors, const Request& request) {
    Value event = request.object;
    validate_shared(errors, request, false);
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    if (Value series = event["series"]; series.is_map()) {
        const FieldPath path("series");
        if (series["count"].as_integer() < 2) errors.invalid(path.child("count"), "", "should be at least 2");
        if (series["lastObservedTime"].is_unset()) errors.required(path.child("lastObservedTime"));
    }
    if (request.is_update()) {
        for (std::string_view name : {"regarding", "reason", "action", "related", "eventTime", "type",
                                      "reportingController", "reportingInstance"}) {
            std::string_view shown = name == "regarding" ? std::string_view("involvedObject") : name;
            if (!same(event[name], request.old[name]))
                errors.invalid(FieldPath(shown), BadValue::go_structure(event[name]), kImmutable);
        }
        return;
    }
    if (event["eventTime"].is_unset()) errors.required(FieldPath("eventTime"));
    validate_type(errors, event);
    if (event["deprecatedFirstTimestamp"].is_set())
        errors.invalid(FieldPath("firstTimestamp"), "", "needs to be unset");
    if (event["deprecatedLastTimestamp"].is_set())
        errors.invalid(FieldPath("lastTimestamp"), "", "needs to be unset");
    if (event["deprecatedCount"].as_integer() != 0)
        errors.invalid(FieldPath("count"), "", "needs to be unset");
    if (!event["deprecatedSource"].empty()) errors.invalid(FieldPath("source"), "", "needs to be unset");
}

}  // namespace keelson::object::validation
