#include "kernel/api/streams_handler.h"

#include "kernel/access/identity.h"
#include "kernel/api/http_proxy.h"
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

Task<void> pass_to_node(Exchange& exchange, StreamParts parts, std::string node_name, std::string path,
                        Refuse refuse) {
    const Result<NodeEndpoint> endpoint = node_endpoint(parts.lookup, node_name);
    if (!endpoint) {
        refuse_stream(exchange, endpoint.error());
        co_return;
    }
    ProxyTarget target;
    target.server.tls = parts.nodes.client_tls();
    if (!target.server.tls || endpoint->port == 0 || endpoint->address.empty()) {
        refuse(exchange, refused_text(endpoint->text));
        co_return;
    }
    target.server.address = endpoint->address;
    target.server.port = endpoint->port;
    // Whatever addresses it claims, it is that node or nobody.
    target.server.common_name = std::string(access::node_user_prefix) + node_name;
    target.path = std::move(path);
    target.refuse = std::move(refuse);
    auto proxying = proxy_http(exchange, std::move(target));
    co_await proxying;
}

void refuse_backend(Exchange& exchange, const std::string& why) {
    refuse_stream(exchange, Status(base::Reason::unknown, "error dialing backend: " + why));
}

std::string node_path(const Request& request, std::string_view what, const node::ContainerQuery& query) {
    std::string path = "/" + std::string(what) + "/" + query.namespace_name + "/" + query.pod;
    for (const std::string* part : {&query.uid, &query.container})
        if (!part->empty()) path += "/" + *part;
    const std::size_t question = request.raw_target.find('?');
    return question == std::string::npos ? path : path + request.raw_target.substr(question);
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
