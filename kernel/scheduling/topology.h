// Which nodes lie in which domain of a topology (a label key: zone, host name).
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernel/scheduling/labels.h"

namespace keelson::scheduling {

// The domains of one label key, numbered from 0; numbers are used again when a domain has lost its last node.
class Topology {
  public:
    static constexpr std::int32_t kNone = -1;

    explicit Topology(std::string key) : key_(std::move(key)) {}
    [[nodiscard]] const std::string& key() const { return key_; }
    // kNone: the node has no such label.
    [[nodiscard]] std::int32_t domain(std::uint32_t slot) const {
        return slot < domains_.size() ? domains_[slot] : kNone;
    }
    // Above every number in use.
    [[nodiscard]] std::size_t bound() const { return nodes_of_.size(); }

    void set(std::uint32_t slot, const Labels& labels);
    void clear(std::uint32_t slot);

  private:
    std::string key_;
    std::vector<std::int32_t> domains_;  // by slot
    std::unordered_map<std::string, std::int32_t> numbers_;
    std::vector<std::string> values_;
    std::vector<std::uint32_t> nodes_of_;
    std::vector<std::int32_t> free_;
};

}  // namespace keelson::scheduling
