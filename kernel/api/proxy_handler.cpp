// The proxy subresources: HTTP requests that the API server passes on to pods, to what is behind services,
// and what nodes answer themselves.
#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "kernel/api/http_proxy.h"
#include "kernel/api/node_paths.h"
#include "kernel/api/streams_handler.h"
#include "kernel/object/addresses.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Value;
using resource::Call;

// "name", "name:port", "scheme:name:port": how a proxied object is named.
struct ProxyName {
    std::string scheme;
    std::string name;
    std::string port;  // a number or a name; empty: the first
};

Result<ProxyName> parse_name(const std::string& text) {
    const auto bad = [&] { return resource::bad_request("invalid proxy request \"" + text + "\""); };
    const std::size_t first = text.find(':');
    if (first == std::string::npos) return ProxyName{"", text, ""};
    const std::size_t second = text.find(':', first + 1);
    ProxyName name;
    if (second == std::string::npos) {
        name = {"", text.substr(0, first), text.substr(first + 1)};
    } else {
        name = {text.substr(0, first), text.substr(first + 1, second - first - 1), text.substr(second + 1)};
    }
    if (name.name.empty() || name.port.find(':') != std::string::npos) return bad();
    if (!name.scheme.empty() && name.scheme != "http" && name.scheme != "https") return bad();
    return name;
}

std::optional<std::uint16_t> number_of(std::string_view text) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number == 0) return std::nullopt;
    return number;
}

// What follows ".../proxy" in the request as it was sent; empty when nothing does.
std::string rest_of(const Request& request, const Call& call) {
    const std::string path = request.raw_target.substr(0, request.raw_target.find('?'));
    // "/api/v1/namespaces/N/pods/P/proxy", "/api/v1/nodes/N/proxy".
    std::size_t at = 0;
    for (int segments = call.resource->namespaced ? 7 : 5; segments > 0 && at != std::string::npos;
         --segments)
        at = path.find('/', at + 1);
    return at == std::string::npos ? std::string() : path.substr(at);
}

std::string query_of(const Request& request) {
    const std::size_t question = request.raw_target.find('?');
    return question == std::string::npos ? std::string() : request.raw_target.substr(question);
}

// The API server must not be led to itself or to the machine's own services.
Result<void> check_address(const std::string& text) {
    const auto address = object::IpAddress::parse(text);
    if (!address || address->is_loopback() || address->is_unspecified() || address->is_link_local_unicast() ||
        address->is_link_local_multicast() || address->is_multicast())
        return resource::bad_request("address not allowed");
    return base::ok();
}

Result<ProxyTarget> pod_target(StreamParts parts, const Call& call, const ProxyName& name) {
    Arena arena;
    KEELSON_TRY(const Value pod, parts.lookup.get("", "pods", call.namespace_name, name.name, arena));
    if (pod.is_absent()) return resource::not_found(*call.resource, name.name);
    ProxyTarget target;
    OutgoingTarget& server = target.server;
    server.address = pod["status"]["podIP"].to_string();
    KEELSON_TRY_VOID(check_address(server.address));
    for (const Value container : pod["spec"]["containers"].items()) {
        for (const Value port : container["ports"].items()) {
            const bool is_named = !name.port.empty() && port["name"].as_string() == name.port;
            if (server.port == 0 && (name.port.empty() || is_named))
                server.port = static_cast<std::uint16_t>(port["containerPort"].as_integer());
        }
    }
    if (const auto number = number_of(name.port)) server.port = *number;
    if (server.port == 0 && !name.port.empty())
        return resource::bad_request("no port \"" + name.port + "\" in pod " + name.name);
    if (server.port == 0) server.port = 80;
    return target;
}

// The name that a service's port has in its endpoint slices.
Result<std::string> port_name(Value service, const ProxyName& name) {
    const Value ports = service["spec"]["ports"];
    const auto number = number_of(name.port);
    for (const Value port : ports.items()) {
        const bool is_meant = name.port.empty() ? ports.size() == 1
                              : number          ? port["port"].as_integer() == *number
                                                : port["name"].as_string() == name.port;
        if (is_meant) return port["name"].to_string();
    }
    return Status(Reason::service_unavailable,
                  "no service port \"" + name.port + "\" found for service \"" + name.name + "\"");
}

bool serves(Value endpoint) {
    const Value ready = endpoint["conditions"]["ready"];
    return ready.is_unset() || ready.as_boolean();
}

void add_targets(Value slice, std::string_view port_name, std::vector<ProxyTarget>& targets) {
    for (const Value port : slice["ports"].items()) {
        if (port["name"].as_string() != port_name || !port["port"].is_integer()) continue;
        for (const Value endpoint : slice["endpoints"].items())
            if (serves(endpoint) && !endpoint["addresses"].empty())
                targets.push_back(
                    {.server = {.address = endpoint["addresses"].at(0).to_string(),
                                .port = static_cast<std::uint16_t>(port["port"].as_integer())}});
    }
}

// One of the service's ready endpoints, each in turn.
Result<ProxyTarget> service_target(StreamParts parts, const Call& call, const ProxyName& name,
                                   std::size_t turn) {
    Arena arena;
    KEELSON_TRY(const Value service, parts.lookup.get("", "services", call.namespace_name, name.name, arena));
    if (service.is_absent()) return resource::not_found(*call.resource, name.name);
    KEELSON_TRY(const std::string port, port_name(service, name));
    std::vector<ProxyTarget> targets;
    KEELSON_TRY_VOID(
        parts.lookup.each("discovery.k8s.io", "endpointslices", call.namespace_name, arena, [&](Value slice) {
            if (slice["metadata"]["labels"]["kubernetes.io/service-name"].as_string() == name.name)
                add_targets(slice, port, targets);
        }));
    if (targets.empty())
        return Status(Reason::service_unavailable,
                      "no endpoints available for service \"" + name.name + "\"");
    ProxyTarget target = std::move(targets[turn % targets.size()]);
    KEELSON_TRY_VOID(check_address(target.server.address));
    return target;
}

Task<void> serve_node(Exchange& exchange, StreamParts parts, const Call& call, const std::string& path) {
    const std::string name = call.name.substr(0, call.name.find(':'));
    if (const NodeGate::Node* node = parts.nodes.find(name)) {
        auto serving = serve_node_path(exchange, *node, path);
        co_await serving;
        co_return;
    }
    auto passing =
        pass_to_node(exchange, parts, name, (path.empty() ? "/" : path) + query_of(exchange.request()),
                     ProxyTarget::refuse_service);
    co_await passing;
}

// Certificates of pods are their own; nobody vouches for them.
Result<std::shared_ptr<const ClientTls>> unproven_tls() {
    static const auto tls = ClientTls::create({});
    return tls;
}

Result<ProxyTarget> find_target(StreamParts parts, const Call& call, std::size_t turn) {
    KEELSON_TRY(const ProxyName name, parse_name(call.name));
    KEELSON_TRY(ProxyTarget target, call.resource->kind == "Pod" ? pod_target(parts, call, name)
                                                                 : service_target(parts, call, name, turn));
    if (name.scheme == "https") {
        KEELSON_TRY(target.server.tls, unproven_tls());
    }
    return target;
}

}  // namespace

Task<void> serve_proxy(Exchange& exchange, StreamParts parts, const Call& call) {
    const Request& request = exchange.request();
    const std::string rest = rest_of(request, call);
    if (call.resource->kind == "Node") {
        auto serving = serve_node(exchange, parts, call, rest);
        co_await serving;
        co_return;
    }
    // Pages with relative links would look for them beside "proxy", not below.
    if (rest.empty() && (request.method == "GET" || request.method == "HEAD")) {
        Response response(301, "", "");
        const std::string path = request.raw_target.substr(0, request.raw_target.find('?'));
        response.headers.push_back({"Location", path + "/" + query_of(request)});
        exchange.respond(std::move(response));
        co_return;
    }
    const auto turn = static_cast<std::size_t>(exchange.executor().clock().now().time_since_epoch().count());
    Result<ProxyTarget> target = find_target(parts, call, turn);
    if (!target) {
        exchange.respond(status_response(target.error()));
        co_return;
    }
    target->path = (rest.empty() ? "/" : rest) + query_of(request);
    auto proxying = proxy_http(exchange, std::move(*target));
    co_await proxying;
}

}  // namespace keelson::api
