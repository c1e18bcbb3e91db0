// What this plugin wants of the kernel's tables.
#ifndef KEELSON_BRIDGE_HOST_RULES_H
#define KEELSON_BRIDGE_HOST_RULES_H

#include <map>
#include <string>
#include <vector>

#include "records.h"
#include "stack/address.h"
#include "stack/firewall.h"

namespace keelson::bridge {

using namespace stack;

struct RuleInputs {
    std::string bridge;
    std::vector<Prefix> pod_prefixes;
    // Where pods go with their own addresses, besides their own prefixes.
    std::vector<Prefix> inside;
};

// The chains of the nat table.
std::vector<Chain> nat_chains(int family, const RuleInputs& inputs,
                              const std::map<std::string, Attachment>& sandboxes);
// The chain of the filter table; without rules when forwarding is open anyway.
std::vector<Chain> filter_chains(int family, const RuleInputs& inputs, bool drops_by_default);

// The address that a host port is on; none: all addresses of the node. Throws Code::invalid.
std::optional<Address> host_address(const pod_network::HostPort& port);
// Throws Code::invalid for what no rule can be made of.
void check_host_port(const pod_network::HostPort& port);
// Whether both want the same.
bool is_conflict(const pod_network::HostPort& one, const pod_network::HostPort& other);

}  // namespace keelson::bridge

#endif
