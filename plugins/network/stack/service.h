// Services as this plugin works with them: addresses read, what cannot be carried left out.
#ifndef KEELSON_STACK_SERVICE_H
#define KEELSON_STACK_SERVICE_H

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keelson/network.hpp"
#include "stack/address.h"

namespace keelson::stack {

// The address of a backend on this node itself, whichever way the packet has come in.
inline bool is_unspecified(const Address& address) {
    return address.bytes == decltype(address.bytes){};
}

struct Backend {
    Address address;
    std::uint16_t port = 0;
    bool is_local = false;
};

enum class Kind : std::uint8_t { cluster, external, node_port };

struct Service {
    std::string id;
    Kind kind = Kind::cluster;
    Address address;  // of a node port: any of that family
    std::uint16_t port = 0;
    std::string protocol;
    std::uint32_t affinity_seconds = 0;
    bool is_restricted = false;  // to these
    std::vector<Prefix> source_ranges;
    bool is_local = false;
    bool rejects = true;
    std::vector<Backend> backends;
    std::vector<Backend> external_backends;

    [[nodiscard]] int family() const { return address.family; }
};

// `problem` says what of it is left out; none when nothing of it can be carried.
std::optional<Service> read_service(const proxy::Service& service, std::string& problem);

}  // namespace keelson::stack

#endif
