// The kernel's virtual servers, by generic netlink: read, and changed many at a time.
#ifndef KEELSON_IPVS_VIRTUAL_SERVERS_H
#define KEELSON_IPVS_VIRTUAL_SERVERS_H

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "stack/address.h"
#include "stack/netlink.h"
#include "stack/netlink_batch.h"

namespace keelson::ipvs {

using namespace stack;

// What a virtual server is known by: an address, protocol and port, or a mark of packets.
struct Key {
    Address address;  // of one by mark only the family counts
    std::uint16_t port = 0;
    std::uint8_t protocol = 0;  // IPPROTO_TCP
    std::uint32_t mark = 0;

    [[nodiscard]] auto tied() const { return std::tie(address, port, protocol, mark); }
    bool operator==(const Key& other) const { return tied() == other.tied(); }
    bool operator<(const Key& other) const { return tied() < other.tied(); }
};

using Place = std::pair<Address, std::uint16_t>;  // of a backend

struct Server {
    std::string scheduler;
    std::uint32_t persistent_seconds = 0;     // 0: clients are spread anew each time
    std::map<Place, std::uint32_t> backends;  // with weights

    [[nodiscard]] bool has_same_settings(const Server& other) const {
        return scheduler == other.scheduler && persistent_seconds == other.persistent_seconds;
    }
};

struct BackendState {
    Place place;
    std::uint32_t weight = 0;
    std::uint32_t active = 0;  // connections
};

class VirtualServers {
  public:
    // Of the namespace of the calling thread. Throws Code::unsupported when the kernel has none.
    VirtualServers();

    [[nodiscard]] std::map<Key, Server> list();  // without backends
    [[nodiscard]] std::vector<BackendState> backends(const Key& key);
    [[nodiscard]] bool is_there(const Key& key);

    // In the order of the calls; done with flush().
    void add(const Key& key, const Server& server);
    void change(const Key& key, const Server& server);
    void remove(const Key& key);
    void add_backend(const Key& key, const Place& place, std::uint32_t weight);
    void change_backend(const Key& key, const Place& place, std::uint32_t weight);
    void remove_backend(const Key& key, const Place& place);
    void flush() { batch_.flush(); }

  private:
    [[nodiscard]] Message message(std::uint8_t command, int flags) const;
    void put_backend(std::uint8_t command, const Key& key, const Place& place, std::uint32_t weight,
                     const char* doing, std::vector<int> ignored);

    Netlink netlink_;
    Batch batch_;
    int family_ = 0;
};

}  // namespace keelson::ipvs

#endif
