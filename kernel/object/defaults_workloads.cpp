#include "kernel/object/defaults_parts.h"

namespace keelson::object::defaults {

namespace {

// The spec, made when it is missing: its fields have defaults even then.
Value spec_of(Value object, Arena& arena) {
    return object.child_map(arena, "spec");
}

void job_spec(Value spec, Arena& arena) {
    if (spec["completions"].is_unset() && spec["parallelism"].is_unset())
        spec.set(arena, "completions", Value::integer(1));
    set_absent(spec, arena, "parallelism", Value::integer(1));
    set_absent(spec, arena, "backoffLimit",
               Value::integer(spec["backoffLimitPerIndex"].is_set() ? INT32_MAX : 6));
    set_absent(spec, arena, "completionMode", Value::reference("NonIndexed"));
    set_absent(spec, arena, "suspend", Value::boolean(false));
    set_absent(spec, arena, "podReplacementPolicy",
               Value::reference(spec["podFailurePolicy"].is_set() ? "Failed" : "TerminatingOrFailed"));
    set_absent(spec, arena, "manualSelector", Value::boolean(false));
}

void pod_failure_policy(Value spec, Arena& arena) {
    for (Value rule : spec.path({"podFailurePolicy", "rules"}).items())
        for (Value pattern : rule["onPodConditions"].items()) set_text(pattern, arena, "status", "True");
}

Value scaling_policy(Arena& arena, std::string_view type, std::int64_t value) {
    Value policy = Value::map(arena, 3);
    policy.append(arena, "type", Value::reference(type));
    policy.append(arena, "value", Value::integer(value));
    policy.append(arena, "periodSeconds", Value::integer(15));
    return policy;
}

void scaling_rules(Value behavior, Arena& arena, bool up) {
    Value rules = behavior.child_map(arena, up ? "scaleUp" : "scaleDown");
    set_absent(rules, arena, "selectPolicy", Value::reference("Max"));
    if (up) set_absent(rules, arena, "stabilizationWindowSeconds", Value::integer(0));
    if (rules["policies"].is_unset()) {
        Value policies = Value::list(arena, 2);
        if (up) policies.push_back(arena, scaling_policy(arena, "Pods", 4));
        policies.push_back(arena, scaling_policy(arena, "Percent", 100));
        rules.set(arena, "policies", policies);
    }
}

}  // namespace

void deployment(Value object, Arena& arena) {
    Value spec = spec_of(object, arena);
    set_absent(spec, arena, "replicas", Value::integer(1));
    Value strategy = spec.child_map(arena, "strategy");
    set_text(strategy, arena, "type", "RollingUpdate");
    if (strategy["type"].as_string() == "RollingUpdate") {
        Value rolling = strategy.child_map(arena, "rollingUpdate");
        set_absent(rolling, arena, "maxUnavailable", Value::reference("25%"));
        set_absent(rolling, arena, "maxSurge", Value::reference("25%"));
    }
    set_absent(spec, arena, "revisionHistoryLimit", Value::integer(10));
    set_absent(spec, arena, "progressDeadlineSeconds", Value::integer(600));
    pod_template(spec["template"], arena);
}

void daemon_set(Value object, Arena& arena) {
    Value spec = spec_of(object, arena);
    Value strategy = spec.child_map(arena, "updateStrategy");
    set_text(strategy, arena, "type", "RollingUpdate");
    if (strategy["type"].as_string() == "RollingUpdate") {
        Value rolling = strategy.child_map(arena, "rollingUpdate");
        set_absent(rolling, arena, "maxUnavailable", Value::integer(1));
        set_absent(rolling, arena, "maxSurge", Value::integer(0));
    }
    set_absent(spec, arena, "revisionHistoryLimit", Value::integer(10));
    pod_template(spec["template"], arena);
}

void stateful_set(Value object, Arena& arena) {
    Value spec = spec_of(object, arena);
    set_text(spec, arena, "podManagementPolicy", "OrderedReady");
    Value strategy = spec.child_map(arena, "updateStrategy");
    if (strategy["type"].as_string().empty()) {
        strategy.set(arena, "type", Value::reference("RollingUpdate"));
        strategy.child_map(arena, "rollingUpdate");
    }
    if (strategy["type"].as_string() == "RollingUpdate" && strategy["rollingUpdate"].is_map())
        set_absent(strategy["rollingUpdate"], arena, "partition", Value::integer(0));
    Value retention = spec.child_map(arena, "persistentVolumeClaimRetentionPolicy");
    set_text(retention, arena, "whenDeleted", "Retain");
    set_text(retention, arena, "whenScaled", "Retain");
    set_absent(spec, arena, "replicas", Value::integer(1));
    set_absent(spec, arena, "revisionHistoryLimit", Value::integer(10));
    for (Value item : spec["volumeClaimTemplates"].items()) {
        item.set(arena, "apiVersion", Value::reference("v1"));
        item.set(arena, "kind", Value::reference("PersistentVolumeClaim"));
        claim(item, arena);
    }
    pod_template(spec["template"], arena);
}

void replica_set(Value object, Arena& arena) {
    Value spec = spec_of(object, arena);
    set_absent(spec, arena, "replicas", Value::integer(1));
    pod_template(spec["template"], arena);
}

void replication_controller(Value object, Arena& arena) {
    Value spec = spec_of(object, arena);
    Value labels = spec.path({"template", "metadata", "labels"});
    if (!labels.empty()) {
        if (spec["selector"].empty()) spec.set(arena, "selector", labels.clone(arena));
        if (object.path({"metadata", "labels"}).empty())
            object.child_map(arena, "metadata").set(arena, "labels", labels.clone(arena));
    }
    set_absent(spec, arena, "replicas", Value::integer(1));
    pod_template(spec["template"], arena);
}

void job(Value object, Arena& arena) {
    Value spec = spec_of(object, arena);
    job_spec(spec, arena);
    Value labels = spec.path({"template", "metadata", "labels"});
    if (!labels.empty() && object.path({"metadata", "labels"}).empty())
        object.child_map(arena, "metadata").set(arena, "labels", labels.clone(arena));
    pod_failure_policy(spec, arena);
    pod_template(spec["template"], arena);
}

void cron_job(Value object, Arena& arena) {
    Value spec = spec_of(object, arena);
    set_text(spec, arena, "concurrencyPolicy", "Allow");
    set_absent(spec, arena, "suspend", Value::boolean(false));
    set_absent(spec, arena, "successfulJobsHistoryLimit", Value::integer(3));
    set_absent(spec, arena, "failedJobsHistoryLimit", Value::integer(1));
    Value job_template = spec.path({"jobTemplate", "spec"});
    pod_failure_policy(job_template, arena);
    pod_template(job_template["template"], arena);
}

void horizontal_pod_autoscaler_v1(Value object, Arena& arena) {
    set_absent(spec_of(object, arena), arena, "minReplicas", Value::integer(1));
}

void horizontal_pod_autoscaler_v2(Value object, Arena& arena) {
    Value spec = spec_of(object, arena);
    set_absent(spec, arena, "minReplicas", Value::integer(1));
    if (spec["metrics"].empty()) {
        Value target = Value::map(arena, 2);
        target.append(arena, "type", Value::reference("Utilization"));
        target.append(arena, "averageUtilization", Value::integer(80));
        Value resource = Value::map(arena, 2);
        resource.append(arena, "name", Value::reference("cpu"));
        resource.append(arena, "target", target);
        Value metric = Value::map(arena, 2);
        metric.append(arena, "type", Value::reference("Resource"));
        metric.append(arena, "resource", resource);
        Value metrics = Value::list(arena, 1);
        metrics.push_back(arena, metric);
        spec.set(arena, "metrics", metrics);
    }
    if (Value behavior = spec["behavior"]; behavior.is_map()) {
        scaling_rules(behavior, arena, true);
        scaling_rules(behavior, arena, false);
    }
}

}  // namespace keelson::object::defaults
