// What of the Kubernetes API reaches into running pods: logs, exec, attach, port-forward, and the proxies.
#pragma once

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

// A log as a node's own path names it.
[[nodiscard]] base::Task<void> serve_node_log(Exchange& exchange, StreamParts parts,
                                              const std::string& node_name, node::ContainerQuery query);
// Of pods, services and nodes (proxy_handler.cpp).
[[nodiscard]] base::Task<void> serve_proxy(Exchange& exchange, StreamParts parts, const resource::Call& call);

// The node that runs the pod; fails when it has none or it cannot be reached.
[[nodiscard]] base::Result<const NodeGate::Node*> reach_node(StreamParts parts, const PodTarget& target);
[[nodiscard]] base::Status upgrade_required();
// Answers a failure before an upgrade. One without a reason is text, as kubelets say it: clients put what
// they wanted before it ("unable to upgrade connection: ...").
void refuse_stream(Exchange& exchange, const base::Status& status);

}  // namespace keelson::api
