#include "kernel/api/metrics_handler.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "kernel/access/identity.h"
#include "kernel/api/http_proxy.h"
#include "kernel/api/pod_target.h"
#include "kernel/base/gather.h"
#include "kernel/object/json.h"
#include "kernel/object/selector.h"
#include "kernel/object/time_format.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Resource;
using object::Value;

constexpr std::string_view kApiVersion = "metrics.k8s.io/v1beta1";
constexpr std::size_t kSummaryLimit = 64u << 20;
constexpr base::Duration kPatience = std::chrono::seconds(10);

std::span<const Resource> resources() {
    static const std::array<Resource, 2> all = [] {
        std::array<Resource, 2> made;
        for (Resource& resource : made) {
            resource.group = MetricsHandler::group;
            resource.version = "v1beta1";
            resource.verbs = object::verb_get | object::verb_list;
        }
        made[0].name = "nodes";
        made[0].kind = "NodeMetrics";
        made[1].name = "pods";
        made[1].kind = "PodMetrics";
        made[1].namespaced = true;
        return made;
    }();
    return all;
}

struct Question {
    bool of_pods = false;
    std::string namespace_name;
    std::string name;  // empty: a list
    object::LabelSelector labels;
    object::FieldSelector fields;

    [[nodiscard]] bool wants(std::string_view of_namespace, std::string_view of_name) const {
        if (!namespace_name.empty() && of_namespace != namespace_name) return false;
        if (!name.empty() && of_name != name) return false;
        return fields.matches([&](std::string_view path) {
            return std::string(path == "metadata.name"        ? of_name
                               : path == "metadata.namespace" ? of_namespace
                                                              : std::string_view());
        });
    }
};

Result<Question> parse_question(const Request& request, const RequestInfo& info) {
    Question question;
    question.of_pods = info.resource == "pods";
    const bool is_known = question.of_pods || info.resource == "nodes";
    if (info.version != "v1beta1" || !is_known || !info.subresource.empty() ||
        (!question.of_pods && !info.namespace_name.empty()))
        return resource::resource_not_served();
    if (info.verb != "get" && info.verb != "list") return resource::method_not_allowed();
    question.namespace_name = info.namespace_name;
    question.name = info.name;
    KEELSON_TRY(question.labels, object::LabelSelector::parse(request.query_value("labelSelector")));
    KEELSON_TRY(question.fields, object::FieldSelector::parse(request.query_value("fieldSelector")));
    return question;
}

// Documents are put together in one arena, whose strings they keep.
struct Answer {
    Arena arena;
    std::vector<Value> items;
};

Value metadata_of(Value object, std::string_view time, Arena& arena) {
    Value metadata = Value::map(arena);
    for (const std::string_view name : {"name", "namespace"})
        if (const Value value = object["metadata"][name]; value.is_set())
            metadata.set(arena, name, Value::string(arena, value.as_string()));
    metadata.set(arena, "creationTimestamp", Value::string(arena, time));
    Value labels = Value::map(arena);
    for (const object::Member& label : object["metadata"]["labels"].members())
        labels.set(arena, label.name, Value::string(arena, label.value.as_string()));
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
    document.set(arena, "apiVersion", Value::reference(kApiVersion));
    const std::string time = measured["cpu"]["time"].to_string();
    document.set(arena, "metadata", metadata_of(object, time, arena));
    document.set(arena, "timestamp", Value::string(arena, time));
    document.set(arena, "window", Value::string(arena, window));
    return document;
}

void add_pod(Value pod, Value measured, std::string_view window, Answer& answer) {
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

void add_node(Value node, Value measured, std::string_view window, Answer& answer) {
    const auto usage = usage_of(measured, answer.arena);
    if (!usage) return;
    Value document = document_of("NodeMetrics", node, measured, window, answer.arena);
    document.set(answer.arena, "usage", *usage);
    answer.items.push_back(document);
}

void add_pods(const resource::Lookup& lookup, const Question& question, Value summary,
              std::string_view window, Answer& answer) {
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

Task<Result<std::string>> ask_elsewhere(Exchange& exchange, const resource::Lookup& lookup, NodeGate& nodes,
                                        std::string name) {
    KEELSON_CO_TRY(const NodeEndpoint endpoint, node_endpoint(lookup, name));
    OutgoingTarget target;
    target.tls = nodes.client_tls();
    target.address = endpoint.address;
    target.port = endpoint.port;
    target.common_name = std::string(access::node_user_prefix) + name;
    if (!target.tls || target.port == 0 || target.address.empty())
        co_return Status(Reason::service_unavailable, refused_text(endpoint.text));
    auto fetching = fetch_http(exchange, std::move(target), "/stats/summary", kSummaryLimit, kPatience);
    co_return co_await fetching;
}

Task<Result<std::string>> ask_node(Exchange& exchange, const resource::Lookup& lookup, NodeGate& nodes,
                                   std::string name) {
    if (const NodeGate::Node* node = nodes.find(name)) {
        auto asking = node->agent.summary();
        co_return co_await asking;
    }
    auto asking = ask_elsewhere(exchange, lookup, nodes, std::move(name));
    co_return co_await asking;
}

Response answer_to(const Question& question, Answer& answer) {
    Arena& arena = answer.arena;
    const std::string_view kind = question.of_pods ? "PodMetrics" : "NodeMetrics";
    if (!question.name.empty() && answer.items.empty()) {
        const std::string name =
            question.of_pods ? question.namespace_name + "/" + question.name : question.name;
        const Resource& resource = resources()[question.of_pods ? 1 : 0];
        return status_response(resource::not_found(resource, name));
    }
    Value document = question.name.empty() ? Value::map(arena) : answer.items.front();
    if (question.name.empty()) {
        document.set(arena, "kind", Value::string(arena, std::string(kind) + "List"));
        document.set(arena, "apiVersion", Value::reference(kApiVersion));
        document.set(arena, "metadata", Value::map(arena));
        Value items = Value::list(arena);
        for (const Value item : answer.items) items.push_back(arena, item);
        document.set(arena, "items", items);
    }
    return {200, "application/json", object::to_json(document) + "\n"};
}

// The nodes that have to be asked, with their objects.
Result<std::vector<Value>> nodes_for(const resource::Lookup& lookup, const Question& question, Arena& arena) {
    std::vector<Value> nodes;
    KEELSON_TRY_VOID(lookup.each("", "nodes", "", arena, [&](Value node) {
        const bool is_meant = question.of_pods || (question.wants("", node["metadata"]["name"].as_string()) &&
                                                   question.labels.matches(node["metadata"]["labels"]));
        if (is_meant) nodes.push_back(node);
    }));
    return nodes;
}

// A node that does not answer is left out, as its pods are.
Task<Result<Response>> answer(Exchange& exchange, resource::Lookup lookup, NodeGate& nodes,
                              const RequestInfo& info) {
    KEELSON_CO_TRY(const Question question, parse_question(exchange.request(), info));
    Arena arena;
    KEELSON_CO_TRY(const std::vector<Value> wanted, nodes_for(lookup, question, arena));
    std::vector<Task<Result<std::string>>> questions;
    for (const Value node : wanted)
        questions.push_back(ask_node(exchange, lookup, nodes, node["metadata"]["name"].to_string()));
    auto asking = base::gather(std::move(questions));
    const std::vector<Result<std::string>> summaries = co_await asking;
    Answer answer;
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
    co_return answer_to(question, answer);
}

}  // namespace

bool MetricsHandler::is_available() const {
    Arena arena;
    bool has_node = false;
    const Result<void> looked = lookup_.each("", "nodes", "", arena, [&](Value node) {
        const Value port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"];
        has_node =
            has_node || port.as_integer() > 0 || nodes_.find(node["metadata"]["name"].to_string()) != nullptr;
    });
    return looked && has_node;
}

const Discovery& MetricsHandler::discovery() {
    static const Discovery discovery(resources());
    return discovery;
}

Task<void> MetricsHandler::handle(Exchange& exchange, const RequestInfo& info) {
    auto answering = answer(exchange, lookup_, nodes_, info);
    Result<Response> response = co_await answering;
    exchange.respond(response ? std::move(*response) : status_response(response.error()));
}

}  // namespace keelson::api
