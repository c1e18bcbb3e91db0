// Services as this plugin works with them, and the virtual servers that each takes.
#ifndef KEELSON_IPVS_SERVICE_H
#define KEELSON_IPVS_SERVICE_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "keelson/network.hpp"
#include "virtual_servers.h"

namespace keelson::ipvs {

struct Service {
    bool is_node_port = false;
    Address address;  // of a node port: any of that family
    std::uint16_t port = 0;
    std::string protocol;
    std::uint32_t affinity_seconds = 0;
    bool is_restricted = false;  // to these
    std::vector<Prefix> source_ranges;
    bool is_local = false;
    bool rejects = true;
    std::vector<Place> backends;
    std::vector<Place> external_backends;
    std::vector<Address> own_backends;  // those on this node
    std::uint32_t mark = 0;             // of connections from inside, when it is local

    [[nodiscard]] int family() const { return address.family; }
    // Nobody is there and nobody is told.
    [[nodiscard]] bool is_silent() const { return backends.empty() && !rejects; }
    // Rules of the packet filter speak of it.
    [[nodiscard]] bool has_rules() const { return is_local || is_restricted || is_silent(); }
};

// `problem` says what of it is left out; none when nothing of it can be carried.
std::optional<Service> read_service(const proxy::Service& service, std::string& problem);

// node_addresses: those that node ports are on, of both families.
std::map<Key, Server> servers_of(const Service& service, const std::vector<Address>& node_addresses,
                                 const std::string& scheduler);
// The addresses that it is reached at.
std::vector<Address> addresses_of(const Service& service, const std::vector<Address>& node_addresses);

}  // namespace keelson::ipvs

#endif
