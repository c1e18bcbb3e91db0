#include "kernel/resource/node_relations.h"

#include <string>

#include "kernel/object/json.h"
#include "kernel/resource/codec.h"

namespace keelson::resource {
namespace {

using object::Arena;
using object::Value;

constexpr std::string_view kSecrets = "secrets";
constexpr std::string_view kConfigMaps = "configmaps";
constexpr std::string_view kClaims = "persistentvolumeclaims";
constexpr std::string_view kAccounts = "serviceaccounts";

void visit_container(Value container, const ReferenceVisitor& visit) {
    for (const Value variable : container["env"].items()) {
        visit(kSecrets, variable.path({"valueFrom", "secretKeyRef", "name"}).as_string());
        visit(kConfigMaps, variable.path({"valueFrom", "configMapKeyRef", "name"}).as_string());
    }
    for (const Value source : container["envFrom"].items()) {
        visit(kSecrets, source.path({"secretRef", "name"}).as_string());
        visit(kConfigMaps, source.path({"configMapRef", "name"}).as_string());
    }
}

void visit_volume(Value volume, std::string_view pod_name, const ReferenceVisitor& visit) {
    visit(kSecrets, volume.path({"secret", "secretName"}).as_string());
    visit(kConfigMaps, volume.path({"configMap", "name"}).as_string());
    visit(kClaims, volume.path({"persistentVolumeClaim", "claimName"}).as_string());
    if (volume["ephemeral"].is_set())
        visit(kClaims, std::string(pod_name) + "-" + volume["name"].to_string());
    for (const Value source : volume.path({"projected", "sources"}).items()) {
        visit(kSecrets, source.path({"secret", "name"}).as_string());
        visit(kConfigMaps, source.path({"configMap", "name"}).as_string());
    }
    visit(kSecrets, volume.path({"azureFile", "secretName"}).as_string());
    visit(kSecrets, volume.path({"csi", "nodePublishSecretRef", "name"}).as_string());
    for (const std::string_view source :
         {"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"})
        visit(kSecrets, volume[source].path({"secretRef", "name"}).as_string());
}

std::string json_text(std::string_view text) {
    std::string json;
    object::write_json_string(text, json);
    return json;
}

// Most pods need not be parsed to see that they have nothing to do with it.
bool may_concern(std::string_view bytes, std::string_view node, std::string_view word) {
    return bytes.find(node) != std::string_view::npos && bytes.find(word) != std::string_view::npos;
}

bool refers_to(Value pod, std::string_view resource, std::string_view name) {
    bool found = false;
    visit_pod_references(pod, [&](std::string_view kind, std::string_view present) {
        found |= kind == resource && present == name;
    });
    return found;
}

bool is_bound_to(Value pod, std::string_view node) {
    return pod["spec"]["nodeName"].as_string() == node;
}

// What a volume needs of a namespace to be mounted.
bool volume_needs_secret(Value volume, std::string_view namespace_name, std::string_view name) {
    for (const std::string_view reference : {"controllerPublishSecretRef", "nodeStageSecretRef",
                                             "nodePublishSecretRef", "nodeExpandSecretRef"}) {
        const Value secret = volume["spec"]["csi"][reference];
        if (secret["name"].as_string() == name && secret["namespace"].as_string() == namespace_name)
            return true;
    }
    return false;
}

}  // namespace

bool is_mirror_pod(Value pod) {
    return pod["metadata"]["annotations"].has("kubernetes.io/config.mirror");
}

void visit_pod_references(Value pod, const ReferenceVisitor& visit) {
    const ReferenceVisitor visit_named = [&](std::string_view resource, std::string_view name) {
        if (!name.empty()) visit(resource, name);
    };
    const Value spec = pod["spec"];
    visit_named(kAccounts, spec["serviceAccountName"].as_string());
    for (const Value secret : spec["imagePullSecrets"].items())
        visit_named(kSecrets, secret["name"].as_string());
    for (const std::string_view list : {"containers", "initContainers", "ephemeralContainers"})
        for (const Value container : spec[list].items()) visit_container(container, visit_named);
    const std::string_view name = pod["metadata"]["name"].as_string();
    for (const Value volume : spec["volumes"].items()) visit_volume(volume, name, visit_named);
}

bool StoredNodeRelations::is_bound(std::string_view node, std::string_view namespace_name,
                                   std::string_view pod) const {
    Arena arena;
    const auto found = lookup_.get("", "pods", namespace_name, pod, arena);
    return found && found->is_set() && is_bound_to(*found, node);
}

bool StoredNodeRelations::uses(std::string_view node, std::string_view resource,
                               std::string_view namespace_name, std::string_view name) const {
    if (resource != "persistentvolumes") {
        if (pods_refer_to(node, resource, namespace_name, name)) return true;
        if (resource != kSecrets) return false;
    }
    // Through a volume: one whose claim is a pod's here, or the secret of such a one.
    Arena arena;
    bool found = false;
    const auto is_used = [&](Value volume) {
        const Value claim = volume["spec"]["claimRef"];
        return pods_refer_to(node, kClaims, claim["namespace"].as_string(), claim["name"].as_string());
    };
    if (resource == "persistentvolumes") {
        const auto volume = lookup_.get("", "persistentvolumes", "", name, arena);
        return volume && volume->is_set() && is_used(*volume);
    }
    const auto visited = lookup_.each("", "persistentvolumes", "", arena, [&](Value volume) {
        if (!found && volume_needs_secret(volume, namespace_name, name)) found = is_used(volume);
    });
    return visited && found;
}

bool StoredNodeRelations::pods_refer_to(std::string_view node, std::string_view resource,
                                        std::string_view namespace_name, std::string_view name) const {
    if (namespace_name.empty() || name.empty()) return false;
    const std::string bound = "\"nodeName\":" + json_text(node);
    // The claim of an ephemeral volume is written nowhere: it is made of two names.
    const std::string word = resource == kClaims ? std::string() : json_text(name);
    store::ScanRequest request;
    request.prefix = prefix_of(*object::find_resource("", "v1", "pods"), namespace_name);
    bool found = false;
    while (!found) {
        const auto result = lookup_.store().scan(request, [&](const store::Record& record) {
            if (!may_concern(record.bytes, bound, word)) return true;
            Arena arena;
            const auto pod = decode_without_managers(record, arena);
            found = pod && is_bound_to(*pod, node) && !is_mirror_pod(*pod) && refers_to(*pod, resource, name);
            return !found;
        });
        if (!result || !result->more) break;
        request.start = result->next_key;
        request.revision = result->revision;
    }
    return found;
}

}  // namespace keelson::resource
