// Links, addresses and routes of test namespaces, by netlink: no process is started for them.
#pragma once

#include <string>

#include "tests/plugins/network/namespaces.h"

namespace keelson::testing {

// A veth pair, both ends up: they are called so and have these addresses ("192.0.2.1/24"; several with spaces
// between).
void join(const NetworkNamespace& one, const std::string& one_name, const std::string& one_addresses,
          const NetworkNamespace& other, const std::string& other_name, const std::string& other_addresses);

// A bridge that is up.
void add_bridge(const NetworkNamespace& space, const std::string& name);
void set_master(const NetworkNamespace& space, const std::string& link, const std::string& bridge);
void add_addresses(const NetworkNamespace& space, const std::string& link, const std::string& addresses);

// To "10.244.2.0/24" or "default" by the gateway, which decides on the family, on that link; without a
// gateway the neighbours on the link are meant.
void add_route(const NetworkNamespace& space, const std::string& destination, const std::string& gateway,
               const std::string& link);
// All addresses of the prefix are the namespace's own.
void add_local_prefix(const NetworkNamespace& space, const std::string& prefix);

void switch_forwarding_on(const NetworkNamespace& space);
// Nothing is tracked any more.
void forget_flows(const NetworkNamespace& space);

}  // namespace keelson::testing
