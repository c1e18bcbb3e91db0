// The services' network of a running node, on a thread of its own: which proxy carries them, and the DNS
// server.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernel/base/ids.h"
#include "kernel/base/metrics.h"
#include "kernel/client/client.h"
#include "kernel/daemon/config.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::daemon {

// The port of the node's DNS server; 0: this node has none.
[[nodiscard]] std::uint16_t dns_port(const Config& config);
// Of the Service that pods ask; empty: there is none.
[[nodiscard]] std::string cluster_dns_address(const Config& config);

// The proxies that may have left something on this machine, the present one among them; kept in the data
// directory.
[[nodiscard]] std::vector<std::string> known_proxies(const std::string& data_directory);

class NetworkRole {
  public:
    struct Parts {
        const Config& config;
        const std::string& data_directory;
        const std::string& node_name;
        const std::vector<std::string>& node_addresses;
        client::Client& client;  // of the node
        plugin::PluginHost& plugins;
        base::Executor& executor;  // of the process
        base::RandomSource& random;
        base::Metrics& metrics;
    };

    // Everything in `parts` outlives it. Starts in the background; null without the role node. What former
    // proxies have left is cleared once the present one carries the services.
    [[nodiscard]] static std::unique_ptr<NetworkRole> start(const Parts& parts);
    // Stops, and waits until nothing of it runs any more. What the plugins have put into the system stays.
    virtual ~NetworkRole() = default;

    // After the configuration has been read again, and its plugins loaded besides the former ones: the
    // services are handed over in the background if another proxy is wanted; then the former plugin goes.
    virtual void reload(const Config& config) = 0;
    // Something about a plugin is different. Thread-safe.
    virtual void plugin_changed(const std::string& name) = 0;
};

}  // namespace keelson::daemon
