// What every request goes through before a handler sees it, in Kubernetes' order: request info,
// authentication, audit, impersonation, fair queues, authorization; then the handler; metrics and audit
// around it all.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "kernel/access/audit.h"
#include "kernel/access/authentication.h"
#include "kernel/access/authorization.h"
#include "kernel/access/flow_control.h"
#include "kernel/api/exchange.h"
#include "kernel/api/request_info.h"
#include "kernel/base/metrics.h"

namespace keelson::api {

// What is known about a request by the time its handler runs. Lives as long as the exchange.
struct RequestContext {
    RequestInfo info;
    access::Identity user;                         // whom to act as
    std::optional<access::Identity> impersonator;  // who really asks, when that is somebody else
    std::string trace_parent;                      // W3C traceparent to pass on; may be empty
    // Null when the request is not audited. Handlers put request_object, response_object and annotations into
    // it; looking at audit_level first saves making texts that nobody logs.
    access::AuditRecord* audit = nullptr;
    access::AuditLevel audit_level = access::AuditLevel::none;
    // The seat in the fair queues. A handler of a long request that the chain does not know as one may
    // release it.
    access::Seat seat;
};

// What an authorizer is asked about this request; also good for finer questions (change a field and ask
// again).
[[nodiscard]] access::Attributes make_attributes(const RequestInfo& info, const access::Identity& user);

using ContextHandler = std::function<base::Task<void>(Exchange&, RequestContext&)>;

// The parts that the chain asks; all outlive it.
struct ChainParts {
    const access::Authentication& authentication;
    const access::Authorization& authorization;
    access::FlowControl& flow_control;
    base::Metrics& metrics;
    // Asked at the start of each request; null: no audit. Lets a reload swap the log.
    std::function<std::shared_ptr<access::AuditLog>()> audit_log;
};

[[nodiscard]] Handler make_chain(ChainParts parts, ContextHandler handler);

// "404 page not found", as Kubernetes answers paths that nothing serves.
[[nodiscard]] Response page_not_found();

}  // namespace keelson::api
