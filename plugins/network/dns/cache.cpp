#include "cache.h"

#include "ldns.h"

#include <algorithm>
#include <limits>

namespace keelson::name_server {
namespace {

constexpr std::uint32_t maximum_lifetime = 3600;
constexpr std::uint32_t maximum_negative_lifetime = 300;
constexpr std::size_t record_overhead = sizeof(OwnedRecord) + 32;
constexpr std::size_t entry_overhead = 256;

std::string key_of(Bytes name, std::uint16_t type) {
    std::string key(name);
    key += char(type >> 8);
    key += char(type);
    return key;
}

std::uint32_t read_32(const std::string& data, std::size_t at) {
    return std::uint32_t(read_16(data.data() + at)) << 16 | read_16(data.data() + at + 2);
}

std::string lowered(std::string name) {
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
    return name;
}

std::string bytes_of(const ldns_rdf* field) {
    return {reinterpret_cast<const char*>(ldns_rdf_data(field)), ldns_rdf_size(field)};
}

// Those of the Internet class; false when a record is none that could be passed on.
bool copy_records(const ldns_rr_list* list, std::vector<OwnedRecord>& records) {
    for (std::size_t i = 0; i < ldns_rr_list_rr_count(list); ++i) {
        const ldns_rr* record = ldns_rr_list_rr(list, i);
        if (ldns_rr_get_class(record) != LDNS_RR_CLASS_IN || ldns_rr_get_type(record) == LDNS_RR_TYPE_OPT)
            continue;
        OwnedRecord copy;
        copy.owner = bytes_of(ldns_rr_owner(record));
        copy.type = std::uint16_t(ldns_rr_get_type(record));
        copy.ttl = ldns_rr_ttl(record);
        if (copy.ttl > std::uint32_t(std::numeric_limits<std::int32_t>::max())) copy.ttl = 0;
        for (std::size_t field = 0; field < ldns_rr_rd_count(record); ++field)
            copy.data += bytes_of(ldns_rr_rdf(record, field));
        if (copy.owner.empty() || copy.owner.size() > 255 || copy.data.size() > 0xffff) return false;
        const bool is_name = copy.type == type_cname || copy.type == type_ns || copy.type == type_ptr;
        if (is_name && (copy.data.empty() || copy.data.size() > 255)) return false;
        records.push_back(std::move(copy));
    }
    return true;
}

}  // namespace

std::uint32_t Answer::lifetime_seconds() const {
    if (code != no_error && code != name_error) return 0;
    std::uint32_t shortest = maximum_lifetime;
    for (const OwnedRecord& record : answers) shortest = std::min(shortest, record.ttl);
    const bool is_negative =
        code == name_error ||
        std::ranges::all_of(answers, [](const OwnedRecord& record) { return record.type == type_cname; });
    if (!is_negative) return shortest;
    for (const OwnedRecord& record : authority)
        if (record.type == type_soa && record.data.size() >= 4)
            return std::min({shortest, maximum_negative_lifetime, record.ttl,
                             read_32(record.data, record.data.size() - 4)});
    // A CNAME alone is an answer too.
    return code == no_error && !answers.empty() ? std::min(shortest, maximum_negative_lifetime) : 0;
}

std::unique_ptr<Answer> read_answer(Bytes message, std::uint16_t id, Bytes name, std::uint16_t type,
                                    bool& is_truncated) {
    is_truncated = false;
    if (message.size() < header_bytes || message.size() > maximum_message) return nullptr;
    if (read_16(message.data()) != id || (message[2] & char(0xf8)) != char(0x80)) return nullptr;
    // The question comes back as it was put; servers that cannot read it leave it out.
    const int code = message[3] & 15;
    const std::uint16_t questions = read_16(message.data() + 4);
    const Bytes rest = message.substr(header_bytes);
    if (questions == 1) {
        if (rest.size() < name.size() + 4 || lowered(std::string(rest.substr(0, name.size()))) != name ||
            read_16(rest.data() + name.size()) != type)
            return nullptr;
    } else if (questions != 0 || code == no_error || code == name_error) {
        return nullptr;
    }
    auto answer = std::make_unique<Answer>();
    answer->code = code;
    is_truncated = (message[2] & 2) != 0;
    if (is_truncated || (code != no_error && code != name_error)) return answer;
    ldns_pkt* parsed = nullptr;
    const ldns_status status =
        ldns_wire2pkt(&parsed, reinterpret_cast<const std::uint8_t*>(message.data()), message.size());
    const std::unique_ptr<ldns_pkt, void (*)(ldns_pkt*)> owner(parsed, ldns_pkt_free);
    if (status != LDNS_STATUS_OK) return nullptr;
    if (!copy_records(ldns_pkt_answer(parsed), answer->answers) ||
        !copy_records(ldns_pkt_authority(parsed), answer->authority))
        return nullptr;
    return answer;
}

Cache::Hit Cache::find(Bytes name, std::uint16_t type, Seconds now) {
    const auto found = index_.find(key_of(name, type));
    if (found == index_.end()) return {};
    const Entries::iterator entry = found->second;
    const auto age = now - entry->stored;
    if (age.count() < 0 || age.count() >= entry->lifetime) {
        remove(entry);
        return {};
    }
    entries_.splice(entries_.begin(), entries_, entry);
    return {entry->answer, std::uint32_t(age.count())};
}

void Cache::put(Bytes name, std::uint16_t type, std::shared_ptr<const Answer> answer, Seconds now) {
    Entry entry{key_of(name, type), std::move(answer), now, 0, 0};
    entry.lifetime = entry.answer->lifetime_seconds();
    if (const auto same = index_.find(entry.key); same != index_.end()) remove(same->second);
    if (entry.lifetime == 0) return;
    entry.bytes = entry_overhead + 2 * entry.key.size();
    for (const auto* records : {&entry.answer->answers, &entry.answer->authority})
        for (const OwnedRecord& record : *records)
            entry.bytes += record_overhead + record.owner.size() + record.data.size();
    if (entry.bytes > maximum_bytes_) return;
    while (bytes_ + entry.bytes > maximum_bytes_) remove(std::prev(entries_.end()));
    bytes_ += entry.bytes;
    entries_.push_front(std::move(entry));
    index_[entries_.front().key] = entries_.begin();
}

void Cache::remove(Entries::iterator entry) {
    bytes_ -= entry->bytes;
    index_.erase(entry->key);
    entries_.erase(entry);
}

void Cache::clear() {
    index_.clear();
    entries_.clear();
    bytes_ = 0;
}

}  // namespace keelson::name_server
