// The node of a running keelsond, on a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/ids.h"
#include "kernel/base/metrics.h"
#include "kernel/client/client.h"
#include "kernel/daemon/config.h"
#include "kernel/node/node_agent.h"
#include "kernel/node/streams.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::daemon {

// As the node is called in the cluster.
[[nodiscard]] std::string node_name(const Config& config);

class NodeRole {
  public:
    struct Parts {
        const Config& config;
        const std::string& data_directory;
        client::Client& client;  // of the node
        plugin::PluginHost& plugins;
        base::RandomSource& random;
        base::Metrics& metrics;
        std::uint16_t port = 0;  // of the node's own server; 0: the API of this process answers
    };

    // Everything in `parts` outlives it. Starts in the background; null without the role.
    [[nodiscard]] static std::unique_ptr<NodeRole> start(const Parts& parts);
    // Stops, and waits until nothing of it runs any more. Containers go on.
    virtual ~NodeRole() = default;

    // What a plugin asks to look at. Thread-safe.
    virtual void reconcile(const std::string& key) = 0;
    // A plugin, by its name, was loaded, replaced or has ended. Thread-safe.
    virtual void plugin_changed(const std::string& name) = 0;
    [[nodiscard]] virtual node::NodeAgent& agent() = 0;
    [[nodiscard]] virtual node::Runtime& runtime() = 0;
    [[nodiscard]] virtual node::NodeStreams& streams() = 0;
    [[nodiscard]] virtual base::Executor& executor() = 0;
    [[nodiscard]] virtual const std::string& name() const = 0;
    [[nodiscard]] virtual const std::vector<std::string>& addresses() const = 0;
};

}  // namespace keelson::daemon
