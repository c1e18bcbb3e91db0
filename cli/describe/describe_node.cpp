#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

std::string roles_of(const Json& node) {
    constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
    std::set<std::string> roles;
    const Json& labels = at(node, {"metadata", "labels"});
    if (labels.is_object()) {
        for (const auto& [key, value] : labels.items()) {
            if (key.starts_with(kPrefix) && key.size() > kPrefix.size())
                roles.insert(key.substr(kPrefix.size()));
            if (key == "kubernetes.io/role" && !text(value).empty()) roles.insert(text(value));
        }
    }
    return or_none(joined(std::vector<std::string>(roles.begin(), roles.end()), ","));
}

std::string taint_text(const Json& taint) {
    const std::string value = text(taint, {"value"});
    const std::string effect = text(taint, {"effect"});
    std::string line = text(taint, {"key"});
    if (!value.empty()) line += "=" + value;
    return effect.empty() ? line : line + ":" + effect;
}

void write_taints(Description& out, const Json& taints) {
    std::string before = "Taints:\t";
    if (!taints.is_array() || taints.empty()) return out.line(0, before + std::string(kNone));
    std::vector<Json> sorted(taints.begin(), taints.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const Json& left, const Json& right) {
        return text(left, {"effect"}) + "," + text(left, {"key"}) <
               text(right, {"effect"}) + "," + text(right, {"key"});
    });
    for (const Json& taint : sorted) {
        out.line(0, before + taint_text(taint));
        before = "\t";
    }
}

void write_lease(const Context& context) {
    const auto lease =
        context.related.get("leases.coordination.k8s.io", "kube-node-lease", kube::name_of(context.object));
    if (!lease) return context.out.field(0, "Lease", "Failed to get lease: " + lease.error().message);
    const auto time = [&](const char* name) {
        const Json& value = at(*lease, {"spec", name});
        return value.is_null() ? std::string(kUnset) : long_time(value);
    };
    context.out.line(0, "Lease:");
    context.out.field(1, "HolderIdentity", or_unset(at(*lease, {"spec", "holderIdentity"})));
    context.out.field(1, "AcquireTime", time("acquireTime"));
    context.out.field(1, "RenewTime", time("renewTime"));
}

void write_conditions(Description& out, const Json& conditions) {
    if (!conditions.is_array() || conditions.empty()) return;
    out.line(0, "Conditions:");
    out.row(1, {"Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"});
    out.row(1, {"----", "------", "-----------------", "------------------", "------", "-------"});
    for (const Json& condition : conditions)
        out.row(1, {text(condition, {"type"}) + " ", text(condition, {"status"}) + " ",
                    long_time(at(condition, {"lastHeartbeatTime"})) + " ",
                    long_time(at(condition, {"lastTransitionTime"})) + " ", text(condition, {"reason"}) + " ",
                    text(condition, {"message"})});
}

void write_resources(Description& out, const char* title, const Json& resources) {
    if (!resources.is_object() || resources.empty()) return;
    out.line(0, title);
    for (const auto& [name, amount] : resources.items()) out.field(1, name, text(amount));
}

void write_system(Description& out, const Json& info) {
    out.line(0, "System Info:");
    constexpr std::pair<const char*, const char*> kFields[] = {
        {"Machine ID", "machineID"},
        {"System UUID", "systemUUID"},
        {"Boot ID", "bootID"},
        {"Kernel Version", "kernelVersion"},
        {"OS Image", "osImage"},
        {"Operating System", "operatingSystem"},
        {"Architecture", "architecture"},
        {"Container Runtime Version", "containerRuntimeVersion"},
        {"Kubelet Version", "kubeletVersion"},
        {"Kube-Proxy Version", "kubeProxyVersion"}};
    for (const auto& [title, name] : kFields) out.field(1, title, text(info, {name}));
}

const Json& allocatable_of(const Json& node) {
    const Json& allocatable = at(node, {"status", "allocatable"});
    return allocatable.is_object() && !allocatable.empty() ? allocatable : at(node, {"status", "capacity"});
}

// "100m (5%)" of what the node has.
std::string with_share(const object::Quantity& amount, const Json& allocatable, const char* resource) {
    const auto all = quantity(at(allocatable, {resource}));
    const double share = all.is_zero() ? 0 : 100 * amount.approximate() / all.approximate();
    return amount.to_string() + " (" + std::to_string(static_cast<std::int64_t>(share)) + "%)";
}

bool is_standard(const std::string& resource) {
    return resource == "cpu" || resource == "memory" || resource == "ephemeral-storage" ||
           resource == "pods" || resource == "storage";
}

void write_pods(const Context& context, const std::vector<Json>& pods) {
    Description& out = context.out;
    const Json& has = allocatable_of(context.object);
    out.field(0, "Non-terminated Pods", "(" + std::to_string(pods.size()) + " in total)");
    out.row(1, {"Namespace", "Name", "", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits",
                "Age"});
    out.row(1, {"---------", "----", "", "------------", "----------", "---------------", "-------------",
                "---"});
    for (const Json& pod : pods)
        out.row(1, {kube::namespace_of(pod), kube::name_of(pod), "",
                    with_share(pod_amount(pod, "requests", "cpu"), has, "cpu"),
                    with_share(pod_amount(pod, "limits", "cpu"), has, "cpu"),
                    with_share(pod_amount(pod, "requests", "memory"), has, "memory"),
                    with_share(pod_amount(pod, "limits", "memory"), has, "memory"),
                    age(at(pod, {"metadata", "creationTimestamp"}), context.options.now)});
}

object::Quantity total(const std::vector<Json>& pods, const char* which, const std::string& resource) {
    object::Quantity sum;
    for (const Json& pod : pods) sum.add(pod_amount(pod, which, resource));
    return sum;
}

void write_allocated(const Context& context, const std::vector<Json>& pods) {
    Description& out = context.out;
    const Json& has = allocatable_of(context.object);
    out.line(0, "Allocated resources:");
    out.line(1, "(Total limits may be over 100 percent, i.e., overcommitted.)");
    out.row(1, {"Resource", "Requests", "Limits"});
    out.row(1, {"--------", "--------", "------"});
    for (const char* resource : {"cpu", "memory", "ephemeral-storage"})
        out.row(1, {resource, with_share(total(pods, "requests", resource), has, resource),
                    with_share(total(pods, "limits", resource), has, resource)});
    if (!has.is_object()) return;
    for (const auto& [resource, amount] : has.items()) {
        if (is_standard(resource)) continue;
        const auto requests = total(pods, "requests", resource);
        const auto limits = total(pods, "limits", resource);
        const bool is_huge = resource.starts_with("hugepages-");
        out.row(1, {resource, is_huge ? with_share(requests, has, resource.c_str()) : requests.to_string(),
                    is_huge ? with_share(limits, has, resource.c_str()) : limits.to_string()});
    }
}

void write_load(const Context& context) {
    const auto list = context.related.list("pods", "",
                                           {.fields = "spec.nodeName=" + kube::name_of(context.object) +
                                                      ",status.phase!=Failed,status.phase!=Succeeded"});
    if (!list) return context.out.field(0, "Pods", "not authorized");
    std::vector<Json> pods;
    for (const Json& pod : at(*list, {"items"})) pods.push_back(pod);
    write_pods(context, pods);
    write_allocated(context, pods);
}

}  // namespace

void describe_node(const Context& context) {
    const Json& node = context.object;
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(node));
    out.field(0, "Roles", roles_of(node));
    write_metadata(out, node);
    out.field(0, "CreationTimestamp", long_time(at(node, {"metadata", "creationTimestamp"})));
    write_taints(out, at(node, {"spec", "taints"}));
    out.field(0, "Unschedulable", is_true(at(node, {"spec", "unschedulable"})) ? "true" : "false");
    write_lease(context);
    write_conditions(out, at(node, {"status", "conditions"}));
    out.line(0, "Addresses:");
    for (const Json& address : at(node, {"status", "addresses"}))
        out.field(1, text(address, {"type"}), text(address, {"address"}));
    write_resources(out, "Capacity:", at(node, {"status", "capacity"}));
    write_resources(out, "Allocatable:", at(node, {"status", "allocatable"}));
    write_system(out, at(node, {"status", "nodeInfo"}));
    for (const auto& [title, value] : {std::pair{"PodCIDR", text(node, {"spec", "podCIDR"})},
                                       std::pair{"PodCIDRs", joined(at(node, {"spec", "podCIDRs"}), ",")},
                                       std::pair{"ProviderID", text(node, {"spec", "providerID"})}})
        if (!value.empty()) out.field(0, title, value);
    write_load(context);
    write_events(context);
}

}  // namespace keelson::cli::describing
