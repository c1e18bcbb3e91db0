// Service addresses by the kernel's packet filter: chains in the legacy nat and filter tables, written
// without the iptables programs. They go on carrying traffic when the plugin stops.
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "keelson/network.hpp"
#include "rivals.h"
#include "service.h"
#include "stack/firewall.h"
#include "stale_flows.h"
#include "tables.h"

namespace {

namespace proxy = keelson::proxy;
using namespace keelson::iptables;
using keelson::Call;
using keelson::Code;
using keelson::Error;

constexpr std::array<int, 2> families = {AF_INET, AF_INET6};

struct Config {
    std::int32_t mark_bit = 14;
    KEELSON_FIELDS(field.optional("markBit", self.mark_bit))
};

std::uint32_t read_mark(const keelson::Json& document) {
    const auto config = keelson::read_as<Config>(document);
    if (config.mark_bit < 0 || config.mark_bit > 31)
        throw Error(Code::invalid, "a bit of the mark lies between 0 and 31", "markBit");
    return std::uint32_t(1) << config.mark_bit;
}

std::vector<Prefix> read_prefixes(const std::vector<std::string>& texts, const char* field) {
    std::vector<Prefix> result;
    for (const std::string& text : texts) {
        const auto prefix = parse_prefix(text);
        if (!prefix) throw Error(Code::invalid, "\"" + text + "\" is no prefix", field);
        result.push_back(*prefix);
    }
    return result;
}

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

// One family: the table as it shall be, and what has been seen of it in the system.
struct Half {
    std::unique_ptr<Tables> tables;
    bool is_changed = false;
    std::map<std::string, Fingerprints> written;  // by table
    std::map<std::string, std::string> sizes;     // by table
};

class Iptables : public keelson::ServiceProxyPlugin {
  public:
    Iptables(keelson::Host host, const keelson::Json& config) : host_(host), mark_(read_mark(config)) {}

    void configure(const proxy::Configure& request, const Call& call) {
        Surroundings wanted = read_surroundings(request, mark_);
        const std::lock_guard<std::mutex> lock(mutex_);
        surroundings_ = std::move(wanted);
        look_for_rivals();
        if (!is_known_) return;
        rebuild();
        write(call, true);
    }

    proxy::Applied apply(const proxy::Apply& request, const Call& call) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!surroundings_) throw Error(Code::unavailable, "the proxy is not configured yet; try again");
        proxy::Applied answer{request.generation, {}};
        // The parts of a change that comes in several.
        if (pending_.generation != request.generation || (request.full && !pending_.full)) pending_ = {};
        const bool is_full = request.full || pending_.full;
        if (request.more || pending_.generation != 0) {
            gather(request, is_full);
            if (request.more) return answer;
            const proxy::Apply whole = std::exchange(pending_, {});
            carry_out(whole, answer, call);
        } else {
            carry_out(request, answer, call);
        }
        return answer;
    }

    proxy::State state() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return {generation_, !is_known_ || is_intact()};
    }

    void clear(const Call& call) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!surroundings_) surroundings_.emplace().mark = mark_;
        services_.clear();
        pending_ = {};
        rebuild();
        write(call, true);
        is_known_ = false;
        generation_ = 0;
    }

    keelson::Health health() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return {true, rivals_};
    }

  private:
    void gather(const proxy::Apply& part, bool is_full) {
        pending_.generation = part.generation;
        pending_.full = is_full;
        pending_.set.insert(pending_.set.end(), part.set.begin(), part.set.end());
        pending_.removed.insert(pending_.removed.end(), part.removed.begin(), part.removed.end());
    }

    void carry_out(const proxy::Apply& change, proxy::Applied& answer, const Call& call) {
        if (!change.full && !is_known_)
            throw Error(Code::conflict, "this instance does not know the whole table: send it in full");
        call.check(host_.monotonic());
        // Until it is written nobody knows what the system holds.
        is_known_ = false;
        StaleFlows flows;
        if (change.full) {
            look_for_rivals();
            services_.clear();
            rebuild();
        }
        for (const std::string& id : change.removed) remove(id, flows);
        for (const proxy::Service& service : change.set) set(service, flows, answer);
        write(call, change.full);
        is_known_ = true;
        generation_ = change.generation;
        // What is left over is one reason more for clients to try again, not for the table to be refused.
        try {
            const std::size_t removed = flows.remove();
            if (removed != 0) host_.count("stale_flows_removed_total", double(removed));
        } catch (const std::exception& error) {
            host_.warn(std::string("UDP clients may stay with backends that are gone: ") + error.what());
        }
    }

    Half& half_of(const Service& service) { return halves_[service.family() == AF_INET ? 0 : 1]; }

    void remove(const std::string& id, StaleFlows& flows) {
        const auto found = services_.find(id);
        if (found == services_.end()) return;
        Half& half = half_of(found->second);
        half.tables->remove(found->second);
        half.is_changed = true;
        flows.forget(found->second);
        services_.erase(found);
    }

    void set(const proxy::Service& wanted, StaleFlows& flows, proxy::Applied& answer) {
        remove(wanted.id, flows);
        std::string problem;
        auto service = read_service(wanted, problem);
        if (!problem.empty()) answer.problems.push_back({wanted.id, problem});
        if (!service) return;
        const Service& placed = services_.emplace(wanted.id, std::move(*service)).first->second;
        Half& half = half_of(placed);
        half.tables->add(placed);
        half.is_changed = true;
        flows.expect(placed);
    }

    // The tables of all services there are, as if nothing of them had been written.
    void rebuild() {
        for (std::size_t at = 0; at < families.size(); ++at) {
            halves_[at] = {};
            halves_[at].tables = std::make_unique<Tables>(families[at], *surroundings_);
        }
        for (const auto& [id, service] : services_) half_of(service).tables->add(service);
    }

    void write(const Call& call, bool is_full) {
        is_known_ = false;
        const keelson::stack::FirewallLock lock(host_, call);
        for (std::size_t at = 0; at < families.size(); ++at) {
            Half& half = halves_[at];
            if (!is_full && !half.is_changed) continue;
            if (is_full && is_table_used(families[at], "filter"))
                half.tables->set_forwarding_closed(drops_by_default(families[at], "filter", "FORWARD"));
            // Refusals first go up, then down: what has no backend yet is refused rather than let through.
            write_table(at, "filter", half.tables->take_filter_changes(), is_full);
            write_table(at, "nat", half.tables->take_nat_changes(), is_full);
            half.is_changed = false;
        }
        is_known_ = true;
    }

    void write_table(std::size_t at, const std::string& table, const std::vector<Chain>& chains,
                     bool is_full) {
        const int family = families[at];
        const bool is_empty =
            std::ranges::all_of(chains, [](const Chain& chain) { return chain.rules.empty(); });
        if (is_empty && !is_table_used(family, table)) return;
        IsOwn is_own;
        if (is_full) is_own = table == "nat" ? Tables::is_nat_chain : Tables::is_filter_chain;
        Fingerprints written = write_chains(family, table, chains, is_own);
        Fingerprints& known = halves_[at].written[table];
        for (const Chain& chain : chains) known.erase(chain.name);
        known.merge(written);
        halves_[at].sizes[table] = table_size(family, table);
    }

    // Reads a table only when it is not as large as it was.
    bool is_intact() {
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

    void look_for_rivals() {
        std::string rivals = find_rivals();
        if (!rivals.empty() && rivals != rivals_) host_.warn(rivals);
        rivals_ = std::move(rivals);
    }

    const keelson::Host host_;
    const std::uint32_t mark_;

    std::mutex mutex_;
    std::optional<Surroundings> surroundings_;           // none until it is configured
    std::unordered_map<std::string, Service> services_;  // by id; each stays where it is
    std::array<Half, 2> halves_;
    proxy::Apply pending_;
    std::int64_t generation_ = 0;
    bool is_known_ = false;  // the system holds what this instance thinks
    std::string rivals_;
};

}  // namespace

KEELSON_PLUGIN(Iptables, "dev.keelson.iptables", "0.1.0")
