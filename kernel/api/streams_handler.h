// What of the Kubernetes API reaches into running pods: logs, exec, attach, port-forward, and the proxies.
#pragma once

#include <functional>
#include <string>

#include "kernel/api/exchange.h"
#include "kernel/api/node_gate.h"
#include "kernel/api/pod_target.h"
#include "kernel/resource/call.h"
#include "kernel/resource/lookup.h"

namespace keelson::api {

// All of it outlives the requests.
struct StreamParts {
    const resource::Lookup& lookup;
    NodeGate& nodes;
};

// Whether the call is one for serve_stream().
[[nodiscard]] bool is_stream_call(const resource::Call& call);
[[nodiscard]] base::Task<void> serve_stream(Exchange& exchange, StreamParts parts,
                                            const resource::Call& call);

// The parts of it: pod_log.cpp, command_handler.cpp, port_forward.cpp.
[[nodiscard]] base::Task<void> serve_pod_log(Exchange& exchange, StreamParts parts,
                                             const resource::Call& call);
[[nodiscard]] base::Task<void> serve_command(Exchange& exchange, StreamParts parts,
                                             const resource::Call& call);
[[nodiscard]] base::Task<void> serve_port_forward(Exchange& exchange, StreamParts parts,
                                                  const resource::Call& call);

// Of pods, services and nodes (proxy_handler.cpp).
[[nodiscard]] base::Task<void> serve_proxy(Exchange& exchange, StreamParts parts, const resource::Call& call);

// The same once the node and the container are known, on the node of this process. Options are in the query.
[[nodiscard]] base::Task<void> serve_log_here(Exchange& exchange, const NodeGate::Node& node,
                                              node::ContainerQuery query);
[[nodiscard]] base::Task<void> serve_command_here(Exchange& exchange, const NodeGate::Node& node,
                                                  node::ContainerQuery query, bool is_exec);
[[nodiscard]] base::Task<void> serve_port_forward_here(Exchange& exchange, const NodeGate::Node& node,
                                                       node::ContainerQuery query);

// By the channels of a WebSocket (port_forward_channels.cpp), for clients that offer nothing newer.
[[nodiscard]] base::Task<base::Result<void>> forward_over_channels(Exchange& exchange,
                                                                   node::NodeStreams& streams,
                                                                   node::ContainerQuery query);

// Has the request answered by a node elsewhere: `path` is the node's own, with its query. `refuse` says why
// when it cannot be reached.
using Refuse = std::function<void(Exchange& exchange, const std::string& why)>;
[[nodiscard]] base::Task<void> pass_to_node(Exchange& exchange, StreamParts parts, std::string node_name,
                                            std::string path, Refuse refuse);
// For streams: "error dialing backend: ...".
void refuse_backend(Exchange& exchange, const std::string& why);
// "/containerLogs/NAMESPACE/POD/CONTAINER", "/exec/NAMESPACE/POD/UID/CONTAINER" with the request's query.
[[nodiscard]] std::string node_path(const Request& request, std::string_view what,
                                    const node::ContainerQuery& query);
[[nodiscard]] base::Status upgrade_required();
// Answers a failure before an upgrade. One without a reason is text, as kubelets say it: clients put what
// they wanted before it ("unable to upgrade connection: ...").
void refuse_stream(Exchange& exchange, const base::Status& status);

}  // namespace keelson::api
