// The node's side: the bridge with the gateways of its pods, and the routes to the pods of other nodes.
#ifndef KEELSON_BRIDGE_NODE_LINK_H
#define KEELSON_BRIDGE_NODE_LINK_H

#include <cstdint>
#include <string>
#include <vector>

#include "stack/address.h"
#include "stack/netlink.h"

namespace keelson::bridge {

using namespace stack;

struct Gateway {
    Address address;
    int prefix_length = 0;
    bool operator==(const Gateway&) const = default;
};

struct Peer {
    std::string name;
    std::vector<Address> addresses;
    std::vector<Prefix> pod_prefixes;
    bool operator==(const Peer&) const = default;
};

// The largest packet that the default route's device takes, 1500 without one.
std::uint32_t uplink_mtu(Netlink& node);

// Makes the bridge what it shall be and switches forwarding on. Gives its index.
int ensure_bridge(Netlink& node, const std::string& name, const std::vector<Gateway>& gateways,
                  std::uint32_t mtu);

// One route to each pod prefix of each peer; routes to others that were made here earlier go. Gives the
// prefixes that cannot be reached by a plain route, with the reason.
std::vector<std::string> set_peer_routes(Netlink& node, const std::vector<Peer>& peers);

}  // namespace keelson::bridge

#endif
