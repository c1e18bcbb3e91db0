// What one service is in the kernel's tables.
#ifndef KEELSON_STACK_SERVICE_RULES_H
#define KEELSON_STACK_SERVICE_RULES_H

#include <cstdint>
#include <string>
#include <vector>

#include "stack/firewall.h"
#include "stack/service.h"

namespace keelson::stack {

struct Surroundings {
    // Of the names of chains: two proxies are in the tables at once while one takes over from the other.
    std::string chain_prefix;
    std::vector<Prefix> cluster;              // of the pods of all nodes
    std::vector<Prefix> own_pods;             // of this node
    std::vector<Prefix> node_port_addresses;  // empty: all of the node's
    bool is_for_some_addresses = false;  // node ports, those above, which may be of the other family alone
    std::uint32_t mark = 0;              // the bit of what gets the node's address
};

struct ServiceRules {
    std::vector<Rule> rules;    // where packets are told by their destination
    std::vector<Chain> chains;  // of its own
};

// Of the nat table: where packets go.
ServiceRules translation_of(const Service& service, const Surroundings& surroundings);
// How many rules of translation_of stand outside of chains of its own.
std::size_t count_translation_rules(const Service& service);
// Of the filter table, for what has not been translated: at most one.
std::vector<Rule> refusal_of(const Service& service);

}  // namespace keelson::stack

#endif
