#include "kernel/object/defaults.h"

#include <algorithm>
#include <string_view>

#include "kernel/object/defaults_parts.h"
#include "kernel/object/names.h"

namespace keelson::object {

namespace {

using namespace defaults;

std::string_view base64_encoded(std::string_view text, Arena& arena) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char* out = arena.allocate_array<char>((text.size() + 2) / 3 * 4);
    char* next = out;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        std::uint32_t bits = 0;
        for (std::size_t j = 0; j < 3; ++j)
            bits = bits << 8 | (i + j < text.size() ? static_cast<unsigned char>(text[i + j]) : 0u);
        for (std::size_t j = 0; j < 4; ++j)
            *next++ = i + j <= text.size() ? kDigits[bits >> (18 - 6 * j) & 63] : '=';
    }
    return {out, static_cast<std::size_t>(next - out)};
}

void secret(Value object, Arena& arena) {
    set_text(object, arena, "type", "Opaque");
    Value plain = object["stringData"];
    if (plain.is_unset()) return;
    for (const Member& member : plain.members())
        object.child_map(arena, "data")
            .set(arena, member.name, Value::reference(base64_encoded(member.value.as_string(), arena)));
    object.erase("stringData");
}

void persistent_volume(Value object, Arena& arena) {
    set_text(object.child_map(arena, "status"), arena, "phase", "Pending");
    Value spec = object.child_map(arena, "spec");
    set_text(spec, arena, "persistentVolumeReclaimPolicy", "Retain");
    set_absent(spec, arena, "volumeMode", Value::reference("Filesystem"));
    resource_list(spec["capacity"], arena);
    persistent_volume_source(spec, arena);
}

void endpoints(Value object, Arena& arena) {
    for (Value subset : object["subsets"].items())
        for (Value port : subset["ports"].items()) set_text(port, arena, "protocol", "TCP");
}

void name_space(Value object, Arena& arena) {
    Value metadata = object.child_map(arena, "metadata");
    if (Value name = metadata["name"]; !name.empty())
        metadata.child_map(arena, "labels").set(arena, "kubernetes.io/metadata.name", name);
    set_text(object.child_map(arena, "status"), arena, "phase", "Active");
}

void node(Value object, Arena& arena) {
    Value spec = object.child_map(arena, "spec");
    if (Value network = spec["podCIDR"]; !network.empty() && spec["podCIDRs"].empty()) {
        Value networks = Value::list(arena, 1);
        networks.push_back(arena, network);
        spec.set(arena, "podCIDRs", networks);
    } else if (!spec["podCIDRs"].empty()) {
        spec.set(arena, "podCIDR", spec["podCIDRs"].at(0));
    }
    Value status = object["status"];
    resource_list(status["capacity"], arena);
    resource_list(status["allocatable"], arena);
    if (status["allocatable"].is_unset() && !status["capacity"].empty())
        status.set(arena, "allocatable", status["capacity"].clone(arena));
}

void limit_range(Value object, Arena& arena) {
    for (Value item : object.path({"spec", "limits"}).items()) {
        for (std::string_view name : {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"})
            resource_list(item[name], arena);
        if (item["type"].as_string() != "Container") continue;
        auto copy = [&](std::string_view from, std::string_view to) {
            for (const Member& member : item[from].members()) {
                Value target = item.child_map(arena, to);
                if (!target.has(member.name)) target.append(arena, member.name, member.value);
            }
        };
        copy("max", "default");
        copy("default", "defaultRequest");
        copy("min", "defaultRequest");
    }
}

void resource_quota(Value object, Arena& arena) {
    resource_list(object.path({"spec", "hard"}), arena);
    resource_list(object.path({"status", "hard"}), arena);
    resource_list(object.path({"status", "used"}), arena);
}

void pod_template_object(Value object, Arena& arena) {
    pod_template(object["template"], arena);
}

void network_policy(Value object, Arena& arena) {
    Value spec = object["spec"];
    if (!spec.is_map()) return;
    for (std::string_view direction : {"ingress", "egress"})
        for (Value rule : spec[direction].items())
            for (Value port : rule["ports"].items())
                set_absent(port, arena, "protocol", Value::reference("TCP"));
    if (spec["policyTypes"].empty()) {
        Value types = Value::list(arena, 2);
        types.push_back(arena, Value::reference("Ingress"));
        if (!spec["egress"].empty()) types.push_back(arena, Value::reference("Egress"));
        spec.set(arena, "policyTypes", types);
    }
}

void ingress_class(Value object, Arena& arena) {
    if (Value parameters = object.path({"spec", "parameters"}); parameters.is_map())
        set_absent(parameters, arena, "scope", Value::reference("Cluster"));
}

constexpr std::string_view kRbacGroup = "rbac.authorization.k8s.io";

void role_binding(Value object, Arena& arena) {
    set_text(object.child_map(arena, "roleRef"), arena, "apiGroup", kRbacGroup);
    for (Value subject : object["subjects"].items()) {
        std::string_view kind = subject["kind"].as_string();
        if (kind == "User" || kind == "Group") set_text(subject, arena, "apiGroup", kRbacGroup);
    }
}

void storage_class(Value object, Arena& arena) {
    set_absent(object, arena, "reclaimPolicy", Value::reference("Delete"));
    set_absent(object, arena, "volumeBindingMode", Value::reference("Immediate"));
}

void csi_driver(Value object, Arena& arena) {
    Value spec = object.child_map(arena, "spec");
    set_absent(spec, arena, "attachRequired", Value::boolean(true));
    for (std::string_view name : {"podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"})
        set_absent(spec, arena, name, Value::boolean(false));
    set_absent(spec, arena, "fsGroupPolicy", Value::reference("ReadWriteOnceWithFSType"));
    if (spec["volumeLifecycleModes"].empty()) {
        Value modes = Value::list(arena, 1);
        modes.push_back(arena, Value::reference("Persistent"));
        spec.set(arena, "volumeLifecycleModes", modes);
    }
}

void priority_class(Value object, Arena& arena) {
    set_absent(object, arena, "preemptionPolicy", Value::reference("PreemptLowerPriority"));
}

void endpoint_slice(Value object, Arena& arena) {
    for (Value port : object["ports"].items()) {
        set_absent(port, arena, "name", Value::reference(""));
        set_absent(port, arena, "protocol", Value::reference("TCP"));
    }
}

void token_request(Value object, Arena& arena) {
    set_absent(object.child_map(arena, "spec"), arena, "expirationSeconds", Value::integer(3600));
}

void runtime_class(Value object, Arena& arena) {
    resource_list(object.path({"overhead", "podFixed"}), arena);
}

void flow_schema(Value object, Arena& arena) {
    set_number(object.child_map(arena, "spec"), arena, "matchingPrecedence", 1000);
}

void priority_level(Value object, Arena& arena) {
    Value spec = object["spec"];
    if (Value exempt = spec["exempt"]; exempt.is_map()) {
        set_absent(exempt, arena, "nominalConcurrencyShares", Value::integer(0));
        set_absent(exempt, arena, "lendablePercent", Value::integer(0));
    }
    if (Value limited = spec["limited"]; limited.is_map()) {
        set_absent(limited, arena, "nominalConcurrencyShares", Value::integer(30));
        set_absent(limited, arena, "lendablePercent", Value::integer(0));
        if (Value queuing = limited.path({"limitResponse", "queuing"}); queuing.is_map()) {
            set_number(queuing, arena, "handSize", 8);
            set_number(queuing, arena, "queues", 64);
            set_number(queuing, arena, "queueLengthLimit", 50);
        }
    }
}

void rule_scope(Value rules, Arena& arena) {
    for (Value rule : rules.items()) set_absent(rule, arena, "scope", Value::reference("*"));
}

void webhooks(Value object, Arena& arena, bool mutating) {
    for (Value hook : object["webhooks"].items()) {
        set_absent(hook, arena, "failurePolicy", Value::reference("Fail"));
        set_absent(hook, arena, "matchPolicy", Value::reference("Equivalent"));
        set_absent(hook, arena, "namespaceSelector", Value::map(arena));
        set_absent(hook, arena, "objectSelector", Value::map(arena));
        set_absent(hook, arena, "timeoutSeconds", Value::integer(10));
        if (mutating) set_absent(hook, arena, "reinvocationPolicy", Value::reference("Never"));
        rule_scope(hook["rules"], arena);
        if (Value service = hook.path({"clientConfig", "service"}); service.is_map())
            set_absent(service, arena, "port", Value::integer(443));
    }
}

void validating_webhooks(Value object, Arena& arena) {
    webhooks(object, arena, false);
}

void mutating_webhooks(Value object, Arena& arena) {
    webhooks(object, arena, true);
}

void match_resources(Value match, Arena& arena) {
    if (!match.is_map()) return;
    set_absent(match, arena, "matchPolicy", Value::reference("Equivalent"));
    set_absent(match, arena, "namespaceSelector", Value::map(arena));
    set_absent(match, arena, "objectSelector", Value::map(arena));
    rule_scope(match["resourceRules"], arena);
    rule_scope(match["excludeResourceRules"], arena);
}

void admission_policy(Value object, Arena& arena) {
    Value spec = object.child_map(arena, "spec");
    set_absent(spec, arena, "failurePolicy", Value::reference("Fail"));
    match_resources(spec["matchConstraints"], arena);
}

void admission_policy_binding(Value object, Arena& arena) {
    match_resources(object.path({"spec", "matchResources"}), arena);
}

void custom_resource_definition(Value object, Arena& arena) {
    Value spec = object.child_map(arena, "spec");
    Value names = spec.child_map(arena, "names");
    std::string_view kind = names["kind"].as_string();
    if (!kind.empty()) {
        if (names["singular"].as_string().empty())
            names.set(arena, "singular", Value::string(arena, lower_case(kind)));
        if (names["listKind"].as_string().empty())
            names.set(arena, "listKind", Value::reference(arena.join(kind, "List")));
    }
    if (spec["conversion"].is_unset()) {
        Value conversion = Value::map(arena, 1);
        conversion.append(arena, "strategy", Value::reference("None"));
        spec.set(arena, "conversion", conversion);
    }
    if (Value service = spec.path({"conversion", "webhook", "clientConfig", "service"}); service.is_map())
        set_absent(service, arena, "port", Value::integer(443));
    Value status = object.child_map(arena, "status");
    if (status["storedVersions"].empty()) {
        Value stored = Value::list(arena, 1);
        for (Value version : spec["versions"].items())
            if (version["storage"].as_boolean()) {
                stored.push_back(arena, version["name"]);
                break;
            }
        if (!stored.empty()) status.set(arena, "storedVersions", stored);
    }
}

void api_service(Value object, Arena& arena) {
    if (Value service = object.path({"spec", "service"}); service.is_map())
        set_absent(service, arena, "port", Value::integer(443));
}

void device_request(Value request, Arena& arena) {
    if (!request.is_map()) return;
    set_text(request, arena, "allocationMode", "ExactCount");
    if (request["allocationMode"].as_string() == "ExactCount") set_number(request, arena, "count", 1);
    for (Value toleration : request["tolerations"].items()) set_text(toleration, arena, "operator", "Equal");
}

void device_requests(Value devices, Arena& arena) {
    for (Value request : devices["requests"].items()) {
        device_request(request["exactly"], arena);
        for (Value alternative : request["firstAvailable"].items()) device_request(alternative, arena);
    }
}

void resource_claim(Value object, Arena& arena) {
    device_requests(object.path({"spec", "devices"}), arena);
    for (Value result : object.path({"status", "allocation", "devices", "results"}).items())
        for (Value toleration : result["tolerations"].items())
            set_text(toleration, arena, "operator", "Equal");
}

void resource_claim_template(Value object, Arena& arena) {
    device_requests(object.path({"spec", "spec", "devices"}), arena);
}

void scale(Value object, Arena& arena) {
    (void)object.child_map(arena, "spec");
}

struct Entry {
    std::string_view type;
    void (*apply)(Value, Arena&);
};

// Sorted by type.
constexpr Entry kEntries[] = {
    {"admissionregistration/v1.MutatingAdmissionPolicy", admission_policy},
    {"admissionregistration/v1.MutatingAdmissionPolicyBinding", admission_policy_binding},
    {"admissionregistration/v1.MutatingWebhookConfiguration", mutating_webhooks},
    {"admissionregistration/v1.ValidatingAdmissionPolicy", admission_policy},
    {"admissionregistration/v1.ValidatingAdmissionPolicyBinding", admission_policy_binding},
    {"admissionregistration/v1.ValidatingWebhookConfiguration", validating_webhooks},
    {"apiextensions/v1.CustomResourceDefinition", custom_resource_definition},
    {"apiregistration/v1.APIService", api_service},
    {"apps/v1.DaemonSet", daemon_set},
    {"apps/v1.Deployment", deployment},
    {"apps/v1.ReplicaSet", replica_set},
    {"apps/v1.StatefulSet", stateful_set},
    {"authentication/v1.TokenRequest", token_request},
    {"autoscaling/v1.HorizontalPodAutoscaler", horizontal_pod_autoscaler_v1},
    {"autoscaling/v1.Scale", scale},
    {"autoscaling/v2.HorizontalPodAutoscaler", horizontal_pod_autoscaler_v2},
    {"batch/v1.CronJob", cron_job},
    {"batch/v1.Job", job},
    {"core/v1.Endpoints", endpoints},
    {"core/v1.LimitRange", limit_range},
    {"core/v1.Namespace", name_space},
    {"core/v1.Node", node},
    {"core/v1.PersistentVolume", persistent_volume},
    {"core/v1.PersistentVolumeClaim", claim},
    {"core/v1.Pod", pod},
    {"core/v1.PodTemplate", pod_template_object},
    {"core/v1.ReplicationController", replication_controller},
    {"core/v1.ResourceQuota", resource_quota},
    {"core/v1.Secret", secret},
    {"core/v1.Service", service},
    {"discovery/v1.EndpointSlice", endpoint_slice},
    {"flowcontrol/v1.FlowSchema", flow_schema},
    {"flowcontrol/v1.PriorityLevelConfiguration", priority_level},
    {"networking/v1.IngressClass", ingress_class},
    {"networking/v1.NetworkPolicy", network_policy},
    {"node/v1.RuntimeClass", runtime_class},
    {"rbac/v1.ClusterRoleBinding", role_binding},
    {"rbac/v1.RoleBinding", role_binding},
    {"resource/v1.ResourceClaim", resource_claim},
    {"resource/v1.ResourceClaimTemplate", resource_claim_template},
    {"scheduling/v1.PriorityClass", priority_class},
    {"storage/v1.CSIDriver", csi_driver},
    {"storage/v1.StorageClass", storage_class},
};
static_assert(std::ranges::is_sorted(kEntries, {}, &Entry::type));

}  // namespace

void apply_defaults(const Type& type, Value object, Arena& arena) {
    auto found = std::ranges::lower_bound(kEntries, type.id, {}, &Entry::type);
    if (found != std::end(kEntries) && found->type == type.id) found->apply(object, arena);
}

}  // namespace keelson::object
