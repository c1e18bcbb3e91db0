// Admission steps that complete pods: service account, priority, tolerations, runtime class.
#include <algorithm>

#include "kernel/resource/admission/admission.h"
#include "kernel/resource/errors.h"

namespace keelson::resource::admission {
namespace {

using base::Result;
using object::Arena;
using object::Value;

constexpr std::string_view kMirrorAnnotation = "kubernetes.io/config.mirror";
constexpr std::string_view kTokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::int64_t kTokenExpirationSeconds = 3607;
constexpr std::int64_t kDefaultTolerationSeconds = 300;

Value make(Arena& arena, std::initializer_list<std::pair<std::string_view, Value>> members) {
    Value result = Value::map(arena, members.size());
    for (const auto& [name, value] : members) result.append(arena, name, value);
    return result;
}

Value text(std::string_view literal) {
    return Value::reference(literal);
}

Value list_of(Arena& arena, std::initializer_list<Value> items) {
    Value result = Value::list(arena, items.size());
    for (Value item : items) result.push_back(arena, item);
    return result;
}

Value child_list(Value map, std::string_view name, Arena& arena) {
    Value list = map[name];
    if (!list.is_list()) {
        list = Value::list(arena);
        map.set(arena, name, list);
    }
    return list;
}

Value token_volume(std::string_view name, Arena& arena) {
    Value token = make(arena, {{"serviceAccountToken",
                                make(arena, {{"expirationSeconds", Value::integer(kTokenExpirationSeconds)},
                                             {"path", text("token")}})}});
    Value item = make(arena, {{"key", text("ca.crt")}, {"path", text("ca.crt")}});
    Value certificate =
        make(arena, {{"configMap",
                      make(arena, {{"name", text("kube-root-ca.crt")}, {"items", list_of(arena, {item})}})}});
    Value field = make(arena, {{"apiVersion", text("v1")}, {"fieldPath", text("metadata.namespace")}});
    Value file = make(arena, {{"path", text("namespace")}, {"fieldRef", field}});
    Value downward = make(arena, {{"downwardAPI", make(arena, {{"items", list_of(arena, {file})}})}});
    Value projected = make(arena, {{"sources", list_of(arena, {token, certificate, downward})},
                                   {"defaultMode", Value::integer(0644)}});
    return make(arena, {{"name", text(name)}, {"projected", projected}});
}

bool mounts_path(Value container, std::string_view path) {
    for (Value mount : container["volumeMounts"].items())
        if (mount["mountPath"].as_string() == path) return true;
    return false;
}

void mount_token(Value spec, base::RandomSource& random, Arena& arena) {
    std::string_view volume_name;
    bool present = false;
    for (Value volume : spec["volumes"].items())
        if (volume["name"].as_string().starts_with("kube-api-access-") && volume["projected"].is_set()) {
            volume_name = volume["name"].as_string();
            present = true;
        }
    if (!present) volume_name = arena.join("kube-api-access-", base::make_random_suffix(5, random));
    bool used = false;
    for (std::string_view list : {"initContainers", "containers"}) {
        for (Value container : spec[list].items()) {
            if (mounts_path(container, kTokenPath)) continue;
            used = true;
            child_list(container, "volumeMounts", arena)
                .push_back(arena, make(arena, {{"name", text(volume_name)},
                                               {"readOnly", Value::boolean(true)},
                                               {"mountPath", text(kTokenPath)}}));
        }
    }
    if (used && !present)
        child_list(spec, "volumes", arena).push_back(arena, token_volume(volume_name, arena));
}

bool tolerates(Value tolerations, std::string_view key) {
    for (Value toleration : tolerations.items()) {
        std::string_view effect = toleration["effect"].as_string();
        std::string_view its_key = toleration["key"].as_string();
        if ((its_key == key || its_key.empty()) && (effect == "NoExecute" || effect.empty())) return true;
    }
    return false;
}

}  // namespace

Result<void> service_account(const AdmissionRequest& request) {
    if (!request.creates("", "pods")) return base::ok();
    Arena& arena = request.arena;
    Value object = request.object;
    if (object["metadata"]["annotations"].has(kMirrorAnnotation)) return base::ok();
    Value spec = object["spec"];
    if (spec["serviceAccountName"].as_string().empty())
        spec.set(arena, "serviceAccountName", text("default"));
    std::string_view account_name = spec["serviceAccountName"].as_string();
    spec.set(arena, "serviceAccount", text(account_name));
    KEELSON_TRY(Value account,
                request.lookup.get("", "serviceaccounts", request.call.namespace_name, account_name, arena));
    if (account.is_absent())
        return forbidden(*request.call.resource, object["metadata"]["name"].as_string(),
                         "error looking up service account " + request.call.namespace_name + "/" +
                             std::string(account_name) + ": serviceaccount \"" + std::string(account_name) +
                             "\" not found");
    bool automount = true;
    if (account["automountServiceAccountToken"].is_boolean())
        automount = account["automountServiceAccountToken"].as_boolean();
    if (spec["automountServiceAccountToken"].is_boolean())
        automount = spec["automountServiceAccountToken"].as_boolean();
    if (automount) mount_token(spec, request.random, arena);
    if (spec["imagePullSecrets"].empty() && !account["imagePullSecrets"].empty())
        spec.set(arena, "imagePullSecrets", account["imagePullSecrets"].clone(arena));
    return base::ok();
}

Result<void> priority(const AdmissionRequest& request) {
    if (!request.is("", "pods") || request.operation == Operation::remove) return base::ok();
    Arena& arena = request.arena;
    Value object = request.object;
    Value spec = object["spec"];
    if (request.operation == Operation::update) {
        // What was set on creation stays when an update does not mention it.
        for (std::string_view name : {"priority", "preemptionPolicy"})
            if (spec[name].is_unset() && request.old["spec"][name].is_set())
                spec.set(arena, name, request.old["spec"][name]);
        return base::ok();
    }
    std::string_view class_name = spec["priorityClassName"].as_string();
    std::int64_t value = 0;
    std::string_view policy = "PreemptLowerPriority";
    Value chosen;
    if (class_name.empty()) {
        KEELSON_TRY_VOID(
            request.lookup.each("scheduling.k8s.io", "priorityclasses", "", arena, [&](Value candidate) {
                bool better =
                    chosen.is_absent() || candidate["value"].as_integer() < chosen["value"].as_integer();
                if (candidate["globalDefault"].as_boolean() && better) chosen = candidate;
            }));
        if (chosen.is_set()) spec.set(arena, "priorityClassName", chosen["metadata"]["name"]);
    } else {
        KEELSON_TRY(chosen,
                    request.lookup.get("scheduling.k8s.io", "priorityclasses", "", class_name, arena));
        if (chosen.is_absent())
            return forbidden(*request.call.resource, object["metadata"]["name"].as_string(),
                             "no PriorityClass with name " + std::string(class_name) + " was found");
    }
    if (chosen.is_set()) {
        value = chosen["value"].as_integer();
        if (chosen["preemptionPolicy"].is_string()) policy = chosen["preemptionPolicy"].as_string();
    }
    if (spec["priority"].is_integer() && spec["priority"].as_integer() != value)
        return forbidden(*request.call.resource, object["metadata"]["name"].as_string(),
                         "the integer value of priority (" + std::to_string(spec["priority"].as_integer()) +
                             ") must not be provided in pod spec; priority admission controller computed " +
                             std::to_string(value) + " from the given PriorityClass name");
    spec.set(arena, "priority", Value::integer(value));
    if (spec["preemptionPolicy"].is_string() && spec["preemptionPolicy"].as_string() != policy)
        return forbidden(*request.call.resource, object["metadata"]["name"].as_string(),
                         "the string value of PreemptionPolicy (" + spec["preemptionPolicy"].to_string() +
                             ") must not be provided in pod spec; priority admission controller computed " +
                             std::string(policy) + " from the given PriorityClass name");
    spec.set(arena, "preemptionPolicy", Value::string(arena, policy));
    return base::ok();
}

Result<void> default_toleration_seconds(const AdmissionRequest& request) {
    if (!request.is("", "pods") || request.operation == Operation::remove) return base::ok();
    Arena& arena = request.arena;
    Value spec = request.object["spec"];
    for (std::string_view key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
        if (tolerates(spec["tolerations"], key)) continue;
        child_list(spec, "tolerations", arena)
            .push_back(arena,
                       make(arena, {{"key", text(key)},
                                    {"operator", text("Exists")},
                                    {"effect", text("NoExecute")},
                                    {"tolerationSeconds", Value::integer(kDefaultTolerationSeconds)}}));
    }
    return base::ok();
}

Result<void> runtime_class(const AdmissionRequest& request) {
    if (!request.creates("", "pods")) return base::ok();
    Arena& arena = request.arena;
    Value spec = request.object["spec"];
    std::string_view name = spec["runtimeClassName"].as_string();
    if (name.empty()) return base::ok();
    std::string_view pod_name = request.object["metadata"]["name"].as_string();
    KEELSON_TRY(Value runtime, request.lookup.get("node.k8s.io", "runtimeclasses", "", name, arena));
    if (runtime.is_absent())
        return forbidden(*request.call.resource, pod_name,
                         "pod rejected: RuntimeClass \"" + std::string(name) + "\" not found");
    Value overhead = runtime["overhead"]["podFixed"];
    if (overhead.is_map()) {
        if (spec["overhead"].is_set() && !spec["overhead"].equals(overhead))
            return forbidden(*request.call.resource, pod_name,
                             "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
        spec.set(arena, "overhead", overhead.clone(arena));
    }
    Value scheduling = runtime["scheduling"];
    for (const object::Member& label : scheduling["nodeSelector"].members()) {
        Value selector = spec.child_map(arena, "nodeSelector");
        Value existing = selector[label.name];
        if (existing.is_set() && !existing.equals(label.value))
            return forbidden(*request.call.resource, pod_name,
                             "conflict: runtimeClass.scheduling.nodeSelector[" + std::string(label.name) +
                                 "] = " + label.value.to_string() + "; pod.spec.nodeSelector[" +
                                 std::string(label.name) + "] = " + existing.to_string());
        selector.set(arena, label.name, label.value);
    }
    for (Value toleration : scheduling["tolerations"].items()) {
        Value list = child_list(spec, "tolerations", arena);
        bool known = std::ranges::any_of(list.items(), [&](Value item) { return item.equals(toleration); });
        if (!known) list.push_back(arena, toleration.clone(arena));
    }
    return base::ok();
}

}  // namespace keelson::resource::admission
