#include "kernel/resource/default_objects.h"

#include "kernel/object/json.h"
#include "kernel/object/schema.h"

namespace keelson::resource {
namespace {

using object::Arena;
using object::Value;

constexpr std::string_view kFlowGroup = "flowcontrol.apiserver.k8s.io";
constexpr std::string_view kFlowManager = "api-priority-and-fairness-config-producer-v1";

Value text(Arena& arena, std::string_view value) {
    return Value::string(arena, value);
}

Value texts(Arena& arena, const std::vector<std::string>& items) {
    Value list = Value::list(arena, items.size());
    for (const std::string& item : items) list.push_back(arena, text(arena, item));
    return list;
}

// {"metadata":{"name":...,"annotations":{"apf.kubernetes.io/autoupdate-spec":"true"}},"spec":...}
std::string flow_document(std::string_view name, Value spec, Arena& arena) {
    Value annotations = Value::map(arena);
    annotations.set(arena, "apf.kubernetes.io/autoupdate-spec", Value::reference("true"));
    Value metadata = Value::map(arena);
    metadata.set(arena, "name", text(arena, name));
    metadata.set(arena, "annotations", annotations);
    Value document = Value::map(arena);
    document.set(arena, "metadata", metadata);
    document.set(arena, "spec", spec);
    return object::to_json(document);
}

Value limited_spec(const access::PriorityLevel& level, Arena& arena) {
    Value response = Value::map(arena);
    response.set(arena, "type", Value::reference(level.queues > 0 ? "Queue" : "Reject"));
    if (level.queues > 0) {
        Value queuing = Value::map(arena);
        queuing.set(arena, "queues", Value::integer(level.queues));
        queuing.set(arena, "handSize", Value::integer(level.hand_size));
        queuing.set(arena, "queueLengthLimit", Value::integer(level.queue_length));
        response.set(arena, "queuing", queuing);
    }
    Value limited = Value::map(arena);
    limited.set(arena, "nominalConcurrencyShares", Value::integer(level.shares));
    limited.set(arena, "limitResponse", response);
    return limited;
}

std::string level_document(const access::PriorityLevel& level) {
    Arena arena;
    Value spec = Value::map(arena);
    spec.set(arena, "type", Value::reference(level.exempt ? "Exempt" : "Limited"));
    if (!level.exempt) spec.set(arena, "limited", limited_spec(level, arena));
    return flow_document(level.name, spec, arena);
}

Value subject(std::string_view kind, std::string_view member, std::string_view name, Arena& arena) {
    Value inner = Value::map(arena);
    inner.set(arena, "name", text(arena, name));
    Value result = Value::map(arena);
    result.set(arena, "kind", Value::reference(kind));
    result.set(arena, member, inner);
    return result;
}

Value rule_value(const access::FlowSchema& schema, const access::FlowSchema::Rule& rule, Arena& arena) {
    Value subjects = Value::list(arena);
    for (const std::string& user : schema.users)
        subjects.push_back(arena, subject("User", "user", user, arena));
    for (const std::string& group : schema.groups)
        subjects.push_back(arena, subject("Group", "group", group, arena));
    Value result = Value::map(arena);
    result.set(arena, "subjects", subjects);
    if (!rule.resources.empty()) {
        Value resources = Value::map(arena);
        resources.set(arena, "verbs", texts(arena, rule.verbs));
        resources.set(arena, "apiGroups", texts(arena, rule.groups));
        resources.set(arena, "resources", texts(arena, rule.resources));
        resources.set(arena, "clusterScope", Value::boolean(true));
        resources.set(arena, "namespaces", texts(arena, {"*"}));
        Value list = Value::list(arena);
        list.push_back(arena, resources);
        result.set(arena, "resourceRules", list);
    }
    if (!rule.paths.empty()) {
        Value paths = Value::map(arena);
        paths.set(arena, "verbs", texts(arena, rule.verbs));
        paths.set(arena, "nonResourceURLs", texts(arena, rule.paths));
        Value list = Value::list(arena);
        list.push_back(arena, paths);
        result.set(arena, "nonResourceRules", list);
    }
    return result;
}

std::string schema_document(const access::FlowSchema& schema) {
    Arena arena;
    Value spec = Value::map(arena);
    spec.child_map(arena, "priorityLevelConfiguration").set(arena, "name", text(arena, schema.level));
    spec.set(arena, "matchingPrecedence", Value::integer(schema.precedence));
    if (schema.flow_by != access::FlowBy::none)
        spec.child_map(arena, "distinguisherMethod")
            .set(arena, "type",
                 Value::reference(schema.flow_by == access::FlowBy::user ? "ByUser" : "ByNamespace"));
    Value rules = Value::list(arena);
    for (const auto& rule : schema.rules) rules.push_back(arena, rule_value(schema, rule, arena));
    spec.set(arena, "rules", rules);
    return flow_document(schema.name, spec, arena);
}

// Where a group stands in discovery order, and its version in the group.
struct Priority {
    std::string_view group;
    std::string_view version;
    int group_minimum;
    int version_priority;
};

constexpr Priority kPriorities[] = {
    {"", "v1", 18000, 1},
    {"admissionregistration.k8s.io", "v1", 16700, 15},
    {"apiextensions.k8s.io", "v1", 16700, 15},
    {"apps", "v1", 17800, 15},
    {"authentication.k8s.io", "v1", 17700, 15},
    {"authorization.k8s.io", "v1", 17600, 15},
    {"autoscaling", "v1", 17500, 15},
    {"autoscaling", "v2", 17500, 30},
    {"batch", "v1", 17400, 15},
    {"certificates.k8s.io", "v1", 17300, 15},
    {"coordination.k8s.io", "v1", 16500, 15},
    {"discovery.k8s.io", "v1", 16200, 15},
    {"events.k8s.io", "v1", 17750, 15},
    {"flowcontrol.apiserver.k8s.io", "v1", 16100, 21},
    {"networking.k8s.io", "v1", 17200, 15},
    {"node.k8s.io", "v1", 16300, 15},
    {"policy", "v1", 17100, 15},
    {"rbac.authorization.k8s.io", "v1", 17000, 15},
    {"resource.k8s.io", "v1", 16200, 15},
    {"scheduling.k8s.io", "v1", 16600, 15},
    {"storage.k8s.io", "v1", 16800, 15},
};

std::string service_document(const Priority& priority) {
    Arena arena;
    Value metadata = Value::map(arena);
    metadata.set(arena, "name",
                 text(arena, std::string(priority.version) + "." + std::string(priority.group)));
    metadata.child_map(arena, "labels")
        .set(arena, "kube-aggregator.kubernetes.io/automanaged", Value::reference("onstart"));
    Value spec = Value::map(arena);
    if (!priority.group.empty()) spec.set(arena, "group", Value::reference(priority.group));
    spec.set(arena, "version", Value::reference(priority.version));
    spec.set(arena, "groupPriorityMinimum", Value::integer(priority.group_minimum));
    spec.set(arena, "versionPriority", Value::integer(priority.version_priority));
    Value document = Value::map(arena);
    document.set(arena, "metadata", metadata);
    document.set(arena, "spec", spec);
    return object::to_json(document);
}

}  // namespace

std::vector<DefaultObject> flow_control_objects(const access::FlowControlOptions& options) {
    std::vector<DefaultObject> objects;
    for (const access::PriorityLevel& level : options.levels)
        objects.push_back({kFlowGroup, "prioritylevelconfigurations", kFlowManager, level_document(level)});
    for (const access::FlowSchema& schema : options.schemas)
        objects.push_back({kFlowGroup, "flowschemas", kFlowManager, schema_document(schema)});
    return objects;
}

std::vector<DefaultObject> api_service_objects() {
    std::vector<DefaultObject> objects;
    for (const Priority& priority : kPriorities)
        if (object::is_known_group_version(priority.group, priority.version))
            objects.push_back(
                {"apiregistration.k8s.io", "apiservices", "kube-apiserver", service_document(priority)});
    return objects;
}

}  // namespace keelson::resource
