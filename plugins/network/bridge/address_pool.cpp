#include "address_pool.h"

#include <algorithm>

#include "keelson/error.hpp"

namespace keelson::bridge {
namespace {

constexpr std::uint64_t first_offset = 2;  // behind the network's own address and the gateway's
// Enough to be long ago; an IPv6 prefix would otherwise be remembered address by address.
constexpr std::size_t maximum_freed = 1024;

}  // namespace

AddressPool::AddressPool(const Prefix& prefix) : prefix_(prefix), next_unused_(first_offset) {
    const bool has_broadcast = prefix.address.family == AF_INET;
    end_ = prefix.size() - (has_broadcast ? 1 : 0);
    if (prefix.size() < 4)
        throw Error(Code::invalid,
                    "pod CIDR " + prefix.text() + " is too small: it must have room for a gateway and a pod",
                    "node.podCidrs");
}

Address AddressPool::take() {
    if (next_unused_ >= end_ && freed_.empty())
        throw Error(Code::exhausted, "no addresses left in " + prefix_.text() + ": all " +
                                         std::to_string(taken_.size()) +
                                         " are in use by pods of this node; remove pods from it or give it "
                                         "a larger pod CIDR");
    if (next_unused_ < end_ && freed_.size() < maximum_freed) {
        const Address address = prefix_.at(next_unused_++);
        taken_.insert(address);
        return address;
    }
    const Address address = freed_.front();
    freed_.pop_front();
    taken_.insert(address);
    return address;
}

bool AddressPool::owns(const Address& address) const {
    if (!prefix_.contains(address)) return false;
    const auto offset = prefix_.offset_of(address);
    return offset && *offset >= first_offset && *offset < end_;
}

void AddressPool::mark_taken(const Address& address) {
    if (!owns(address)) return;
    taken_.insert(address);
    std::erase(freed_, address);
    next_unused_ = std::max(next_unused_, *prefix_.offset_of(address) + 1);
}

void AddressPool::give_back(const Address& address) {
    if (taken_.erase(address) != 0) freed_.push_back(address);
}

void AddressPool::restore_freed(const Address& address) {
    if (!owns(address) || taken_.contains(address) || std::ranges::count(freed_, address) != 0) return;
    if (freed_.size() >= maximum_freed + taken_.size()) return;
    freed_.push_back(address);
    next_unused_ = std::max(next_unused_, *prefix_.offset_of(address) + 1);
}

void AddressPool::finish_restoring() {
    std::set<Address> known(freed_.begin(), freed_.end());
    known.insert(taken_.begin(), taken_.end());
    for (std::uint64_t offset = first_offset; offset < next_unused_; ++offset) {
        if (freed_.size() >= maximum_freed) return;
        const Address address = prefix_.at(offset);
        if (!known.contains(address)) freed_.push_front(address);
    }
}

}  // namespace keelson::bridge
