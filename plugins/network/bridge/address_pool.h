// The addresses of one pod CIDR: none is given twice, and the one that was freed last is used last.
#ifndef KEELSON_BRIDGE_ADDRESS_POOL_H
#define KEELSON_BRIDGE_ADDRESS_POOL_H

#include <cstdint>
#include <deque>
#include <set>

#include "stack/address.h"

namespace keelson::bridge {

using namespace stack;

class AddressPool {
  public:
    // The smallest prefix has one address for a pod. Throws Code::invalid.
    explicit AddressPool(const Prefix& prefix);

    [[nodiscard]] const Prefix& prefix() const { return prefix_; }
    [[nodiscard]] Address gateway() const { return prefix_.at(1); }

    // Throws Code::exhausted.
    Address take();
    // Makes it taken; addresses that lie elsewhere are none of this pool's.
    void mark_taken(const Address& address);
    void give_back(const Address& address);
    // What was given back, first the longest ago, to go on with after a restart.
    [[nodiscard]] const std::deque<Address>& freed() const { return freed_; }
    void restore_freed(const Address& address);
    // Whatever was used once, is not taken and nobody remembers as freed is free too.
    void finish_restoring();

  private:
    [[nodiscard]] bool owns(const Address& address) const;

    Prefix prefix_;
    std::uint64_t end_;  // behind the last offset for a pod
    std::uint64_t next_unused_;
    std::set<Address> taken_;
    std::deque<Address> freed_;
};

}  // namespace keelson::bridge

#endif
