// The API group metrics.k8s.io: what nodes and pods use now, asked of the nodes at each request. For `kubectl
// top` and autoscalers (https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/).
#pragma once

#include <string_view>

#include "kernel/api/discovery.h"
#include "kernel/api/exchange.h"
#include "kernel/api/node_gate.h"
#include "kernel/api/request_info.h"
#include "kernel/resource/lookup.h"

namespace keelson::api {

class MetricsHandler {
  public:
    // Both outlive it.
    MetricsHandler(resource::Lookup lookup, NodeGate& nodes) : lookup_(lookup), nodes_(nodes) {}

    // The group is there when a node is that can be asked.
    [[nodiscard]] bool is_available() const;
    [[nodiscard]] static bool handles(const RequestInfo& info) { return info.group == group; }
    [[nodiscard]] base::Task<void> handle(Exchange& exchange, const RequestInfo& info);
    // Discovery of all groups, this one among them.
    [[nodiscard]] const Discovery& discovery();

    static constexpr std::string_view group = "metrics.k8s.io";

  private:
    resource::Lookup lookup_;
    NodeGate& nodes_;
};

}  // namespace keelson::api
