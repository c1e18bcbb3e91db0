#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

void path_segment(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    if (text.empty()) return errors.required(path);
    if (Messages messages = is_path_segment(text); !messages.empty())
        errors.invalid_each(path, text, messages);
}

void validate_target(FieldErrors& errors, const FieldPath& path, Value reference) {
    path_segment(errors, path.child("kind"), reference["kind"].as_string());
    path_segment(errors, path.child("name"), reference["name"].as_string());
    std::string_view version = reference["apiVersion"].as_string();
    std::size_t slash = version.find('/');
    if (slash != std::string_view::npos && version.find('/', slash + 1) != std::string_view::npos)
        errors.invalid(path.child("apiVersion"), version,
                       "unexpected GroupVersion string: " + std::string(version));
    else if ((slash == std::string_view::npos || slash == 0) &&
             !(reference["kind"].as_string() == "ReplicationController" && version == "v1"))
        errors.invalid(path.child("apiVersion"), version, "apiVersion must specify API group");
}

void validate_metric_target(FieldErrors& errors, const FieldPath& path, Value target) {
    std::string_view type = target["type"].as_string();
    if (type.empty()) errors.required(path.child("type"), "must specify a metric target type");
    if (type != "Utilization" && type != "Value" && type != "AverageValue")
        errors.invalid(path.child("type"), type, "must be either Utilization, Value, or AverageValue");
    for (std::string_view name : {"value", "averageValue"})
        if (Value amount = target[name]; amount.is_set() && quantity_of(amount).sign() != 1)
            errors.invalid(path.child(name), amount.as_string(), "must be positive");
    if (Value percent = target["averageUtilization"]; percent.is_set() && percent.as_integer() < 1)
        errors.invalid(path.child("averageUtilization"), percent.as_integer(), "must be greater than 0");
}

void validate_identifier(FieldErrors& errors, const FieldPath& path, Value metric) {
    std::string_view name = metric["name"].as_string();
    if (name.empty())
        errors.required(path.child("name"), "must specify a metric name");
    else if (Messages messages = is_path_segment(name); !messages.empty())
        errors.invalid_each(path.child("name"), name, messages);
}

void validate_resource_source(FieldErrors& errors, const FieldPath& path, Value source, bool of_container) {
    if (source["name"].empty()) errors.required(path.child("name"), "must specify a resource name");
    if (of_container) {
        if (source["container"].empty())
            errors.required(path.child("container"), "must specify a container");
        else
            dns1123_label(errors, path.child("container"), source["container"].as_string());
    }
    Value target = source["target"];
    validate_metric_target(errors, path.child("target"), target);
    bool percent = target["averageUtilization"].is_set(), value = target["averageValue"].is_set();
    if (!percent && !value)
        errors.required(path.child("target.averageUtilization"),
                        "must set either a target raw value or a target utilization");
    if (percent && value)
        errors.forbidden(path.child("target.averageValue"),
                         "may not set both a target raw value and a target utilization");
}

void validate_source(FieldErrors& errors, const FieldPath& path, std::string_view kind, Value source) {
    Value target = source["target"];
    if (kind == "resource") return validate_resource_source(errors, path, source, false);
    if (kind == "containerResource") return validate_resource_source(errors, path, source, true);
    if (kind == "object") validate_target(errors, path.child("describedObject"), source["describedObject"]);
    validate_identifier(errors, path.child("metric"), source["metric"]);
    validate_metric_target(errors, path.child("target"), target);
    bool value = target["value"].is_set(), average = target["averageValue"].is_set();
    if (kind == "pods" && (!average || quantity_of(target["averageValue"]).sign() != 1))
        errors.required(path.child("target.averageValue"), "must specify a positive target averageValue");
    if (kind == "object" && !value && !average)
        errors.required(path.child("target.averageValue"), "must set either a target value or averageValue");
    if (kind == "external") {
        if (!value && !average)
            errors.required(path.child("target.averageValue"),
                            "must set either a target value for metric or a per-pod target");
        if (value && average)
            errors.forbidden(path.child("target.value"),
                             "may not set both a target value for metric and a per-pod target");
    }
}

void validate_metric(FieldErrors& errors, const FieldPath& path, Value metric) {
    constexpr std::string_view kTypes[] = {"ContainerResource", "External", "Object", "Pods", "Resource"};
    constexpr std::string_view kFields[] = {"containerResource", "external", "object", "pods", "resource"};
    std::string_view type = metric["type"].as_string();
    std::string_view expected;
    for (std::size_t i = 0; i < 5; ++i)
        if (kTypes[i] == type) expected = kFields[i];
    if (type.empty()) errors.required(path.child("type"), "must specify a metric source type");
    if (expected.empty()) errors.not_supported(path.child("type"), type, kTypes);
    int present = 0;
    for (std::string_view name : {"object", "external", "pods", "resource", "containerResource"})
        if (metric[name].is_map() && ++present == 1)
            validate_source(errors, path.child(name), name, metric[name]);
    if (expected.empty())
        errors.not_supported(path.child("type"), type, kTypes);
    else if (!metric[expected].is_map())
        errors.required(path.child(expected), "must populate information for the given metric source");
    if (present == 1) return;
    for (std::string_view name : kFields)
        if (metric[name].is_map() && name != expected)
            errors.forbidden(path.child(name), "must populate the given metric source only");
}

void validate_scaling_rules(FieldErrors& errors, const FieldPath& path, Value rules) {
    if (!rules.is_map()) return;
    if (Value window = rules["stabilizationWindowSeconds"]; window.is_set()) {
        const FieldPath at = path.child("stabilizationWindowSeconds");
        if (window.as_integer() < 0)
            errors.invalid(at, window.as_integer(), "must be greater than or equal to zero");
        if (window.as_integer() > 3600)
            errors.invalid(at, window.as_integer(), "must be less than or equal to 3600");
    }
    if (Value select = rules["selectPolicy"]; select.is_set())
        one_of(errors, path.child("selectPolicy"), select.as_string(), {"Disabled", "Max", "Min"});
    if (rules["policies"].empty())
        errors.required(path.child("policies"), "must specify at least one Policy");
    each(rules, "policies", path, [&](Value policy, const FieldPath& at) {
        one_of(errors, at.child("type"), policy["type"].as_string(), {"Percent", "Pods"});
        if (policy["value"].as_integer() <= 0)
            errors.invalid(at.child("value"), policy["value"].as_integer(), "must be greater than zero");
        std::int64_t period = policy["periodSeconds"].as_integer();
        if (period <= 0) errors.invalid(at.child("periodSeconds"), period, "must be greater than zero");
        if (period > 1800)
            errors.invalid(at.child("periodSeconds"), period, "must be less than or equal to 1800");
    });
    if (Value tolerance = rules["tolerance"]; tolerance.is_set())
        validate_not_negative_quantity(errors, path.child("tolerance"), tolerance);
}

void validate_replicas(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value least = spec["minReplicas"];
    std::int64_t most = spec["maxReplicas"].as_integer();
    if (least.is_set() && least.as_integer() < 1)
        errors.invalid(path.child("minReplicas"), least.as_integer(), "must be greater than or equal to 1");
    if (most == 0)
        errors.required(path.child("maxReplicas"), "must be set and greater than 0");
    else if (most < 1)
        errors.invalid(path.child("maxReplicas"), most, "must be greater than or equal to 1");
    if (least.is_set() && most < least.as_integer())
        errors.invalid(path.child("maxReplicas"), most, "must be greater than or equal to `minReplicas`");
    validate_target(errors, path.child("scaleTargetRef"), spec["scaleTargetRef"]);
}

void check_autoscaler(FieldErrors& errors, const Request& request, bool version_two) {
    const FieldPath path("spec");
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (request.subresource == "status") {
        const FieldPath status("status");
        for (std::string_view name : {"currentReplicas", "desiredReplicas"})
            not_negative(errors, status.child(name), request.object["status"][name]);
        return;
    }
    if (!request.is_update()) validate_object_meta(errors, request, name_is_dns_subdomain);
    Value spec = request.spec();
    validate_replicas(errors, path, spec);
    if (!version_two) {
        if (Value percent = spec["targetCPUUtilizationPercentage"];
            percent.is_set() && percent.as_integer() < 1)
            errors.invalid(path.child("metrics[0].resource.target.averageUtilization"), percent.as_integer(),
                           "must be greater than 0");
        return;
    }
    each(spec, "metrics", path,
         [&](Value metric, const FieldPath& at) { validate_metric(errors, at, metric); });
    Value behavior = spec["behavior"];
    validate_scaling_rules(errors, path.child("behavior.scaleUp"), behavior["scaleUp"]);
    validate_scaling_rules(errors, path.child("behavior.scaleDown"), behavior["scaleDown"]);
}

}  // namespace

void check_horizontal_pod_autoscaler_v1(FieldErrors& errors, const Request& request) {
    check_autoscaler(errors, request, false);
}

void check_horizontal_pod_autoscaler_v2(FieldErrors& errors, const Request& request) {
    check_autoscaler(errors, request, true);
}

void check_scale(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    validate_object_meta(errors, request, name_is_dns_subdomain);
    if (std::int64_t replicas = request.spec()["replicas"].as_integer(); replicas < 0)
        errors.invalid(path.child("replicas"), replicas, kNotNegative);
}

}  // namespace keelson::object::validation
