// Chains that lead a packet to the rules for its address or port in few steps, however many there are: a tree
// over the hexadecimal digits of the key. A chain depends on the keys below it alone, so that one more key
// changes one or two chains.
#ifndef KEELSON_STACK_DISPATCHER_H
#define KEELSON_STACK_DISPATCHER_H

#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "stack/firewall.h"

namespace keelson::stack {

using Chains = std::map<std::string, std::vector<Rule>>;  // without rules: gone

class Dispatcher {
  public:
    struct Shape {
        std::string name;  // of the first chain, and the beginning of the others'
        // Restricts the rule to keys that begin with these digits.
        std::function<void(Rule& rule, const std::string& digits)> select;
        std::function<std::vector<Rule>(const std::string& key)> rules_of;
    };
    explicit Dispatcher(Shape shape) : shape_(std::move(shape)) {}

    // How many rules the key has now; 0: it is gone. Its rules count as changed.
    void set(const std::string& key, std::size_t rules);
    [[nodiscard]] bool is_empty() const { return keys_.empty(); }
    [[nodiscard]] const std::string& name() const { return shape_.name; }
    // The chains that are to be written since the last time.
    void take_changes(Chains& changes);

  private:
    using Keys = std::map<std::string, std::size_t>;
    using Iterator = Keys::const_iterator;

    void build(const std::string& prefix, Iterator begin, Iterator end, Chains& changes);
    std::vector<Rule> branch(const std::string& prefix, Iterator begin, Iterator end, Chains& changes);
    void append_rules(std::vector<Rule>& rules, Iterator begin, Iterator end) const;
    void forget_below(const std::string& prefix, const std::set<std::string>& kept, Chains& changes);
    [[nodiscard]] bool is_changed_below(const std::string& prefix) const;
    [[nodiscard]] std::string name_of(const std::string& prefix) const;

    Shape shape_;
    Keys keys_;
    std::set<std::string> changed_;
    std::set<std::string> prefixes_;  // that have a chain
};

std::string digits_of(const Address& address);
std::string digits_of(std::uint16_t port);
// The other way; what lies behind the digits is open.
Prefix prefix_of(const std::string& digits, int family);

}  // namespace keelson::stack

#endif
