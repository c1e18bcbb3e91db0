#include "node_link.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <map>

#include "keelson/error.hpp"
#include "stack/sysctl.h"

namespace keelson::bridge {
namespace {

constexpr std::uint32_t usual_mtu = 1500;
// By which routes of this plugin are known; no routing daemon has registered it.
constexpr std::uint8_t route_protocol = 75;

// Locally administered, and always the same: pods remember their gateway's.
std::array<std::uint8_t, 6> hardware_address(const Address& gateway) {
    std::array<std::uint8_t, 6> result{0x0a, 0x59};
    std::copy_n(gateway.bytes.begin() + std::ptrdiff_t(gateway.size()) - 4, 4, result.begin() + 2);
    return result;
}

void create_bridge(Netlink& node, const std::string& name, const Address& gateway, std::uint32_t mtu) {
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    const auto hardware = hardware_address(gateway);
    message.header(ifinfomsg{});
    message.put(IFLA_IFNAME, name);
    message.put(IFLA_MTU, mtu);
    message.put(IFLA_ADDRESS, hardware.data(), hardware.size());
    message.nest(IFLA_LINKINFO, [&] { message.put(IFLA_INFO_KIND, std::string("bridge")); });
    node.change(message, "make the bridge " + name);
}

void set_mtu(Netlink& node, const Link& link, std::uint32_t mtu) {
    Message message(RTM_NEWLINK, 0);
    ifinfomsg info{};
    info.ifi_index = link.index;
    message.header(info);
    message.put(IFLA_MTU, mtu);
    node.change(message, "set the MTU of " + link.name);
}

bool is_link_local(const Address& address) {
    return address.family == AF_INET6 && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

void set_gateways(Netlink& node, int bridge, const std::vector<Gateway>& gateways) {
    for (const Prefix& present : node.addresses(bridge)) {
        const Gateway same{present.address, present.length};
        if (is_link_local(present.address) || std::ranges::count(gateways, same) != 0) continue;
        node.remove_address(bridge, present.address, present.length);
    }
    for (const Gateway& gateway : gateways) {
        const std::uint32_t flags = gateway.address.family == AF_INET6 ? IFA_F_NODAD : 0;
        node.add_address(bridge, gateway.address, gateway.prefix_length, flags);
    }
}

// A node that forwards does not listen to routers any more unless it is told to: those interfaces that did
// go on with it.
void forward_ipv6(Netlink& node) {
    if (read_sysctl("ipv6/conf/all/forwarding") == "1") return;
    for (const Link& link : node.links())
        if (read_sysctl("ipv6/conf/" + link.name + "/accept_ra") == "1")
            set_sysctl("ipv6/conf/" + link.name + "/accept_ra", "2");
    if (!set_sysctl("ipv6/conf/all/forwarding", "1"))
        throw Error(Code::unsupported, "this kernel has no IPv6: give the node IPv4 pod CIDRs only",
                    "node.podCidrs");
}

void set_switches(Netlink& node, const std::string& name, const std::vector<Gateway>& gateways) {
    set_sysctl("ipv6/conf/" + name + "/accept_ra", "0");
    // Nobody else has its addresses; and until they were tried it could not ask for its pods' ones.
    set_sysctl("ipv6/conf/" + name + "/accept_dad", "0");
    // Packets between pods come in and go out by the bridge, and that is how it is meant.
    set_sysctl("ipv4/conf/" + name + "/send_redirects", "0");
    for (const Gateway& gateway : gateways) {
        if (gateway.address.family == AF_INET) {
            set_sysctl("ipv4/ip_forward", "1");
        } else {
            forward_ipv6(node);
            set_sysctl("ipv6/conf/" + name + "/disable_ipv6", "0");
        }
    }
}

// By a plain route only: the address must be on a link of this node.
std::optional<Route> route_by(Netlink& node, const Prefix& prefix, const Peer& peer) {
    for (const Address& address : peer.addresses) {
        if (address.family != prefix.address.family) continue;
        const auto direct = node.route_to(address);
        if (!direct || direct->gateway || direct->type != RTN_UNICAST) continue;
        return Route{prefix, address, direct->link, RTN_UNICAST, route_protocol};
    }
    return std::nullopt;
}

}  // namespace

std::uint32_t uplink_mtu(Netlink& node) {
    for (const int family : {AF_INET, AF_INET6})
        for (const Route& route : node.routes(family)) {
            if (route.destination.length != 0 || route.type != RTN_UNICAST || route.link == 0) continue;
            const auto link = node.find_link(route.link);
            if (link && link->mtu != 0) return link->mtu;
        }
    return usual_mtu;
}

int ensure_bridge(Netlink& node, const std::string& name, const std::vector<Gateway>& gateways,
                  std::uint32_t mtu) {
    auto link = node.find_link(name);
    if (!link) {
        create_bridge(node, name, gateways.front().address, mtu);
        link = node.find_link(name);
    }
    if (!link || link->kind != "bridge")
        throw Error(Code::conflict, "there is a link " + name +
                                        " that is no bridge: remove it, or set "
                                        "another name as `bridge` in this plugin's configuration");
    if (link->mtu != mtu) set_mtu(node, *link, mtu);
    set_switches(node, name, gateways);
    set_gateways(node, link->index, gateways);
    node.set_up(link->index);
    return link->index;
}

std::vector<std::string> set_peer_routes(Netlink& node, const std::vector<Peer>& peers) {
    std::vector<std::string> unreachable;
    std::map<Prefix, Route> wanted;
    for (const Peer& peer : peers)
        for (const Prefix& prefix : peer.pod_prefixes) {
            if (const auto route = route_by(node, prefix, peer))
                wanted.insert_or_assign(prefix, *route);
            else
                unreachable.push_back(prefix.text() + " of node " + peer.name);
        }
    for (const int family : {AF_INET, AF_INET6})
        for (const Route& present : node.routes(family)) {
            if (present.protocol != route_protocol) continue;
            const auto found = wanted.find(present.destination);
            const bool is_right = found != wanted.end() && found->second.gateway == present.gateway &&
                                  found->second.link == present.link;
            if (is_right)
                wanted.erase(found);
            else
                node.remove_route(present);
        }
    for (const auto& [prefix, route] : wanted) node.replace_route(route);
    return unreachable;
}

}  // namespace keelson::bridge
