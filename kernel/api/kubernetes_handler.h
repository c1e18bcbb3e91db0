// Serves the Kubernetes API: resources and their subresources, discovery and OpenAPI. Stands behind the
// chain, so callers are authenticated and authorized.
#pragma once

#include <optional>

#include "kernel/api/chain.h"
#include "kernel/api/discovery.h"
#include "kernel/api/event_cache.h"
#include "kernel/api/metrics_handler.h"
#include "kernel/api/node_gate.h"
#include "kernel/api/openapi.h"
#include "kernel/resource/subresources.h"
#include "kernel/resource/verbs.h"

namespace keelson::api {

class KubernetesHandler {
  public:
    // Without a gate to the nodes logs and streams are not served.
    KubernetesHandler(resource::Verbs& verbs, resource::Subresources& subresources, NodeGate* nodes = nullptr)
        : verbs_(verbs), subresources_(subresources), nodes_(nodes) {
        if (nodes != nullptr) metrics_.emplace(verbs.lookup(), *nodes);
    }

    // The handler for a chain; refers to this object.
    [[nodiscard]] ContextHandler handler();

  private:
    base::Task<void> handle(Exchange& exchange, RequestContext& context);
    base::Task<void> serve_resource(Exchange& exchange, resource::Call& call, const RequestInfo& info);
    base::Task<base::Result<resource::ObjectAnswer>> carry_out(Exchange& exchange, resource::Call& call,
                                                               const RequestInfo& info);
    base::Task<base::Result<resource::ObjectAnswer>> write(Exchange& exchange, resource::Call& call,
                                                           bool is_create);
    base::Task<base::Result<resource::ObjectAnswer>> patch(Exchange& exchange, resource::Call& call);
    base::Task<base::Result<resource::ObjectAnswer>> remove(Exchange& exchange, resource::Call& call);
    base::Task<base::Result<resource::ObjectAnswer>> remove_collection(Exchange& exchange,
                                                                       resource::Call& call);

    resource::Verbs& verbs_;
    resource::Subresources& subresources_;
    NodeGate* nodes_;
    std::optional<MetricsHandler> metrics_;
    Discovery discovery_;
    OpenApi open_api_;
    EventCaches event_caches_;
};

// A list of a resource, streamed (list_handler.cpp).
base::Task<void> serve_list(Exchange& exchange, resource::Verbs& verbs, const resource::Call& call);
// A watch (watch_handler.cpp).
base::Task<void> serve_watch(Exchange& exchange, resource::Verbs& verbs, EventCaches& caches,
                             const resource::Call& call);

}  // namespace keelson::api
