#include "zone.h"

#include <arpa/inet.h>
#include "ldns.h"

#include <algorithm>
#include <memory>

#include "keelson/error.hpp"

namespace keelson::name_server {
namespace {

std::string address_data(int family, const std::string& text) {
    std::string data(family == AF_INET ? 4 : 16, '\0');
    if (::inet_pton(family, text.c_str(), data.data()) != 1)
        throw Error(Code::invalid, "\"" + text + "\" is no address of that kind", "values");
    return data;
}

std::string record_data(const dns::Record& record, const std::string& value) {
    if (record.type == "A") return address_data(AF_INET, value);
    if (record.type == "AAAA") return address_data(AF_INET6, value);
    const std::string line = ". 0 IN " + record.type + " " + value;
    ldns_rr* parsed = nullptr;
    const ldns_status status = ldns_rr_new_frm_str(&parsed, line.c_str(), 0, nullptr, nullptr);
    const std::unique_ptr<ldns_rr, void (*)(ldns_rr*)> owner(parsed, ldns_rr_free);
    if (status != LDNS_STATUS_OK)
        throw Error(Code::invalid, record.type + " \"" + value + "\": " + ldns_get_errorstr_by_id(status),
                    "values");
    std::string data;
    for (std::size_t i = 0; i < ldns_rr_rd_count(parsed); ++i) {
        const ldns_rdf* field = ldns_rr_rdf(parsed, i);
        data.append(reinterpret_cast<const char*>(ldns_rdf_data(field)), ldns_rdf_size(field));
    }
    if (data.size() > 0xffff) throw Error(Code::invalid, "a record is too long", "values");
    return data;
}

std::string read_name(const std::string& text) {
    auto name = wire_name(text);
    if (!name) throw Error(Code::invalid, "\"" + text + "\" is no name", "name");
    return std::move(*name);
}

}  // namespace

std::uint16_t read_type(const std::string& text) {
    const ldns_rr_type type = ldns_get_rr_type_by_name(text.c_str());
    if (type == 0 || type == LDNS_RR_TYPE_OPT || (type >= 128 && type <= 255))
        throw Error(Code::invalid, "\"" + text + "\" is no type of records", "type");
    return std::uint16_t(type);
}

NamedSet read_record(const dns::Record& record) {
    NamedSet named{read_name(record.name), {}};
    named.set.type = read_type(record.type);
    // RFC 2181: at most 2^31 - 1, and what is below zero counts as zero.
    named.set.ttl = std::uint32_t(std::max(record.ttl_seconds, 0));
    named.set.data.reserve(record.values.size());
    for (const std::string& value : record.values) named.set.data.push_back(record_data(record, value));
    return named;
}

const RecordSet* Node::find(std::uint16_t type) const {
    for (const RecordSet& set : sets)
        if (set.type == type) return &set;
    return nullptr;
}

void Zone::count_above(Bytes name, int change) {
    while (name.size() > 1) {
        name = parent_of(name);
        auto found = nodes_.find(name);
        if (found == nodes_.end()) found = nodes_.emplace(std::string(name), Node{}).first;
        found->second.below += std::uint32_t(change);
        if (found->second.below == 0 && found->second.sets.empty()) nodes_.erase(found);
    }
}

void Zone::put(NamedSet named) {
    if (named.set.data.empty()) return remove(named.name, named.set.type);
    Node& node = nodes_[named.name];
    const bool is_new = node.sets.empty();
    const auto same = std::ranges::find(node.sets, named.set.type, &RecordSet::type);
    if (same != node.sets.end())
        *same = std::move(named.set);
    else
        node.sets.push_back(std::move(named.set));
    if (is_new) count_above(named.name, 1);
}

void Zone::remove(Bytes name, std::uint16_t type) {
    const auto found = nodes_.find(name);
    if (found == nodes_.end() || found->second.find(type) == nullptr) return;
    Node& node = found->second;
    std::erase_if(node.sets, [&](const RecordSet& set) { return set.type == type; });
    if (!node.sets.empty()) return;
    const std::string copy(name);
    if (node.below == 0) nodes_.erase(found);
    count_above(copy, -1);
}

const Node* Zone::find(Bytes name) const {
    const auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : &found->second;
}

}  // namespace keelson::name_server
