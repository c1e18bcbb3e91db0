// What the network's loops ask of plugins, as types. One implementation asks plugins (plugin_sinks.h), tests
// have their own. What the methods have to do is said in sdk/include/keelson/network.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/network/dns_records.h"
#include "kernel/network/service_table.h"

namespace keelson::network {

struct ProxySettings {
    std::string node_name;
    std::vector<std::string> node_addresses;
    std::vector<std::string> pod_cidrs;
    std::vector<std::string> cluster_cidrs;
    std::vector<std::string> node_port_addresses;  // CIDRs; empty: all of the node's
    bool operator==(const ProxySettings&) const = default;
};

struct ServiceProblem {
    std::string id;  // of the entry
    std::string message;
};

struct PluginState {
    std::int64_t generation = 0;  // 0: none
    bool is_intact = true;
};

template <typename T>
using Answer = base::Task<base::Result<T>>;

class ServiceProxy {
  public:
    virtual ~ServiceProxy() = default;
    virtual Answer<void> configure(ProxySettings settings) = 0;
    // `full`: the table is exactly change.set.
    virtual Answer<std::vector<ServiceProblem>> apply(std::int64_t generation, bool full,
                                                      TableChange change) = 0;
    virtual Answer<PluginState> state() = 0;
    virtual Answer<void> clear() = 0;
};

struct DnsSettings {
    std::vector<std::string> listen;  // "192.0.2.10:10053", "[2001:db8::1]:10053"
    std::string zone;
    std::vector<std::string> upstreams;  // "192.0.2.53:53"
    bool operator==(const DnsSettings&) const = default;
};

class Dns {
  public:
    virtual ~Dns() = default;
    virtual Answer<void> configure(DnsSettings settings) = 0;
    virtual Answer<void> apply(std::int64_t generation, bool full, DnsChange change) = 0;
    virtual Answer<PluginState> state() = 0;
};

// Who answers load balancers that ask for a service's local endpoints.
class HealthChecks {
  public:
    virtual ~HealthChecks() = default;
    // Exactly these, from now on. What stands in the way of a port is logged.
    virtual void set(std::vector<HealthCheckPort> ports) = 0;
};

}  // namespace keelson::network
