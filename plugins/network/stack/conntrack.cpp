#include "stack/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "keelson/error.hpp"

namespace keelson::stack {
namespace {

constexpr int type_of(int message) {
    return NFNL_SUBSYS_CTNETLINK << 8 | message;
}

nfgenmsg head_of(int family) {
    nfgenmsg head{};
    head.nfgen_family = std::uint8_t(family);
    head.version = NFNETLINK_V0;
    return head;
}

struct Tuple {
    std::uint8_t protocol = 0;
    Address source;
    Address destination;
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
};

std::uint16_t port_of(const nlattr* attribute) {
    return attribute == nullptr ? std::uint16_t(0) : ntohs(nla_get_u16(attribute));
}

Address address_of(int family, const nlattr* attribute) {
    Address address;
    address.family = family;
    if (attribute != nullptr)
        std::memcpy(address.bytes.data(), nla_data(attribute),
                    std::min(std::size_t(nla_len(attribute)), address.size()));
    return address;
}

Tuple read_tuple(int family, nlattr* attribute) {
    Tuple tuple;
    nlattr* parts[CTA_TUPLE_MAX + 1] = {};
    if (attribute == nullptr || nla_parse_nested(parts, CTA_TUPLE_MAX, attribute, nullptr) < 0) return tuple;
    nlattr* ends[CTA_IP_MAX + 1] = {};
    if (parts[CTA_TUPLE_IP] != nullptr) nla_parse_nested(ends, CTA_IP_MAX, parts[CTA_TUPLE_IP], nullptr);
    tuple.source = address_of(family, ends[family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC]);
    tuple.destination = address_of(family, ends[family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST]);
    nlattr* protocol[CTA_PROTO_MAX + 1] = {};
    if (parts[CTA_TUPLE_PROTO] != nullptr)
        nla_parse_nested(protocol, CTA_PROTO_MAX, parts[CTA_TUPLE_PROTO], nullptr);
    if (protocol[CTA_PROTO_NUM] != nullptr) tuple.protocol = nla_get_u8(protocol[CTA_PROTO_NUM]);
    tuple.source_port = port_of(protocol[CTA_PROTO_SRC_PORT]);
    tuple.destination_port = port_of(protocol[CTA_PROTO_DST_PORT]);
    return tuple;
}

Flow read_flow(nlmsghdr* header) {
    const auto* head = static_cast<const nfgenmsg*>(nlmsg_data(header));
    nlattr* found[CTA_MAX + 1] = {};
    nlmsg_parse(header, sizeof *head, found, CTA_MAX, nullptr);
    const Tuple original = read_tuple(head->nfgen_family, found[CTA_TUPLE_ORIG]);
    const Tuple reply = read_tuple(head->nfgen_family, found[CTA_TUPLE_REPLY]);
    Flow flow;
    flow.protocol = original.protocol;
    flow.zone = port_of(found[CTA_ZONE]);
    flow.source = original.source;
    flow.destination = original.destination;
    flow.source_port = original.source_port;
    flow.destination_port = original.destination_port;
    flow.reply_source = reply.source;
    flow.reply_destination = reply.destination;
    flow.reply_source_port = reply.source_port;
    flow.reply_destination_port = reply.destination_port;
    return flow;
}

void put_port(Message& message, int type, std::uint16_t port) {
    const std::uint16_t value = htons(port);
    message.put(type, &value, sizeof value);
}

Message removal_of(const Flow& flow) {
    const int family = flow.destination.family;
    Message message(type_of(IPCTNL_MSG_CT_DELETE), 0);
    message.header(head_of(family));
    message.nest(CTA_TUPLE_ORIG | NLA_F_NESTED, [&] {
        message.nest(CTA_TUPLE_IP | NLA_F_NESTED, [&] {
            message.put(family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, flow.source);
            message.put(family == AF_INET ? CTA_IP_V4_DST : CTA_IP_V6_DST, flow.destination);
        });
        message.nest(CTA_TUPLE_PROTO | NLA_F_NESTED, [&] {
            message.put(CTA_PROTO_NUM, flow.protocol);
            put_port(message, CTA_PROTO_SRC_PORT, flow.source_port);
            put_port(message, CTA_PROTO_DST_PORT, flow.destination_port);
        });
    });
    if (flow.zone != 0) put_port(message, CTA_ZONE, flow.zone);
    return message;
}

template <typename T>
bool fits(const std::optional<T>& wanted, const T& value) {
    return !wanted || *wanted == value;
}

bool has_ports(const Flow& flow) {
    return flow.protocol == IPPROTO_TCP || flow.protocol == IPPROTO_UDP || flow.protocol == IPPROTO_SCTP;
}

}  // namespace

bool FlowFilter::matches(const Flow& flow) const {
    return fits(protocol, flow.protocol) && fits(destination, flow.destination) &&
           fits(destination_port, flow.destination_port) && fits(backend, flow.reply_source) &&
           fits(backend_port, flow.reply_source_port) && fits(zone, flow.zone);
}

Conntrack::Conntrack() : netlink_(NETLINK_NETFILTER) {}

void Conntrack::for_each(int family, const std::function<void(const Flow&)>& visit) {
    Message message(type_of(IPCTNL_MSG_CT_GET), NLM_F_DUMP);
    message.header(head_of(family));
    netlink_.ask(message, "list the tracked connections",
                 [&](nlmsghdr* header) { visit(read_flow(header)); });
}

std::size_t Conntrack::remove_if(int family, const std::function<bool(const Flow&)>& is_stale) {
    std::vector<Flow> stale;
    for_each(family, [&](const Flow& flow) {
        if (has_ports(flow) && is_stale(flow)) stale.push_back(flow);
    });
    std::size_t removed = 0;
    for (const Flow& flow : stale) {
        Message message = removal_of(flow);
        const int error = netlink_.try_change(message);
        if (error == 0) ++removed;
        if (error != 0 && error != ENOENT)
            throw Error(Code::internal,
                        std::string("cannot remove a tracked connection: ") + std::strerror(error));
    }
    return removed;
}

std::size_t Conntrack::remove(int family, const FlowFilter& filter) {
    return remove_if(family, [&](const Flow& flow) { return filter.matches(flow); });
}

}  // namespace keelson::stack
