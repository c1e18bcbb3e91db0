// Chains of one's own in the kernel's legacy tables, written in one piece: what is right already is not
// touched, and keeps its counters; a reader of the table sees the old rules or the new ones.
#ifndef KEELSON_STACK_FIREWALL_H
#define KEELSON_STACK_FIREWALL_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keelson/call.hpp"
#include "keelson/host.hpp"
#include "stack/address.h"

namespace keelson::stack {

// What is not said matches everything.
struct Rule {
    std::optional<Prefix> source;
    std::optional<Prefix> destination;
    std::string in_interface;
    std::string out_interface;
    std::string protocol;                // "TCP", "UDP", "SCTP"
    std::uint16_t destination_port = 0;  // only with a protocol
    bool is_to_node = false;             // to whichever address of this machine
    std::string comment;                 // at most 255 bytes
    std::string target;                  // a chain, "ACCEPT", "DROP", "RETURN", "MASQUERADE" or "DNAT"
    // For DNAT.
    Address new_destination;
    std::uint16_t new_port = 0;
};

struct Jump {
    std::string from;  // a built-in chain
    Rule rule;         // its target is the chain that the jump belongs to
};

// A chain without rules is not there, and neither are the jumps to it.
struct Chain {
    std::string name;
    std::vector<Rule> rules;
    std::vector<Jump> jumps;
};

// The lock that all writers of these tables share; they read a table, change it and write it back.
class FirewallLock {
  public:
    // Waits for other writers until the deadline of the call, five seconds without one.
    FirewallLock(const Host& host, const Call& call);

  private:
    Descriptor file_;
};

// Makes the chains so in the table ("nat", "filter") of the network namespace of the calling thread. The
// caller has the lock. Throws Code::unsupported when the kernel has no such table, unless there is nothing to
// be in it.
void write_chains(int family, const std::string& table, const std::vector<Chain>& chains);

// Whether what no rule decides is dropped by the built-in chain.
bool drops_by_default(int family, const std::string& table, const std::string& chain);

}  // namespace keelson::stack

#endif
