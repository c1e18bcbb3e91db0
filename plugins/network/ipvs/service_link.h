// The device that the services' addresses are routed to: what is sent to them is for this machine, where IPVS
// takes it. A local route for each does what an address of the device would, but is found in the kernel's
// tree, while a device's addresses are one list that each new one walks through.
#ifndef KEELSON_IPVS_SERVICE_LINK_H
#define KEELSON_IPVS_SERVICE_LINK_H

#include <set>
#include <string>
#include <vector>

#include "stack/netlink.h"
#include "virtual_servers.h"

namespace keelson::ipvs {

class ServiceLink {
  public:
    // Of the namespace of the calling thread.
    explicit ServiceLink(std::string name) : name_(std::move(name)), batch_(netlink_) {}

    // Makes it: a dummy device, a bridge without ports where the kernel has no dummies.
    void ensure();
    [[nodiscard]] bool is_there();
    void remove() { netlink_.remove_link(name_); }

    [[nodiscard]] std::set<Address> addresses();
    // Whether what is sent to it is for this machine, by whichever device.
    [[nodiscard]] bool is_delivered(const Address& address);
    // The addresses of the machine's other devices, without loopback and link-local ones.
    [[nodiscard]] std::vector<Address> addresses_of_others();

    void add(const Address& address);
    void remove(const Address& address);
    void flush() { batch_.flush(); }

  private:
    void change_route(int type, int flags, const Address& address, const char* doing,
                      std::vector<int> ignored);

    std::string name_;
    Netlink netlink_;
    Batch batch_;
    int index_ = 0;
};

}  // namespace keelson::ipvs

#endif
