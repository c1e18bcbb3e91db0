// Entries of connection tracking: what a change of addresses leaves behind for protocols that open no
// connections. Such flows stay with the backend, or the lack of one, that their first packet found.
#ifndef KEELSON_STACK_CONNTRACK_H
#define KEELSON_STACK_CONNTRACK_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "stack/address.h"
#include "stack/netlink.h"

namespace keelson::stack {

struct Flow {
    std::uint8_t protocol = 0;  // IPPROTO_UDP
    std::uint16_t zone = 0;
    // As the client has sent it.
    Address source;
    Address destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    // Where answers come from, and to: the backend's address, and what the client's was translated into.
    Address reply_source;
    Address reply_destination;
    std::uint16_t reply_source_port = 0;
    std::uint16_t reply_destination_port = 0;

    [[nodiscard]] bool is_translated() const {
        return reply_source != destination || reply_source_port != destination_port;
    }
};

// What is not said matches every flow.
struct FlowFilter {
    std::optional<std::uint8_t> protocol;
    std::optional<Address> destination;
    std::optional<std::uint16_t> destination_port;
    std::optional<Address> backend;
    std::optional<std::uint16_t> backend_port;
    std::optional<std::uint16_t> zone;

    [[nodiscard]] bool matches(const Flow& flow) const;
};

// Used by one thread at a time. Failures throw with the system's reason.
class Conntrack {
  public:
    // Of the namespace of the calling thread.
    Conntrack();

    void for_each(int family, const std::function<void(const Flow&)>& visit);
    // Removes the flows that `is_stale` says yes to, with one reading of all for any number of conditions;
    // gives how many. What has ended by itself meanwhile is no failure.
    std::size_t remove_if(int family, const std::function<bool(const Flow&)>& is_stale);
    std::size_t remove(int family, const FlowFilter& filter);

  private:
    Netlink netlink_;
};

}  // namespace keelson::stack

#endif
