#include "stack/service_rules.h"

#include <algorithm>
#include <cmath>

namespace keelson::stack {
namespace {

// So many backends are told apart in one chain; more, and groups of them come first.
constexpr std::size_t fan_out = 16;
// So many backends need no chain of their own.
constexpr std::size_t most_inline = 4;
constexpr double certain = 2147483648.0;  // 2^31

// 80 bits of a text, as 16 letters and digits.
std::string name_part(const std::string& text) {
    static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    constexpr int letters_each = 8;
    constexpr int bits_of_letter = 5;
    std::string result;
    for (std::uint64_t hash : {0xcbf29ce484222325ULL, 0x84222325cbf29ce4ULL}) {
        for (const char byte : text) hash = (hash ^ std::uint8_t(byte)) * 0x100000001b3;
        hash ^= hash >> 32;
        hash *= 0x9e3779b97f4a7c15ULL;
        hash ^= hash >> 29;
        for (int letter = 0; letter < letters_each; ++letter)
            result.push_back(letters[hash >> (letter * bits_of_letter) & 0x1f]);
    }
    return result;
}

std::string chain_name(const Surroundings& surroundings, const Service& service, const std::string& part) {
    return surroundings.chain_prefix + "SVC-" + name_part(service.id + "\n" + part);
}

std::uint32_t chance_of(std::size_t part, std::size_t whole) {
    if (part == whole) return 0;
    return std::uint32_t(std::lround(certain * double(part) / double(whole)));
}

Rule to_backend(const Service& service, const Backend& backend) {
    Rule rule;
    rule.protocol = service.protocol;
    rule.target = is_unspecified(backend.address) ? "REDIRECT" : "DNAT";
    rule.new_destination = backend.address;
    rule.new_port = backend.port;
    return rule;
}

std::string memory_of(const Service& service, const Backend& backend) {
    return "KEELSON-" +
           name_part(service.id + "\n" + backend.address.text() + " " + std::to_string(backend.port));
}

Rule jump_to(const std::string& chain) {
    Rule rule;
    rule.target = chain;
    return rule;
}

class Builder {
  public:
    Builder(const Service& service, const Surroundings& surroundings)
        : service_(service), surroundings_(surroundings) {}

    ServiceRules build() {
        ServiceRules result;
        if (is_plain(service_)) {
            result.rules = share(service_.backends, "");
        } else if (auto rules = content(); !rules.empty()) {
            Rule jump = jump_to(add("", restrict(std::move(rules))));
            result.rules.push_back(std::move(jump));
        }
        for (Rule& rule : result.rules) select(rule);
        result.chains = std::move(chains_);
        return result;
    }

    // A chain of its own is not needed.
    static bool is_plain(const Service& service) {
        return !service.is_local && !service.is_restricted && service.affinity_seconds == 0 &&
               service.backends.size() <= most_inline;
    }

  private:
    void select(Rule& rule) const {
        if (service_.kind != Kind::node_port)
            rule.destination = Prefix{service_.address, service_.address.bits()};
        rule.protocol = service_.protocol;
        rule.destination_port = service_.port;
    }

    std::string add(const std::string& part, std::vector<Rule> rules) {
        chains_.push_back({chain_name(surroundings_, service_, part), std::move(rules), {}});
        return chains_.back().name;
    }

    std::vector<Rule> restrict(std::vector<Rule> rules) {
        if (!service_.is_restricted) return rules;
        const std::string admitted = add("admitted", std::move(rules));
        std::vector<Rule> gates;
        for (const Prefix& range : service_.source_ranges) {
            Rule gate = jump_to(admitted);
            gate.source = range;
            gates.push_back(gate);
        }
        if (gates.empty()) gates.push_back(jump_to("RETURN"));
        return gates;
    }

    std::vector<Rule> content() {
        if (!service_.is_local) return balance(service_.backends, "all");
        std::vector<Rule> rules;
        if (service_.backends.empty() && service_.external_backends.empty()) return rules;
        const std::string inside =
            service_.backends.empty() ? "RETURN" : add("inside", balance(service_.backends, "all"));
        for (const Prefix& prefix : surroundings_.cluster) {
            if (prefix.address.family != service_.family()) continue;
            Rule from_pods = jump_to(inside);
            from_pods.source = prefix;
            rules.push_back(from_pods);
        }
        Rule from_node = jump_to(inside);
        from_node.is_from_node = true;
        rules.push_back(from_node);
        if (service_.external_backends.empty()) return rules;
        Rule keep_source = jump_to("MARK");
        keep_source.clear_bits = surroundings_.mark;
        rules.push_back(keep_source);
        std::ranges::move(balance(service_.external_backends, "outside"), std::back_inserter(rules));
        return rules;
    }

    std::vector<Rule> balance(const std::vector<Backend>& backends, const std::string& part) {
        std::vector<Rule> rules;
        if (service_.affinity_seconds != 0) {
            for (const Backend& backend : backends) {
                Rule rule = to_backend(service_, backend);
                rule.remembered_as = rule.remember_as = memory_of(service_, backend);
                rule.remembered_seconds = service_.affinity_seconds;
                rules.push_back(rule);
            }
        }
        std::ranges::move(share(backends, part), std::back_inserter(rules));
        return rules;
    }

    // Each gets the same share.
    std::vector<Rule> share(const std::vector<Backend>& backends, const std::string& part) {
        return share(backends.data(), backends.size(), part);
    }
    std::vector<Rule> share(const Backend* backends, std::size_t count, const std::string& part) {
        std::size_t group = 1;
        while (group * fan_out < count) group *= fan_out;
        std::vector<Rule> rules;
        for (std::size_t first = 0; first < count; first += group) {
            const std::size_t size = std::min(group, count - first);
            Rule rule = size == 1 ? one(backends[first])
                                  : some(backends + first, size, part + "." + std::to_string(first / group));
            rule.chance = chance_of(size, count - first);
            rules.push_back(std::move(rule));
        }
        return rules;
    }
    [[nodiscard]] Rule one(const Backend& backend) const {
        Rule rule = to_backend(service_, backend);
        if (service_.affinity_seconds != 0) rule.remember_as = memory_of(service_, backend);
        return rule;
    }
    Rule some(const Backend* backends, std::size_t count, const std::string& part) {
        return jump_to(add(part, share(backends, count, part)));
    }

    const Service& service_;
    const Surroundings& surroundings_;
    std::vector<Chain> chains_;
};

}  // namespace

ServiceRules translation_of(const Service& service, const Surroundings& surroundings) {
    return Builder(service, surroundings).build();
}

std::size_t count_translation_rules(const Service& service) {
    if (Builder::is_plain(service)) return service.backends.size();
    const bool has_some =
        !service.backends.empty() || (service.is_local && !service.external_backends.empty());
    return has_some ? 1 : 0;
}

std::vector<Rule> refusal_of(const Service& service) {
    const bool refuses_all = service.backends.empty();
    const bool refuses_some =
        service.is_restricted || (service.is_local && service.external_backends.empty());
    if (!refuses_all && !refuses_some) return {};
    Rule rule;
    if (service.kind != Kind::node_port) rule.destination = Prefix{service.address, service.address.bits()};
    rule.protocol = service.protocol;
    rule.destination_port = service.port;
    rule.target = refuses_all && service.rejects ? "REJECT" : "DROP";
    return {rule};
}

}  // namespace keelson::stack
