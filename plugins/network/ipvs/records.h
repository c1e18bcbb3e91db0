// The virtual servers that are not known by an address on the plugin's device: those of node ports and by
// marks.
#ifndef KEELSON_IPVS_RECORDS_H
#define KEELSON_IPVS_RECORDS_H

#include <set>

#include "keelson/host.hpp"
#include "virtual_servers.h"

namespace keelson::ipvs {

// Of the state directory; none and a warning when the file is damaged.
std::set<Key> read_records(const Host& host);
// In one piece. Throws when it cannot.
void write_records(const Host& host, const std::set<Key>& keys);

}  // namespace keelson::ipvs

#endif
