// The network of services on one node: follows Services and EndpointSlices, and keeps the node's proxy and
// its DNS server in step with them.
//
// Everything of it lives on one executor that runs one callback at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/ids.h"
#include "kernel/base/metrics.h"
#include "kernel/client/client.h"
#include "kernel/network/sinks.h"

namespace keelson::network {

struct NodeNetworkSettings {
    std::string node_name;
    std::vector<std::string> node_addresses;
    std::vector<std::string> cluster_cidrs;        // of pods
    std::vector<std::string> node_port_addresses;  // CIDRs; empty: all of the node's
    std::string cluster_domain = "cluster.local";
    std::uint16_t dns_port = 10053;
    std::vector<std::string> dns_upstreams;  // "192.0.2.53:53"
};

// All of it outlives the network.
struct NodeNetworkParts {
    client::Client& client;
    base::Executor& executor;
    base::RandomSource& random;
    base::Metrics& metrics;
    HealthChecks& health_checks;
};

class NodeNetwork {
  public:
    // Null sinks: that part is not there.
    [[nodiscard]] static std::unique_ptr<NodeNetwork> make(NodeNetworkSettings settings,
                                                           const NodeNetworkParts& parts,
                                                           std::unique_ptr<Dns> dns);
    virtual ~NodeNetwork() = default;

    // Until stop(). On the executor.
    virtual base::Task<void> run() = 0;
    virtual void stop() = 0;

    // Hands the services over to another proxy: it carries everything before the present one is cleared, and
    // `done` is called after that. Null: none. On the executor.
    virtual void use_proxy(std::string name, std::unique_ptr<ServiceProxy> proxy, base::Callback done) = 0;
    // A plugin is there again, or is another version: it is told everything. Thread-safe.
    virtual void plugin_changed() = 0;
};

}  // namespace keelson::network
