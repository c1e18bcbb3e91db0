#include "kernel/node/admission.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "kernel/node/container_settings.h"
#include "kernel/node/eviction.h"
#include "kernel/resource/quota_usage.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using object::Quantity;

constexpr std::string_view kRequests = "requests.";

// CPU counts in thousandths.
std::int64_t amount_of(const Quantity& quantity, std::string_view resource) {
    return resource == "cpu" ? quantity.milli_value() : quantity.value();
}

std::int64_t amount_in(const resource::Amounts& amounts, std::string_view resource) {
    const auto found = amounts.find(std::string(kRequests) + std::string(resource));
    return found == amounts.end() ? 0 : amount_of(found->second, resource);
}

resource::Amounts requests_of(core_v1::Pod pod) {
    return resource::quota_usage_of("", "pods", pod.untyped(), base::WallTime());
}

// A resource of which there is not enough.
struct Lack {
    std::string resource;
    std::int64_t wanted = 0;
    std::int64_t used = 0;
    std::int64_t capacity = 0;
};

std::string text_of(const Lack& lack) {
    return "Node didn't have enough resource: " + lack.resource +
           ", requested: " + std::to_string(lack.wanted) + ", used: " + std::to_string(lack.used) +
           ", capacity: " + std::to_string(lack.capacity);
}

PodFailure out_of(const Lack& lack) {
    return {"OutOf" + lack.resource, "Pod was rejected: " + text_of(lack)};
}

std::optional<std::int64_t> capacity_of(core_v1::Node node, std::string_view resource) {
    const std::string_view text = node.status().allocatable()[resource];
    const auto quantity = Quantity::parse(text);
    if (text.empty() || !quantity) return std::nullopt;
    return amount_of(*quantity, resource);
}

std::optional<Lack> lack_for(core_v1::Pod pod, const std::vector<core_v1::Pod>& others, core_v1::Node node) {
    resource::Amounts used;
    for (const core_v1::Pod other : others) resource::add_amounts(used, requests_of(other));
    for (const auto& [name, quantity] : requests_of(pod)) {
        if (!name.starts_with(kRequests)) continue;
        const std::string resource = name.substr(kRequests.size());
        const std::int64_t amount = amount_of(quantity, resource);
        const auto capacity = capacity_of(node, resource);
        // What the node does not have at all is the scheduler's business, or a static pod's.
        if (amount == 0 || !capacity) continue;
        if (const std::int64_t taken = amount_in(used, resource); taken + amount > *capacity)
            return Lack{resource, amount, taken, *capacity};
    }
    return std::nullopt;
}

std::optional<PodFailure> refuse_by_resources(core_v1::Pod pod, const std::vector<core_v1::Pod>& others,
                                              core_v1::Node node) {
    const auto places = capacity_of(node, "pods");
    const auto count = static_cast<std::int64_t>(others.size());
    if (places && count + 1 > *places) return out_of({"pods", 1, count, *places});
    if (const auto lack = lack_for(pod, others, node)) return out_of(*lack);
    return std::nullopt;
}

std::set<std::string> host_ports_of(core_v1::Pod pod) {
    std::set<std::string> ports;
    for (const core_v1::Container container : pod.spec().containers())
        for (const core_v1::ContainerPort port : container.ports())
            if (port.host_port() > 0)
                ports.insert(std::string(port.protocol()) + "/" + std::string(port.host_ip()) + "/" +
                             std::to_string(port.host_port()));
    return ports;
}

std::optional<PodFailure> refuse_by_ports(core_v1::Pod pod, const std::vector<core_v1::Pod>& others) {
    const std::set<std::string> wanted = host_ports_of(pod);
    if (wanted.empty()) return std::nullopt;
    for (const core_v1::Pod other : others)
        for (const std::string& port : host_ports_of(other))
            if (wanted.contains(port))
                return PodFailure{"NodePorts",
                                  "Pod was rejected: Predicate NodePorts failed: node(s) didn't have free "
                                  "ports for the requested pod ports"};
    return std::nullopt;
}

std::optional<PodFailure> refuse_by_selector(core_v1::Pod pod, core_v1::Node node) {
    for (const auto entry : pod.spec().node_selector())
        if (node.metadata().labels()[entry.name] != entry.value)
            return PodFailure{
                "NodeAffinity",
                "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node "
                "affinity/selector"};
    return std::nullopt;
}

bool tolerates(core_v1::Pod pod, std::string_view taint) {
    return std::ranges::any_of(pod.spec().tolerations(), [taint](core_v1::Toleration toleration) {
        const bool is_any = toleration.key().empty() && toleration.operator_() == "Exists";
        const bool is_effect = toleration.effect().empty() || toleration.effect() == "NoSchedule";
        return is_effect && (is_any || toleration.key() == taint);
    });
}

std::optional<PodFailure> refuse_by_pressure(core_v1::Pod pod, const NodePressure& pressure) {
    if (is_critical(pod)) return std::nullopt;
    std::string conditions;
    for (const Pressure one : {Pressure::memory, Pressure::disk, Pressure::processes})
        if (pressure.has(one)) conditions += (conditions.empty() ? "" : " ") + std::string(condition_of(one));
    if (conditions.empty()) return std::nullopt;
    // Who has asked for memory has a claim to it; for the rest there is none.
    if (conditions == condition_of(Pressure::memory) &&
        (quality_of_service(pod.untyped()) != "BestEffort" ||
         tolerates(pod, "node.kubernetes.io/memory-pressure")))
        return std::nullopt;
    return PodFailure{"Evicted", "The node had condition: [" + conditions + "]. "};
}

std::optional<PodFailure> refuse_by_system(core_v1::Pod pod) {
    const std::string_view system = pod.spec().os().name();
    if (system.empty() || system == "linux") return std::nullopt;
    return PodFailure{"PodOSNotSupported",
                      "Pod was rejected: Failed to admit pod as the OS field doesn't match node OS"};
}

}  // namespace

std::optional<PodFailure> refuse_pod(core_v1::Pod pod, const std::vector<core_v1::Pod>& others,
                                     const client::ObjectPointer& node, const NodePressure& pressure) {
    if (auto refused = refuse_by_pressure(pod, pressure)) return refused;
    if (auto refused = refuse_by_system(pod)) return refused;
    if (auto refused = refuse_by_ports(pod, others)) return refused;
    if (!node) return std::nullopt;
    const core_v1::Node known(node->root());
    if (auto refused = refuse_by_selector(pod, known)) return refused;
    return refuse_by_resources(pod, others, known);
}

std::optional<ResizeObstacle> refuse_resize(core_v1::Pod pod, const std::vector<core_v1::Pod>& others,
                                            const client::ObjectPointer& node) {
    if (!node) return std::nullopt;
    const core_v1::Node known(node->root());
    if (const auto lack = lack_for(pod, {}, known))
        return ResizeObstacle{"Infeasible", "Node didn't have enough capacity: " + lack->resource +
                                                ", requested: " + std::to_string(lack->wanted) +
                                                ", capacity: " + std::to_string(lack->capacity)};
    if (const auto lack = lack_for(pod, others, known)) return ResizeObstacle{"Deferred", text_of(*lack)};
    return std::nullopt;
}

}  // namespace keelson::node
