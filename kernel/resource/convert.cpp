#include "kernel/resource/convert.h"

#include <array>

#include "kernel/object/conform.h"
#include "kernel/object/json.h"

namespace keelson::resource {
namespace {

using object::Arena;
using object::Member;
using object::Resource;
using object::Value;

struct Rename {
    std::string_view core;
    std::string_view events;
};

constexpr std::array<Rename, 8> kEventFields{{{"involvedObject", "regarding"},
                                              {"message", "note"},
                                              {"source", "deprecatedSource"},
                                              {"firstTimestamp", "deprecatedFirstTimestamp"},
                                              {"lastTimestamp", "deprecatedLastTimestamp"},
                                              {"count", "deprecatedCount"},
                                              {"reportingComponent", "reportingController"},
                                              {"reportingInstance", "reportingInstance"}}};

Value rename_event(Value event, bool to_core, Arena& arena) {
    Value result = Value::map(arena, event.size());
    for (const Member& member : event.members()) {
        std::string_view name = member.name;
        for (const Rename& row : kEventFields)
            if (name == (to_core ? row.events : row.core)) {
                name = to_core ? row.core : row.events;
                break;
            }
        result.append(arena, name, member.value);
    }
    return result;
}

constexpr std::string_view kMetricsAnnotation = "autoscaling.alpha.kubernetes.io/metrics";
constexpr std::string_view kCurrentMetricsAnnotation = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr std::string_view kConditionsAnnotation = "autoscaling.alpha.kubernetes.io/conditions";
constexpr std::string_view kBehaviorAnnotation = "autoscaling.alpha.kubernetes.io/behavior";

bool is_cpu_utilization(Value metric, std::string_view detail) {
    return metric["type"].as_string() == "Resource" && metric["resource"]["name"].as_string() == "cpu" &&
           metric["resource"][detail]["averageUtilization"].is_set();
}

Value shallow_copy(Value map, Arena& arena) {
    Value copy = Value::map(arena, map.size());
    for (const Member& member : map.members()) copy.append(arena, member.name, member.value);
    return copy;
}

// What v2 says and v1 has no field for travels in annotations.
void put_annotation(Value object, std::string_view name, Value value, Arena& arena) {
    Value metadata = object.child_map(arena, "metadata");
    Value annotations = shallow_copy(metadata["annotations"], arena);
    annotations.set(arena, name, Value::string(arena, object::to_json(value)));
    metadata.set(arena, "annotations", annotations);
}

Value take_annotation(Value object, std::string_view name, Arena& arena) {
    Value metadata = object["metadata"];
    Value text = metadata["annotations"][name];
    if (!text.is_string()) return Value();
    Value annotations = shallow_copy(metadata["annotations"], arena);
    annotations.erase(name);
    metadata.set(arena, "annotations", annotations);
    auto parsed = object::parse_json(text.as_string(), arena);
    return parsed ? *parsed : Value();
}

Value autoscaler_to_v1(Value object, Arena& arena) {
    Value result = shallow_copy(object, arena);
    result.set(arena, "metadata", shallow_copy(object["metadata"], arena));
    Value spec = shallow_copy(object["spec"], arena);
    result.set(arena, "spec", spec);
    Value rest = Value::list(arena);
    for (Value metric : spec["metrics"].items()) {
        if (is_cpu_utilization(metric, "target"))
            spec.set(arena, "targetCPUUtilizationPercentage",
                     metric["resource"]["target"]["averageUtilization"]);
        else
            rest.push_back(arena, metric);
    }
    spec.erase("metrics");
    if (!rest.empty()) put_annotation(result, kMetricsAnnotation, rest, arena);
    if (Value behavior = spec["behavior"]; behavior.is_set()) {
        put_annotation(result, kBehaviorAnnotation, behavior, arena);
        spec.erase("behavior");
    }
    Value status = shallow_copy(object["status"], arena);
    result.set(arena, "status", status);
    Value current = Value::list(arena);
    for (Value metric : status["currentMetrics"].items()) {
        if (is_cpu_utilization(metric, "current"))
            status.set(arena, "currentCPUUtilizationPercentage",
                       metric["resource"]["current"]["averageUtilization"]);
        else
            current.push_back(arena, metric);
    }
    status.erase("currentMetrics");
    if (!current.empty()) put_annotation(result, kCurrentMetricsAnnotation, current, arena);
    if (Value conditions = status["conditions"]; !conditions.empty())
        put_annotation(result, kConditionsAnnotation, conditions, arena);
    status.erase("conditions");
    return result;
}

Value cpu_metric(Value utilization, std::string_view detail, Arena& arena) {
    Value target = Value::map(arena);
    if (detail == "target") target.set(arena, "type", Value::reference("Utilization"));
    target.set(arena, "averageUtilization", utilization);
    Value resource = Value::map(arena);
    resource.set(arena, "name", Value::reference("cpu"));
    resource.set(arena, detail, target);
    Value metric = Value::map(arena);
    metric.set(arena, "type", Value::reference("Resource"));
    metric.set(arena, "resource", resource);
    return metric;
}

Value autoscaler_to_v2(Value object, Arena& arena) {
    Value result = shallow_copy(object, arena);
    result.set(arena, "metadata", shallow_copy(object["metadata"], arena));
    Value spec = shallow_copy(object["spec"], arena);
    result.set(arena, "spec", spec);
    Value metrics = Value::list(arena);
    for (Value metric : take_annotation(result, kMetricsAnnotation, arena).items())
        metrics.push_back(arena, metric);
    if (Value percentage = spec["targetCPUUtilizationPercentage"]; percentage.is_set())
        metrics.push_back(arena, cpu_metric(percentage, "target", arena));
    spec.erase("targetCPUUtilizationPercentage");
    if (!metrics.empty()) spec.set(arena, "metrics", metrics);
    if (Value behavior = take_annotation(result, kBehaviorAnnotation, arena); behavior.is_set())
        spec.set(arena, "behavior", behavior);
    Value status = shallow_copy(object["status"], arena);
    result.set(arena, "status", status);
    Value current = Value::list(arena);
    for (Value metric : take_annotation(result, kCurrentMetricsAnnotation, arena).items())
        current.push_back(arena, metric);
    if (Value percentage = status["currentCPUUtilizationPercentage"]; percentage.is_set())
        current.push_back(arena, cpu_metric(percentage, "current", arena));
    status.erase("currentCPUUtilizationPercentage");
    if (!current.empty()) status.set(arena, "currentMetrics", current);
    if (Value conditions = take_annotation(result, kConditionsAnnotation, arena); conditions.is_set())
        status.set(arena, "conditions", conditions);
    return result;
}

}  // namespace

base::Result<Value> convert(const Resource& from, const Resource& to, Value object, Arena& arena) {
    Value result = object;
    if (from.index != to.index) {
        if (from.kind == "Event")
            result = rename_event(object, to.group.empty(), arena);
        else if (to.version == "v1")
            result = autoscaler_to_v1(object, arena);
        else
            result = autoscaler_to_v2(object, arena);
        result.set(arena, "kind", Value::reference(to.kind));
        result.set(arena, "apiVersion", Value::reference(object::api_version_of(to)));
        return object::conform(*to.type, result, arena);
    }
    return result;
}

}  // namespace keelson::resource
