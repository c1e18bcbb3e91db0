#include "kernel/api/chain.h"

#include <algorithm>
#include <utility>

#include "kernel/access/impersonation.h"
#include "kernel/api/websocket.h"

namespace keelson::api {
namespace {

using access::AuditStage;
using base::Task;

access::Credentials credentials_of(const Request& request) {
    access::Credentials credentials;
    credentials.bearer_token = access::bearer_token(request.header("Authorization"));
    if (request.peer) {
        const PeerCertificate& peer = *request.peer;
        credentials.certificate = access::ClientCertificate{.verified = peer.verified,
                                                            .verify_error = peer.verify_error,
                                                            .common_name = peer.common_name,
                                                            .organizations = peer.organizations,
                                                            .uid = peer.uid,
                                                            .sha256 = peer.sha256,
                                                            .der = {request.peer, &peer.der}};
    }
    return credentials;
}

access::ImpersonationRequest impersonation_of(const Request& request) {
    static constexpr std::string_view prefix = "impersonate-";
    static constexpr std::string_view extra_prefix = "impersonate-extra-";
    access::ImpersonationRequest wanted;
    for (const Header& header : request.headers) {
        const std::string_view name = header.name;
        if (name.size() < prefix.size() || !same_header_name(name.substr(0, prefix.size()), prefix)) continue;
        if (same_header_name(name, "impersonate-user")) {
            wanted.user = header.value;
        } else if (same_header_name(name, "impersonate-uid")) {
            wanted.uid = header.value;
        } else if (same_header_name(name, "impersonate-group")) {
            wanted.groups.push_back(header.value);
        } else if (name.size() > extra_prefix.size() &&
                   same_header_name(name.substr(0, extra_prefix.size()), extra_prefix)) {
            wanted.extra.emplace_back(name.substr(extra_prefix.size()), header.value);
        }
    }
    return wanted;
}

std::string address_without_port(const std::string& address) {
    const std::string host = address.substr(0, address.rfind(':'));
    return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

void fill_record(access::AuditRecord& record, const Request& request, const access::Attributes& attributes) {
    record.audit_id = request.audit_id;
    record.request_uri = request.raw_target;
    record.attributes = attributes;
    record.source_address = address_without_port(request.remote_address);
    record.user_agent = request.header("User-Agent");
    record.received = request.received;
    record.trace_parent = request.header("traceparent");
}

// Who may read a pod may not run commands in it: a WebSocket begins with GET, so the verb alone does not tell
// (the gate AuthorizePodWebsocketUpgradeCreatePermission of Kubernetes).
bool asks_to_enter_pod(const Request& request, const RequestInfo& info) {
    const bool enters =
        info.subresource == "exec" || info.subresource == "attach" || info.subresource == "portforward";
    return info.verb == "get" && info.group.empty() && info.resource == "pods" && enters &&
           asks_for_websocket(request);
}

class Chain {
  public:
    Chain(ChainParts parts, ContextHandler handler)
        : parts_(std::move(parts)),
          handler_(std::move(handler)),
          in_flight_(parts_.metrics.gauge("apiserver_current_inflight_requests",
                                          "Requests that are being served, long-running ones included.")) {}

    Task<void> serve(Exchange& exchange) {
        const auto start = exchange.executor().clock().now();
        in_flight_.add(1);
        RequestContext context;
        exchange.add_header("Audit-Id", exchange.request().audit_id);
        exchange.add_header("Cache-Control", "no-cache, private");
        co_await serve_inside(exchange, context);
        in_flight_.add(-1);
        count(exchange, context.info, exchange.executor().clock().now() - start);
    }

  private:
    Task<void> serve_inside(Exchange& exchange, RequestContext& context) {
        const Request& request = exchange.request();
        auto info = parse_request_info(request.method, request.path, request.query);
        if (!info) {
            exchange.respond(status_response(info.error()));
            co_return;
        }
        context.info = std::move(*info);
        context.trace_parent = request.header("traceparent");

        auto identity = co_await parts_.authentication.authenticate(credentials_of(request));
        if (!identity) {
            parts_.metrics
                .counter("authentication_attempts_failed_total", "Requests whose credentials were refused.")
                .add();
            exchange.respond(status_response(identity.error()));
            co_return;
        }
        context.user = std::move(*identity);

        const std::shared_ptr<access::AuditLog> log = parts_.audit_log ? parts_.audit_log() : nullptr;
        access::AuditRecord record;
        const access::Attributes caller = make_attributes(context.info, context.user);
        if (log) context.audit_level = log->level(caller);
        if (context.audit_level == access::AuditLevel::none) {
            co_await serve_known(exchange, context);
            co_return;
        }
        fill_record(record, request, caller);
        context.audit = &record;
        log->log(AuditStage::request_received, record);
        exchange.on_response_started([&context, &record, &log](int status, bool streaming) {
            record.response_code = status;
            if (streaming && is_long_running(context.info)) {
                log->log(AuditStage::response_started, record);
                context.seat.release();
            }
        });
        co_await serve_known(exchange, context);
        record.response_code = exchange.status();
        log->log(AuditStage::response_complete, record);
    }

    // The caller is known; who they act as, whether they wait and whether they may is not.
    Task<void> serve_known(Exchange& exchange, RequestContext& context) {
        const Request& request = exchange.request();
        const access::ImpersonationRequest wanted = impersonation_of(request);
        if (!wanted.empty()) {
            auto target = co_await access::impersonate(parts_.authorization, context.user, wanted);
            if (!target) {
                exchange.respond(status_response(target.error()));
                co_return;
            }
            context.impersonator = std::exchange(context.user, std::move(*target));
            if (context.audit != nullptr) context.audit->impersonated = context.user;
        }
        access::Attributes attributes = make_attributes(context.info, context.user);

        access::Classification flow;
        auto seat = co_await parts_.flow_control.enter(attributes, &flow);
        exchange.add_header("X-Kubernetes-Pf-Flowschema-Uid", std::move(flow.schema_uid));
        exchange.add_header("X-Kubernetes-Pf-Prioritylevel-Uid", std::move(flow.level_uid));
        if (!seat) {
            exchange.respond(status_response(seat.error()));
            co_return;
        }
        context.seat = std::move(*seat);
        if (context.audit == nullptr && is_long_running(context.info))
            exchange.on_response_started([&context](int, bool streaming) {
                if (streaming) context.seat.release();
            });

        access::Decision decision = co_await parts_.authorization.authorize(attributes);
        if (decision.allowed && asks_to_enter_pod(request, context.info)) {
            attributes.verb = "create";
            decision = co_await parts_.authorization.authorize(attributes);
        }
        if (context.audit != nullptr) {
            context.audit->annotations.emplace_back("authorization.k8s.io/decision",
                                                    decision.allowed ? "allow" : "forbid");
            context.audit->annotations.emplace_back("authorization.k8s.io/reason", decision.reason);
        }
        if (!decision.allowed) {
            exchange.respond(status_response(access::forbidden(attributes, decision.reason)));
            co_return;
        }
        co_await handler_(exchange, context);
    }

    void count(const Exchange& exchange, const RequestInfo& info, base::Duration duration) {
        std::string verb = info.is_resource_request ? info.verb : "get";
        std::ranges::transform(verb, verb.begin(),
                               [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
        base::MetricLabels labels{{"group", info.group},
                                  {"resource", info.resource},
                                  {"subresource", info.is_resource_request ? info.subresource : info.path},
                                  {"verb", std::move(verb)},
                                  {"version", info.version}};
        // Paths and names of failed requests are the caller's invention.
        if (exchange.status() == 404 || exchange.status() == 403 || exchange.status() == 401) {
            labels[0].second.clear();
            labels[1].second.clear();
            labels[2].second.clear();
            labels[4].second.clear();
        }
        if (!is_long_running(info)) {
            parts_.metrics
                .histogram("apiserver_request_duration_seconds",
                           "How long requests took, long-running ones apart.", base::latency_bounds_seconds(),
                           labels)
                .observe(std::chrono::duration<double>(duration).count());
        }
        labels.emplace_back("code", std::to_string(exchange.status()));
        parts_.metrics
            .counter("apiserver_request_total", "Requests by what they asked for and how it went.", labels)
            .add();
    }

    ChainParts parts_;
    ContextHandler handler_;
    base::Gauge& in_flight_;
};

}  // namespace

access::Attributes make_attributes(const RequestInfo& info, const access::Identity& user) {
    return {.user = user,
            .verb = info.verb,
            .is_resource_request = info.is_resource_request,
            .group = info.group,
            .version = info.version,
            .namespace_name = info.namespace_name,
            .resource = info.resource,
            .subresource = info.subresource,
            .name = info.name,
            .path = info.path,
            .field_selector = info.field_selector};
}

Handler make_chain(ChainParts parts, ContextHandler handler) {
    auto chain = std::make_shared<Chain>(std::move(parts), std::move(handler));
    return [chain](Exchange& exchange) { return chain->serve(exchange); };
}

Response page_not_found() {
    Response response(404, "text/plain; charset=utf-8", "404 page not found\n");
    response.headers.push_back({"X-Content-Type-Options", "nosniff"});
    return response;
}

}  // namespace keelson::api
