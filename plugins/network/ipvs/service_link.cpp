#include "service_link.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "keelson/error.hpp"

namespace keelson::ipvs {
namespace {

bool is_for_the_machine_alone(const Address& address) {
    if (address.family == AF_INET) return address.bytes[0] == 127;
    const bool is_link_local = address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
    return is_link_local || address.text() == "::1";
}

Message new_link(const std::string& name, const std::string& kind) {
    Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.header(ifinfomsg{});
    message.put(IFLA_IFNAME, name);
    message.nest(IFLA_LINKINFO, [&] { message.put(IFLA_INFO_KIND, kind); });
    return message;
}

}  // namespace

void ServiceLink::ensure() {
    auto link = netlink_.find_link(name_);
    if (!link) {
        Message dummy = new_link(name_, "dummy");
        int error = netlink_.try_change(dummy);
        if (error == EOPNOTSUPP) {
            Message bridge = new_link(name_, "bridge");
            error = netlink_.try_change(bridge);
        }
        if (error != 0 && error != EEXIST)
            throw Error(Code::internal, "cannot make the device " + name_ + ": " + std::strerror(error));
        link = netlink_.find_link(name_);
        if (!link) throw Error(Code::unavailable, "the device " + name_ + " is taken away as it is made");
    }
    index_ = link->index;
    if (!link->is_up) netlink_.set_up(index_);
}

bool ServiceLink::is_there() {
    const auto link = netlink_.find_link(name_);
    return link && link->is_up && link->index == index_;
}

std::set<Address> ServiceLink::addresses() {
    std::set<Address> result;
    for (const int family : {AF_INET, AF_INET6}) {
        for (const Route& route : netlink_.routes(family, RT_TABLE_LOCAL)) {
            const Address& address = route.destination.address;
            if (route.link == index_ && route.type == RTN_LOCAL &&
                route.destination.length == address.bits() && !is_for_the_machine_alone(address))
                result.insert(address);
        }
    }
    return result;
}

bool ServiceLink::is_delivered(const Address& address) {
    const auto route = netlink_.route_to(address);
    return route && route->type == RTN_LOCAL;
}

std::vector<Address> ServiceLink::addresses_of_others() {
    std::vector<Address> result;
    for (const Link& link : netlink_.links()) {
        if (link.name == name_) continue;
        for (const Prefix& prefix : netlink_.addresses(link.index))
            if (!is_for_the_machine_alone(prefix.address)) result.push_back(prefix.address);
    }
    return result;
}

void ServiceLink::change_route(int type, int flags, const Address& address, const char* doing,
                               std::vector<int> ignored) {
    Message message(type, flags);
    rtmsg info{};
    info.rtm_family = std::uint8_t(address.family);
    info.rtm_dst_len = std::uint8_t(address.bits());
    info.rtm_table = RT_TABLE_LOCAL;
    info.rtm_protocol = RTPROT_STATIC;
    info.rtm_type = RTN_LOCAL;
    info.rtm_scope = RT_SCOPE_HOST;
    message.header(info);
    message.put(RTA_DST, address);
    message.put(RTA_OIF, std::uint32_t(index_));
    batch_.add(message, doing, std::move(ignored));
}

void ServiceLink::add(const Address& address) {
    // Beside the one of another device that has the address too.
    change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, address, "add a service's address", {EEXIST});
}

void ServiceLink::remove(const Address& address) {
    change_route(RTM_DELROUTE, 0, address, "remove a service's address", {ESRCH});
}

}  // namespace keelson::ipvs
