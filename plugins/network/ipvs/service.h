// Services as this plugin works with them, and the virtual servers that each takes.
#ifndef KEELSON_IPVS_SERVICE_H
#define KEELSON_IPVS_SERVICE_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "stack/service.h"
#include "virtual_servers.h"

namespace keelson::ipvs {

struct VirtualService : stack::Service {
    std::uint32_t mark = 0;  // of connections from inside, when it is local

    [[nodiscard]] bool is_node_port() const { return kind == Kind::node_port; }
    // Nobody is there and nobody is told.
    [[nodiscard]] bool is_silent() const { return backends.empty() && !rejects; }
    // Rules of the packet filter speak of it.
    [[nodiscard]] bool has_rules() const { return is_local || is_restricted || is_silent(); }
    // Those on this node.
    [[nodiscard]] std::vector<Address> own_backends() const;
};

// node_addresses: those that node ports are on, of both families.
std::map<Key, Server> servers_of(const VirtualService& service, const std::vector<Address>& node_addresses,
                                 const std::string& scheduler);
// The addresses that it is reached at.
std::vector<Address> addresses_of(const VirtualService& service, const std::vector<Address>& node_addresses);

}  // namespace keelson::ipvs

#endif
