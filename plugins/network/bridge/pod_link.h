// The veth pair of one sandbox: a port of the bridge on the node's side, eth0 on the pod's.
#ifndef KEELSON_BRIDGE_POD_LINK_H
#define KEELSON_BRIDGE_POD_LINK_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keelson/network.hpp"
#include "stack/address.h"
#include "stack/netlink.h"

namespace keelson::bridge {

using namespace stack;

struct PodAddress {
    Address address;
    int prefix_length = 0;
    Address gateway;
};

struct PodLink {
    std::string sandbox_id;
    std::vector<PodAddress> addresses;
    int bridge = 0;
    std::uint32_t mtu = 0;
    pod_network::Bandwidth bandwidth;
};

// The name of the node's side: "kl" and 12 hexadecimal digits.
std::string link_name(const std::string& sandbox_id);

// What the node's side tells by its alias of the sandbox behind it. None: it is no link of this plugin.
struct LinkOwner {
    std::string sandbox_id;
    std::vector<std::string> addresses;  // with prefix lengths
};
std::optional<LinkOwner> owner_of(const Link& link);

// Completes or replaces whatever is there of it. `node` is a socket in the node's namespace. Throws
// Code::invalid when the descriptor is not of another network namespace, Code::conflict when there is an eth0
// that is not of this plugin.
void connect_pod(Netlink& node, int network_namespace, const PodLink& wanted);
// Both ends; nothing when they are gone.
void disconnect_pod(Netlink& node, const std::string& sandbox_id);

}  // namespace keelson::bridge

#endif
