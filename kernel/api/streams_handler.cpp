#include "kernel/api/streams_handler.h"

#include "kernel/resource/errors.h"

namespace keelson::api {

using base::Result;
using base::Status;
using base::Task;
using resource::Call;

bool is_stream_call(const Call& call) {
    const std::string_view name = call.subresource_name();
    if (name == "proxy") return true;
    return call.resource->kind == "Pod" &&
           (name == "log" || name == "exec" || name == "attach" || name == "portforward");
}

Task<void> serve_stream(Exchange& exchange, StreamParts parts, const Call& call) {
    if (call.subresource_name() == "proxy") return serve_proxy(exchange, parts, call);
    if (call.subresource_name() == "log") return serve_pod_log(exchange, parts, call);
    if (call.subresource_name() == "portforward") return serve_port_forward(exchange, parts, call);
    return serve_command(exchange, parts, call);
}

Result<const NodeGate::Node*> reach_node(StreamParts parts, const PodTarget& target) {
    if (target.node.empty()) return no_host(target);
    if (const NodeGate::Node* node = parts.nodes.find(target.node)) return node;
    KEELSON_TRY(const std::string endpoint, node_endpoint(parts.lookup, target.node));
    return Status(base::Reason::unknown, "error dialing backend: " + refused_text(endpoint));
}

Status upgrade_required() {
    return resource::bad_request("Upgrade request required");
}

void refuse_stream(Exchange& exchange, const Status& status) {
    // Once the connection has been handed over there is nothing to answer on it.
    if (exchange.status() != 0) return;
    if (status.reason() == base::Reason::unknown)
        exchange.respond(Response(status.code(), "text/plain; charset=utf-8", status.message()));
    else
        exchange.respond(status_response(status));
}

}  // namespace keelson::api
