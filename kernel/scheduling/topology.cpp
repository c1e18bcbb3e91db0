#include "kernel/scheduling/topology.h"

namespace keelson::scheduling {

void Topology::set(std::uint32_t slot, const Labels& labels) {
    if (slot >= domains_.size()) domains_.resize(slot + 1, kNone);
    const std::string* value = labels.find(key_);
    const std::int32_t before = domains_[slot];
    if (value && before != kNone && values_[static_cast<std::size_t>(before)] == *value) return;
    clear(slot);
    if (!value) return;
    auto [at, is_new] = numbers_.try_emplace(*value, 0);
    if (is_new && !free_.empty()) {
        at->second = free_.back();
        free_.pop_back();
        values_[static_cast<std::size_t>(at->second)] = *value;
    } else if (is_new) {
        at->second = static_cast<std::int32_t>(nodes_of_.size());
        nodes_of_.push_back(0);
        values_.push_back(*value);
    }
    domains_[slot] = at->second;
    ++nodes_of_[static_cast<std::size_t>(at->second)];
}

void Topology::clear(std::uint32_t slot) {
    if (slot >= domains_.size() || domains_[slot] == kNone) return;
    const auto domain = static_cast<std::size_t>(domains_[slot]);
    domains_[slot] = kNone;
    if (--nodes_of_[domain] > 0) return;
    numbers_.erase(values_[domain]);
    values_[domain].clear();
    free_.push_back(static_cast<std::int32_t>(domain));
}

}  // namespace keelson::scheduling
