#include "stack/service_firewall.h"

#include <algorithm>
#include <utility>

namespace keelson::stack {
namespace {

constexpr std::array<int, 2> families = {AF_INET, AF_INET6};

std::vector<Prefix> read_prefixes(const std::vector<std::string>& texts, const char* field) {
    std::vector<Prefix> result;
    for (const std::string& text : texts) {
        const auto prefix = parse_prefix(text);
        if (!prefix) throw Error(Code::invalid, "\"" + text + "\" is no prefix", field);
        result.push_back(*prefix);
    }
    return result;
}

}  // namespace

Surroundings read_surroundings(const proxy::Configure& request, std::uint32_t mark) {
    Surroundings result;
    result.mark = mark;
    result.cluster = read_prefixes(request.cluster_cidrs, "clusterCidrs");
    result.own_pods = read_prefixes(request.node.pod_cidrs, "node.podCidrs");
    result.node_port_addresses = read_prefixes(request.node_port_addresses, "nodePortAddresses");
    result.is_for_some_addresses = !result.node_port_addresses.empty();
    if (result.cluster.empty()) result.cluster = result.own_pods;
    return result;
}

std::optional<proxy::Apply> ChangeParts::add(const proxy::Apply& part) {
    const bool goes_on =
        pending_ && pending_->generation == part.generation && (pending_->full || !part.full);
    if (!goes_on) {
        pending_ = part;
    } else {
        pending_->set.insert(pending_->set.end(), part.set.begin(), part.set.end());
        pending_->removed.insert(pending_->removed.end(), part.removed.begin(), part.removed.end());
    }
    if (part.more) return std::nullopt;
    return std::exchange(pending_, std::nullopt);
}

void ServiceFirewall::set_surroundings(const Surroundings& surroundings) {
    surroundings_ = surroundings;
    surroundings_.chain_prefix = chain_prefix_;
    rebuild();
}

void ServiceFirewall::clear() {
    services_.clear();
    rebuild();
}

const Service* ServiceFirewall::find(const std::string& id) const {
    const auto found = services_.find(id);
    return found == services_.end() ? nullptr : &found->second;
}

const Service& ServiceFirewall::set(Service service) {
    remove(service.id);
    const std::string id = service.id;
    const Service& placed = services_.emplace(id, std::move(service)).first->second;
    Half& half = half_of(placed);
    half.tables->add(placed);
    half.is_changed = true;
    return placed;
}

void ServiceFirewall::remove(const std::string& id) {
    const auto found = services_.find(id);
    if (found == services_.end()) return;
    Half& half = half_of(found->second);
    half.tables->remove(found->second);
    half.is_changed = true;
    services_.erase(found);
}

// The tables of all services there are, as if nothing of them had been written.
void ServiceFirewall::rebuild() {
    for (std::size_t at = 0; at < families.size(); ++at) {
        halves_[at] = {};
        halves_[at].tables = std::make_unique<ServiceTables>(families[at], surroundings_);
    }
    for (const auto& [id, service] : services_) half_of(service).tables->add(service);
}

void ServiceFirewall::write(const Host& host, const Call& call, bool is_full) {
    const FirewallLock lock(host, call);
    for (std::size_t at = 0; at < families.size(); ++at) {
        Half& half = halves_[at];
        if (!is_full && !half.is_changed) continue;
        if (is_full && is_table_used(families[at], "filter"))
            half.tables->set_forwarding_closed(drops_by_default(families[at], "filter", "FORWARD"));
        write_table(at, "filter", half.tables->take_filter_changes(), is_full);
        write_table(at, "nat", half.tables->take_nat_changes(), is_full);
        half.is_changed = false;
    }
}

void ServiceFirewall::write_table(std::size_t half, const std::string& table,
                                  const std::vector<Chain>& chains, bool is_full) {
    const int family = families[half];
    const bool is_empty = std::ranges::all_of(chains, [](const Chain& chain) { return chain.rules.empty(); });
    if (is_empty && !is_table_used(family, table)) return;
    IsOwn is_own;
    if (is_full)
        is_own = [&tables = *halves_[half].tables, table](std::string_view name) {
            return tables.is_own_chain(table, name);
        };
    Fingerprints written = write_chains(family, table, chains, is_own);
    Fingerprints& known = halves_[half].written[table];
    for (const Chain& chain : chains) known.erase(chain.name);
    known.merge(written);
    halves_[half].sizes[table] = table_size(family, table);
}

bool ServiceFirewall::is_intact() {
    for (std::size_t at = 0; at < families.size(); ++at) {
        for (const auto& [table, known] : halves_[at].written) {
            if (known.empty()) continue;
            const std::string size = table_size(families[at], table);
            if (size == halves_[at].sizes[table]) continue;
            const auto jumps =
                table == "nat" ? halves_[at].tables->nat_jumps() : halves_[at].tables->filter_jumps();
            if (!has_chains(families[at], table, known, jumps)) return false;
            halves_[at].sizes[table] = size;
        }
    }
    return true;
}

}  // namespace keelson::stack
