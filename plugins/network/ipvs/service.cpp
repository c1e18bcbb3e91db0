#include "service.h"

#include <netinet/in.h>

namespace keelson::ipvs {
namespace {

std::uint8_t number_of(const std::string& protocol) {
    return protocol == "TCP" ? IPPROTO_TCP : protocol == "UDP" ? IPPROTO_UDP : IPPROTO_SCTP;
}

Server server_of(const VirtualService& service, const std::vector<Backend>& backends,
                 const std::string& scheduler) {
    Server server{scheduler, service.affinity_seconds, {}};
    for (const Backend& backend : backends) server.backends[{backend.address, backend.port}] = 1;
    return server;
}

}  // namespace

std::vector<Address> VirtualService::own_backends() const {
    std::vector<Address> own;
    for (const Backend& backend : backends)
        if (backend.is_local) own.push_back(backend.address);
    return own;
}

std::vector<Address> addresses_of(const VirtualService& service, const std::vector<Address>& node_addresses) {
    if (!service.is_node_port()) return {service.address};
    std::vector<Address> addresses;
    for (const Address& address : node_addresses)
        if (address.family == service.family()) addresses.push_back(address);
    return addresses;
}

std::map<Key, Server> servers_of(const VirtualService& service, const std::vector<Address>& node_addresses,
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
