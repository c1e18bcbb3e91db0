// Many changes by netlink with few calls of the system.
#ifndef KEELSON_STACK_NETLINK_BATCH_H
#define KEELSON_STACK_NETLINK_BATCH_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "stack/netlink.h"

namespace keelson::stack {

// Sends messages of one kind of netlink in groups and gathers what went wrong.
class Batch {
  public:
    explicit Batch(Netlink& netlink) : netlink_(netlink) {}
    // `doing` is for the failure; errors in `ignored` are none.
    void add(Message& message, const char* doing, std::vector<int> ignored = {});
    // Throws with the first failure, after all have been sent. When the answers did not fit into the socket
    // nobody knows what has been done.
    void flush();

  private:
    struct Sent {
        const char* doing;
        std::vector<int> ignored;
    };
    void read_answers(std::uint32_t last);

    Netlink& netlink_;
    std::string bytes_;
    std::vector<Sent> sent_;
    std::uint32_t sequence_ = 1;  // of the first in sent_
    std::size_t last_at_ = 0;     // where in bytes_ the last one begins
    std::string problem_;
};

}  // namespace keelson::stack

#endif
