#include "virtual_servers.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <netlink/attr.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "keelson/error.hpp"

namespace keelson::ipvs {
namespace {

constexpr std::uint32_t masquerading = 0;  // IP_VS_CONN_F_MASQ: addresses are translated

void put_16(Message& message, int type, std::uint16_t value) {
    message.put(type, &value, sizeof value);
}
// The kernel's union of both kinds.
void put_address(Message& message, int type, const Address& address) {
    message.put(type, address.bytes.data(), address.bytes.size());
}

void put_key(Message& message, const Key& key) {
    put_16(message, IPVS_SVC_ATTR_AF, std::uint16_t(key.address.family));
    if (key.mark != 0) return message.put(IPVS_SVC_ATTR_FWMARK, key.mark);
    put_16(message, IPVS_SVC_ATTR_PROTOCOL, key.protocol);
    put_address(message, IPVS_SVC_ATTR_ADDR, key.address);
    put_16(message, IPVS_SVC_ATTR_PORT, htons(key.port));
}

void put_server(Message& message, const Key& key, const Server& server) {
    message.nest(IPVS_CMD_ATTR_SERVICE, [&] {
        put_key(message, key);
        message.put(IPVS_SVC_ATTR_SCHED_NAME, server.scheduler);
        const ip_vs_flags flags{server.persistent_seconds != 0 ? std::uint32_t(IP_VS_SVC_F_PERSISTENT) : 0,
                                ~std::uint32_t(0)};
        message.put(IPVS_SVC_ATTR_FLAGS, &flags, sizeof flags);
        message.put(IPVS_SVC_ATTR_TIMEOUT, server.persistent_seconds);
        // Each client by its whole address: as a mask, for IPv6 as a length.
        message.put(IPVS_SVC_ATTR_NETMASK,
                    key.address.family == AF_INET ? ~std::uint32_t(0) : std::uint32_t(128));
    });
}

std::uint16_t get_16(const nlattr* attribute) {
    return attribute == nullptr ? 0 : nla_get_u16(attribute);
}
std::uint32_t get_32(const nlattr* attribute) {
    return attribute == nullptr ? 0 : nla_get_u32(attribute);
}
Address get_address(int family, const nlattr* attribute) {
    Address address;
    address.family = family;
    if (attribute != nullptr)
        std::memcpy(address.bytes.data(), nla_data(attribute),
                    std::min<std::size_t>(address.size(), std::size_t(nla_len(attribute))));
    return address;
}

nlattr* body_of(nlmsghdr* header, int type) {
    return nlmsg_find_attr(header, sizeof(genlmsghdr), type);
}

}  // namespace

VirtualServers::VirtualServers() : netlink_(NETLINK_GENERIC), batch_(netlink_) {
    Message question(GENL_ID_CTRL, 0);
    question.header(genlmsghdr{CTRL_CMD_GETFAMILY, 1, 0});
    question.put(CTRL_ATTR_FAMILY_NAME, std::string(IPVS_GENL_NAME));
    try {
        netlink_.ask(question, "find IPVS", [this](nlmsghdr* header) {
            if (const nlattr* id = body_of(header, CTRL_ATTR_FAMILY_ID)) family_ = nla_get_u16(id);
        });
    } catch (const Error&) {
        family_ = 0;
    }
    if (family_ == 0)
        throw Error(Code::unsupported,
                    "this kernel has no IPVS, or its module is not loaded: modprobe ip_vs");
}

Message VirtualServers::message(std::uint8_t command, int flags) const {
    Message message(family_, flags);
    message.header(genlmsghdr{command, IPVS_GENL_VERSION, 0});
    return message;
}

std::map<Key, Server> VirtualServers::list() {
    std::map<Key, Server> servers;
    Message question = message(IPVS_CMD_GET_SERVICE, NLM_F_DUMP);
    netlink_.ask(question, "list the virtual servers", [&](nlmsghdr* header) {
        nlattr* body = body_of(header, IPVS_CMD_ATTR_SERVICE);
        nlattr* found[IPVS_SVC_ATTR_MAX + 1] = {};
        if (body == nullptr || nla_parse_nested(found, IPVS_SVC_ATTR_MAX, body, nullptr) < 0) return;
        Key key;
        key.address.family = get_16(found[IPVS_SVC_ATTR_AF]);
        key.mark = get_32(found[IPVS_SVC_ATTR_FWMARK]);
        if (key.mark == 0) {
            key.address = get_address(key.address.family, found[IPVS_SVC_ATTR_ADDR]);
            key.protocol = std::uint8_t(get_16(found[IPVS_SVC_ATTR_PROTOCOL]));
            key.port = ntohs(get_16(found[IPVS_SVC_ATTR_PORT]));
        }
        Server server;
        if (found[IPVS_SVC_ATTR_SCHED_NAME] != nullptr)
            server.scheduler = nla_get_string(found[IPVS_SVC_ATTR_SCHED_NAME]);
        ip_vs_flags flags{};
        if (found[IPVS_SVC_ATTR_FLAGS] != nullptr)
            nla_memcpy(&flags, found[IPVS_SVC_ATTR_FLAGS], sizeof flags);
        if ((flags.flags & IP_VS_SVC_F_PERSISTENT) != 0)
            server.persistent_seconds = get_32(found[IPVS_SVC_ATTR_TIMEOUT]);
        servers[key] = std::move(server);
    });
    return servers;
}

std::vector<BackendState> VirtualServers::backends(const Key& key) {
    std::vector<BackendState> backends;
    Message question = message(IPVS_CMD_GET_DEST, NLM_F_DUMP);
    question.nest(IPVS_CMD_ATTR_SERVICE, [&] { put_key(question, key); });
    netlink_.ask(question, "list the backends of a virtual server", [&](nlmsghdr* header) {
        nlattr* body = body_of(header, IPVS_CMD_ATTR_DEST);
        nlattr* found[IPVS_DEST_ATTR_MAX + 1] = {};
        if (body == nullptr || nla_parse_nested(found, IPVS_DEST_ATTR_MAX, body, nullptr) < 0) return;
        BackendState state;
        state.place = {get_address(key.address.family, found[IPVS_DEST_ATTR_ADDR]),
                       ntohs(get_16(found[IPVS_DEST_ATTR_PORT]))};
        state.weight = get_32(found[IPVS_DEST_ATTR_WEIGHT]);
        state.active = get_32(found[IPVS_DEST_ATTR_ACTIVE_CONNS]);
        backends.push_back(state);
    });
    return backends;
}

bool VirtualServers::is_there(const Key& key) {
    Message question = message(IPVS_CMD_GET_SERVICE, 0);
    question.nest(IPVS_CMD_ATTR_SERVICE, [&] { put_key(question, key); });
    bool is_there = false;
    try {
        netlink_.ask(question, "find a virtual server", [&](nlmsghdr*) { is_there = true; });
    } catch (const Error&) {
        return false;
    }
    return is_there;
}

void VirtualServers::add(const Key& key, const Server& server) {
    Message made = message(IPVS_CMD_NEW_SERVICE, 0);
    put_server(made, key, server);
    batch_.add(made, "make a virtual server (its scheduler is a module of its own)");
}

void VirtualServers::change(const Key& key, const Server& server) {
    Message made = message(IPVS_CMD_SET_SERVICE, 0);
    put_server(made, key, server);
    batch_.add(made, "change a virtual server");
}

void VirtualServers::remove(const Key& key) {
    Message made = message(IPVS_CMD_DEL_SERVICE, 0);
    made.nest(IPVS_CMD_ATTR_SERVICE, [&] { put_key(made, key); });
    batch_.add(made, "remove a virtual server", {ESRCH, ENOENT});
}

void VirtualServers::put_backend(std::uint8_t command, const Key& key, const Place& place,
                                 std::uint32_t weight, const char* doing, std::vector<int> ignored) {
    Message made = message(command, 0);
    made.nest(IPVS_CMD_ATTR_SERVICE, [&] { put_key(made, key); });
    made.nest(IPVS_CMD_ATTR_DEST, [&] {
        put_address(made, IPVS_DEST_ATTR_ADDR, place.first);
        put_16(made, IPVS_DEST_ATTR_PORT, htons(place.second));
        put_16(made, IPVS_DEST_ATTR_ADDR_FAMILY, std::uint16_t(place.first.family));
        if (command == IPVS_CMD_DEL_DEST) return;
        made.put(IPVS_DEST_ATTR_FWD_METHOD, masquerading);
        made.put(IPVS_DEST_ATTR_WEIGHT, weight);
        made.put(IPVS_DEST_ATTR_U_THRESH, std::uint32_t(0));
        made.put(IPVS_DEST_ATTR_L_THRESH, std::uint32_t(0));
    });
    batch_.add(made, doing, std::move(ignored));
}

void VirtualServers::add_backend(const Key& key, const Place& place, std::uint32_t weight) {
    put_backend(IPVS_CMD_NEW_DEST, key, place, weight, "add a backend to a virtual server", {});
}
void VirtualServers::change_backend(const Key& key, const Place& place, std::uint32_t weight) {
    put_backend(IPVS_CMD_SET_DEST, key, place, weight, "change a backend of a virtual server", {});
}
void VirtualServers::remove_backend(const Key& key, const Place& place) {
    put_backend(IPVS_CMD_DEL_DEST, key, place, 0, "remove a backend of a virtual server", {ESRCH, ENOENT});
}

}  // namespace keelson::ipvs
