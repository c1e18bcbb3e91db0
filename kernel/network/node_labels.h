// The labels by which nodes tell each other what they have for the cluster's network.
#pragma once

#include <string_view>

namespace keelson::network {

// The port of the DNS server on the node; a node without one does not have it.
inline constexpr std::string_view kDnsPortLabel = "keelson.dev/dns-port";

}  // namespace keelson::network
