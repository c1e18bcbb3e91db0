// What the packet filter has to do beside the virtual servers: who is masqueraded, who may not come in, and
// which connections come from inside of the cluster.
#ifndef KEELSON_IPVS_RULES_H
#define KEELSON_IPVS_RULES_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "service.h"
#include "stack/firewall.h"

namespace keelson::ipvs {

struct RuleInputs {
    std::uint32_t masquerade_bit = 0;
    std::vector<Prefix> cluster;
    std::vector<Prefix> own_pods;  // what this node's pods have their addresses from
    std::vector<Address> node_addresses;
    std::map<std::string, const VirtualService*> services;  // those that has_rules() says yes of, by id
    std::map<Address, std::size_t> own_backends;  // of this node's pods; how many services each serves
    bool is_used = false;                         // there are services
};

std::vector<Chain> nat_chains(int family, const RuleInputs& inputs);
std::vector<Chain> filter_chains(int family, const RuleInputs& inputs);
// Whether a chain is one of this plugin's.
bool is_own_chain(std::string_view name);

}  // namespace keelson::ipvs

#endif
