// Rules of others that may take connections before those of this plugin see them.
#ifndef KEELSON_IPTABLES_RIVALS_H
#define KEELSON_IPTABLES_RIVALS_H

#include <string>

namespace keelson::iptables {

// In the network namespace of the calling thread; empty: there are none.
std::string find_rivals();

}  // namespace keelson::iptables

#endif
