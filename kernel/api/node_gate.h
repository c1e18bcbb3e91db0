// The way to the nodes: to those of this process for now, which is for the gate to know and nobody else.
#pragma once

#include <string>

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
};

}  // namespace keelson::api
