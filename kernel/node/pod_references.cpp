#include "kernel/node/pod_references.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/field_errors.h"
#include "kernel/object/quantity.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

using base::Reason;
using base::Result;
using base::Status;
using object::Quantity;
using Amounts = object::MapView<std::string_view>;

// Sorted lines `name="value"`, the last without its end.
std::string format_map(Amounts entries) {
    std::vector<std::pair<std::string_view, std::string_view>> sorted;
    for (const auto& [name, value] : entries) sorted.emplace_back(name, value);
    std::sort(sorted.begin(), sorted.end());
    std::string text;
    for (const auto& [name, value] : sorted) {
        if (!text.empty()) text += '\n';
        text += name;
        text += '=';
        text += object::go_quoted(value);
    }
    return text;
}

// "metadata.labels['app']" is {"metadata.labels", "app"}.
std::optional<std::pair<std::string_view, std::string_view>> split_subscript(std::string_view path) {
    if (!path.ends_with("']")) return std::nullopt;
    path.remove_suffix(2);
    const std::size_t bracket = path.find("['");
    if (bracket == std::string_view::npos || bracket == 0) return std::nullopt;
    return std::pair{path.substr(0, bracket), path.substr(bracket + 2)};
}

std::string first_of(const std::vector<std::string>& texts) {
    return texts.empty() ? std::string() : texts.front();
}

bool is_zero_or_absent(Amounts amounts, std::string_view name) {
    if (!amounts.has(name)) return true;
    const auto quantity = Quantity::parse(amounts[name]);
    return !quantity || quantity->is_zero();
}

// A limit that is not set is that of the pod, then what the node has to give.
std::string_view effective_limit(const PodFacts& facts, core_v1::Container container, std::string_view name) {
    const Amounts own = container.resources().limits();
    if (!is_zero_or_absent(own, name)) return own[name];
    const Amounts of_pod = facts.pod.spec().resources().limits();
    if (!is_zero_or_absent(of_pod, name)) return of_pod[name];
    const Amounts allocatable = facts.node.status().allocatable();
    return allocatable.has(name) ? allocatable[name] : facts.node.status().capacity()[name];
}

bool is_known_resource(std::string_view name) {
    return name == "cpu" || name == "memory" || name == "ephemeral-storage" || name.starts_with("hugepages-");
}

Result<std::string> divided(std::string_view amount, std::string_view divisor_text, bool is_cpu) {
    Quantity quantity, divisor(1);
    if (!amount.empty()) {
        KEELSON_TRY(quantity, Quantity::parse(amount));
    }
    if (!divisor_text.empty()) {
        KEELSON_TRY(divisor, Quantity::parse(divisor_text));
        if (divisor.is_zero()) divisor = Quantity(1);
    }
    const auto whole = static_cast<double>(is_cpu ? quantity.milli_value() : quantity.value());
    const auto part = static_cast<double>(is_cpu ? divisor.milli_value() : divisor.value());
    return std::to_string(static_cast<std::int64_t>(std::ceil(whole / part)));
}

}  // namespace

core_v1::Container find_container(core_v1::Pod pod, std::string_view name) {
    const core_v1::PodSpec spec = pod.spec();
    for (const object::Value list : {spec.containers().untyped(), spec.init_containers().untyped(),
                                     spec.ephemeral_containers().untyped()})
        for (const core_v1::Container container : object::ListView<core_v1::Container>(list))
            if (container.name() == name) return container;
    return {};
}

Result<std::string> pod_field(const PodFacts& facts, std::string_view path) {
    const auto metadata = facts.pod.metadata();
    if (const auto parts = split_subscript(path)) {
        if (parts->first == "metadata.annotations") return std::string(metadata.annotations()[parts->second]);
        if (parts->first == "metadata.labels") return std::string(metadata.labels()[parts->second]);
        return Status(Reason::bad_request,
                      "fieldPath " + object::go_quoted(path) + " does not support subscript");
    }
    if (path == "metadata.name") return std::string(metadata.name());
    if (path == "metadata.namespace") return std::string(metadata.namespace_());
    if (path == "metadata.uid") return std::string(metadata.uid());
    if (path == "metadata.labels") return format_map(metadata.labels());
    if (path == "metadata.annotations") return format_map(metadata.annotations());
    if (path == "spec.nodeName") return std::string(facts.pod.spec().node_name());
    if (path == "spec.serviceAccountName") return std::string(facts.pod.spec().service_account_name());
    if (path == "status.podIP") return first_of(facts.pod_addresses);
    if (path == "status.podIPs") return fmt::format("{}", fmt::join(facts.pod_addresses, ","));
    if (path == "status.hostIP") return first_of(facts.host_addresses);
    if (path == "status.hostIPs") return fmt::format("{}", fmt::join(facts.host_addresses, ","));
    return Status(Reason::bad_request, "unsupported fieldPath: " + std::string(path));
}

Result<std::string> resource_field(const PodFacts& facts, core_v1::ResourceFieldSelector selector,
                                   core_v1::Container container) {
    if (!selector.container_name().empty()) {
        container = find_container(facts.pod, selector.container_name());
        if (!container.is_set())
            return Status(Reason::not_found,
                          "container " + std::string(selector.container_name()) + " not found");
    }
    const std::string_view resource = selector.resource();
    const bool is_limit = resource.starts_with("limits.");
    const std::string_view name = resource.substr(std::min(resource.size(), resource.find('.') + 1));
    if ((!is_limit && !resource.starts_with("requests.")) || !is_known_resource(name))
        return Status(Reason::bad_request, "unsupported container resource : " + std::string(resource));
    const std::string_view amount = !is_limit ? container.resources().requests()[name]
                                    : name.starts_with("hugepages-")
                                        ? container.resources().limits()[name]
                                        : effective_limit(facts, container, name);
    return divided(amount, selector.divisor(), name == "cpu");
}

std::string pod_text(core_v1::Pod pod) {
    const auto metadata = pod.metadata();
    return fmt::format("{}_{}({})", metadata.name(), metadata.namespace_(), metadata.uid());
}

}  // namespace keelson::node
