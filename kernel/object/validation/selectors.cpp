#include <algorithm>
#include <set>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

void validate_label_selector(FieldErrors& errors, const FieldPath& path, Value selector,
                             bool allow_invalid_values) {
    if (!selector.is_map()) return;
    validate_labels(errors, path.child("matchLabels"), selector["matchLabels"]);
    each(selector, "matchExpressions", path, [&](Value expression, const FieldPath& at) {
        std::string_view operation = expression["operator"].as_string();
        Value values = expression["values"];
        if (operation == "In" || operation == "NotIn") {
            if (values.empty())
                errors.required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
        } else if (operation == "Exists" || operation == "DoesNotExist") {
            if (!values.empty())
                errors.forbidden(at.child("values"),
                                 "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
        } else {
            errors.invalid(at.child("operator"), operation, "not a valid selector operator");
        }
        validate_label_key(errors, at.child("key"), expression["key"].as_string());
        if (allow_invalid_values) return;
        each(expression, "values", at, [&](Value value, const FieldPath& value_path) {
            if (Messages messages = is_label_value(value.as_string()); !messages.empty())
                errors.invalid_each(value_path, value.as_string(), messages);
        });
    });
}

bool selector_is_empty(Value selector) {
    return selector["matchLabels"].empty() && selector["matchExpressions"].empty();
}

bool selector_is_valid(Value selector) {
    for (const Member& member : selector["matchLabels"].members())
        if (!is_qualified_name(member.name).empty() || !is_label_value(member.value.as_string()).empty())
            return false;
    for (Value expression : selector["matchExpressions"].items()) {
        std::string_view operation = expression["operator"].as_string();
        Value values = expression["values"];
        bool listed = operation == "In" || operation == "NotIn";
        if (!listed && operation != "Exists" && operation != "DoesNotExist") return false;
        if (listed == values.empty() || !is_qualified_name(expression["key"].as_string()).empty())
            return false;
        for (Value value : values.items())
            if (!is_label_value(value.as_string()).empty()) return false;
    }
    return true;
}

bool labels_match(Value selector, Value labels) {
    for (const Member& member : selector.members()) {
        Value label = labels[member.name];
        if (!label.is_string() || label.as_string() != member.value.as_string()) return false;
    }
    return true;
}

bool selector_matches(Value selector, Value labels) {
    if (!labels_match(selector["matchLabels"], labels)) return false;
    for (Value expression : selector["matchExpressions"].items()) {
        Value label = labels[expression["key"].as_string()];
        std::string_view operation = expression["operator"].as_string();
        bool present = label.is_string();
        bool listed = present && contains(expression["values"], label.as_string());
        if (operation == "In" && !listed) return false;
        if (operation == "NotIn" && listed) return false;
        if (operation == "Exists" && !present) return false;
        if (operation == "DoesNotExist" && present) return false;
    }
    return true;
}

void validate_conditions(FieldErrors& errors, const FieldPath& path, Value conditions) {
    constexpr std::int64_t kReasonMost = 1024;
    constexpr std::int64_t kMessageMost = 32768;
    std::set<std::string_view> seen;
    auto items = conditions.items();
    for (std::size_t i = 0; i < items.size(); ++i) {
        const FieldPath at = path.index(i);
        Value condition = items[i];
        std::string_view type = condition["type"].as_string();
        if (!seen.insert(type).second) errors.duplicate(at.child("type"), type);
        qualified_name(errors, at.child("type"), type);
        one_of(errors, at.child("status"), condition["status"].as_string(), {"False", "True", "Unknown"});
        not_negative(errors, at.child("observedGeneration"), condition["observedGeneration"]);
        if (condition["lastTransitionTime"].is_unset())
            errors.required(at.child("lastTransitionTime"), "must be set");
        std::string_view reason = condition["reason"].as_string();
        if (reason.empty()) {
            errors.required(at.child("reason"), "must be set");
        } else {
            auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
            auto other = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; };
            bool well_formed = letter(reason.front()) && other(reason.back()) &&
                               std::all_of(reason.begin(), reason.end(),
                                           [&](char c) { return other(c) || c == ',' || c == ':'; });
            if (!well_formed)
                errors.invalid(
                    at.child("reason"), reason,
                    "a condition reason must start with alphabetic character, optionally followed by a "
                    "string of alphanumeric characters or '_,:', and must end with an alphanumeric "
                    "character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB', "
                    " or 'ReasonA:ReasonB', regex used for validation is "
                    "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')");
            if (reason.size() > static_cast<std::size_t>(kReasonMost))
                errors.too_long(at.child("reason"), kReasonMost);
        }
        if (condition["message"].size() > static_cast<std::size_t>(kMessageMost))
            errors.too_long(at.child("message"), kMessageMost);
    }
}

void validate_positive_int_or_percent(FieldErrors& errors, const FieldPath& path, Value value) {
    if (value.is_string()) {
        if (Messages messages = is_percent(value.as_string()); !messages.empty())
            errors.invalid_each(path, value.as_string(), messages);
    } else {
        not_negative(errors, path, value);
    }
}

void validate_not_more_than_100_percent(FieldErrors& errors, const FieldPath& path, Value value) {
    if (value.is_string() && percent_value(value.as_string()) > 100)
        errors.invalid(path, value.as_string(), "must not be greater than 100%");
}

std::int64_t int_or_percent_value(Value value) {
    return value.is_string() ? std::max<std::int64_t>(percent_value(value.as_string()), 0)
                             : value.as_integer();
}

}  // namespace keelson::object::validation
