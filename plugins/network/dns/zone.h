// The records that the kernel has given, by name and type. One thread at a time.
#ifndef KEELSON_DNS_ZONE_H
#define KEELSON_DNS_ZONE_H

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "keelson/network.hpp"
#include "wire.h"

namespace keelson::name_server {

struct RecordSet {
    std::uint16_t type = 0;
    std::uint32_t ttl = 0;
    std::vector<std::string> data;  // of each record, names in it not shortened
};

// Understood records, ready to be put into a zone.
struct NamedSet {
    std::string name;
    RecordSet set;
};

// Throws Code::invalid with the reason.
NamedSet read_record(const dns::Record& record);
std::uint16_t read_type(const std::string& text);

struct Node {
    std::vector<RecordSet> sets;
    std::uint32_t below = 0;  // names with records that end in this one

    [[nodiscard]] const RecordSet* find(std::uint16_t type) const;
};

class Zone {
  public:
    // Replaces those of the same name and type; a set without records removes.
    void put(NamedSet named);
    void remove(Bytes name, std::uint16_t type);
    // Also of names that have no records but others below them; nullptr: there is no such name.
    [[nodiscard]] const Node* find(Bytes name) const;
    [[nodiscard]] std::size_t size() const { return nodes_.size(); }

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(Bytes name) const { return std::hash<Bytes>()(name); }
    };
    void count_above(Bytes name, int change);

    std::unordered_map<std::string, Node, Hash, std::equal_to<>> nodes_;
};

}  // namespace keelson::name_server

#endif
