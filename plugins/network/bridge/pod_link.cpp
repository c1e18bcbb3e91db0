#include "pod_link.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <thread>

#include "bandwidth.h"
#include "stack/sysctl.h"

namespace keelson::bridge {
namespace {

constexpr const char* pod_interface = "eth0";
constexpr std::string_view alias_mark = "keelson ";
constexpr std::uint64_t name_bits = 48;

void check_namespace(int descriptor) {
    struct stat theirs {};
    struct stat own {};
    if (::fstat(descriptor, &theirs) != 0 || ::stat("/proc/thread-self/ns/net", &own) != 0)
        throw Error(Code::invalid,
                    std::string("cannot look at the sandbox's network namespace: ") + std::strerror(errno));
    if (theirs.st_dev == own.st_dev && theirs.st_ino == own.st_ino)
        throw Error(
            Code::invalid,
            "the network namespace is the node's own: a sandbox on the host's network is not attached");
}

// What every interface that is made in the namespace later starts with. A pod's addresses are unique by their
// making, so that nobody waits to find out; and nobody but the node tells it where to send packets.
void prepare_namespace(bool has_ipv6) {
    for (const char* scope : {"all", "default"}) {
        const std::string ipv4 = std::string("ipv4/conf/") + scope;
        const std::string ipv6 = std::string("ipv6/conf/") + scope;
        set_sysctl(ipv4 + "/accept_redirects", "0");
        set_sysctl(ipv6 + "/accept_redirects", "0");
        set_sysctl(ipv6 + "/accept_ra", "0");
        set_sysctl(ipv6 + "/accept_dad", "0");
        if (has_ipv6) set_sysctl(ipv6 + "/disable_ipv6", "0");
    }
    if (has_ipv6) set_sysctl("ipv6/conf/lo/disable_ipv6", "0");
}

// A thread of its own enters the namespace and ends: the calling thread stays where it is.
Netlink open_inside(int descriptor, bool has_ipv6) {
    std::optional<Netlink> socket;
    std::exception_ptr failure;
    std::thread([&] {
        try {
            if (::setns(descriptor, CLONE_NEWNET) != 0)
                throw Error(
                    errno == EPERM ? Code::forbidden : Code::invalid,
                    std::string("cannot enter the sandbox's network namespace: ") + std::strerror(errno));
            prepare_namespace(has_ipv6);
            socket.emplace();
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) std::rethrow_exception(failure);
    return std::move(*socket);
}

// It follows from the address, so that neighbours who knew an address's last owner find the new one.
std::array<std::uint8_t, 6> hardware_address(const Address& address) {
    std::array<std::uint8_t, 6> result{0x0a, 0x58};
    std::memcpy(&result[2], &address.bytes[address.size() - 4], 4);
    return result;
}

void create_pair(Netlink& node, int network_namespace, const PodLink& wanted, const std::string& name) {
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    ifinfomsg up{};
    up.ifi_flags = up.ifi_change = IFF_UP;
    message.header(up);
    message.put(IFLA_IFNAME, name);
    message.put(IFLA_MTU, wanted.mtu);
    message.put(IFLA_MASTER, std::uint32_t(wanted.bridge));
    message.nest(IFLA_LINKINFO, [&] {
        message.put(IFLA_INFO_KIND, std::string("veth"));
        message.nest(IFLA_INFO_DATA, [&] {
            message.nest(VETH_INFO_PEER, [&] {
                const auto hardware = hardware_address(wanted.addresses.front().address);
                message.header(ifinfomsg{});  // one end alone cannot be up
                message.put(IFLA_IFNAME, std::string(pod_interface));
                message.put(IFLA_MTU, wanted.mtu);
                message.put(IFLA_ADDRESS, hardware.data(), hardware.size());
                message.put(IFLA_NET_NS_FD, std::uint32_t(network_namespace));
            });
        });
    });
    node.change(message, "make the link " + name + " of sandbox " + wanted.sandbox_id);
}

std::string alias_of(const PodLink& wanted) {
    std::string alias = std::string(alias_mark) + wanted.sandbox_id;
    for (const PodAddress& each : wanted.addresses)
        alias += " " + each.address.text() + "/" + std::to_string(each.prefix_length);
    return alias;
}

// A port that gives back to a pod what the pod sends to itself through a service.
void set_up_port(Netlink& node, int index, const PodLink& wanted) {
    Message message(RTM_NEWLINK, 0);
    ifinfomsg info{};
    info.ifi_index = index;
    info.ifi_flags = info.ifi_change = IFF_UP;
    message.header(info);
    message.put(IFLA_IFALIAS, alias_of(wanted));
    message.put(IFLA_MASTER, std::uint32_t(wanted.bridge));
    node.change(message, "set up the link of sandbox " + wanted.sandbox_id);

    Message port(RTM_SETLINK, 0);
    ifinfomsg bridge_info{};
    bridge_info.ifi_family = AF_BRIDGE;
    bridge_info.ifi_index = index;
    port.header(bridge_info);
    port.nest(IFLA_PROTINFO | NLA_F_NESTED, [&] { port.put(IFLA_BRPORT_MODE, std::uint8_t(1)); });
    node.change(port, "set hairpin mode for sandbox " + wanted.sandbox_id);
}

// Everything goes by the gateway, to pods of the same node too: so the node sees both directions of every
// connection, whose addresses a service proxy may have translated.
void configure_inside(Netlink& pod, int index, const PodLink& wanted) {
    if (const auto loopback = pod.find_link("lo")) pod.set_up(loopback->index);
    pod.set_up(index);
    for (const PodAddress& each : wanted.addresses) {
        std::uint32_t flags = IFA_F_NOPREFIXROUTE;
        if (each.address.family == AF_INET6) flags |= IFA_F_NODAD;
        pod.add_address(index, each.address, each.prefix_length, flags);
        Address any;
        any.family = each.address.family;
        const Prefix gateway{each.gateway, each.gateway.bits()};
        pod.replace_route({gateway, std::nullopt, index, RTN_UNICAST, RTPROT_STATIC});
        pod.replace_route({{any, 0}, each.gateway, index, RTN_UNICAST, RTPROT_STATIC});
    }
}

bool is_pair(const Link& outside, const Link& inside) {
    return outside.kind == "veth" && inside.kind == "veth" && outside.peer == inside.index &&
           inside.peer == outside.index;
}

// Indexes of the links, each in its own namespace.
struct Ends {
    int outside = 0;
    int inside = 0;
};

std::optional<Ends> find_pair(Netlink& node, Netlink& pod, const std::string& name) {
    const auto outside = node.find_link(name);
    const auto inside = pod.find_link(pod_interface);
    if (!outside || !inside || !is_pair(*outside, *inside)) return std::nullopt;
    return Ends{outside->index, inside->index};
}

// An end of another pair than this one is replaced.
Ends ensure_pair(Netlink& node, Netlink& pod, int network_namespace, const PodLink& wanted) {
    const std::string name = link_name(wanted.sandbox_id);
    if (const auto present = find_pair(node, pod, name)) return *present;
    node.remove_link(name);
    if (pod.find_link(pod_interface))
        throw Error(Code::conflict, "sandbox " + wanted.sandbox_id +
                                        " has an eth0 already that is not of this plugin: only one network "
                                        "plugin may attach it");
    create_pair(node, network_namespace, wanted, name);
    if (const auto made = find_pair(node, pod, name)) return *made;
    throw Error(Code::unavailable, "the link " + name + " has disappeared; try again");
}

}  // namespace

std::string link_name(const std::string& sandbox_id) {
    std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (const char byte : sandbox_id) hash = (hash ^ std::uint8_t(byte)) * 0x100000001b3;
    hash = (hash >> name_bits ^ hash) & ((std::uint64_t(1) << name_bits) - 1);
    char name[IFNAMSIZ];
    std::snprintf(name, sizeof name, "kl%012llx", static_cast<unsigned long long>(hash));
    return name;
}

std::optional<LinkOwner> owner_of(const Link& link) {
    if (link.kind != "veth" || !link.alias.starts_with(alias_mark)) return std::nullopt;
    std::vector<std::string> words;
    for (std::size_t at = alias_mark.size(); at <= link.alias.size();) {
        const std::size_t end = std::min(link.alias.find(' ', at), link.alias.size());
        words.push_back(link.alias.substr(at, end - at));
        at = end + 1;
    }
    if (link_name(words.front()) != link.name) return std::nullopt;
    return LinkOwner{words.front(), {words.begin() + 1, words.end()}};
}

void connect_pod(Netlink& node, int network_namespace, const PodLink& wanted) {
    check_namespace(network_namespace);
    bool has_ipv6 = false;
    for (const PodAddress& each : wanted.addresses) has_ipv6 |= each.address.family == AF_INET6;
    Netlink pod = open_inside(network_namespace, has_ipv6);
    const Ends ends = ensure_pair(node, pod, network_namespace, wanted);
    set_up_port(node, ends.outside, wanted);
    configure_inside(pod, ends.inside, wanted);
    limit_bandwidth(node, ends.outside, wanted.bandwidth.ingress_bits_per_second, "ingressBitsPerSecond");
    limit_bandwidth(pod, ends.inside, wanted.bandwidth.egress_bits_per_second, "egressBitsPerSecond");
}

void disconnect_pod(Netlink& node, const std::string& sandbox_id) {
    node.remove_link(link_name(sandbox_id));
}

}  // namespace keelson::bridge
