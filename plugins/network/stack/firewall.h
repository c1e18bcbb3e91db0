// Chains of one's own in the kernel's legacy tables, written in one piece: what is right already is not
// touched, and keeps its counters; a reader of the table sees the old rules or the new ones.
#ifndef KEELSON_STACK_FIREWALL_H
#define KEELSON_STACK_FIREWALL_H

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
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
    std::string protocol;                     // "TCP", "UDP", "SCTP"
    std::uint16_t destination_port = 0;       // only with a protocol
    std::uint16_t last_destination_port = 0;  // of a range; 0: only the one
    bool is_to_node = false;                  // to whichever address of this machine
    bool is_from_node = false;                // from one
    std::uint32_t marked = 0;                 // one of these bits of the packet's mark is set
    enum class Tracked { any, opening, known, translated } tracked = Tracked::any;
    std::uint32_t chance = 0;  // of 2^31; 0: always
    // The clients that a rule with remember_as has taken are known under that name; `remembered_as` matches
    // those for that many seconds.
    std::string remembered_as;
    std::uint32_t remembered_seconds = 0;
    std::string remember_as;
    std::string comment;  // at most 255 bytes
    // A chain, "ACCEPT", "DROP", "REJECT", "RETURN", "MASQUERADE", "DNAT", "REDIRECT" or
    // "MARK".
    std::string target;
    // For DNAT, and the port for REDIRECT.
    Address new_destination;
    std::uint16_t new_port = 0;
    // For MARK: the bits that it sets and clears.
    std::uint32_t set_bits = 0;
    std::uint32_t clear_bits = 0;
};

struct Jump {
    std::string from;       // a built-in chain
    Rule rule;              // its target is the chain that the jump belongs to
    bool is_first = false;  // made before the rules that are there; otherwise after them
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

// The same number for rules that are the same to the kernel, in whichever program's hands they were.
using Fingerprints = std::map<std::string, std::uint64_t>;  // by chain

using IsOwn = std::function<bool(std::string_view name)>;

// Makes the chains so in the table ("nat", "filter") of the network namespace of the calling thread; gives
// what is now in those that have rules. With `is_own`, chains of such names that are not among them are
// removed. The caller has the lock. Throws Code::unsupported when the kernel has no such table, unless there
// is nothing to be in it.
Fingerprints write_chains(int family, const std::string& table, const std::vector<Chain>& chains,
                          const IsOwn& is_own = nullptr);

// Whether the table has these chains with rules of these fingerprints, and the jumps to them.
bool has_chains(int family, const std::string& table, const Fingerprints& chains,
                const std::vector<Chain>& jumps);

// Whether anybody has used the table in this namespace: looking into it would make it.
bool is_table_used(int family, const std::string& table);

// What the kernel says about a table without being read; another one after every change that adds or takes
// away rules. Empty: there is no such table.
std::string table_size(int family, const std::string& table);

// Whether what no rule decides is dropped by the built-in chain.
bool drops_by_default(int family, const std::string& table, const std::string& chain);

}  // namespace keelson::stack

#endif
