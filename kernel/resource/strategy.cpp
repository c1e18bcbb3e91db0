#include "kernel/resource/strategy.h"

#include <algorithm>
#include <array>
#include <string>

#include "kernel/base/base64.h"
#include "kernel/object/conform.h"
#include "kernel/object/quantity.h"

namespace keelson::resource {
namespace {

using object::Arena;
using object::Member;
using object::Resource;
using object::Value;

Value text(Arena& arena, std::string_view value) {
    return Value::string(arena, value);
}

Value shallow_copy(Value map, Arena& arena) {
    Value copy = Value::map(arena, map.size());
    for (const Member& member : map.members()) copy.append(arena, member.name, member.value);
    return copy;
}

// Puts back the value that `path` ("status", "metadata.labels") had in old.
void restore(Value object, Value old, std::string_view path, Arena& arena) {
    std::size_t dot = path.find('.');
    if (dot != std::string_view::npos) {
        std::string_view parent = path.substr(0, dot);
        restore(object.child_map(arena, parent), old[parent], path.substr(dot + 1), arena);
        return;
    }
    Value before = old[path];
    if (before.is_absent())
        object.erase(path);
    else
        object.set(arena, path, before);
}

void restore_metadata(Value object, Value old, Arena& arena) {
    for (std::string_view path :
         {"metadata.labels", "metadata.annotations", "metadata.finalizers", "metadata.ownerReferences",
          "metadata.deletionTimestamp", "metadata.generation"})
        restore(object, old, path, arena);
}

void clear_status(const Resource& resource, Value object, Arena& arena) {
    const object::Field* field = resource.type->field("status");
    if (!field) return;
    object.set(arena, "status", object::canonical(*field->type, Value::map(arena), arena));
}

bool list_has(Value list, std::string_view wanted) {
    for (Value item : list.items())
        if (item.as_string() == wanted) return true;
    return false;
}

void set_condition(Value status, std::initializer_list<std::pair<std::string_view, std::string_view>> fields,
                   std::string_view now, Arena& arena) {
    Value conditions = status["conditions"];
    if (!conditions.is_list()) {
        conditions = Value::list(arena);
        status.set(arena, "conditions", conditions);
    }
    Value condition = Value::map(arena);
    for (const auto& [name, value] : fields) condition.set(arena, name, Value::reference(value));
    condition.set(arena, "lastTransitionTime", Value::reference(now));
    conditions.push_back(arena, condition);
}

void prepare_job(Value object, std::string_view uid, Arena& arena) {
    if (object["spec"]["manualSelector"].as_boolean()) return;
    std::string_view name = object["metadata"]["name"].as_string();
    Value spec = object.child_map(arena, "spec");
    Value template_metadata = spec.child_map(arena, "template").child_map(arena, "metadata");
    Value labels = shallow_copy(template_metadata["labels"], arena);
    constexpr std::array<std::string_view, 2> kUidLabels{"batch.kubernetes.io/controller-uid",
                                                         "controller-uid"};
    constexpr std::array<std::string_view, 2> kNameLabels{"batch.kubernetes.io/job-name", "job-name"};
    for (std::string_view label : kUidLabels) labels.set(arena, label, text(arena, uid));
    for (std::string_view label : kNameLabels) labels.set(arena, label, text(arena, name));
    template_metadata.set(arena, "labels", labels);
    Value selector = shallow_copy(spec["selector"], arena);
    Value match = shallow_copy(selector["matchLabels"], arena);
    match.set(arena, kUidLabels[0], text(arena, uid));
    selector.set(arena, "matchLabels", match);
    spec.set(arena, "selector", selector);
    Value metadata = object.child_map(arena, "metadata");
    if (metadata["labels"].empty()) metadata.set(arena, "labels", labels);
}

// Who decides need not say when.
void date_certificate_conditions(Value object, const StrategyContext& context) {
    for (const Value condition : object["status"]["conditions"].items())
        for (const std::string_view name : {"lastUpdateTime", "lastTransitionTime"})
            if (condition[name].as_string().empty())
                condition.set(context.arena, name, text(context.arena, context.now));
}

void prepare_certificate_request(Value object, const StrategyContext& context) {
    Arena& arena = context.arena;
    Value spec = object.child_map(arena, "spec");
    auto put = [&](std::string_view name, std::string_view value) {
        if (value.empty())
            spec.erase(name);
        else
            spec.set(arena, name, text(arena, value));
    };
    put("username", context.identity.user);
    put("uid", context.identity.uid);
    spec.erase("groups");
    if (!context.identity.groups.empty()) {
        Value groups = Value::list(arena);
        for (const std::string& group : context.identity.groups) groups.push_back(arena, text(arena, group));
        spec.set(arena, "groups", groups);
    }
    spec.erase("extra");
    if (!context.identity.extra.empty()) {
        Value extra = Value::map(arena);
        for (const auto& [name, values] : context.identity.extra) {
            Value list = Value::list(arena);
            for (const std::string& value : values) list.push_back(arena, text(arena, value));
            extra.set(arena, arena.copy(name), list);
        }
        spec.set(arena, "extra", extra);
    }
}

void prepare_api_service(Value object, std::string_view now, Arena& arena) {
    if (object["spec"]["service"].is_set()) return;
    set_condition(object.child_map(arena, "status"),
                  {{"type", "Available"},
                   {"status", "True"},
                   {"reason", "Local"},
                   {"message", "Local APIServices are always available"}},
                  now, arena);
}

// The version that a CustomResourceDefinition stores is always among those that it has ever stored.
void record_stored_version(Value object, Arena& arena) {
    Value status = object.child_map(arena, "status");
    Value stored = status["storedVersions"];
    for (Value version : object["spec"]["versions"].items()) {
        if (!version["storage"].as_boolean()) continue;
        if (list_has(stored, version["name"].as_string())) continue;
        Value list = Value::list(arena);
        for (Value known : stored.items()) list.push_back(arena, known);
        list.push_back(arena, version["name"]);
        status.set(arena, "storedVersions", list);
        stored = list;
    }
}

void bump_template_generation(Value object, Value old, Arena& arena) {
    constexpr std::string_view kAnnotation = "deprecated.daemonset.template.generation";
    Value metadata = object.child_map(arena, "metadata");
    Value annotations = shallow_copy(metadata["annotations"], arena);
    std::int64_t generation = 1;
    if (old.is_set()) {
        std::string text_value = old["metadata"]["annotations"][kAnnotation].to_string();
        generation = std::strtoll(text_value.c_str(), nullptr, 10);
        if (!object["spec"]["template"].equals(old["spec"]["template"])) ++generation;
    }
    annotations.set(arena, kAnnotation, text(arena, std::to_string(generation)));
    metadata.set(arena, "annotations", annotations);
}

// Whether anything but the metadata differs.
bool content_differs(Value object, Value old) {
    Arena scratch;
    Value left = shallow_copy(object, scratch), right = shallow_copy(old, scratch);
    left.erase("metadata");
    right.erase("metadata");
    return !left.equals(right);
}

void bump_generation(const Resource& resource, Value object, Value old, Arena& arena) {
    Value metadata = object.child_map(arena, "metadata");
    std::int64_t generation = old["metadata"]["generation"].as_integer();
    bool changed = false;
    for (std::string_view path : resource.generation_fields) {
        if (path == "*") {
            changed = changed || content_differs(object, old);
            continue;
        }
        Value now = object, before = old;
        std::string_view rest = path;
        while (!rest.empty()) {
            std::size_t dot = rest.find('.');
            now = now[rest.substr(0, dot)];
            before = before[rest.substr(0, dot)];
            rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
        }
        bool both_empty = (now.is_unset() || (now.is_map() && now.empty())) &&
                          (before.is_unset() || (before.is_map() && before.empty()));
        changed = changed || (!both_empty && !now.equals(before));
    }
    if (changed) ++generation;
    if (generation == 0)
        metadata.erase("generation");
    else
        metadata.set(arena, "generation", Value::integer(generation));
}

void prepare_kind_create(const Resource& resource, Value object, std::string_view uid,
                         const StrategyContext& context) {
    Arena& arena = context.arena;
    std::string_view kind = resource.kind;
    if (kind == "Pod") {
        Value status = Value::map(arena);
        status.set(arena, "phase", Value::reference("Pending"));
        status.set(arena, "qosClass", Value::reference(pod_qos_class(object["spec"])));
        if (!object["spec"]["schedulingGates"].empty()) {
            set_condition(status,
                          {{"type", "PodScheduled"},
                           {"status", "False"},
                           {"reason", "SchedulingGated"},
                           {"message", "Scheduling is blocked due to non-empty scheduling gates"}},
                          context.now, arena);
        }
        object.set(arena, "status", status);
    } else if (kind == "Namespace") {
        Value spec = object.child_map(arena, "spec");
        Value finalizers = Value::list(arena);
        for (Value item : spec["finalizers"].items()) finalizers.push_back(arena, item);
        if (!list_has(finalizers, "kubernetes")) finalizers.push_back(arena, Value::reference("kubernetes"));
        spec.set(arena, "finalizers", finalizers);
        object.child_map(arena, "status").set(arena, "phase", Value::reference("Active"));
    } else if (kind == "PersistentVolume") {
        Value status = object.child_map(arena, "status");
        status.set(arena, "phase", Value::reference("Pending"));
        status.set(arena, "lastPhaseTransitionTime", Value::reference(context.now));
    } else if (kind == "PersistentVolumeClaim") {
        object.child_map(arena, "status").set(arena, "phase", Value::reference("Pending"));
    } else if (kind == "Job") {
        prepare_job(object, uid, arena);
    } else if (kind == "DaemonSet") {
        bump_template_generation(object, Value(), arena);
    } else if (kind == "CertificateSigningRequest") {
        prepare_certificate_request(object, context);
    } else if (kind == "APIService") {
        prepare_api_service(object, context.now, arena);
    } else if (kind == "CustomResourceDefinition") {
        record_stored_version(object, arena);
    } else if (kind == "LimitRange" && object["metadata"]["name"].as_string().empty()) {
        // The one kind that does not need a name.
        object["metadata"].set(arena, "name", text(arena, uid));
    }
}

// The old spec with the resources and resize policies of the containers in the new one.
Value resized_spec(Value spec, Value old, Arena& arena) {
    Value result = shallow_copy(old, arena);
    for (std::string_view list_name : {"containers", "initContainers"}) {
        Value before = old[list_name];
        if (!before.is_list()) continue;
        Value list = Value::list(arena, before.size());
        for (Value container : before.items()) {
            Value copy = shallow_copy(container, arena);
            for (Value wanted : spec[list_name].items()) {
                if (!wanted["name"].equals(container["name"])) continue;
                for (std::string_view field : {"resources", "resizePolicy"})
                    if (wanted[field].is_set()) copy.set(arena, field, wanted[field]);
            }
            list.push_back(arena, copy);
        }
        result.set(arena, list_name, list);
    }
    if (spec["resources"].is_set()) result.set(arena, "resources", spec["resources"]);
    return result;
}

bool is_zero_quantity(Value quantity) {
    auto parsed = object::Quantity::parse(quantity.as_string());
    return !parsed || parsed->is_zero();
}

}  // namespace

std::string_view pod_qos_class(Value spec) {
    constexpr std::array<std::string_view, 2> kCounted{"cpu", "memory"};
    bool any = false, guaranteed = true;
    auto look = [&](Value resources) {
        for (std::string_view name : kCounted) {
            Value limit = resources["limits"][name], request = resources["requests"][name];
            bool has_limit = limit.is_set() && !is_zero_quantity(limit);
            bool has_request = request.is_set() && !is_zero_quantity(request);
            any = any || has_limit || has_request;
            guaranteed = guaranteed && has_limit && (!request.is_set() || request.equals(limit));
        }
    };
    if (spec["resources"].is_set()) {
        look(spec["resources"]);
    } else {
        for (std::string_view list : {"containers", "initContainers"})
            for (Value container : spec[list].items()) look(container["resources"]);
    }
    if (!any) return "BestEffort";
    return guaranteed ? "Guaranteed" : "Burstable";
}

void apply_storage_defaults(const Resource& resource, Value object, Arena& arena) {
    if (resource.kind == "Namespace" && resource.group.empty()) {
        Value metadata = object.child_map(arena, "metadata");
        std::string_view name = metadata["name"].as_string();
        if (name.empty()) return;
        Value labels = shallow_copy(metadata["labels"], arena);
        labels.set(arena, "kubernetes.io/metadata.name", text(arena, name));
        labels.sort_members();
        metadata.set(arena, "labels", labels);
    } else if (resource.kind == "DaemonSet") {
        constexpr std::string_view kAnnotation = "deprecated.daemonset.template.generation";
        Value metadata = object.child_map(arena, "metadata");
        Value annotations = shallow_copy(metadata["annotations"], arena);
        if (!annotations.has(kAnnotation)) annotations.set(arena, kAnnotation, Value::reference("0"));
        metadata.set(arena, "annotations", annotations);
    } else if (resource.kind == "Secret") {
        Value plain = object["stringData"];
        if (!plain.is_map()) return;
        Value data = shallow_copy(object["data"], arena);
        for (const Member& member : plain.members())
            data.set(arena, member.name, text(arena, base::base64_encode(member.value.as_string())));
        object.set(arena, "data", data);
        object.erase("stringData");
    }
}

void prepare_create(const Resource& resource, Value object, std::string_view uid,
                    const StrategyContext& context) {
    Arena& arena = context.arena;
    Value metadata = object.child_map(arena, "metadata");
    metadata.set(arena, "uid", text(arena, uid));
    metadata.set(arena, "creationTimestamp", Value::reference(context.now));
    metadata.erase("deletionTimestamp");
    metadata.erase("deletionGracePeriodSeconds");
    metadata.erase("selfLink");
    if (resource.tracks_generation && resource.kind != "CSIDriver")
        metadata.set(arena, "generation", Value::integer(1));
    if (resource.create_clears_status) clear_status(resource, object, arena);
    prepare_kind_create(resource, object, uid, context);
}

void prepare_update(const Resource& resource, std::string_view subresource, Value object, Value old,
                    const StrategyContext& context) {
    Arena& arena = context.arena;
    for (std::string_view path : {"metadata.uid", "metadata.creationTimestamp", "metadata.deletionTimestamp",
                                  "metadata.deletionGracePeriodSeconds", "metadata.generation",
                                  "metadata.selfLink", "metadata.generateName"}) {
        bool client_may_not_change = path != "metadata.generateName";
        if (client_may_not_change || object["metadata"]["generateName"].is_absent())
            restore(object, old, path, arena);
    }
    if (subresource == "status") {
        const bool is_certificate = resource.kind == "CertificateSigningRequest";
        if (is_certificate) date_certificate_conditions(object, context);
        for (std::string_view path : resource.reset_status)
            if (is_certificate && path == "status.conditions")
                continue;  // nobody owns them by this way, but a signer says here that it failed
            else if (path == "metadata")
                restore_metadata(object, old, arena);
            else
                restore(object, old, path, arena);
        if (resource.status_keeps_metadata) restore_metadata(object, old, arena);
        // A status update may not even touch fields that the strategy does not name.
        for (const object::Field& field : resource.type->fields)
            if (field.name != "status" && field.name != "metadata" && field.name != "kind" &&
                field.name != "apiVersion" && resource.status_update_keeps_spec)
                restore(object, old, field.name, arena);
    } else if (subresource == "approval") {
        Value conditions = object["status"]["conditions"];
        restore(object, old, "spec", arena);
        Value status = shallow_copy(old["status"], arena);
        if (conditions.is_set()) status.set(arena, "conditions", conditions);
        object.set(arena, "status", status);
        date_certificate_conditions(object, context);
    } else if (subresource == "ephemeralcontainers") {
        Value wanted = object["spec"]["ephemeralContainers"];
        restore_metadata(object, old, arena);
        restore(object, old, "status", arena);
        Value spec = shallow_copy(old["spec"], arena);
        if (wanted.is_set()) spec.set(arena, "ephemeralContainers", wanted);
        object.set(arena, "spec", spec);
    } else if (subresource == "resize") {
        restore_metadata(object, old, arena);
        restore(object, old, "status", arena);
        object.set(arena, "spec", resized_spec(object["spec"], old["spec"], arena));
    } else if (subresource == "finalize") {
        Value finalizers = object["spec"]["finalizers"];
        restore(object, old, "status", arena);
        Value spec = shallow_copy(old["spec"], arena);
        if (finalizers.is_set())
            spec.set(arena, "finalizers", finalizers);
        else
            spec.erase("finalizers");
        object.set(arena, "spec", spec);
    } else {
        if (resource.update_keeps_status) restore(object, old, "status", arena);
        if (resource.kind == "CertificateSigningRequest") restore(object, old, "spec", arena);
        if (resource.kind == "Namespace") restore(object, old, "spec.finalizers", arena);
        if (resource.kind == "DaemonSet") bump_template_generation(object, old, arena);
        if (resource.kind == "CustomResourceDefinition") record_stored_version(object, arena);
    }
    // What a controller reports is no new wish, not even where it may annotate the object on the way.
    if (resource.tracks_generation && subresource != "status") bump_generation(resource, object, old, arena);
}

}  // namespace keelson::resource
