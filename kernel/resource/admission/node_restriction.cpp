// NodeRestriction
// (https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#noderestriction): what a
// node writes is about itself and its own pods, and says nothing that would draw others' pods to it.
#include <algorithm>
#include <array>
#include <set>

#include "kernel/access/node_authorizer.h"
#include "kernel/resource/admission/admission.h"
#include "kernel/resource/errors.h"
#include "kernel/resource/node_relations.h"

namespace keelson::resource::admission {
namespace {

using base::Result;
using base::Status;
using object::Value;

constexpr std::string_view kLeaseNamespace = "kube-node-lease";

// Labels of Kubernetes' own namespaces that a node may give itself.
constexpr std::array kNodeLabels = {std::string_view("kubernetes.io/hostname"),
                                    std::string_view("topology.kubernetes.io/zone"),
                                    std::string_view("topology.kubernetes.io/region"),
                                    std::string_view("failure-domain.beta.kubernetes.io/zone"),
                                    std::string_view("failure-domain.beta.kubernetes.io/region"),
                                    std::string_view("beta.kubernetes.io/instance-type"),
                                    std::string_view("node.kubernetes.io/instance-type"),
                                    std::string_view("beta.kubernetes.io/os"),
                                    std::string_view("beta.kubernetes.io/arch"),
                                    std::string_view("kubernetes.io/os"),
                                    std::string_view("kubernetes.io/arch")};
constexpr std::array kNodeLabelSpaces = {std::string_view("kubelet.kubernetes.io"),
                                         std::string_view("node.kubernetes.io")};

std::string quoted(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

Status refusal(const AdmissionRequest& request, const std::string& why) {
    const std::string_view name = request.operation == Operation::create
                                      ? request.object["metadata"]["name"].as_string()
                                      : std::string_view(request.call.name);
    return forbidden(*request.call.resource, name, why);
}

bool is_within(std::string_view space, std::string_view parent) {
    return space == parent || (space.ends_with(parent) && space[space.size() - parent.size() - 1] == '.');
}

bool may_set_label(std::string_view label) {
    const auto slash = label.find('/');
    const std::string_view space =
        slash == std::string_view::npos ? std::string_view() : label.substr(0, slash);
    if (is_within(space, "node-restriction.kubernetes.io")) return false;
    if (!is_within(space, "kubernetes.io") && !is_within(space, "k8s.io")) return true;
    return std::ranges::find(kNodeLabels, label) != kNodeLabels.end() ||
           std::ranges::any_of(kNodeLabelSpaces,
                               [&](std::string_view allowed) { return is_within(space, allowed); });
}

// Labels that are new, changed or gone, and not a node's to choose: "a, b".
std::string forbidden_labels(Value now, Value before) {
    std::set<std::string_view> names;
    const auto compare = [&](Value one, Value other) {
        for (const object::Member& label : one.members())
            if (!label.value.equals(other[label.name]) && !may_set_label(label.name))
                names.insert(label.name);
    };
    compare(now, before);
    compare(before, now);
    std::string text;
    for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

bool is_same(Value one, Value other) {
    return (one.empty() && other.empty()) || one.equals(other);
}

Result<void> check_name(const AdmissionRequest& request, std::string_view node, const std::string& what) {
    const std::string_view name = request.operation == Operation::create
                                      ? request.object["metadata"]["name"].as_string()
                                      : std::string_view(request.call.name);
    if (name == node) return base::ok();
    return refusal(request, "can only access " + what + " with the same name as the requesting node");
}

Result<void> check_node(const AdmissionRequest& request, std::string_view node) {
    const std::string_view name = request.operation == Operation::create
                                      ? request.object["metadata"]["name"].as_string()
                                      : std::string_view(request.call.name);
    const std::string self = "node " + quoted(node);
    if (name != node) return refusal(request, self + " is not allowed to modify node " + quoted(name));
    if (request.operation == Operation::remove) return base::ok();
    const Value now = request.object, before = request.old;
    if (!is_same(now["spec"]["configSource"], before["spec"]["configSource"]))
        return refusal(request, self + " is not allowed to set a configSource");
    const std::string labels = forbidden_labels(now["metadata"]["labels"], before["metadata"]["labels"]);
    if (!labels.empty())
        return refusal(request, self +
                                    (request.operation == Operation::create
                                         ? " is not allowed to set the following labels: "
                                         : " is not allowed to modify labels: ") +
                                    labels);
    if (request.operation == Operation::create) return base::ok();
    if (!is_same(now["spec"]["taints"], before["spec"]["taints"]))
        return refusal(request, self + " is not allowed to modify taints");
    // Whoever owns a node may make it go: the garbage collector removes it after its owner.
    if (!is_same(now["metadata"]["ownerReferences"], before["metadata"]["ownerReferences"]))
        return refusal(request, self + " is not allowed to modify ownerReferences");
    return base::ok();
}

Result<void> check_mirror_owner(const AdmissionRequest& request, std::string_view node) {
    const Value owners = request.object["metadata"]["ownerReferences"];
    const Value owner = owners.at(0);
    const bool is_own = owners.size() == 1 && owner["apiVersion"].as_string() == "v1" &&
                        owner["kind"].as_string() == "Node" && owner["name"].as_string() == node &&
                        owner["controller"].as_boolean() && !owner["blockOwnerDeletion"].as_boolean();
    if (!is_own)
        return refusal(request, "pod must be owned by node " + quoted(node) + " alone, as its controller");
    KEELSON_TRY(const Value stored, request.lookup.get("", "nodes", "", node, request.arena));
    if (stored["metadata"]["uid"].equals(owner["uid"])) return base::ok();
    return refusal(request, "node " + quoted(node) + " with the UID " + quoted(owner["uid"].as_string()) +
                                " is not there");
}

// A pod that runs without the API: it may not refer to anything, else it would be a way to read it.
Result<void> check_new_pod(const AdmissionRequest& request, std::string_view node) {
    const Value pod = request.object;
    if (!is_mirror_pod(pod))
        return refusal(request, "pod does not have \"kubernetes.io/config.mirror\" annotation, node " +
                                    quoted(node) + " can only create mirror pods");
    if (pod["spec"]["nodeName"].as_string() != node)
        return refusal(request,
                       "node " + quoted(node) + " can only create pods with spec.nodeName set to itself");
    KEELSON_TRY_VOID(check_mirror_owner(request, node));
    std::string referred;
    visit_pod_references(pod, [&](std::string_view resource, std::string_view) { referred = resource; });
    if (!pod["spec"]["resourceClaims"].empty()) referred = "resourceclaims";
    if (referred.empty()) return base::ok();
    return refusal(request, "node " + quoted(node) + " can not create pods that reference " + referred);
}

Result<void> check_pod(const AdmissionRequest& request, std::string_view node) {
    const std::string_view subresource = request.call.subresource_name();
    if (request.operation == Operation::create) return check_new_pod(request, node);
    const bool is_known = subresource == "status" || subresource == "eviction" ||
                          (subresource.empty() && request.operation == Operation::remove);
    if (!is_known) return refusal(request, "node " + quoted(node) + " may not change the spec of pods");
    Value pod = request.old;
    if (request.operation == Operation::remove) {
        KEELSON_TRY(pod, request.lookup.get("", "pods", request.call.namespace_name, request.call.name,
                                            request.arena));
        if (pod.is_absent()) return base::ok();
    }
    const bool is_status = subresource == "status";
    if (pod["spec"]["nodeName"].as_string() != node)
        return refusal(request, "node " + quoted(node) + " can only " +
                                    (is_status ? "update pod status for" : "delete") +
                                    " pods with spec.nodeName set to itself");
    if (is_status && !is_same(request.object["metadata"]["labels"], pod["metadata"]["labels"]))
        return refusal(request, "node " + quoted(node) + " cannot update labels through pod status");
    return base::ok();
}

}  // namespace

Result<void> node_restriction(const AdmissionRequest& request) {
    const std::string_view node = access::node_name_of(request.call.identity);
    if (node.empty()) return base::ok();
    const object::Resource& resource = *request.call.resource;
    if (resource.group.empty() && resource.name == "pods") return check_pod(request, node);
    if (resource.group.empty() && resource.name == "nodes") return check_node(request, node);
    if (resource.group == "coordination.k8s.io" && resource.name == "leases") {
        if (request.call.namespace_name != kLeaseNamespace)
            return refusal(request,
                           "can only access leases in the " + quoted(kLeaseNamespace) + " system namespace");
        return check_name(request, node, "node lease");
    }
    if (resource.group == "storage.k8s.io" && resource.name == "csinodes")
        return check_name(request, node, "CSINode");
    return base::ok();
}

Result<void> node_token_restriction(const Call& call, Value request, const Lookup& lookup,
                                    object::Arena& arena) {
    const std::string_view node = access::node_name_of(call.identity);
    if (node.empty()) return base::ok();
    const Value reference = request["spec"]["boundObjectRef"];
    const auto refuse = [&](std::string_view why) { return forbidden(*call.resource, call.name, why); };
    if (reference["apiVersion"].as_string() != "v1" || reference["kind"].as_string() != "Pod" ||
        reference["name"].as_string().empty())
        return refuse("node requested token not bound to a pod");
    if (reference["uid"].as_string().empty())
        return refuse("node requested token with a pod binding without a uid");
    KEELSON_TRY(const Value pod,
                lookup.get("", "pods", call.namespace_name, reference["name"].as_string(), arena));
    if (pod.is_set() && pod["spec"]["nodeName"].as_string() != node)
        return refuse("node requested token bound to a pod scheduled on a different node");
    return base::ok();
}

}  // namespace keelson::resource::admission
