#include "answer.h"

#include <arpa/inet.h>

#include <algorithm>

#include "keelson/error.hpp"

namespace keelson::name_server {
namespace {

constexpr int maximum_aliases = 8;
constexpr std::uint32_t authority_ttl = 30;

void put_32(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += char(value >> shift);
}

std::string prefixed(const char* label, const std::string& zone) {
    auto name = wire_name(label);
    name->pop_back();
    return *name + zone;
}

void add_set(Bytes owner, const RecordSet& set, std::uint32_t turn, std::vector<Item>& items) {
    const std::size_t count = set.data.size();
    for (std::size_t i = 0; i < count; ++i)
        items.push_back({owner, set.type, set.ttl, set.data[(i + turn) % count]});
}

std::uint16_t address_type(Bytes data) {
    return data.size() == 4 ? type_a : type_aaaa;
}

// "10-0-0-5" and "2001-db8--1"; nothing when it is no address.
std::string read_dashed(Bytes label) {
    std::string text(label);
    std::string data(16, '\0');
    std::ranges::replace(text, '-', '.');
    if (::inet_pton(AF_INET, text.c_str(), data.data()) == 1) return data.substr(0, 4);
    std::ranges::replace(text, '.', ':');
    return ::inet_pton(AF_INET6, text.c_str(), data.data()) == 1 ? data : std::string();
}

}  // namespace

Authority::Authority(const std::string& zone, bool pod_names, std::vector<std::string> server_addresses)
    : pod_names_(pod_names), server_addresses_(std::move(server_addresses)) {
    auto name = wire_name(zone);
    // 64 bytes are left for what is made below it, names of pods with IPv6 addresses among them.
    if (!name || name->size() < 2 || name->size() > 190)
        throw Error(Code::invalid, "\"" + zone + "\" is no name of a zone", "zone");
    zone_ = std::move(*name);
    pods_ = prefixed("pod", zone_);
    name_servers_ = prefixed("dns", zone_);
    name_server_ = prefixed("ns", name_servers_);
    set_serial(0);
}

void Authority::set_serial(std::uint32_t serial) {
    if (zone_.empty()) return;
    soa_ = name_server_ + prefixed("hostmaster", zone_);
    put_32(soa_, serial);
    for (const std::uint32_t value : {7200U, 1800U, 86400U, negative_ttl}) put_32(soa_, value);
}

Bytes Authority::answer(const Zone& records, const Query& query, std::uint32_t turn, Reply& reply) {
    Bytes name = query.name;
    reply.is_authoritative = true;
    for (int step = 0; step <= maximum_aliases; ++step) {
        const bool is_ours = !zone_.empty() && is_within(name, zone_);
        const Node* foreign = is_ours ? nullptr : records.find(name);
        // Reverse names lie outside of the zone; only those with records are answered.
        if (!is_ours && (foreign == nullptr || foreign->sets.empty())) {
            reply.is_authoritative = step > 0;
            return name;
        }
        Bytes alias;
        const Found found = look_up(records, name, query.type, turn, reply, alias);
        if (!alias.empty()) {
            name = alias;
            continue;
        }
        if (found == Found::name_and_data)
            add_targets(records, reply);
        else
            deny(found, name, reply);
        return {};
    }
    reply.answers.clear();
    reply.code = server_failure;
    return {};
}

Authority::Found Authority::look_up(const Zone& records, Bytes name, std::uint16_t type, std::uint32_t turn,
                                    Reply& reply, Bytes& alias) {
    const Node* node = records.find(name);
    if (node == nullptr || node->sets.empty()) {
        const Found made = special(name, type, reply);
        return made == Found::nothing && node != nullptr ? Found::name : made;
    }
    if (const RecordSet* set = node->find(type)) {
        add_set(name, *set, turn, reply.answers);
        return Found::name_and_data;
    }
    if (const RecordSet* set = node->find(type_cname); set != nullptr && type != type_any) {
        reply.answers.push_back({name, type_cname, set->ttl, set->data.front()});
        alias = set->data.front();
        return Found::name_and_data;
    }
    // One set is an answer to this (RFC 8482), and no help for those who flood others with large ones.
    if (type == type_any) {
        add_set(name, node->sets.front(), turn, reply.answers);
        return Found::name_and_data;
    }
    return special(name, type, reply) == Found::name_and_data ? Found::name_and_data : Found::name;
}

// What is there without having been given: the zone's own records and the names of pods.
Authority::Found Authority::special(Bytes name, std::uint16_t type, Reply& reply) {
    const bool is_any = type == type_any;
    if (name == Bytes(zone_)) {
        if (type == type_soa || is_any) reply.answers.push_back({name, type_soa, authority_ttl, soa_});
        if (type == type_ns) reply.answers.push_back({name, type_ns, authority_ttl, name_server_});
        return type == type_soa || type == type_ns || is_any ? Found::name_and_data : Found::name;
    }
    if (name == Bytes(name_servers_)) return Found::name;
    if (name == Bytes(name_server_)) {
        const std::size_t before = reply.answers.size();
        for (const std::string& address : server_addresses_)
            if (is_any || address_type(address) == type)
                reply.answers.push_back({name, address_type(address), authority_ttl, address});
        return reply.answers.size() != before ? Found::name_and_data : Found::name;
    }
    if (pod_names_ && is_within(name, pods_)) return pod_name(name, type, reply);
    return Found::nothing;
}

Authority::Found Authority::pod_name(Bytes name, std::uint16_t type, Reply& reply) {
    // pod.ZONE and NAMESPACE.pod.ZONE have others below them.
    if (name == Bytes(pods_) || parent_of(name) == Bytes(pods_)) return Found::name;
    if (parent_of(parent_of(name)) != Bytes(pods_)) return Found::nothing;
    pod_address_ = read_dashed(name.substr(1, std::uint8_t(name[0])));
    if (pod_address_.empty()) return Found::nothing;
    if (type != type_any && type != address_type(pod_address_)) return Found::name;
    reply.answers.push_back({name, address_type(pod_address_), authority_ttl, pod_address_});
    return Found::name_and_data;
}

// The addresses of what SRV records point to.
void Authority::add_targets(const Zone& records, Reply& reply) const {
    constexpr std::size_t before_target = 6;
    for (const Item& item : reply.answers) {
        if (item.type != type_srv || item.data.size() <= before_target) continue;
        const Bytes target = item.data.substr(before_target);
        const bool is_there =
            std::ranges::any_of(reply.additional, [&](const Item& other) { return other.owner == target; });
        const Node* node = is_there ? nullptr : records.find(target);
        if (node == nullptr) continue;
        for (const RecordSet& set : node->sets)
            if (set.type == type_a || set.type == type_aaaa) add_set(target, set, 0, reply.additional);
    }
}

void Authority::deny(Found found, Bytes name, Reply& reply) const {
    if (found == Found::nothing) reply.code = name_error;
    // It says how long this holds, and may do so for names of its own zone only.
    if (!zone_.empty() && is_within(name, zone_))
        reply.authority.push_back({zone_, type_soa, negative_ttl, soa_});
}

}  // namespace keelson::name_server
