#include "stack/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>

#include <cerrno>
#include <cstring>

#include "keelson/error.hpp"

namespace keelson::stack {
namespace {

constexpr int receive_bytes = 512 << 10;
constexpr int most_forgotten = 100'000;  // messages

[[noreturn]] void fail(const std::string& doing, int error) {
    const Code code = error == ENOMEM || error == ENOBUFS || error == ENOSPC ? Code::exhausted
                      : error == EOPNOTSUPP                                  ? Code::unsupported
                      : error == EPERM                                       ? Code::forbidden
                                                                             : Code::internal;
    const char* hint = error == EPERM ? " (it takes root or CAP_NET_ADMIN)" : "";
    throw Error(code, "cannot " + doing + ": " + std::strerror(error) + hint);
}

std::string text_of(const nlattr* attribute) {
    return attribute == nullptr ? std::string() : std::string(nla_get_string(attribute));
}

Address address_of(int family, const nlattr* attribute) {
    Address address;
    address.family = family;
    if (attribute != nullptr)
        std::memcpy(address.bytes.data(), nla_data(attribute),
                    std::min(std::size_t(nla_len(attribute)), address.size()));
    return address;
}

Link read_link(nlmsghdr* header) {
    const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
    nlattr* found[IFLA_MAX + 1] = {};
    nlmsg_parse(header, sizeof *info, found, IFLA_MAX, nullptr);
    Link link;
    link.index = info->ifi_index;
    link.is_up = (info->ifi_flags & IFF_UP) != 0;
    link.name = text_of(found[IFLA_IFNAME]);
    link.alias = text_of(found[IFLA_IFALIAS]);
    if (found[IFLA_MTU] != nullptr) link.mtu = nla_get_u32(found[IFLA_MTU]);
    if (found[IFLA_MASTER] != nullptr) link.master = int(nla_get_u32(found[IFLA_MASTER]));
    if (found[IFLA_LINK] != nullptr) link.peer = int(nla_get_u32(found[IFLA_LINK]));
    if (found[IFLA_LINKINFO] != nullptr)
        link.kind = text_of(nla_find(static_cast<nlattr*>(nla_data(found[IFLA_LINKINFO])),
                                     nla_len(found[IFLA_LINKINFO]), IFLA_INFO_KIND));
    return link;
}

// None when it is of another table than the named one, or a cached one; without a table it is the kernel's
// answer to a question, which may be of any.
std::optional<Route> read_route(nlmsghdr* header, std::optional<std::uint32_t> wanted_table) {
    const auto* info = static_cast<const rtmsg*>(nlmsg_data(header));
    nlattr* found[RTA_MAX + 1] = {};
    nlmsg_parse(header, sizeof *info, found, RTA_MAX, nullptr);
    const std::uint32_t table = found[RTA_TABLE] != nullptr ? nla_get_u32(found[RTA_TABLE]) : info->rtm_table;
    if (wanted_table && (table != *wanted_table || (info->rtm_flags & RTM_F_CLONED) != 0))
        return std::nullopt;
    Route route;
    route.destination = {address_of(info->rtm_family, found[RTA_DST]), info->rtm_dst_len};
    if (found[RTA_GATEWAY] != nullptr) route.gateway = address_of(info->rtm_family, found[RTA_GATEWAY]);
    if (found[RTA_OIF] != nullptr) route.link = int(nla_get_u32(found[RTA_OIF]));
    route.type = info->rtm_type;
    route.protocol = info->rtm_protocol;
    return route;
}

Message link_question(int index) {
    Message message(RTM_GETLINK, 0);
    ifinfomsg info{};
    info.ifi_index = index;
    message.header(info);
    message.put(IFLA_EXT_MASK, std::uint32_t(RTEXT_FILTER_SKIP_STATS));
    return message;
}

Message address_change(int type, int flags, int link, const Address& address, int prefix_length) {
    Message message(type, flags);
    ifaddrmsg info{};
    info.ifa_family = std::uint8_t(address.family);
    info.ifa_prefixlen = std::uint8_t(prefix_length);
    info.ifa_index = std::uint32_t(link);
    message.header(info);
    message.put(IFA_LOCAL, address);
    message.put(IFA_ADDRESS, address);
    return message;
}

Message route_change(int type, int flags, const Route& route) {
    Message message(type, flags);
    rtmsg info{};
    info.rtm_family = std::uint8_t(route.destination.address.family);
    info.rtm_dst_len = std::uint8_t(route.destination.length);
    info.rtm_table = RT_TABLE_MAIN;
    info.rtm_protocol = route.protocol;
    info.rtm_type = RTN_UNICAST;
    info.rtm_scope = route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    message.header(info);
    if (route.destination.length != 0) message.put(RTA_DST, route.destination.address);
    if (route.gateway) message.put(RTA_GATEWAY, *route.gateway);
    message.put(RTA_OIF, std::uint32_t(route.link));
    return message;
}

}  // namespace

Message::Message(int type, int flags)
    : message_(nlmsg_alloc_simple(type, flags | NLM_F_REQUEST), nlmsg_free) {
    if (message_ == nullptr) throw std::bad_alloc();
}

void* Message::append(const void* data, std::size_t size) {
    void* place = nlmsg_reserve(message_.get(), size, NLMSG_ALIGNTO);
    if (place == nullptr) throw std::bad_alloc();
    return std::memcpy(place, data, size);
}

void Message::put(int type, const void* data, std::size_t size) {
    if (nla_put(message_.get(), type, int(size), data) < 0)
        throw Error(Code::internal, "a netlink message is too long");
}

void Message::nest(int type, const std::function<void()>& fill) {
    nlattr* start = nla_nest_start(message_.get(), type);
    if (start == nullptr) throw Error(Code::internal, "a netlink message is too long");
    fill();
    nla_nest_end(message_.get(), start);
}

Netlink::Netlink(int protocol) : socket_(nl_socket_alloc(), nl_socket_free) {
    if (socket_ == nullptr) throw std::bad_alloc();
    const int status = nl_connect(socket_.get(), protocol);
    if (status < 0)
        throw Error(Code::unavailable, std::string("cannot open a netlink socket: ") + nl_geterror(status));
    // The failures of a whole batch fit into it; where the system allows less, what runs over is told.
    (void)nl_socket_set_buffer_size(socket_.get(), receive_bytes, 0);
}

void Netlink::forget_answers() {
    char byte = 0;
    for (int count = 0; count < most_forgotten; ++count) {
        const ssize_t size = ::recv(nl_socket_get_fd(socket_.get()), &byte, 1, MSG_DONTWAIT | MSG_TRUNC);
        const bool is_more = size > 0 || errno == EINTR || errno == ENOBUFS;
        if (!is_more) return;
    }
}

int Netlink::exchange(Message& message, const Handler& handler) {
    if (nl_send_auto(socket_.get(), message.get()) < 0)
        throw Error(Code::unavailable, "cannot send a netlink message");
    struct State {
        const Handler& handler;
        std::uint32_t sequence;
        int error = 0;
        bool is_finished = false;
    } state{handler, nlmsg_hdr(message.get())->nlmsg_seq};
    const std::unique_ptr<nl_cb, void (*)(nl_cb*)> callbacks(nl_cb_alloc(NL_CB_DEFAULT), nl_cb_put);
    if (callbacks == nullptr) throw std::bad_alloc();
    // What is left of an exchange that was broken off is no answer to this one.
    nl_cb_set(
        callbacks.get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM,
        [](nl_msg* answer, void* context) {
            const bool is_ours = nlmsg_hdr(answer)->nlmsg_seq == static_cast<State*>(context)->sequence;
            return int(is_ours ? NL_OK : NL_SKIP);
        },
        &state);
    nl_cb_set(
        callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM,
        [](nl_msg* answer, void* context) {
            const State& self = *static_cast<State*>(context);
            if (self.handler) self.handler(nlmsg_hdr(answer));
            return int(NL_OK);
        },
        &state);
    const auto finish = [](nl_msg* /*answer*/, void* context) {
        static_cast<State*>(context)->is_finished = true;
        return int(NL_STOP);
    };
    nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, finish, &state);
    nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, finish, &state);
    nl_cb_err(
        callbacks.get(), NL_CB_CUSTOM,
        [](sockaddr_nl* /*from*/, nlmsgerr* error, void* context) {
            static_cast<State*>(context)->error = -error->error;
            static_cast<State*>(context)->is_finished = true;
            return int(NL_STOP);
        },
        &state);
    while (!state.is_finished) {
        const int status = nl_recvmsgs(socket_.get(), callbacks.get());
        if (status < 0 && !state.is_finished) {
            forget_answers();
            throw Error(Code::unavailable, std::string("no answer by netlink: ") + nl_geterror(status));
        }
    }
    return state.error;
}

int Netlink::try_change(Message& message) {
    return exchange(message, nullptr);
}

void Netlink::change(Message& message, const std::string& doing) {
    const int error = try_change(message);
    if (error != 0) fail(doing, error);
}

void Netlink::ask(Message& message, const std::string& doing, const Handler& handler) {
    const int error = exchange(message, handler);
    if (error != 0) fail(doing, error);
}

std::optional<Link> Netlink::get_link(Message& message) {
    std::optional<Link> link;
    const int error = exchange(message, [&](nlmsghdr* header) { link = read_link(header); });
    if (error == ENODEV) return std::nullopt;
    if (error != 0) fail("ask for a link", error);
    return link;
}

std::optional<Link> Netlink::find_link(const std::string& name) {
    Message message = link_question(0);
    message.put(IFLA_IFNAME, name);
    return get_link(message);
}

std::optional<Link> Netlink::find_link(int index) {
    Message message = link_question(index);
    return get_link(message);
}

std::vector<Link> Netlink::links() {
    Message message(RTM_GETLINK, NLM_F_DUMP);
    message.header(ifinfomsg{});
    message.put(IFLA_EXT_MASK, std::uint32_t(RTEXT_FILTER_SKIP_STATS));
    std::vector<Link> result;
    const int error = exchange(message, [&](nlmsghdr* header) { result.push_back(read_link(header)); });
    if (error != 0) fail("list the links", error);
    return result;
}

void Netlink::remove_link(const std::string& name) {
    Message message(RTM_DELLINK, 0);
    message.header(ifinfomsg{});
    message.put(IFLA_IFNAME, name);
    const int error = try_change(message);
    if (error != 0 && error != ENODEV) fail("remove the link " + name, error);
}

void Netlink::set_up(int link) {
    Message message(RTM_NEWLINK, 0);
    ifinfomsg info{};
    info.ifi_index = link;
    info.ifi_flags = info.ifi_change = IFF_UP;
    message.header(info);
    change(message, "set a link up");
}

void Netlink::add_address(int link, const Address& address, int prefix_length, std::uint32_t flags) {
    Message message = address_change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, link, address, prefix_length);
    if (flags != 0) message.put(IFA_FLAGS, flags);
    const int error = try_change(message);
    if (error != 0 && error != EEXIST) fail("add the address " + address.text(), error);
}

void Netlink::remove_address(int link, const Address& address, int prefix_length) {
    Message message = address_change(RTM_DELADDR, 0, link, address, prefix_length);
    const int error = try_change(message);
    if (error != 0 && error != EADDRNOTAVAIL) fail("remove the address " + address.text(), error);
}

std::vector<Prefix> Netlink::addresses(std::optional<int> link) {
    Message message(RTM_GETADDR, NLM_F_DUMP);
    message.header(ifaddrmsg{});
    std::vector<Prefix> result;
    const int error = exchange(message, [&](nlmsghdr* header) {
        const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(header));
        if (link && info->ifa_index != std::uint32_t(*link)) return;
        nlattr* found[IFA_MAX + 1] = {};
        nlmsg_parse(header, sizeof *info, found, IFA_MAX, nullptr);
        const nlattr* own = found[IFA_LOCAL] != nullptr ? found[IFA_LOCAL] : found[IFA_ADDRESS];
        result.push_back({address_of(info->ifa_family, own), info->ifa_prefixlen});
    });
    if (error != 0) fail("list the addresses", error);
    return result;
}

void Netlink::replace_route(const Route& route) {
    Message message = route_change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
    change(message, "set the route to " + route.destination.text());
}

void Netlink::remove_route(const Route& route) {
    Message message = route_change(RTM_DELROUTE, 0, route);
    const int error = try_change(message);
    if (error != 0 && error != ESRCH) fail("remove the route to " + route.destination.text(), error);
}

std::vector<Route> Netlink::routes(int family, std::uint32_t table) {
    Message message(RTM_GETROUTE, NLM_F_DUMP);
    rtmsg info{};
    info.rtm_family = std::uint8_t(family);
    message.header(info);
    std::vector<Route> result;
    const int error = exchange(message, [&](nlmsghdr* header) {
        if (auto route = read_route(header, table)) result.push_back(*route);
    });
    if (error != 0) fail("list the routes", error);
    return result;
}

std::optional<Route> Netlink::route_to(const Address& address) {
    Message message(RTM_GETROUTE, 0);
    rtmsg info{};
    info.rtm_family = std::uint8_t(address.family);
    info.rtm_dst_len = std::uint8_t(address.bits());
    message.header(info);
    message.put(RTA_DST, address);
    std::optional<Route> route;
    const int error = exchange(message, [&](nlmsghdr* header) { route = read_route(header, std::nullopt); });
    return error == 0 ? route : std::nullopt;
}

}  // namespace keelson::stack
