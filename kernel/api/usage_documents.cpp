#include "kernel/api/usage_documents.h"

#include <optional>
#include <utility>

#include "kernel/access/identity.h"
#include "kernel/api/http_proxy.h"
#include "kernel/api/pod_target.h"
#include "kernel/object/json.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Value;

constexpr std::size_t kSummaryLimit = 64u << 20;
constexpr base::Duration kPatience = std::chrono::seconds(10);

Value metadata_of(Value object, std::string_view time, Arena& arena) {
    Value metadata = Value::map(arena);
    for (const std::string_view name : {"name", "namespace"})
        if (const Value value = object["metadata"][name]; value.is_set())
            metadata.set(arena, name, Value::string(arena, value.as_string()));
    metadata.set(arena, "creationTimestamp", Value::string(arena, time));
    Value labels = Value::map(arena);
    for (const object::Member& label : object["metadata"]["labels"].members())
        labels.set(arena, arena.copy(label.name), Value::string(arena, label.value.as_string()));
    if (!labels.empty()) metadata.set(arena, "labels", labels);
    return metadata;
}

// None until its rate is known.
std::optional<Value> usage_of(Value measured, Arena& arena) {
    const Value rate = measured["cpu"]["usageNanoCores"];
    if (!rate.is_integer()) return std::nullopt;
    Value usage = Value::map(arena);
    usage.set(arena, "cpu", Value::string(arena, std::to_string(rate.as_integer()) + "n"));
    const std::int64_t bytes = measured["memory"]["workingSetBytes"].as_integer();
    usage.set(arena, "memory", Value::string(arena, std::to_string(bytes / 1024) + "Ki"));
    return usage;
}

Value document_of(std::string_view kind, Value object, Value measured, std::string_view window,
                  Arena& arena) {
    Value document = Value::map(arena);
    document.set(arena, "kind", Value::reference(kind));
    document.set(arena, "apiVersion", Value::reference(usage_api_version));
    const std::string time = measured["cpu"]["time"].to_string();
    document.set(arena, "metadata", metadata_of(object, time, arena));
    document.set(arena, "timestamp", Value::string(arena, time));
    document.set(arena, "window", Value::string(arena, window));
    return document;
}

void add_pod(Value pod, Value measured, std::string_view window, UsageAnswer& answer) {
    Arena& arena = answer.arena;
    Value containers = Value::list(arena);
    for (const Value container : measured["containers"].items()) {
        const auto usage = usage_of(container, arena);
        if (!usage) return;
        Value entry = Value::map(arena);
        entry.set(arena, "name", Value::string(arena, container["name"].as_string()));
        entry.set(arena, "usage", *usage);
        containers.push_back(arena, entry);
    }
    if (containers.empty()) return;
    Value document = document_of("PodMetrics", pod, measured, window, arena);
    document.set(arena, "containers", containers);
    answer.items.push_back(document);
}

void add_node(Value node, Value measured, std::string_view window, UsageAnswer& answer) {
    const auto usage = usage_of(measured, answer.arena);
    if (!usage) return;
    Value document = document_of("NodeMetrics", node, measured, window, answer.arena);
    document.set(answer.arena, "usage", *usage);
    answer.items.push_back(document);
}

void add_pods(const resource::Lookup& lookup, const UsageQuestion& question, Value summary,
              std::string_view window, UsageAnswer& answer) {
    for (const Value measured : summary["pods"].items()) {
        const std::string_view name = measured["podRef"]["name"].as_string();
        const std::string_view in = measured["podRef"]["namespace"].as_string();
        if (!question.wants(in, name)) continue;
        Arena arena;
        const Result<Value> pod = lookup.get("", "pods", in, name, arena);
        if (!pod || pod->is_absent() || !question.labels.matches((*pod)["metadata"]["labels"])) continue;
        add_pod(*pod, measured, window, answer);
    }
}

// The nodes that have to be asked, with their objects.
Result<std::vector<Value>> nodes_for(const resource::Lookup& lookup, const UsageQuestion& question,
                                     Arena& arena) {
    std::vector<Value> nodes;
    KEELSON_TRY_VOID(lookup.each("", "nodes", "", arena, [&](Value node) {
        const bool is_meant = question.of_pods || (question.wants("", node["metadata"]["name"].as_string()) &&
                                                   question.labels.matches(node["metadata"]["labels"]));
        if (is_meant) nodes.push_back(node);
    }));
    return nodes;
}

}  // namespace

bool UsageQuestion::wants(std::string_view of_namespace, std::string_view of_name) const {
    if (!namespace_name.empty() && of_namespace != namespace_name) return false;
    if (!name.empty() && of_name != name) return false;
    return fields.matches([&](std::string_view path) {
        return std::string(path == "metadata.name"        ? of_name
                           : path == "metadata.namespace" ? of_namespace
                                                          : std::string_view());
    });
}

bool has_measured_nodes(const resource::Lookup& lookup, NodeGate& nodes) {
    Arena arena;
    bool has_node = false;
    const Result<void> looked = lookup.each("", "nodes", "", arena, [&](Value node) {
        const Value port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"];
        has_node =
            has_node || port.as_integer() > 0 || nodes.find(node["metadata"]["name"].to_string()) != nullptr;
    });
    return looked && has_node;
}

Task<Result<UsageAnswer>> collect_usage(resource::Lookup lookup, UsageQuestion question,
                                        const AskNodes& ask) {
    Arena arena;
    KEELSON_CO_TRY(const std::vector<Value> wanted, nodes_for(lookup, question, arena));
    std::vector<std::string> names;
    names.reserve(wanted.size());
    for (const Value node : wanted) names.push_back(node["metadata"]["name"].to_string());
    auto asking = ask(std::move(names));
    const Summaries summaries = co_await asking;
    UsageAnswer answer;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (!summaries[i]) continue;
        Arena own;
        const Result<Value> summary = object::parse_json_copy(*summaries[i], own);
        if (!summary) continue;
        const Value measured = (*summary)["node"];
        const std::string window = measured["cpuWindow"].to_string();
        if (question.of_pods)
            add_pods(lookup, question, *summary, window, answer);
        else
            add_node(wanted[i], measured, window, answer);
    }
    co_return answer;
}

Task<Result<std::string>> ask_node_elsewhere(IoLoop& loop, resource::Lookup lookup, NodeGate& nodes,
                                             std::string name) {
    KEELSON_CO_TRY(const NodeEndpoint endpoint, node_endpoint(lookup, name));
    OutgoingTarget target;
    target.tls = nodes.client_tls();
    target.address = endpoint.address;
    target.port = endpoint.port;
    target.common_name = std::string(access::node_user_prefix) + name;
    target.dial_patience = kPatience;
    if (!target.tls || target.port == 0 || target.address.empty())
        co_return Status(Reason::service_unavailable, refused_text(endpoint.text));
    auto fetching = fetch_http(loop, std::move(target), "/stats/summary", kSummaryLimit, kPatience);
    co_return co_await fetching;
}

}  // namespace keelson::api
