#include "stack/dispatcher.h"

#include <algorithm>
#include <cstdio>

namespace keelson::stack {
namespace {

// A chain with at most so many rules is not divided.
constexpr std::size_t longest_leaf = 8;
// What has at most so many rules stands in its parent's chain.
constexpr std::size_t longest_inline = 2;
constexpr std::size_t longest_name = 28;
constexpr int bits_of_digit = 4;

std::size_t common_length(const std::string& one, const std::string& other) {
    return std::size_t(std::ranges::mismatch(one, other).in1 - one.begin());
}

// Stops when it is more than the limit.
template <typename Iterator>
std::size_t count_rules(Iterator begin, Iterator end, std::size_t limit) {
    std::size_t count = 0;
    for (; begin != end && count <= limit; ++begin) count += begin->second;
    return count;
}

std::string hash_of(const std::string& text) {
    std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (const char byte : text) hash = (hash ^ std::uint8_t(byte)) * 0x100000001b3;
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash ^ hash >> 29));
    return digits;
}

}  // namespace

void Dispatcher::set(const std::string& key, std::size_t rules) {
    if (rules == 0)
        keys_.erase(key);
    else
        keys_[key] = rules;
    changed_.insert(key);
}

void Dispatcher::take_changes(Chains& changes) {
    if (changed_.empty()) return;
    if (keys_.empty()) {
        forget_below("", {}, changes);
        if (prefixes_.erase("") != 0) changes[name_of("")] = {};
    } else {
        build("", keys_.begin(), keys_.end(), changes);
    }
    changed_.clear();
}

void Dispatcher::build(const std::string& prefix, Iterator begin, Iterator end, Chains& changes) {
    const bool is_new = prefixes_.insert(prefix).second;
    if (!is_new && !is_changed_below(prefix)) return;
    std::vector<Rule> rules;
    if (std::next(begin) == end || count_rules(begin, end, longest_leaf) <= longest_leaf) {
        append_rules(rules, begin, end);
        forget_below(prefix, {}, changes);
    } else {
        rules = branch(prefix, begin, end, changes);
    }
    changes[name_of(prefix)] = std::move(rules);
}

std::vector<Rule> Dispatcher::branch(const std::string& prefix, Iterator begin, Iterator end,
                                     Chains& changes) {
    const std::size_t length = common_length(begin->first, std::prev(end)->first) + 1;
    std::vector<Rule> rules;
    std::set<std::string> kept;
    for (Iterator at = begin; at != end;) {
        const std::string child = at->first.substr(0, length);
        const Iterator next =
            std::find_if(at, end, [&](const auto& entry) { return !entry.first.starts_with(child); });
        if (count_rules(at, next, longest_inline) <= longest_inline) {
            append_rules(rules, at, next);
        } else {
            kept.insert(child);
            Rule rule;
            shape_.select(rule, child);
            rule.target = name_of(child);
            rules.push_back(std::move(rule));
            build(child, at, next, changes);
        }
        at = next;
    }
    forget_below(prefix, kept, changes);
    return rules;
}

void Dispatcher::append_rules(std::vector<Rule>& rules, Iterator begin, Iterator end) const {
    for (; begin != end; ++begin)
        for (Rule& rule : shape_.rules_of(begin->first)) rules.push_back(std::move(rule));
}

void Dispatcher::forget_below(const std::string& prefix, const std::set<std::string>& kept, Chains& changes) {
    for (auto at = prefixes_.upper_bound(prefix); at != prefixes_.end() && at->starts_with(prefix);) {
        const bool is_kept =
            std::ranges::any_of(kept, [&](const std::string& child) { return at->starts_with(child); });
        if (!is_kept) changes[name_of(*at)] = {};
        at = is_kept ? std::next(at) : prefixes_.erase(at);
    }
}

bool Dispatcher::is_changed_below(const std::string& prefix) const {
    const auto at = changed_.lower_bound(prefix);
    return at != changed_.end() && at->starts_with(prefix);
}

std::string Dispatcher::name_of(const std::string& prefix) const {
    if (prefix.empty()) return shape_.name;
    const std::size_t room = longest_name - shape_.name.size() - 1;
    return shape_.name + "-" + (prefix.size() <= 8 ? prefix : hash_of(prefix).substr(0, room));
}

std::string digits_of(const Address& address) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (std::size_t at = 0; at < address.size(); ++at) {
        text.push_back(digits[address.bytes[at] >> bits_of_digit]);
        text.push_back(digits[address.bytes[at] & 0xf]);
    }
    return text;
}

std::string digits_of(std::uint16_t port) {
    char text[5];
    std::snprintf(text, sizeof text, "%04x", port);
    return text;
}

Prefix prefix_of(const std::string& digits, int family) {
    Prefix prefix;
    prefix.address.family = family;
    prefix.length = int(digits.size()) * bits_of_digit;
    for (std::size_t at = 0; at < digits.size(); ++at) {
        const int value = digits[at] <= '9' ? digits[at] - '0' : digits[at] - 'a' + 10;
        prefix.address.bytes[at / 2] |= std::uint8_t(at % 2 == 0 ? value << bits_of_digit : value);
    }
    return prefix;
}

}  // namespace keelson::stack
