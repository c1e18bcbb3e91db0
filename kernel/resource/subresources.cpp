#include "kernel/resource/subresources.h"

#include "kernel/object/conform.h"
#include "kernel/object/field_errors.h"
#include "kernel/object/json.h"
#include "kernel/object/managed_fields.h"
#include "kernel/object/selector.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/convert.h"
#include "kernel/resource/decode_body.h"
#include "kernel/resource/errors.h"
#include "kernel/resource/patching.h"
#include "kernel/resource/reviews.h"

namespace keelson::resource {

using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Resource;
using object::Value;

namespace {

bool is_scale(const Call& call) {
    return call.subresource_name() == "scale";
}

bool is_review(const Call& call) {
    return call.resource->group == "authorization.k8s.io" || call.resource->group == "authentication.k8s.io";
}

bool is_stream(const Call& call) {
    std::string_view name = call.subresource_name();
    return name == "log" || name == "exec" || name == "attach" || name == "portforward" || name == "proxy";
}

bool is_legacy_binding(const Call& call) {
    return call.resource->group.empty() && call.resource->name == "bindings";
}

// Objects under which nothing is there must say so before anything else.
Result<void> require_parent(const Verbs& verbs, const Call& call) {
    KEELSON_TRY(auto record,
                verbs.lookup().store().get(key_of(*call.resource, call.namespace_name, call.name)));
    if (!record) return not_found(*call.resource, call.name);
    return base::ok();
}

// Clients know the words: those that read a scale say so, but StatefulSets.
base::Status no_scale(const Call& call) {
    if (call.resource->kind == "StatefulSet") return not_found(*call.resource, call.name);
    base::StatusDetails details;
    details.name = call.name;
    details.kind = std::string(call.resource->name) + "/scale";
    details.group = call.resource->group.empty() ? std::string_view("autoscaling") : call.resource->group;
    return base::Status(base::Reason::not_found,
                        details.kind + "." + details.group + " \"" + call.name + "\" not found")
        .with_details(details);
}

// Logs and streams need the node that a pod runs on.
Result<void> require_host(const Verbs& verbs, const Call& call) {
    if (call.resource->kind != "Pod" || call.subresource_name() == "proxy") return base::ok();
    Arena arena;
    KEELSON_TRY(Value pod, verbs.lookup().get("", "pods", call.namespace_name, call.name, arena));
    if (pod.is_set() && pod["spec"]["nodeName"].as_string().empty())
        return bad_request("pod " + call.name + " does not have a host assigned");
    return base::ok();
}

Status stream_not_available(const Call& call) {
    return not_available("the " + std::string(call.subresource_name()) + " subresource of " +
                         qualified_name(*call.resource) +
                         " is not served: no node agent is running in this cluster");
}

// The last of a pod's conditions of a type is replaced, or one is added.
void set_pod_condition(Value pod, std::string_view type, std::string_view reason, std::string_view message,
                       std::string_view time, Arena& arena) {
    Value status = pod.child_map(arena, "status");
    Value list = Value::list(arena);
    for (Value item : status["conditions"].items())
        if (item["type"].as_string() != type) list.push_back(arena, item);
    Value condition = Value::map(arena);
    condition.set(arena, "type", Value::reference(type));
    condition.set(arena, "status", Value::reference("True"));
    condition.set(arena, "lastTransitionTime", Value::reference(time));
    if (!reason.empty()) condition.set(arena, "reason", Value::reference(reason));
    if (!message.empty()) condition.set(arena, "message", Value::reference(message));
    list.push_back(arena, condition);
    status.set(arena, "conditions", list);
}

Result<void> check_binding(Value binding) {
    object::FieldErrors errors;
    object::FieldPath target("target");
    std::string_view kind = binding["target"]["kind"].as_string();
    if (!kind.empty() && kind != "Node")
        errors.not_supported(target.child("kind"), kind, {"Node", "<empty>"});
    if (binding["target"]["name"].as_string().empty()) errors.required(target.child("name"));
    if (errors.empty()) return base::ok();
    return object::invalid_status("", "Binding", binding["metadata"]["name"].as_string(), errors);
}

// A bound pod says where it runs, so that what runs in it can know
// (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podtopologylabels).
void add_topology_labels(Value binding, Value node, Arena& arena) {
    for (const std::string_view label : {"topology.kubernetes.io/zone", "topology.kubernetes.io/region"})
        if (const Value value = node["metadata"]["labels"][label]; value.is_string())
            binding.child_map(arena, "metadata").child_map(arena, "labels").set(arena, label, value);
}

Result<Change> bound_pod(Value pod, Value binding, std::string_view time, Arena& arena) {
    Value spec = pod.child_map(arena, "spec");
    std::string name = pod["metadata"]["name"].to_string();
    auto refuse = [&](const std::string& why) { return conflict("", "pods/binding", name, why); };
    if (pod["metadata"]["deletionTimestamp"].is_set())
        return refuse("pod " + name + " is being deleted, cannot be assigned to a host");
    if (std::string_view node = spec["nodeName"].as_string(); !node.empty())
        return refuse("pod " + name + " is already assigned to node \"" + std::string(node) + "\"");
    if (!spec["schedulingGates"].empty())
        return refuse("pod " + name + " has non-empty .spec.schedulingGates");
    Value uid = binding["metadata"]["uid"];
    if (!uid.as_string().empty() && !uid.equals(pod["metadata"]["uid"]))
        return refuse("the UID in the precondition (" + uid.to_string() +
                      ") does not match the UID in record (" + pod["metadata"]["uid"].to_string() + ")");
    spec.set(arena, "nodeName", Value::string(arena, binding["target"]["name"].as_string()));
    for (const object::Member& label : binding["metadata"]["labels"].members())
        pod.child_map(arena, "metadata")
            .child_map(arena, "labels")
            .set(arena, arena.copy(label.name), Value::string(arena, label.value.as_string()));
    for (const object::Member& annotation : binding["metadata"]["annotations"].members())
        pod["metadata"]
            .child_map(arena, "annotations")
            .set(arena, arena.copy(annotation.name), Value::string(arena, annotation.value.as_string()));
    set_pod_condition(pod, "PodScheduled", "", "", time, arena);
    return Change{pod, true};
}

Result<void> check_scale(Value scale) {
    std::int64_t replicas = scale["spec"]["replicas"].as_integer();
    if (replicas >= 0) return base::ok();
    object::FieldErrors errors;
    object::FieldPath spec("spec");
    errors.invalid(spec.child("replicas"), replicas, "must be greater than or equal to 0");
    return object::invalid_status("autoscaling", "Scale", scale["metadata"]["name"].as_string(), errors);
}

}  // namespace

ObjectAnswer success_status(int code) {
    return {code, object::find_type("meta/v1.Status"),
            "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",\"code\":" +
                std::to_string(code) + "}"};
}

Value scale_of(const Resource& resource, Value object, Arena& arena) {
    Value metadata = Value::map(arena);
    for (std::string_view name : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"})
        if (Value member = object["metadata"][name]; member.is_set()) metadata.set(arena, name, member);
    Value selector = object["spec"]["selector"];
    std::string text;
    if (resource.kind == "ReplicationController")
        text = object::LabelSelector::from_labels(selector).to_string();
    else if (auto parsed = object::LabelSelector::from_object(selector))
        text = parsed->to_string();
    Value spec = Value::map(arena), status = Value::map(arena);
    Value replicas = object["spec"]["replicas"];
    spec.set(arena, "replicas", Value::integer(replicas.is_integer() ? replicas.as_integer() : 1));
    status.set(arena, "replicas", Value::integer(object["status"]["replicas"].as_integer()));
    status.set(arena, "selector", Value::string(arena, text));
    Value scale = Value::map(arena);
    scale.set(arena, "kind", Value::reference("Scale"));
    scale.set(arena, "apiVersion", Value::reference("autoscaling/v1"));
    scale.set(arena, "metadata", metadata);
    scale.set(arena, "spec", spec);
    scale.set(arena, "status", status);
    return object::canonical(*object::find_type("autoscaling/v1.Scale"), scale, arena);
}

bool Subresources::handles(const Call& call) {
    if (is_review(call) || is_legacy_binding(call)) return true;
    if (!call.subresource) return false;
    std::string_view name = call.subresource_name();
    return is_scale(call) || is_stream(call) || name == "binding" || name == "eviction" || name == "token";
}

Task<Result<ObjectAnswer>> Subresources::get(Call& call) {
    if (is_scale(call)) {
        Arena arena;
        KEELSON_CO_TRY(auto record,
                       verbs_.store().get(key_of(*call.resource, call.namespace_name, call.name)));
        if (!record) co_return no_scale(call);
        KEELSON_CO_TRY(Value object, decode(view(*record), arena));
        co_return ObjectAnswer{200, call.subresource->type,
                               object::to_json(scale_of(*call.resource, object, arena))};
    }
    KEELSON_CO_TRY_VOID(require_parent(verbs_, call));
    KEELSON_CO_TRY_VOID(require_host(verbs_, call));
    co_return stream_not_available(call);
}

Task<Result<ObjectAnswer>> Subresources::create(Call& call, const Body& body, const WriteOptions& options,
                                                Arena& arena) {
    if (is_review(call)) co_return co_await review(call, body, options, arena);
    std::string_view name = call.subresource_name();
    if (name == "binding" || is_legacy_binding(call)) co_return co_await bind(call, body, options, arena);
    if (name == "eviction") co_return co_await evict(call, body, options, arena);
    KEELSON_CO_TRY_VOID(require_parent(verbs_, call));
    if (name == "token") {
        if (!token_issuer_ || !token_issuer_->available())
            co_return not_available("tokens cannot be issued: no service account token issuer is configured");
        co_return co_await create_token(verbs_, *token_issuer_, token_settings_, call, body, options, arena);
    }
    KEELSON_CO_TRY_VOID(require_host(verbs_, call));
    co_return stream_not_available(call);
}

Task<Result<ObjectAnswer>> Subresources::update(Call& call, const Body& body, const WriteOptions& options,
                                                Arena& arena) {
    if (!is_scale(call)) {
        KEELSON_CO_TRY_VOID(require_parent(verbs_, call));
        co_return stream_not_available(call);
    }
    KEELSON_CO_TRY(Value wanted,
                   decode_body(expected_kind(call), body, options.field_validation, call, arena));
    Mutation mutation = [wanted](Value, Arena& scratch) -> Result<Change> {
        return Change{wanted.clone(scratch)};
    };
    co_return co_await change_scale(call, mutation, options);
}

Task<Result<ObjectAnswer>> Subresources::patch(Call& call, PatchType type, const Body& patch,
                                               const WriteOptions& options) {
    if (!is_scale(call)) {
        KEELSON_CO_TRY_VOID(require_parent(verbs_, call));
        co_return stream_not_available(call);
    }
    KEELSON_CO_TRY_VOID(check_patch_document(type, patch.value));
    ExpectedKind expected = expected_kind(call);
    Mutation mutation = [&](Value scale, Arena& arena) {
        return apply_patch(expected, scale, type, patch, options, call, {}, arena.copy(verbs_.now()), arena);
    };
    co_return co_await change_scale(call, mutation, options);
}

// The change is made on the Scale and carried over to the parent's spec.replicas.
Task<Result<ObjectAnswer>> Subresources::change_scale(Call& call, const Mutation& scale_mutation,
                                                      const WriteOptions& options) {
    Mutation mutation = [&](Value parent, Arena& arena) -> Result<Change> {
        Value scale = scale_of(*call.resource, parent, arena);
        KEELSON_TRY(Change changed, scale_mutation(scale, arena));
        KEELSON_TRY_VOID(check_scale(changed.object));
        std::string_view name = changed.object["metadata"]["name"].as_string();
        if (!name.empty() && name != call.name)
            return bad_request("the name of the object (" + std::string(name) +
                               ") does not match the name on the URL (" + call.name + ")");
        Value object = parent.clone(arena);
        object["spec"].set(arena, "replicas",
                           Value::integer(changed.object["spec"]["replicas"].as_integer()));
        Value version = changed.object["metadata"]["resourceVersion"];
        if (version.is_set())
            object["metadata"].set(arena, "resourceVersion", version);
        else
            object["metadata"].erase("resourceVersion");
        object::FieldManager manager{
            options.field_manager.empty() ? "unknown" : std::string_view(options.field_manager),
            object::api_version_of(*call.resource),
            "scale",
            {}};
        object::track_update(*call.resource->type, parent, object, manager, call.resource->reset_main, arena);
        return Change{object, true};
    };
    KEELSON_CO_TRY(ObjectAnswer parent, co_await verbs_.change(call, mutation, options));
    Arena arena;
    KEELSON_CO_TRY(Value object, object::parse_json(parent.json, arena));
    co_return ObjectAnswer{200, call.subresource->type,
                           object::to_json(scale_of(*call.resource, object, arena))};
}

Task<Result<ObjectAnswer>> Subresources::bind(Call& call, const Body& body, const WriteOptions& options,
                                              Arena& arena) {
    ExpectedKind expected{object::find_type("core/v1.Binding"), "", "v1", "Binding"};
    KEELSON_CO_TRY(Value binding, decode_body(expected, body, options.field_validation, call, arena));
    KEELSON_CO_TRY_VOID(check_binding(binding));
    const Resource* pods = object::find_resource("", "v1", "pods");
    Call pod_call = call;
    pod_call.resource = pods;
    pod_call.subresource = pods->subresource("binding");
    if (is_legacy_binding(call)) pod_call.name = binding["metadata"]["name"].to_string();
    KEELSON_CO_TRY(const Value node,
                   verbs_.lookup().get("", "nodes", "", binding["target"]["name"].as_string(), arena));
    add_topology_labels(binding, node, arena);
    Mutation mutation = [&](Value pod, Arena& scratch) {
        return bound_pod(pod, binding, scratch.copy(verbs_.now()), scratch);
    };
    KEELSON_CO_TRY_VOID(co_await verbs_.change(pod_call, mutation, options));
    co_return success_status(201);
}

Task<Result<ObjectAnswer>> Subresources::evict(Call& call, const Body& body, const WriteOptions& options,
                                               Arena& arena) {
    KEELSON_CO_TRY(Value eviction,
                   decode_body(expected_kind(call), body, options.field_validation, call, arena));
    std::string_view name = eviction["metadata"]["name"].as_string();
    if (!name.empty() && name != call.name)
        co_return bad_request("name in URL does not match name in Eviction object");
    DeleteOptions removal;
    removal.dry_run = options.dry_run;
    Value given = eviction["deleteOptions"];
    if (given["gracePeriodSeconds"].is_integer())
        removal.grace_period_seconds = given["gracePeriodSeconds"].as_integer();
    if (given["propagationPolicy"].is_string())
        removal.propagation_policy = given["propagationPolicy"].to_string();
    if (Value uid = given["preconditions"]["uid"]; uid.is_string())
        removal.preconditions.uid = uid.to_string();
    if (Value version = given["preconditions"]["resourceVersion"]; version.is_string())
        removal.preconditions.resource_version = version.to_string();
    for (Value item : given["dryRun"].items()) removal.dry_run = removal.dry_run || item.as_string() == "All";

    KEELSON_CO_TRY(Value pod, verbs_.lookup().get("", "pods", call.namespace_name, call.name, arena));
    if (pod.is_absent()) co_return not_found(*call.resource, call.name);
    std::string_view phase = pod["status"]["phase"].as_string();
    bool needs_no_budget = phase == "Succeeded" || phase == "Failed" || phase == "Pending" ||
                           pod["metadata"]["deletionTimestamp"].is_set();
    if (!needs_no_budget)
        KEELSON_CO_TRY_VOID(co_await spend_disruption_budget(verbs_, call, pod, removal.dry_run));
    Call pod_call = call;
    pod_call.subresource = call.resource->subresource("eviction");
    if (pod["metadata"]["deletionTimestamp"].is_unset()) {
        WriteOptions write;
        write.dry_run = removal.dry_run;
        Mutation mark = [&](Value current, Arena& scratch) -> Result<Change> {
            set_pod_condition(current, "DisruptionTarget", "EvictionByEvictionAPI", "Eviction API: evicting",
                              scratch.copy(verbs_.now()), scratch);
            return Change{current, true};
        };
        KEELSON_CO_TRY_VOID(co_await verbs_.change(pod_call, mark, write, removal.preconditions));
        removal.preconditions.resource_version.reset();
    }
    pod_call.subresource = nullptr;
    KEELSON_CO_TRY_VOID(co_await verbs_.remove(pod_call, removal));
    co_return success_status(201);
}

Task<Result<ObjectAnswer>> Subresources::review(Call& call, const Body& body, const WriteOptions& options,
                                                Arena& arena) {
    KEELSON_CO_TRY(Value object,
                   decode_body(expected_kind(call), body, options.field_validation, call, arena));
    if (call.resource->kind != "SelfSubjectReview") {
        object::FieldManager manager{
            options.field_manager.empty() ? "unknown" : std::string_view(options.field_manager),
            object::api_version_of(*call.resource),
            {},
            arena.copy(verbs_.now())};
        constexpr std::string_view kStatus[] = {"status"};
        object::track_update(*call.resource->type, Value(), object, manager, kStatus, arena);
    }
    std::string_view time = arena.copy(verbs_.now());
    KEELSON_CO_TRY(Value answered,
                   co_await answer_review(call, object, time, authorization_, authentication_, arena));
    co_return ObjectAnswer{201, call.resource->type, object::to_json(answered)};
}

}  // namespace keelson::resource
