#include "kernel/api/metrics_handler.h"

#include <array>
#include <utility>
#include <vector>

#include "kernel/api/usage_documents.h"
#include "kernel/base/gather.h"
#include "kernel/object/json.h"
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

Result<UsageQuestion> parse_question(const Request& request, const RequestInfo& info) {
    UsageQuestion question;
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

Task<Result<std::string>> ask_node(IoLoop& loop, resource::Lookup lookup, NodeGate& nodes, std::string name) {
    if (const NodeGate::Node* node = nodes.find(name)) {
        auto asking = node->agent.summary();
        co_return co_await asking;
    }
    auto asking = ask_node_elsewhere(loop, lookup, nodes, std::move(name));
    co_return co_await asking;
}

Task<Summaries> ask_nodes(IoLoop& loop, resource::Lookup lookup, NodeGate& nodes,
                          std::vector<std::string> names) {
    std::vector<Task<Result<std::string>>> questions;
    questions.reserve(names.size());
    for (std::string& name : names) questions.push_back(ask_node(loop, lookup, nodes, std::move(name)));
    auto asking = base::gather(std::move(questions));
    co_return co_await asking;
}

Response answer_to(const UsageQuestion& question, UsageAnswer& answer) {
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
        document.set(arena, "apiVersion", Value::reference(usage_api_version));
        document.set(arena, "metadata", Value::map(arena));
        Value items = Value::list(arena);
        for (const Value item : answer.items) items.push_back(arena, item);
        document.set(arena, "items", items);
    }
    return {200, "application/json", object::to_json(document) + "\n"};
}

Task<Result<Response>> answer(Exchange& exchange, resource::Lookup lookup, NodeGate& nodes,
                              const RequestInfo& info) {
    KEELSON_CO_TRY(const UsageQuestion question, parse_question(exchange.request(), info));
    auto* loop = dynamic_cast<IoLoop*>(&exchange.executor());
    if (loop == nullptr) co_return Status(Reason::internal_error, "no I/O loop");
    const AskNodes ask = [loop, lookup, &nodes](std::vector<std::string> names) {
        return ask_nodes(*loop, lookup, nodes, std::move(names));
    };
    auto collecting = collect_usage(lookup, question, ask);
    KEELSON_CO_TRY(UsageAnswer usage, co_await collecting);
    co_return answer_to(question, usage);
}

}  // namespace

bool MetricsHandler::is_available() const {
    return has_measured_nodes(lookup_, nodes_);
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
