// What configure asks for, understood.
#ifndef KEELSON_BRIDGE_PLAN_H
#define KEELSON_BRIDGE_PLAN_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keelson/network.hpp"
#include "node_link.h"
#include "stack/address.h"

namespace keelson::bridge {

using namespace stack;

struct Plan {
    std::vector<Prefix> pod_prefixes;  // at least one
    std::vector<Prefix> inside;        // where pods go with their own addresses: the cluster's and its nodes'
    std::vector<Peer> peers;
    std::optional<std::uint32_t> mtu;
    std::vector<std::string> remarks;  // what of the request is left out, and why
};

// Throws Code::invalid. What is wrong about another node does not stop this one: it is left out.
Plan read_plan(const pod_network::Configure& request);

}  // namespace keelson::bridge

#endif
