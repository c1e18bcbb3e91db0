#include "plan.h"

#include <algorithm>

#include "keelson/error.hpp"

namespace keelson::bridge {
namespace {

constexpr std::int32_t smallest_mtu = 576;
constexpr std::int32_t smallest_ipv6_mtu = 1280;
constexpr std::int32_t largest_mtu = 65535;
// A route to more would take away what is not the pods'.
constexpr int shortest_pod_prefix = 8;

Prefix read_prefix(const std::string& text, const char* field) {
    const auto prefix = parse_prefix(text);
    if (!prefix) throw Error(Code::invalid, "\"" + text + "\" is no CIDR such as 10.244.0.0/24", field);
    return *prefix;
}

bool overlap(const Prefix& one, const Prefix& other) {
    return one.length <= other.length ? one.contains(other.address) : other.contains(one.address);
}

void read_own(const pod_network::Configure& request, Plan& plan) {
    for (const std::string& text : request.node.pod_cidrs) {
        const Prefix prefix = read_prefix(text, "node.podCidrs");
        for (const Prefix& other : plan.pod_prefixes)
            if (other.address.family == prefix.address.family)
                throw Error(Code::invalid, "a node has one pod CIDR of each address family", "node.podCidrs");
        plan.pod_prefixes.push_back(prefix);
    }
    if (plan.pod_prefixes.empty())
        throw Error(Code::invalid, "the node has no pod CIDR: its pods could have no addresses",
                    "node.podCidrs");
    for (const std::string& text : request.cluster_cidrs)
        plan.inside.push_back(read_prefix(text, "clusterCidrs"));
}

void read_mtu(const pod_network::Configure& request, Plan& plan) {
    if (!request.mtu || *request.mtu == 0) return;
    const bool has_ipv6 = std::ranges::any_of(
        plan.pod_prefixes, [](const Prefix& prefix) { return prefix.address.family == AF_INET6; });
    const std::int32_t smallest = has_ipv6 ? smallest_ipv6_mtu : smallest_mtu;
    if (*request.mtu < smallest || *request.mtu > largest_mtu)
        throw Error(
            Code::invalid,
            "the MTU lies between " + std::to_string(smallest) + " and " + std::to_string(largest_mtu),
            "mtu");
    plan.mtu = std::uint32_t(*request.mtu);
}

void read_peer(const pod_network::Node& node, Plan& plan) {
    Peer peer{node.name, {}, {}};
    for (const std::string& text : node.addresses)
        if (const auto address = parse_address(text)) {
            peer.addresses.push_back(*address);
            plan.inside.push_back({*address, address->bits()});
        }
    for (const std::string& text : node.pod_cidrs) {
        const auto prefix = parse_prefix(text);
        const bool is_own = prefix && std::ranges::any_of(plan.pod_prefixes, [&](const Prefix& own) {
                                return overlap(own, *prefix);
                            });
        if (!prefix || is_own || prefix->length < shortest_pod_prefix) {
            plan.remarks.push_back("pod CIDR " + text + " of node " + node.name +
                                   (is_own ? " overlaps this node's" : " cannot be routed"));
            continue;
        }
        peer.pod_prefixes.push_back(*prefix);
        plan.inside.push_back(*prefix);
    }
    plan.peers.push_back(std::move(peer));
}

}  // namespace

Plan read_plan(const pod_network::Configure& request) {
    Plan plan;
    read_own(request, plan);
    read_mtu(request, plan);
    for (const pod_network::Node& node : request.peers) read_peer(node, plan);
    // What lies in another of them says nothing new.
    std::ranges::sort(plan.inside, {}, [](const Prefix& prefix) { return prefix.length; });
    std::vector<Prefix> needed;
    for (const Prefix& prefix : plan.inside)
        if (std::ranges::none_of(needed, [&](const Prefix& other) { return overlap(other, prefix); }))
            needed.push_back(prefix);
    plan.inside = std::move(needed);
    return plan;
}

}  // namespace keelson::bridge
