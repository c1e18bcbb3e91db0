// What a node answers itself: the paths of a kubelet. Reached through the API server's proxy to nodes, and on
// the node's own port where it runs without an API server.
#pragma once

#include <string>

#include "kernel/api/exchange.h"
#include "kernel/api/node_gate.h"

namespace keelson::api {

// `path` without a query, which is the request's: "/pods", "/containerLogs/NAMESPACE/POD/CONTAINER", ...
[[nodiscard]] base::Task<void> serve_node_path(Exchange& exchange, const NodeGate::Node& node,
                                               std::string path);

// For a server of the node's own. Only the API server is answered, and whoever the cluster's CA has put into
// the group system:masters; `node` outlives the requests.
[[nodiscard]] Handler make_node_handler(NodeGate::Node node);

}  // namespace keelson::api
