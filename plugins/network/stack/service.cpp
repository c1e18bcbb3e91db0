#include "stack/service.h"

#include <limits>

namespace keelson::stack {
namespace {

bool is_port(std::int32_t port) {
    return port > 0 && port <= std::numeric_limits<std::uint16_t>::max();
}

std::vector<Backend> read_backends(const std::vector<proxy::Backend>& backends, int family,
                                   std::string& problem) {
    std::vector<Backend> result;
    result.reserve(backends.size());
    for (const proxy::Backend& backend : backends) {
        const auto address = parse_address(backend.address);
        if (address && address->family == family && is_port(backend.port))
            result.push_back({*address, std::uint16_t(backend.port), backend.local});
        else
            problem = "the backend \"" + backend.address + "\" port " + std::to_string(backend.port) +
                      " is no address and port of the service's family: it gets nothing";
    }
    return result;
}

std::optional<Kind> read_kind(const std::string& kind) {
    if (kind == "ClusterIP") return Kind::cluster;
    if (kind == "NodePort") return Kind::node_port;
    if (kind == "LoadBalancer" || kind == "ExternalIP") return Kind::external;
    return std::nullopt;
}

// Why nothing of it can be carried; empty: it can.
std::string why_not(const proxy::Service& service) {
    if (!parse_address(service.address)) return "\"" + service.address + "\" is no address";
    if (!is_port(service.port)) return std::to_string(service.port) + " is no port";
    if (service.protocol != "TCP" && service.protocol != "UDP" && service.protocol != "SCTP")
        return "protocol \"" + service.protocol + "\" is none of TCP, UDP and SCTP";
    if (!read_kind(service.kind)) return "kind \"" + service.kind + "\" is not known";
    return {};
}

}  // namespace

std::optional<Service> read_service(const proxy::Service& service, std::string& problem) {
    problem = why_not(service);
    if (!problem.empty()) return std::nullopt;
    Service result;
    result.id = service.id;
    result.kind = *read_kind(service.kind);
    result.address = *parse_address(service.address);
    result.port = std::uint16_t(service.port);
    result.protocol = service.protocol;
    result.affinity_seconds = std::uint32_t(std::max(service.affinity_seconds, 0));
    result.is_restricted = !service.source_ranges.empty();
    for (const std::string& text : service.source_ranges) {
        const auto prefix = parse_prefix(text);
        if (!prefix)
            problem = "the source range \"" + text + "\" is no prefix: it lets nobody in";
        else if (prefix->address.family == result.family())
            result.source_ranges.push_back(*prefix);
    }
    result.is_local = service.local && result.kind != Kind::cluster;
    result.rejects = service.none != "drop";
    result.backends = read_backends(service.backends, result.family(), problem);
    result.external_backends = read_backends(service.external_backends, result.family(), problem);
    return result;
}

}  // namespace keelson::stack
