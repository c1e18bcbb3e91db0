#include "service.h"

#include <netinet/in.h>

#include <algorithm>

namespace keelson::ipvs {
namespace {

bool is_port(std::int32_t port) {
    return port > 0 && port <= 65535;
}

std::vector<Place> read_backends(const std::vector<proxy::Backend>& backends, int family,
                                 std::vector<Address>* own, std::string& problem) {
    std::vector<Place> places;
    places.reserve(backends.size());
    for (const proxy::Backend& backend : backends) {
        const auto address = parse_address(backend.address);
        if (!address || address->family != family || !is_port(backend.port)) {
            problem = "the backend \"" + backend.address + "\" port " + std::to_string(backend.port) +
                      " is no address and port of the service's family: it gets nothing";
            continue;
        }
        places.emplace_back(*address, std::uint16_t(backend.port));
        if (own != nullptr && backend.local) own->push_back(*address);
    }
    return places;
}

std::string why_not(const proxy::Service& service) {
    if (!parse_address(service.address)) return "\"" + service.address + "\" is no address";
    if (!is_port(service.port)) return std::to_string(service.port) + " is no port";
    if (service.protocol != "TCP" && service.protocol != "UDP" && service.protocol != "SCTP")
        return "protocol \"" + service.protocol + "\" is none of TCP, UDP and SCTP";
    const bool is_known = service.kind == "ClusterIP" || service.kind == "NodePort" ||
                          service.kind == "LoadBalancer" || service.kind == "ExternalIP";
    return is_known ? "" : "kind \"" + service.kind + "\" is not known";
}

std::uint8_t number_of(const std::string& protocol) {
    return protocol == "TCP" ? IPPROTO_TCP : protocol == "UDP" ? IPPROTO_UDP : IPPROTO_SCTP;
}

Server server_of(const Service& service, const std::vector<Place>& backends, const std::string& scheduler) {
    Server server{scheduler, service.affinity_seconds, {}};
    for (const Place& place : backends) server.backends[place] = 1;
    return server;
}

}  // namespace

std::optional<Service> read_service(const proxy::Service& service, std::string& problem) {
    problem = why_not(service);
    if (!problem.empty()) return std::nullopt;
    Service result;
    result.is_node_port = service.kind == "NodePort";
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
    result.is_local = service.local && service.kind != "ClusterIP";
    result.rejects = service.none != "drop";
    result.backends = read_backends(service.backends, result.family(), &result.own_backends, problem);
    result.external_backends = read_backends(service.external_backends, result.family(), nullptr, problem);
    return result;
}

std::vector<Address> addresses_of(const Service& service, const std::vector<Address>& node_addresses) {
    if (!service.is_node_port) return {service.address};
    std::vector<Address> addresses;
    for (const Address& address : node_addresses)
        if (address.family == service.family()) addresses.push_back(address);
    return addresses;
}

std::map<Key, Server> servers_of(const Service& service, const std::vector<Address>& node_addresses,
                                 const std::string& scheduler) {
    std::map<Key, Server> servers;
    // With a virtual server the kernel would refuse.
    if (service.is_silent()) return servers;
    const Server server =
        server_of(service, service.is_local ? service.external_backends : service.backends, scheduler);
    for (const Address& address : addresses_of(service, node_addresses))
        servers[{address, service.port, number_of(service.protocol), 0}] = server;
    if (!service.is_local) return servers;
    Key inside;
    inside.address.family = service.family();
    inside.mark = service.mark;
    servers[inside] = server_of(service, service.backends, scheduler);
    return servers;
}

}  // namespace keelson::ipvs
