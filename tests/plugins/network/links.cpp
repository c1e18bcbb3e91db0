#include "tests/plugins/network/links.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <sstream>
#include <stdexcept>

#include "stack/netlink.h"
#include "stack/sysctl.h"

namespace keelson::testing {
namespace {

using stack::Message;
using stack::Netlink;

stack::Prefix prefix_of(const std::string& text) {
    const auto prefix = stack::parse_prefix(text);
    if (!prefix) throw std::runtime_error("no prefix: " + text);
    return *prefix;
}

int index_of(Netlink& netlink, const std::string& name) {
    const auto link = netlink.find_link(name);
    if (!link) throw std::runtime_error("no link: " + name);
    return link->index;
}

ifinfomsg that_is_up() {
    ifinfomsg info{};
    info.ifi_flags = info.ifi_change = IFF_UP;
    return info;
}

// Nobody asks the neighbours whether an address is taken, nor waits for an answer.
void address_at_once(const char* scope) {
    stack::set_sysctl(std::string("ipv6/conf/") + scope + "/accept_dad", "0");
}

void add_addresses_here(Netlink& netlink, int link, const std::string& addresses) {
    std::istringstream words(addresses);
    for (std::string word; words >> word;) {
        const std::size_t slash = word.find('/');
        const auto address = stack::parse_address(word.substr(0, slash));
        if (!address) throw std::runtime_error("no address: " + word);
        netlink.add_address(link, *address, prefix_of(word).length,
                            address->family == AF_INET6 ? IFA_F_NODAD : 0);
    }
}

void set_up_end(const NetworkNamespace& space, const std::string& name, const std::string& addresses) {
    space.run([&] {
        Netlink netlink;
        const int index = index_of(netlink, name);
        address_at_once(name.c_str());
        add_addresses_here(netlink, index, addresses);
        netlink.set_up(index);
    });
}

}  // namespace

void join(const NetworkNamespace& one, const std::string& one_name, const std::string& one_addresses,
          const NetworkNamespace& other, const std::string& other_name, const std::string& other_addresses) {
    one.run([&] {
        Netlink netlink;
        Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        message.header(ifinfomsg{});
        message.put(IFLA_IFNAME, one_name);
        message.nest(IFLA_LINKINFO, [&] {
            message.put(IFLA_INFO_KIND, std::string("veth"));
            message.nest(IFLA_INFO_DATA, [&] {
                message.nest(VETH_INFO_PEER, [&] {
                    message.header(ifinfomsg{});
                    message.put(IFLA_IFNAME, other_name);
                    message.put(IFLA_NET_NS_FD, std::uint32_t(other.descriptor()));
                });
            });
        });
        netlink.change(message, "make the pair " + one_name);
    });
    set_up_end(one, one_name, one_addresses);
    set_up_end(other, other_name, other_addresses);
}

void add_bridge(const NetworkNamespace& space, const std::string& name) {
    space.run([&] {
        Netlink netlink;
        address_at_once("default");
        Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
        message.header(that_is_up());
        message.put(IFLA_IFNAME, name);
        message.nest(IFLA_LINKINFO, [&] { message.put(IFLA_INFO_KIND, std::string("bridge")); });
        netlink.change(message, "make the bridge " + name);
    });
}

void set_master(const NetworkNamespace& space, const std::string& link, const std::string& bridge) {
    space.run([&] {
        Netlink netlink;
        Message message(RTM_NEWLINK, 0);
        ifinfomsg info{};
        info.ifi_index = index_of(netlink, link);
        message.header(info);
        message.put(IFLA_MASTER, std::uint32_t(index_of(netlink, bridge)));
        netlink.change(message, "put a link into the bridge " + bridge);
    });
}

void add_addresses(const NetworkNamespace& space, const std::string& link, const std::string& addresses) {
    space.run([&] {
        Netlink netlink;
        add_addresses_here(netlink, index_of(netlink, link), addresses);
    });
}

void add_route(const NetworkNamespace& space, const std::string& destination, const std::string& gateway,
               const std::string& link) {
    space.run([&] {
        Netlink netlink;
        stack::Route route;
        if (!gateway.empty())
            route.gateway =
                prefix_of(gateway + (gateway.find(':') == std::string::npos ? "/32" : "/128")).address;
        if (destination == "default")
            route.destination.address.family = route.gateway.value().family;
        else
            route.destination = prefix_of(destination);
        route.link = index_of(netlink, link);
        route.protocol = RTPROT_STATIC;
        netlink.replace_route(route);
    });
}

void add_local_prefix(const NetworkNamespace& space, const std::string& prefix) {
    space.run([&] {
        Netlink netlink;
        const stack::Prefix destination = prefix_of(prefix);
        Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
        rtmsg info{};
        info.rtm_family = std::uint8_t(destination.address.family);
        info.rtm_dst_len = std::uint8_t(destination.length);
        info.rtm_table = RT_TABLE_LOCAL;
        info.rtm_protocol = RTPROT_STATIC;
        info.rtm_type = RTN_LOCAL;
        info.rtm_scope = RT_SCOPE_HOST;
        message.header(info);
        message.put(RTA_DST, destination.address);
        message.put(RTA_OIF, std::uint32_t(index_of(netlink, "lo")));
        netlink.change(message, "make " + prefix + " local");
    });
}

void switch_forwarding_on(const NetworkNamespace& space) {
    space.run([] {
        if (!stack::set_sysctl("ipv4/ip_forward", "1") || !stack::set_sysctl("ipv6/conf/all/forwarding", "1"))
            throw std::runtime_error("forwarding cannot be switched on");
    });
}

void forget_flows(const NetworkNamespace& space) {
    space.run([] {
        Netlink netlink(NETLINK_NETFILTER);
        Message message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0);
        message.header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
        netlink.change(message, "forget the tracked flows");
    });
}

}  // namespace keelson::testing
