#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kNoMatch = "`selector` does not match template `labels`";

void validate_always(FieldErrors& errors, const FieldPath& path, Value spec, std::string_view kind) {
    if (std::string_view policy = spec["restartPolicy"].as_string(); policy != "Always")
        errors.not_supported(path.child("spec.restartPolicy"), policy, {"Always"});
    if (spec["activeDeadlineSeconds"].is_set())
        errors.forbidden(path.child("spec.activeDeadlineSeconds"),
                         "activeDeadlineSeconds in " + std::string(kind) + " is not Supported");
}

void match_template(FieldErrors& errors, const FieldPath& path, Value selector, Value pod_template) {
    Value labels = pod_template.path({"metadata", "labels"});
    // No selector selects nothing.
    if (selector.is_unset() || !selector_matches(selector, labels))
        errors.invalid(path.child("metadata.labels"), BadValue::map(labels), kNoMatch);
}

void validate_selector(FieldErrors& errors, const FieldPath& path, Value selector, std::string_view kind) {
    if (!selector.is_map()) return errors.required(path);
    validate_label_selector(errors, path, selector);
    if (selector_is_empty(selector))
        errors.invalid(path, selector, "empty selector is invalid for " + std::string(kind));
}

// Of Deployments and ReplicaSets.
void validate_replicated_template(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value selector = spec["selector"], pod_template = spec["template"];
    if (selector.is_map() && !selector_is_valid(selector))
        return errors.invalid(path.child("selector"), selector, "invalid label selector");
    const FieldPath at = path.child("template");
    if (selector.is_unset() || !selector_is_empty(selector))
        match_template(errors, at, selector, pod_template);
    validate_pod_template(errors, at, pod_template);
    validate_always(errors, at, pod_template["spec"], "ReplicaSet");
}

void validate_rolling_deployment(FieldErrors& errors, const FieldPath& path, Value rolling) {
    Value unavailable = rolling["maxUnavailable"], surge = rolling["maxSurge"];
    validate_positive_int_or_percent(errors, path.child("maxUnavailable"), unavailable);
    validate_positive_int_or_percent(errors, path.child("maxSurge"), surge);
    if (int_or_percent_value(unavailable) == 0 && int_or_percent_value(surge) == 0)
        errors.invalid(path.child("maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0");
    validate_not_more_than_100_percent(errors, path.child("maxUnavailable"), unavailable);
}

void validate_deployment_strategy(FieldErrors& errors, const FieldPath& path, Value strategy) {
    std::string_view type = strategy["type"].as_string();
    if (type == "Recreate") {
        if (strategy["rollingUpdate"].is_set())
            errors.forbidden(path.child("rollingUpdate"),
                             "may not be specified when strategy `type` is 'Recreate'");
    } else if (type == "RollingUpdate") {
        if (!strategy["rollingUpdate"].is_map())
            errors.required(path.child("rollingUpdate"), "this should be defaulted and never be nil");
        else
            validate_rolling_deployment(errors, path.child("rollingUpdate"), strategy["rollingUpdate"]);
    } else {
        std::string rolling = BadValue::go_structure(strategy["rollingUpdate"]).text();
        errors.not_supported(
            path, BadValue::raw("{\"Type\":" + go_quoted(type) + ",\"RollingUpdate\":" + rolling + "}"),
            {"Recreate", "RollingUpdate"});
    }
}

void validate_counts(FieldErrors& errors, Value status, std::initializer_list<std::string_view> names) {
    const FieldPath path("status");
    not_negative(errors, path.child("observedGeneration"), status["observedGeneration"]);
    for (std::string_view name : names) not_negative(errors, path.child(name), status[name]);
}

void not_above(FieldErrors& errors, Value status, std::string_view name, std::string_view limit) {
    const FieldPath path("status");
    std::int64_t value = status[name].as_integer();
    if (value > status[limit].as_integer())
        errors.invalid(
            path.child(name), value,
            "cannot be greater than " + std::string(limit == "replicas" ? "status.replicas" : limit));
}

void not_decremented(FieldErrors& errors, const Request& request) {
    const FieldPath path("status");
    Value now = request.object.path({"status", "collisionCount"}),
          old = request.old.path({"status", "collisionCount"});
    if (old.is_set() && (now.is_unset() || now.as_integer() < old.as_integer()))
        errors.invalid(path.child("collisionCount"), now, "cannot be decremented");
}

void validate_daemon_strategy(FieldErrors& errors, const FieldPath& path, Value strategy) {
    std::string_view type = strategy["type"].as_string();
    if (type == "OnDelete") return;
    if (type != "RollingUpdate") {
        std::string rolling = BadValue::go_structure(strategy["rollingUpdate"]).text();
        return errors.not_supported(
            path, BadValue::raw("{\"Type\":" + go_quoted(type) + ",\"RollingUpdate\":" + rolling + "}"),
            {"RollingUpdate", "OnDelete"});
    }
    Value rolling = strategy["rollingUpdate"];
    const FieldPath at = path.child("rollingUpdate");
    if (!rolling.is_map()) return errors.required(at);
    Value unavailable = rolling["maxUnavailable"], surge = rolling["maxSurge"];
    validate_positive_int_or_percent(errors, at.child("maxUnavailable"), unavailable);
    validate_not_more_than_100_percent(errors, at.child("maxUnavailable"), unavailable);
    validate_positive_int_or_percent(errors, at.child("maxSurge"), surge);
    validate_not_more_than_100_percent(errors, at.child("maxSurge"), surge);
    bool has_unavailable = int_or_percent_value(unavailable) != 0,
         has_surge = int_or_percent_value(surge) != 0;
    if (has_unavailable && has_surge)
        errors.invalid(at.child("maxSurge"), surge, "may not be set when maxUnavailable is non-zero");
    if (!has_unavailable && !has_surge)
        errors.required(at.child("maxUnavailable"), "cannot be 0 when maxSurge is 0");
}

void validate_stateful_strategy(FieldErrors& errors, const FieldPath& path, Value strategy) {
    std::string_view type = strategy["type"].as_string();
    Value rolling = strategy["rollingUpdate"];
    const FieldPath at = path.child("rollingUpdate");
    if (type.empty()) return errors.required(path);
    if (type == "OnDelete") {
        if (rolling.is_set())
            errors.invalid(at, BadValue::go_structure(rolling),
                           "only allowed for updateStrategy 'RollingUpdate'");
    } else if (type == "RollingUpdate") {
        not_negative(errors, at.child("partition"), rolling["partition"]);
    } else {
        std::string printed = BadValue::go_structure(rolling).text();
        errors.invalid(path,
                       BadValue::raw("{\"Type\":" + go_quoted(type) + ",\"RollingUpdate\":" + printed + "}"),
                       "must be 'RollingUpdate' or 'OnDelete'");
    }
}

// The template with a volume for each claim: its containers mount them by name.
Value template_with_claims(Value spec, Arena& arena) {
    Value pod_template = spec["template"];
    if (spec["volumeClaimTemplates"].empty()) return pod_template;
    Value copy = pod_template.clone(arena);
    Value pod = copy.child_map(arena, "spec");
    Value volumes = pod["volumes"].is_list() ? pod["volumes"] : Value::list(arena);
    for (Value claim : spec["volumeClaimTemplates"].items()) {
        Value name = claim.path({"metadata", "name"});
        for (std::size_t i = volumes.size(); i-- > 0;)
            if (volumes.at(i)["name"].as_string() == name.as_string()) volumes.remove_at(i);
        Value source = Value::map(arena);
        source.append(arena, "claimName", name);
        Value volume = Value::map(arena);
        volume.append(arena, "name", name);
        volume.append(arena, "persistentVolumeClaim", source);
        volumes.push_back(arena, volume);
    }
    pod.set(arena, "volumes", volumes);
    return copy;
}

void validate_stateful_spec(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    std::string_view management = spec["podManagementPolicy"].as_string();
    if (management.empty())
        errors.required(path.child("podManagementPolicy"));
    else if (management != "OrderedReady" && management != "Parallel")
        errors.invalid(path.child("podManagementPolicy"), management, "must be 'OrderedReady' or 'Parallel'");
    validate_stateful_strategy(errors, path.child("updateStrategy"), spec["updateStrategy"]);
    const FieldPath retention = path.child("persistentVolumeClaimRetentionPolicy");
    if (Value policy = spec["persistentVolumeClaimRetentionPolicy"]; policy.is_map())
        for (std::string_view name : {"whenDeleted", "whenScaled"})
            one_of(errors, retention.child(name), policy[name].as_string(), {"Retain", "Delete"});
    not_negative(errors, path.child("replicas"), spec["replicas"]);
    not_negative(errors, path.child("minReadySeconds"), spec["minReadySeconds"]);
    not_negative(errors, path.child("ordinals.start"), spec.path({"ordinals", "start"}));
    if (std::string_view name = spec["serviceName"].as_string(); !request.is_update() && !name.empty())
        dns1123_label(errors, path.child("serviceName"), name);
    validate_selector(errors, path.child("selector"), spec["selector"], "statefulset");
    Value selector = spec["selector"];
    const FieldPath template_path = path.child("template");
    if (selector.is_map() && !selector_is_valid(selector)) {
        errors.invalid(path.child("selector"), selector, "");
    } else {
        if (selector.is_unset() || !selector_is_empty(selector))
            match_template(errors, template_path, selector, spec["template"]);
        validate_pod_template(errors, template_path, template_with_claims(spec, *request.arena));
    }
    validate_always(errors, template_path, spec.path({"template", "spec"}), "StatefulSet");
    if (request.is_update()) return;
    each(spec, "volumeClaimTemplates", path, [&](Value claim, const FieldPath& at) {
        validate_claim_spec(errors, at.child("spec"), claim["spec"], false);
    });
}

}  // namespace

void check_deployment(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    if (request.subresource == "status") {
        Value status = request.object["status"];
        validate_counts(errors, status,
                        {"replicas", "updatedReplicas", "terminatingReplicas", "readyReplicas",
                         "availableReplicas", "unavailableReplicas", "collisionCount"});
        not_above(errors, status, "updatedReplicas", "replicas");
        not_above(errors, status, "readyReplicas", "replicas");
        not_above(errors, status, "availableReplicas", "replicas");
        not_above(errors, status, "availableReplicas", "readyReplicas");
        return not_decremented(errors, request);
    }
    Value spec = request.spec();
    not_negative(errors, path.child("replicas"), spec["replicas"]);
    validate_selector(errors, path.child("selector"), spec["selector"], "deployment");
    validate_replicated_template(errors, path, spec);
    validate_deployment_strategy(errors, path.child("strategy"), spec["strategy"]);
    not_negative(errors, path.child("minReadySeconds"), spec["minReadySeconds"]);
    not_negative(errors, path.child("revisionHistoryLimit"), spec["revisionHistoryLimit"]);
    if (Value deadline = spec["progressDeadlineSeconds"]; deadline.is_set()) {
        not_negative(errors, path.child("progressDeadlineSeconds"), deadline);
        if (deadline.as_integer() <= spec["minReadySeconds"].as_integer())
            errors.invalid(path.child("progressDeadlineSeconds"), deadline.as_integer(),
                           "must be greater than minReadySeconds");
    }
    if (request.is_update())
        immutable(errors, path.child("selector"), spec["selector"], request.old_spec()["selector"]);
}

// Of ReplicaSets and ReplicationControllers.
void check_replica_counts(FieldErrors& errors, Value status) {
    validate_counts(errors, status,
                    {"replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"});
    not_above(errors, status, "fullyLabeledReplicas", "replicas");
    not_above(errors, status, "readyReplicas", "replicas");
    not_above(errors, status, "availableReplicas", "replicas");
    not_above(errors, status, "availableReplicas", "readyReplicas");
}

void check_replica_set(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    if (request.subresource == "status") return check_replica_counts(errors, request.object["status"]);
    Value spec = request.spec();
    not_negative(errors, path.child("replicas"), spec["replicas"]);
    not_negative(errors, path.child("minReadySeconds"), spec["minReadySeconds"]);
    validate_selector(errors, path.child("selector"), spec["selector"], "deployment");
    validate_replicated_template(errors, path, spec);
    if (request.is_update())
        immutable(errors, path.child("selector"), spec["selector"], request.old_spec()["selector"]);
}

void check_daemon_set(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    if (request.subresource == "status") {
        validate_counts(errors, request.object["status"],
                        {"currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled",
                         "numberReady", "updatedNumberScheduled", "numberAvailable", "numberUnavailable"});
        return not_decremented(errors, request);
    }
    Value spec = request.spec(), selector = spec["selector"];
    const FieldPath template_path = path.child("template");
    validate_label_selector(errors, path.child("selector"), selector);
    Value labels = spec.path({"template", "metadata", "labels"});
    bool matches = selector.is_map() && selector_matches(selector, labels);
    if (!matches && (selector.is_unset() || selector_is_valid(selector)))
        errors.invalid(template_path.child("metadata.labels"), BadValue::map(labels), kNoMatch);
    if (selector.is_map() && selector_is_empty(selector))
        errors.invalid(path.child("selector"), selector, "empty selector is invalid for daemonset");
    validate_pod_template(errors, template_path, spec["template"]);
    validate_always(errors, template_path, spec.path({"template", "spec"}), "DaemonSet");
    not_negative(errors, path.child("minReadySeconds"), spec["minReadySeconds"]);
    validate_daemon_strategy(errors, path.child("updateStrategy"), spec["updateStrategy"]);
    not_negative(errors, path.child("revisionHistoryLimit"), spec["revisionHistoryLimit"]);
    if (request.is_update())
        immutable(errors, path.child("selector"), selector, request.old_spec()["selector"]);
}

void check_stateful_set(FieldErrors& errors, const Request& request) {
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (request.subresource == "status") {
        Value status = request.object["status"];
        validate_counts(errors, status,
                        {"replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "collisionCount",
                         "availableReplicas"});
        for (std::string_view name :
             {"readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"})
            not_above(errors, status, name, "replicas");
        return not_above(errors, status, "availableReplicas", "readyReplicas");
    }
    if (!request.is_update()) validate_object_meta(errors, request, name_is_dns_label);
    validate_stateful_spec(errors, request);
    if (!request.is_update()) return;
    Arena& arena = *request.arena;
    Value munged = request.spec().clone(arena);
    for (std::string_view name :
         {"replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
          "persistentVolumeClaimRetentionPolicy", "minReadySeconds"}) {
        if (Value old = request.old_spec()[name]; old.is_set())
            munged.set(arena, name, old);
        else
            munged.erase(name);
    }
    if (!munged.equals(request.old_spec()))
        errors.forbidden(
            FieldPath("spec"),
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
            "'minReadySeconds' are forbidden");
}

void check_replication_controller(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    if (request.subresource == "status") return check_replica_counts(errors, request.object["status"]);
    Value spec = request.spec(), pod_template = spec["template"];
    not_negative(errors, path.child("minReadySeconds"), spec["minReadySeconds"]);
    if (spec["selector"].empty()) errors.required(path.child("selector"));
    not_negative(errors, path.child("replicas"), spec["replicas"]);
    const FieldPath at = path.child("template");
    if (!pod_template.is_map()) return errors.required(at);
    Value labels = pod_template.path({"metadata", "labels"});
    if (!spec["selector"].empty() && !labels_match(spec["selector"], labels))
        errors.invalid(at.child("metadata.labels"), BadValue::map(labels), kNoMatch);
    validate_pod_template(errors, at, pod_template);
    if (std::string_view policy = pod_template.path({"spec", "restartPolicy"}).as_string();
        policy != "Always")
        errors.not_supported(at.child("spec.restartPolicy"), policy, {"Always"});
    if (pod_template.path({"spec", "activeDeadlineSeconds"}).is_set())
        errors.forbidden(at.child("spec.activeDeadlineSeconds"),
                         "activeDeadlineSeconds in ReplicationController is not Supported");
}

void check_controller_revision(FieldErrors& errors, const Request& request) {
    Value data = request.object["data"];
    if (request.is_update()) validate_object_meta_update(errors, request);
    validate_object_meta(errors, request, name_is_dns_subdomain);
    if (!request.is_update()) {
        if (data.is_unset())
            errors.required(FieldPath("data"), "data is mandatory");
        else if (!data.is_map())
            errors.required(FieldPath("data"), "data must be a valid JSON object");
    }
    not_negative(errors, FieldPath("revision"), request.object["revision"]);
    if (request.is_update()) immutable(errors, FieldPath("data"), data, request.old["data"]);
}

}  // namespace keelson::object::validation
