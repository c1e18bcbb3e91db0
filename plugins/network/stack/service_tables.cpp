#include "stack/service_tables.h"

#include <algorithm>
#include <cassert>

namespace keelson::stack {
namespace {

// Behind the prefix of whose they are.
constexpr const char* entry_chain = "SERVICES";
constexpr const char* node_port_chain = "NODEPORTS";
constexpr const char* masquerade_chain = "MARKED";
constexpr const char* hairpin_chain = "HAIRPIN";
constexpr const char* refusal_chain = "REFUSE";
constexpr const char* refused_port_chain = "NO-PORT";
constexpr const char* forward_chain = "OPEN";
constexpr std::array<const char*, 3> protocols = {"TCP", "UDP", "SCTP"};

std::size_t index_of(const std::string& protocol) {
    return std::size_t(std::ranges::find(protocols, protocol) - protocols.begin());
}

Rule rule_for(const std::string& target) {
    Rule rule;
    rule.target = target;
    return rule;
}

Jump jump_from(const char* from, const std::string& chain, Rule::Tracked tracked = Rule::Tracked::any) {
    Rule rule = rule_for(chain);
    rule.tracked = tracked;
    return {from, rule, true};
}

void append(std::vector<Chain>& chains, Chains&& changes) {
    for (auto& [name, rules] : changes) chains.push_back({name, std::move(rules), {}});
}

std::vector<Chain> with_rules(std::vector<Chain> chains) {
    std::erase_if(chains, [](const Chain& chain) { return chain.rules.empty(); });
    return chains;
}

}  // namespace

bool ServiceTables::Index::has_ports() const {
    return std::ranges::any_of(to_ports, [](const auto& ports) { return !ports->is_empty(); });
}

bool ServiceTables::Index::is_empty() const {
    return to_cluster->is_empty() && to_external->is_empty() && !has_ports();
}

void ServiceTables::Index::take_changes(Chains& changes) {
    to_cluster->take_changes(changes);
    to_external->take_changes(changes);
    for (const auto& ports : to_ports) ports->take_changes(changes);
}

ServiceTables::ServiceTables(int family, Surroundings surroundings)
    : family_(family),
      surroundings_(std::move(surroundings)),
      hairpins_({surroundings_.chain_prefix + hairpin_chain,
                 [family](Rule& rule, const std::string& digits) { rule.source = prefix_of(digits, family); },
                 [family](const std::string& digits) {
                     Rule rule = rule_for("MASQUERADE");
                     rule.source = rule.destination = prefix_of(digits, family);
                     return std::vector<Rule>{rule};
                 }}) {
    prepare(translation_, named(""),
            [this](const Service& service) { return translation_of(service, surroundings_).rules; });
    prepare(refusal_, named("NO-"), refusal_of);
}

void ServiceTables::prepare(Index& index, const std::string& prefix, const RulesOf& rules_of) const {
    const auto lookup = [rules_of](const Listed& listed) {
        return [&listed, rules_of](const std::string& key) {
            std::vector<Rule> rules;
            const auto found = listed.find(key);
            if (found == listed.end()) return rules;
            for (const Service* service : found->second)
                std::ranges::move(rules_of(*service), std::back_inserter(rules));
            return rules;
        };
    };
    const int family = family_;
    const auto to_address = [family](Rule& rule, const std::string& digits) {
        rule.destination = prefix_of(digits, family);
    };
    index.to_cluster =
        std::make_unique<Dispatcher>(Dispatcher::Shape{prefix + "VIP", to_address, lookup(index.cluster)});
    index.to_external =
        std::make_unique<Dispatcher>(Dispatcher::Shape{prefix + "EXT", to_address, lookup(index.external)});
    for (std::size_t at = 0; at < protocols.size(); ++at) {
        const std::string protocol = protocols[at];
        const auto to_port = [protocol](Rule& rule, const std::string& digits) {
            constexpr std::size_t all_digits = 4;
            rule.protocol = protocol;
            const std::string filled = digits + std::string(all_digits - digits.size(), '0');
            const std::string last = digits + std::string(all_digits - digits.size(), 'f');
            rule.destination_port = std::uint16_t(std::stoul(filled, nullptr, 16));
            rule.last_destination_port = std::uint16_t(std::stoul(last, nullptr, 16));
        };
        index.to_ports[at] = std::make_unique<Dispatcher>(
            Dispatcher::Shape{prefix + "PORT-" + protocol, to_port, lookup(index.ports[at])});
    }
}

void ServiceTables::change(Index& index, const Service& service, bool is_there, std::size_t rules) const {
    const bool is_port = service.kind == Kind::node_port;
    const std::size_t protocol = index_of(service.protocol);
    Listed& listed = is_port                         ? index.ports[protocol]
                     : service.kind == Kind::cluster ? index.cluster
                                                     : index.external;
    Dispatcher& dispatcher = is_port                         ? *index.to_ports[protocol]
                             : service.kind == Kind::cluster ? *index.to_cluster
                                                             : *index.to_external;
    const std::string key = is_port ? digits_of(service.port) : digits_of(service.address);
    const auto counted = [&](const Service* one) {
        return &index == &translation_ ? count_translation_rules(*one) : refusal_of(*one).size();
    };
    auto& services = listed[key];
    std::erase(services, &service);
    if (is_there && rules != 0) {
        const auto place = std::ranges::upper_bound(services, service.id, {}, &Service::id);
        services.insert(place, &service);
    }
    std::size_t count = 0;
    for (const Service* one : services) count += counted(one);
    if (services.empty()) listed.erase(key);
    dispatcher.set(key, count);
}

void ServiceTables::count_locals(const Service& service, int by) {
    for (const auto* backends : {&service.backends, &service.external_backends}) {
        for (const Backend& backend : *backends) {
            if (!backend.is_local) continue;
            const std::string digits = digits_of(backend.address);
            int& count = locals_[digits];
            const bool was_there = count > 0;
            count += by;
            if ((count > 0) != was_there) hairpins_.set(digits, count > 0 ? 1 : 0);
            if (count == 0) locals_.erase(digits);
        }
    }
}

void ServiceTables::add(const Service& service) {
    assert(service.family() == family_);
    change(translation_, service, true, count_translation_rules(service));
    change(refusal_, service, true, refusal_of(service).size());
    count_locals(service, 1);
    for (Chain& chain : translation_of(service, surroundings_).chains)
        service_chains_[chain.name] = std::move(chain.rules);
}

void ServiceTables::remove(const Service& service) {
    change(translation_, service, false, 0);
    change(refusal_, service, false, 0);
    count_locals(service, -1);
    for (const Chain& chain : translation_of(service, surroundings_).chains) service_chains_[chain.name] = {};
}

void ServiceTables::append_marking(std::vector<Rule>& rules, const std::vector<Prefix>& unmarked) const {
    Rule mark = rule_for("MARK");
    mark.set_bits = surroundings_.mark;
    rules.push_back(mark);
    for (const Prefix& prefix : unmarked) {
        if (prefix.address.family != family_) continue;
        Rule keep = rule_for("MARK");
        keep.source = prefix;
        keep.clear_bits = surroundings_.mark;
        rules.push_back(keep);
    }
}

std::vector<Rule> ServiceTables::jumps_to_node_ports(const char* chain) const {
    Rule rule = rule_for(named(chain));
    rule.is_to_node = true;
    if (!surroundings_.is_for_some_addresses) return {rule};
    std::vector<Rule> rules;
    for (const Prefix& prefix : surroundings_.node_port_addresses) {
        if (prefix.address.family != family_) continue;
        rule.destination = prefix;
        rules.push_back(rule);
    }
    return rules;
}

// What goes to the loopback device cannot leave it for a pod.
std::vector<Rule> ServiceTables::node_port_rules(const Index& index) const {
    std::vector<Rule> rules;
    if (!index.has_ports()) return rules;
    Rule loopback = rule_for("RETURN");
    loopback.destination = parse_prefix(family_ == AF_INET ? "127.0.0.0/8" : "::1/128");
    rules.push_back(loopback);
    for (std::size_t at = 0; at < protocols.size(); ++at) {
        if (index.to_ports[at]->is_empty()) continue;
        Rule rule = rule_for(index.to_ports[at]->name());
        rule.protocol = protocols[at];
        rules.push_back(rule);
    }
    return rules;
}

std::vector<Rule> ServiceTables::entry_rules() const {
    std::vector<Rule> rules;
    if (translation_.is_empty()) return rules;
    const auto has_own = std::ranges::any_of(
        surroundings_.own_pods, [&](const Prefix& prefix) { return prefix.address.family == family_; });
    if (!translation_.to_cluster->is_empty()) {
        append_marking(rules, surroundings_.cluster);
        rules.push_back(rule_for(translation_.to_cluster->name()));
    }
    if (!translation_.to_external->is_empty() || translation_.has_ports()) {
        // A pod of another node hears from a backend of its own node directly, past this one, unless it is
        // this one that it talks to.
        append_marking(rules, has_own ? surroundings_.own_pods : surroundings_.cluster);
        if (!translation_.to_external->is_empty())
            rules.push_back(rule_for(translation_.to_external->name()));
        if (translation_.has_ports())
            std::ranges::move(jumps_to_node_ports(node_port_chain), std::back_inserter(rules));
    }
    Rule clear = rule_for("MARK");
    clear.clear_bits = surroundings_.mark;
    rules.push_back(clear);
    return rules;
}

std::vector<Chain> ServiceTables::fixed_nat_chains() const {
    Chain entry{named(entry_chain),
                entry_rules(),
                {jump_from("PREROUTING", named(entry_chain)), jump_from("OUTPUT", named(entry_chain))}};
    Chain ports{named(node_port_chain), node_port_rules(translation_), {}};
    Chain hairpins{named(hairpin_chain),
                   {},
                   {jump_from("POSTROUTING", named(hairpin_chain), Rule::Tracked::translated)}};
    Chain masquerade{named(masquerade_chain), {}, {jump_from("POSTROUTING", named(masquerade_chain))}};
    masquerade.jumps.front().rule.marked = surroundings_.mark;
    if (!translation_.is_empty()) {
        Rule clear = rule_for("MARK");
        clear.clear_bits = surroundings_.mark;
        masquerade.rules = {clear, rule_for("MASQUERADE")};
    }
    // Its rules are the dispatcher's; here it stands for its jump.
    if (!hairpins_.is_empty()) hairpins.rules.push_back(rule_for("RETURN"));
    return {entry, ports, hairpins, masquerade};
}

std::vector<Chain> ServiceTables::fixed_filter_chains() const {
    Chain refusal{named(refusal_chain), {}, {}};
    for (const char* from : {"INPUT", "FORWARD", "OUTPUT"})
        refusal.jumps.push_back(jump_from(from, named(refusal_chain), Rule::Tracked::opening));
    for (const Dispatcher* one : {refusal_.to_cluster.get(), refusal_.to_external.get()})
        if (!one->is_empty()) refusal.rules.push_back(rule_for(one->name()));
    if (refusal_.has_ports())
        std::ranges::move(jumps_to_node_ports(refused_port_chain), std::back_inserter(refusal.rules));
    Chain ports{named(refused_port_chain), node_port_rules(refusal_), {}};
    Chain forward{named(forward_chain), {}, {jump_from("FORWARD", named(forward_chain))}};
    forward.jumps.front().is_first = false;
    if (is_forwarding_closed_ && !translation_.is_empty()) {
        Rule marked = rule_for("ACCEPT");
        marked.marked = surroundings_.mark;
        Rule known = rule_for("ACCEPT");
        known.tracked = Rule::Tracked::known;
        forward.rules = {marked, known};
    }
    return {refusal, ports, forward};
}

std::vector<Chain> ServiceTables::take_nat_changes() {
    std::vector<Chain> chains;
    append(chains, std::move(service_chains_));
    service_chains_.clear();
    Chains changes;
    translation_.take_changes(changes);
    hairpins_.take_changes(changes);
    for (Chain& fixed : fixed_nat_chains()) {
        if (fixed.name == named(hairpin_chain)) {
            const auto found = changes.find(named(hairpin_chain));
            if (found == changes.end() && !hairpins_.is_empty()) continue;
            fixed.rules = found == changes.end() ? std::vector<Rule>() : std::move(found->second);
            if (found != changes.end()) changes.erase(found);
        }
        chains.push_back(std::move(fixed));
    }
    append(chains, std::move(changes));
    return chains;
}

std::vector<Chain> ServiceTables::take_filter_changes() {
    Chains changes;
    refusal_.take_changes(changes);
    std::vector<Chain> chains = fixed_filter_chains();
    append(chains, std::move(changes));
    return chains;
}

std::vector<Chain> ServiceTables::nat_jumps() const {
    return with_rules(fixed_nat_chains());
}

std::vector<Chain> ServiceTables::filter_jumps() const {
    return with_rules(fixed_filter_chains());
}

bool ServiceTables::is_own_chain(const std::string& table, std::string_view name) const {
    static constexpr std::array<std::string_view, 8> nat = {
        entry_chain, node_port_chain, masquerade_chain, hairpin_chain, "SVC-", "VIP", "EXT", "PORT-"};
    static constexpr std::array<std::string_view, 3> filter = {refusal_chain, "NO-", forward_chain};
    if (!name.starts_with(surroundings_.chain_prefix)) return false;
    name.remove_prefix(surroundings_.chain_prefix.size());
    const auto begins = [name](std::string_view own) { return name.starts_with(own); };
    return table == "nat" ? std::ranges::any_of(nat, begins) : std::ranges::any_of(filter, begins);
}

}  // namespace keelson::stack
