// The way to the nodes: that of this process is asked itself, others are called.
#pragma once

#include <memory>
#include <string>

#include "kernel/api/outgoing.h"

#include "kernel/node/node_agent.h"
#include "kernel/node/streams.h"

namespace keelson::api {

// Thread-safe. What it gives is there as long as requests are served.
class NodeGate {
  public:
    struct Node {
        node::NodeStreams& streams;
        node::NodeAgent& agent;
    };

    virtual ~NodeGate() = default;
    // Null: that node runs elsewhere, or not at all.
    [[nodiscard]] virtual const Node* find(const std::string& node_name) = 0;
    // How to prove oneself to nodes elsewhere, and to know them; null: they are not called.
    [[nodiscard]] virtual std::shared_ptr<const ClientTls> client_tls() = 0;
};

}  // namespace keelson::api
