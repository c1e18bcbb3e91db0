// Answers load balancers that ask whether this node has endpoints of a service: a plain HTTP server on the
// health check node port of each service with externalTrafficPolicy Local, as kube-proxy has
// (https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace keelson::admin {

struct HealthCheckAnswer {
    std::uint16_t port = 0;
    std::string namespace_name;
    std::string service;
    std::size_t local_endpoints = 0;
};

// Thread-safe.
class HealthCheckPorts {
  public:
    [[nodiscard]] static std::unique_ptr<HealthCheckPorts> make();
    virtual ~HealthCheckPorts() = default;  // closes all ports
    // Exactly these, from now on. A port that cannot be opened is logged, and tried again with the next
    // change.
    virtual void set(const std::vector<HealthCheckAnswer>& answers) = 0;
};

}  // namespace keelson::admin
