#include "host_rules.h"

#include <algorithm>
#include <limits>

namespace keelson::bridge {
namespace {

constexpr const char* masquerade_chain = "KEELSON-POSTROUTING";
constexpr const char* host_port_chain = "KEELSON-HOSTPORTS";
constexpr const char* forward_chain = "KEELSON-FORWARD";

Prefix whole(const Address& address) {
    return {address, address.bits()};
}

Jump jump(const char* from, const char* to, bool is_to_node = false) {
    Rule rule;
    rule.is_to_node = is_to_node;
    rule.target = to;
    return {from, rule};
}

Rule rule_to(const std::optional<Prefix>& source, const std::optional<Prefix>& destination,
             const char* target) {
    Rule rule;
    rule.source = source;
    rule.destination = destination;
    rule.target = target;
    return rule;
}

std::optional<Address> address_of(const Attachment& attachment, int family) {
    for (const std::string& text : attachment.addresses) {
        const auto address = parse_address(text.substr(0, text.find('/')));
        if (address && address->family == family) return address;
    }
    return std::nullopt;
}

bool is_for(const pod_network::HostPort& port, int family) {
    const auto address = host_address(port);
    if (!address) return port.host_ip != "::" || family == AF_INET6;
    return address->family == family;
}

Rule port_rule(const pod_network::HostPort& port, const Address& pod, const std::string& sandbox) {
    Rule rule;
    if (const auto address = host_address(port)) rule.destination = whole(*address);
    rule.protocol = port.protocol;
    rule.destination_port = std::uint16_t(port.host_port);
    rule.comment = sandbox;
    rule.target = "DNAT";
    rule.new_destination = pod;
    rule.new_port = std::uint16_t(port.container_port);
    return rule;
}

}  // namespace

std::vector<Chain> nat_chains(int family, const RuleInputs& inputs,
                              const std::map<std::string, Attachment>& sandboxes) {
    Chain masquerade{masquerade_chain, {}, {jump("POSTROUTING", masquerade_chain)}};
    Chain ports{host_port_chain,
                {},
                {jump("PREROUTING", host_port_chain, true), jump("OUTPUT", host_port_chain, true)}};
    for (const auto& [id, attachment] : sandboxes) {
        const auto pod = address_of(attachment, family);
        const std::size_t before = ports.rules.size();
        for (const pod_network::HostPort& port : attachment.host_ports)
            if (pod && is_for(port, family)) ports.rules.push_back(port_rule(port, *pod, id));
        // To itself a pod comes by its host port only; it would not take an answer from itself.
        if (ports.rules.size() == before) continue;
        masquerade.rules.push_back(rule_to(whole(*pod), whole(*pod), "MASQUERADE"));
        masquerade.rules.back().comment = id;
    }
    // What goes to the loopback device cannot leave it for a pod.
    if (!ports.rules.empty() && family == AF_INET)
        ports.rules.insert(ports.rules.begin(), rule_to(std::nullopt, parse_prefix("127.0.0.0/8"), "RETURN"));
    const auto multicast = parse_prefix(family == AF_INET ? "224.0.0.0/4" : "ff00::/8");
    for (const Prefix& prefix : inputs.pod_prefixes) {
        if (prefix.address.family != family) continue;
        masquerade.rules.push_back(rule_to(prefix, prefix, "RETURN"));
        for (const Prefix& inside : inputs.inside)
            if (inside.address.family == family)
                masquerade.rules.push_back(rule_to(prefix, inside, "RETURN"));
        masquerade.rules.push_back(rule_to(prefix, multicast, "RETURN"));
        masquerade.rules.push_back(rule_to(prefix, std::nullopt, "MASQUERADE"));
    }
    return {masquerade, ports};
}

std::vector<Chain> filter_chains(int family, const RuleInputs& inputs, bool drops_by_default) {
    Chain forward{forward_chain, {}, {jump("FORWARD", forward_chain)}};
    const bool is_used = std::ranges::any_of(
        inputs.pod_prefixes, [&](const Prefix& prefix) { return prefix.address.family == family; });
    if (!is_used || !drops_by_default) return {forward};
    Rule in;
    in.in_interface = inputs.bridge;
    in.target = "ACCEPT";
    Rule out;
    out.out_interface = inputs.bridge;
    out.target = "ACCEPT";
    forward.rules = {in, out};
    return {forward};
}

std::optional<Address> host_address(const pod_network::HostPort& port) {
    if (port.host_ip.empty() || port.host_ip == "0.0.0.0" || port.host_ip == "::") return std::nullopt;
    const auto address = parse_address(port.host_ip);
    if (!address)
        throw Error(Code::invalid, "hostIP \"" + port.host_ip + "\" is no address", "hostPorts.hostIP");
    return address;
}

void check_host_port(const pod_network::HostPort& port) {
    constexpr std::int32_t maximum = std::numeric_limits<std::uint16_t>::max();
    if (port.protocol != "TCP" && port.protocol != "UDP" && port.protocol != "SCTP")
        throw Error(Code::invalid, "protocol \"" + port.protocol + "\" is none of TCP, UDP and SCTP",
                    "hostPorts.protocol");
    if (port.host_port < 1 || port.host_port > maximum || port.container_port < 1 ||
        port.container_port > maximum)
        throw Error(Code::invalid, "ports lie between 1 and 65535", "hostPorts");
    const auto address = host_address(port);
    const bool is_loopback =
        address && (address->family == AF_INET ? address->bytes[0] == 127 : address->text() == "::1");
    if (is_loopback)
        throw Error(Code::unsupported,
                    "host ports are not served on the node's loopback address " + port.host_ip +
                        ": take the hostIP away or give an address that others reach the node by",
                    "hostPorts.hostIP");
}

bool is_conflict(const pod_network::HostPort& one, const pod_network::HostPort& other) {
    if (one.protocol != other.protocol || one.host_port != other.host_port) return false;
    for (const int family : {AF_INET, AF_INET6}) {
        if (!is_for(one, family) || !is_for(other, family)) continue;
        const auto first = host_address(one);
        const auto second = host_address(other);
        if (!first || !second || *first == *second) return true;
    }
    return false;
}

}  // namespace keelson::bridge
