// How fast one end of a link may send.
#ifndef KEELSON_BRIDGE_BANDWIDTH_H
#define KEELSON_BRIDGE_BANDWIDTH_H

#include <cstdint>
#include <optional>
#include <string>

#include "stack/netlink.h"

namespace keelson::bridge {

using namespace stack;

// None: no limit. `field` is for refusing it.
void limit_bandwidth(Netlink& netlink, int link, std::optional<std::int64_t> bits_per_second,
                     const std::string& field);

}  // namespace keelson::bridge

#endif
