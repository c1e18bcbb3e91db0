#include "rules.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace keelson::ipvs {
namespace {

constexpr const char* services_chain = "KEELSON-IPVS";
constexpr const char* inside_chain = "KEELSON-IPVS-INSIDE";
constexpr const char* postrouting_chain = "KEELSON-IPVS-POST";
constexpr const char* deny_chain = "KEELSON-IPVS-DENY";
constexpr const char* sources_prefix = "KEELSON-IPVS-S-";

Prefix whole(const Address& address) {
    return {address, address.bits()};
}

Rule to(const std::string& target) {
    Rule rule;
    rule.target = target;
    return rule;
}

Rule from(const Prefix& source, const std::string& target) {
    Rule rule = to(target);
    rule.source = source;
    return rule;
}

Rule mark(std::uint32_t bits) {
    Rule rule = to("MARK");
    rule.set_bits = bits;
    return rule;
}

Jump jump(const char* built_in, const char* chain, bool is_to_node) {
    Rule rule = to(chain);
    rule.is_to_node = is_to_node;
    return {built_in, rule, true};
}

// The rule for each address that the service is reached at.
void add_for(const VirtualService& service, const RuleInputs& inputs, const Rule& pattern,
             std::vector<Rule>& rules) {
    for (const Address& address : addresses_of(service, inputs.node_addresses)) {
        Rule rule = pattern;
        rule.destination = whole(address);
        rule.protocol = service.protocol;
        rule.destination_port = service.port;
        rules.push_back(rule);
    }
}

std::string sources_chain(const std::string& id) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : id) hash = (hash ^ std::uint8_t(c)) * 0x100000001b3ULL;
    char text[40];
    std::snprintf(text, sizeof text, "%s%012llx", sources_prefix,
                  static_cast<unsigned long long>(hash >> 16));
    return text;
}

}  // namespace

std::vector<Chain> nat_chains(int family, const RuleInputs& inputs) {
    Chain services{
        services_chain, {}, {jump("PREROUTING", services_chain, true), jump("OUTPUT", services_chain, true)}};
    Chain inside{inside_chain, {}, {}};
    Chain after{postrouting_chain, {}, {jump("POSTROUTING", postrouting_chain, false)}};
    if (!inputs.is_used) return {services, inside, after};
    std::vector<Rule> outside;
    for (const auto& [id, service] : inputs.services) {
        if (service->family() != family || !service->is_local) continue;
        add_for(*service, inputs, mark(service->mark), inside.rules);
        add_for(*service, inputs, to("RETURN"), outside);
    }
    if (!inside.rules.empty()) {
        for (const Prefix& prefix : inputs.cluster)
            if (prefix.address.family == family) services.rules.push_back(from(prefix, inside_chain));
        Rule from_node = to(inside_chain);
        from_node.is_from_node = true;
        services.rules.push_back(from_node);
        // Their marks have the bit for masquerading; with another one they would not be theirs.
        Rule marked = to("RETURN");
        marked.marked = inputs.masquerade_bit;
        services.rules.push_back(marked);
    }
    // Pods of this node keep their addresses; a backend would answer those of others past this node.
    for (const Prefix& prefix : inputs.own_pods)
        if (prefix.address.family == family) services.rules.push_back(from(prefix, "RETURN"));
    std::ranges::move(outside, std::back_inserter(services.rules));
    // Only what is sent on by a virtual server passes POSTROUTING; what stays here keeps its source.
    services.rules.push_back(mark(inputs.masquerade_bit));

    Rule stays = to("RETURN");
    stays.is_to_node = true;
    after.rules.push_back(stays);
    Rule masquerade = to("MASQUERADE");
    masquerade.marked = inputs.masquerade_bit;
    after.rules.push_back(masquerade);
    // Nobody takes an answer from himself.
    for (const auto& [address, count] : inputs.own_backends) {
        if (address.family != family) continue;
        Rule itself = from(whole(address), "MASQUERADE");
        itself.destination = whole(address);
        after.rules.push_back(itself);
    }
    return {services, inside, after};
}

std::vector<Chain> filter_chains(int family, const RuleInputs& inputs) {
    Chain deny{deny_chain, {}, {jump("INPUT", deny_chain, false), jump("OUTPUT", deny_chain, false)}};
    std::vector<Chain> chains;
    std::vector<Rule> outside;
    for (const auto& [id, service] : inputs.services) {
        if (service->family() != family) continue;
        if (service->is_silent()) {
            add_for(*service, inputs, to("DROP"), deny.rules);
            continue;
        }
        if (service->is_restricted) {
            Chain sources{sources_chain(id), {}, {}};
            for (const Prefix& range : service->source_ranges) sources.rules.push_back(from(range, "RETURN"));
            sources.rules.push_back(to("DROP"));
            add_for(*service, inputs, to(sources.name), deny.rules);
            chains.push_back(std::move(sources));
        }
        if (service->is_local && service->external_backends.empty())
            add_for(*service, inputs, to("DROP"), outside);
    }
    if (!outside.empty()) {
        for (const Prefix& prefix : inputs.cluster)
            if (prefix.address.family == family) deny.rules.push_back(from(prefix, "RETURN"));
        Rule from_node = to("RETURN");
        from_node.is_from_node = true;
        deny.rules.push_back(from_node);
        std::ranges::move(outside, std::back_inserter(deny.rules));
    }
    chains.push_back(std::move(deny));
    return chains;
}

bool is_own_chain(std::string_view name) {
    return name.starts_with(services_chain);
}

}  // namespace keelson::ipvs
