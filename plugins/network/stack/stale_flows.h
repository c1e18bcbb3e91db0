// Tracked UDP flows that a change has left with a backend that their service no longer has, or without one.
#ifndef KEELSON_STACK_STALE_FLOWS_H
#define KEELSON_STACK_STALE_FLOWS_H

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "stack/service.h"

namespace keelson::stack {

class StaleFlows {
  public:
    // The service is not there any more, or not as it was.
    void forget(const Service& service);
    // It is there, so.
    void expect(const Service& service);
    // Removes what does not fit; in the network namespace of the calling thread. Gives how many.
    std::size_t remove();

  private:
    using End = std::pair<Address, std::uint16_t>;
    struct Expected {
        bool is_there = false;
        std::set<End> backends;
    };
    std::size_t remove(int family);

    std::map<End, Expected> addresses_;
    std::map<std::pair<int, std::uint16_t>, Expected> ports_;  // of nodes, by family
};

}  // namespace keelson::stack

#endif
