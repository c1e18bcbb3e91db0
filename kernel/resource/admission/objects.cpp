// Admission steps for kinds other than pods: nodes, storage, ingress.
#include <algorithm>

#include "kernel/resource/admission/admission.h"
#include "kernel/resource/errors.h"

namespace keelson::resource::admission {
namespace {

using base::Result;
using object::Arena;
using object::Value;

bool is_default_class(Value candidate, std::string_view annotation) {
    return candidate["metadata"]["annotations"][annotation].as_string() == "true";
}

}  // namespace

Result<void> taint_new_nodes(const AdmissionRequest& request) {
    if (!request.creates("", "nodes")) return base::ok();
    constexpr std::string_view kKey = "node.kubernetes.io/not-ready";
    Arena& arena = request.arena;
    Value spec = request.object.child_map(arena, "spec");
    for (Value taint : spec["taints"].items())
        if (taint["key"].as_string() == kKey && taint["effect"].as_string() == "NoSchedule")
            return base::ok();
    Value taints = spec["taints"];
    if (!taints.is_list()) {
        taints = Value::list(arena);
        spec.set(arena, "taints", taints);
    }
    Value taint = Value::map(arena);
    taint.set(arena, "key", Value::reference(kKey));
    taint.set(arena, "effect", Value::reference("NoSchedule"));
    taints.push_back(arena, taint);
    return base::ok();
}

Result<void> default_storage_class(const AdmissionRequest& request) {
    if (!request.creates("", "persistentvolumeclaims")) return base::ok();
    Value spec = request.object["spec"];
    bool asks = spec["storageClassName"].is_string() ||
                request.object["metadata"]["annotations"].has("volume.beta.kubernetes.io/storage-class");
    if (asks) return base::ok();
    Value chosen;
    KEELSON_TRY_VOID(
        request.lookup.each("storage.k8s.io", "storageclasses", "", request.arena, [&](Value candidate) {
            if (!is_default_class(candidate, "storageclass.kubernetes.io/is-default-class") &&
                !is_default_class(candidate, "storageclass.beta.kubernetes.io/is-default-class"))
                return;
            // The youngest default wins, then the first by name.
            if (chosen.is_absent() || candidate["metadata"]["creationTimestamp"].as_string() >
                                          chosen["metadata"]["creationTimestamp"].as_string())
                chosen = candidate;
        }));
    if (chosen.is_set()) spec.set(request.arena, "storageClassName", chosen["metadata"]["name"]);
    return base::ok();
}

Result<void> storage_object_in_use_protection(const AdmissionRequest& request) {
    std::string_view finalizer;
    if (request.creates("", "persistentvolumeclaims")) finalizer = "kubernetes.io/pvc-protection";
    if (request.creates("", "persistentvolumes")) finalizer = "kubernetes.io/pv-protection";
    if (finalizer.empty()) return base::ok();
    Value metadata = request.object["metadata"];
    Value list = Value::list(request.arena);
    for (Value item : metadata["finalizers"].items()) {
        if (item.as_string() == finalizer) return base::ok();
        list.push_back(request.arena, item);
    }
    list.push_back(request.arena, Value::reference(finalizer));
    metadata.set(request.arena, "finalizers", list);
    return base::ok();
}

Result<void> default_ingress_class(const AdmissionRequest& request) {
    if (!request.creates("networking.k8s.io", "ingresses")) return base::ok();
    Value spec = request.object["spec"];
    if (spec["ingressClassName"].is_string() ||
        request.object["metadata"]["annotations"].has("kubernetes.io/ingress.class"))
        return base::ok();
    Value chosen;
    KEELSON_TRY_VOID(
        request.lookup.each("networking.k8s.io", "ingressclasses", "", request.arena, [&](Value candidate) {
            if (!is_default_class(candidate, "ingressclass.kubernetes.io/is-default-class")) return;
            if (chosen.is_absent() || candidate["metadata"]["creationTimestamp"].as_string() >
                                          chosen["metadata"]["creationTimestamp"].as_string())
                chosen = candidate;
        }));
    if (chosen.is_set()) spec.set(request.arena, "ingressClassName", chosen["metadata"]["name"]);
    return base::ok();
}

}  // namespace keelson::resource::admission
