// Service addresses by IPVS: a virtual server for each, their addresses on a device of this plugin,
// and a few rules of the packet filter. It goes on carrying traffic when the plugin stops.
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "keelson/network.hpp"
#include "records.h"
#include "rules.h"
#include "service.h"
#include "service_link.h"
#include "stack/conntrack.h"
#include "stack/service_firewall.h"
#include "stack/sysctl.h"

namespace {

namespace proxy = keelson::proxy;
using namespace keelson::ipvs;
using keelson::Call;
using keelson::Code;
using keelson::Error;

constexpr std::array<int, 2> families = {AF_INET, AF_INET6};
constexpr std::uint32_t mark_numbers = 0x7fff;
constexpr int mark_shift = 16;
constexpr std::size_t probes = 16;  // virtual servers that one look at the state asks for

struct Config {
    std::string scheduler = "rr";
    std::string interface = "keelson-ipvs";
    std::int32_t mark_bit = 14;
    std::int32_t drain_seconds = 900;
    KEELSON_FIELDS(field.optional("scheduler", self.scheduler)
                       .optional("interface", self.interface)
                       .optional("markBit", self.mark_bit)
                       .optional("drainSeconds", self.drain_seconds))
};

Config read_config(const keelson::Json& document) {
    auto config = keelson::read_as<Config>(document);
    if (config.interface.empty() || config.interface.size() > 15)
        throw Error(Code::invalid, "the name of a device has 1 to 15 letters", "interface");
    if (config.mark_bit < 0 || config.mark_bit >= mark_shift)
        throw Error(Code::invalid, "the bit of the mark lies between 0 and 15", "markBit");
    return config;
}

class Ipvs : public keelson::ServiceProxyPlugin {
  public:
    Ipvs(keelson::Host host, const keelson::Json& config)
        : host_(host), config_(read_config(config)), recorded_(read_records(host_)) {}

    void configure(const proxy::Configure& request, const Call& call) {
        Surroundings surroundings = read_surroundings(request, bit());
        if (surroundings.own_pods.empty()) surroundings.own_pods = surroundings.cluster;
        const std::lock_guard<std::mutex> lock(mutex_);
        surroundings_ = std::move(surroundings);
        is_configured_ = true;
        if (!system_) system_.emplace(config_.interface);
        prepare_machine();
        if (generation_ == 0) return;
        node_addresses_ = find_node_addresses();
        write_all(call);
    }

    proxy::Applied apply(const proxy::Apply& request, const Call& call) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!is_configured_) throw Error(Code::unavailable, "the service proxy is not configured yet");
        if (!request.full && generation_ == 0)
            throw Error(Code::conflict, "nothing is known of the table: the whole one is needed");
        const auto whole = parts_.add(request);
        if (!whole) return {request.generation, {}};
        const proxy::Apply& change = *whole;
        proxy::Applied applied{change.generation, {}};
        try {
            if (change.full)
                apply_full(change, applied.problems, call);
            else
                apply_difference(change, applied.problems, call);
        } catch (...) {
            generation_ = 0;  // the kernel sends a full one next
            throw;
        }
        generation_ = change.generation;
        return applied;
    }

    proxy::State state() {
        const std::lock_guard<std::mutex> lock(mutex_);
        proxy::State state;
        state.generation = generation_;
        state.intact = generation_ == 0 || is_intact();
        if (generation_ != 0) end_drained(draining_servers());
        return state;
    }

    void clear(const Call& call) {
        const std::lock_guard<std::mutex> lock(mutex_);
        ServiceLink link(config_.interface);
        Netlink netlink;
        try {
            VirtualServers servers;
            std::set<Address> addresses;
            if (netlink.find_link(config_.interface)) {
                link.ensure();
                addresses = link.addresses();
            }
            for (const auto& [key, server] : servers.list())
                if (is_own(key, addresses) && !foreign_.contains(key)) servers.remove(key);
            servers.flush();
        } catch (const Error& error) {
            if (error.code() != Code::unsupported) throw;
        }
        link.remove();
        const keelson::stack::FirewallLock firewall(host_, call);
        for (const int family : families)
            for (const char* table : {"nat", "filter"})
                if (is_table_used(family, table))
                    write_chains(family, table, {}, is_own_chain_or_jump(family, table));
        services_.clear();
        marks_.clear();
        wanted_.clear();
        actual_.clear();
        foreign_.clear();
        draining_.clear();
        own_backends_.clear();
        addresses_.clear();
        generation_ = 0;
        recorded_.clear();
        save_records();
    }

  private:
    // Opened in the namespace that the first call came from, which is the node's.
    struct System {
        explicit System(const std::string& interface) : link(interface) {}
        VirtualServers servers;
        ServiceLink link;
    };
    using Clock = std::chrono::steady_clock;

    // Chains are removed with their jumps when they are written empty; those of single services go by their
    // names.
    keelson::stack::IsOwn is_own_chain_or_jump(int family, const std::string& table) {
        RuleInputs nothing;
        write_chains(family, table,
                     table == "nat" ? nat_chains(family, nothing) : filter_chains(family, nothing),
                     is_own_chain);
        return is_own_chain;
    }

    static void prepare_machine() {
        const bool has_conntrack = set_sysctl("ipv4/vs/conntrack", "1");
        if (!has_conntrack)
            throw Error(Code::unsupported,
                        "this kernel's IPVS does not track connections (CONFIG_IP_VS_NFCT)");
        // Connections to a backend that is gone end, and clients that stick to it get another.
        set_sysctl("ipv4/vs/expire_nodest_conn", "1");
        set_sysctl("ipv4/vs/expire_quiescent_template", "1");
        set_sysctl("ipv4/vs/conn_reuse_mode", "1");
        set_sysctl("ipv4/ip_forward", "1");
        set_sysctl("ipv6/conf/all/forwarding", "1");
    }

    std::vector<Address> find_node_addresses() {
        std::vector<Address> result;
        for (const Address& address : system_->link.addresses_of_others()) {
            const bool is_wanted =
                surroundings_.node_port_addresses.empty() ||
                std::ranges::any_of(surroundings_.node_port_addresses,
                                    [&](const Prefix& prefix) { return prefix.contains(address); });
            if (is_wanted) result.push_back(address);
        }
        std::sort(result.begin(), result.end());
        return result;
    }

    // --- the table as it shall be ---

    std::uint32_t mark_of(const std::string& id) const {
        std::uint32_t number = 0x811c9dc5;
        for (const char c : id) number = (number ^ std::uint8_t(c)) * 0x01000193;
        for (std::uint32_t tries = 0; tries <= mark_numbers; ++tries) {
            const std::uint32_t mark = ((number + tries) % mark_numbers + 1) << mark_shift | bit();
            if (!marks_.contains(mark)) return mark;
        }
        throw Error(Code::exhausted, "there are too many services with a local policy");
    }
    [[nodiscard]] std::uint32_t bit() const { return std::uint32_t(1) << config_.mark_bit; }

    void forget(const std::string& id, std::set<Key>& touched) {
        const auto found = services_.find(id);
        if (found == services_.end()) return;
        for (const auto& [key, server] : servers_of(found->second, node_addresses_, config_.scheduler)) {
            const auto owner = wanted_.find(key);
            if (owner == wanted_.end() || owner->second.first != id) continue;
            wanted_.erase(owner);
            touched.insert(key);
        }
        for (const Address& address : found->second.own_backends())
            if (--own_backends_[address] == 0) own_backends_.erase(address);
        if (!found->second.is_node_port() && --addresses_[found->second.address] == 0)
            addresses_.erase(found->second.address);
        marks_.erase(found->second.mark);
        with_rules_.erase(id);
        services_.erase(found);
    }

    void take(const proxy::Service& document, std::set<Key>& touched, std::vector<proxy::Problem>& problems) {
        std::string problem;
        auto read = read_service(document, problem);
        if (!problem.empty()) problems.push_back({document.id, problem});
        if (!read) return;
        VirtualService service{std::move(*read)};
        if (service.is_local) marks_.insert(service.mark = mark_of(document.id));
        for (auto& [key, server] : servers_of(service, node_addresses_, config_.scheduler)) {
            if (!wanted_.try_emplace(key, document.id, std::move(server)).second)
                problems.push_back({document.id, "another service has that address and port"});
            touched.insert(key);
        }
        for (const Address& address : service.own_backends()) ++own_backends_[address];
        if (!service.is_node_port()) ++addresses_[service.address];
        if (service.has_rules()) with_rules_.insert(document.id);
        services_[document.id] = std::move(service);
    }

    void apply_difference(const proxy::Apply& change, std::vector<proxy::Problem>& problems,
                          const Call& call) {
        std::set<Key> touched;
        std::set<Address> before;
        const auto note_address = [&](const std::string& id) {
            const auto found = services_.find(id);
            if (found != services_.end() && !found->second.is_node_port())
                before.insert(found->second.address);
        };
        for (const std::string& id : change.removed) {
            note_address(id);
            forget(id, touched);
        }
        for (const proxy::Service& service : change.set) {
            note_address(service.id);
            forget(service.id, touched);
        }
        for (const proxy::Service& service : change.set) {
            take(service, touched, problems);
            note_address(service.id);
        }
        record(touched);
        write_rules(call);
        write_servers(touched, problems);
        record(touched);
        for (const Address& address : before) write_address(address);
        system_->link.flush();
        end_drained(touched);
    }

    void apply_full(const proxy::Apply& change, std::vector<proxy::Problem>& problems, const Call& call) {
        services_.clear();
        wanted_.clear();
        own_backends_.clear();
        addresses_.clear();
        with_rules_.clear();
        marks_.clear();
        system_->link.ensure();
        node_addresses_ = find_node_addresses();
        std::set<Key> touched;
        for (const proxy::Service& service : change.set) {
            forget(service.id, touched);
            take(service, touched, problems);
        }
        write_all(call, &problems);
    }

    // --- the system ---

    // Everything, by the difference to what is there.
    void write_all(const Call& call, std::vector<proxy::Problem>* problems = nullptr) {
        std::vector<proxy::Problem> unused;
        if (generation_ != 0 && problems == nullptr) rebuild_wanted(unused);
        system_->link.ensure();
        present_ = system_->link.addresses();
        read_actual();
        std::set<Key> touched = recorded_;
        for (const auto& [key, server] : actual_) touched.insert(key);
        for (const auto& [key, server] : wanted_) touched.insert(key);
        record(touched);
        rules_.clear();
        write_rules(call);
        write_servers(touched, problems == nullptr ? unused : *problems);
        record(touched);
        std::set<Address> all = present_;
        for (const auto& [address, count] : addresses_) all.insert(address);
        for (const Address& address : all) write_address(address);
        system_->link.flush();
    }

    // After the node's addresses have changed.
    void rebuild_wanted(std::vector<proxy::Problem>& problems) {
        wanted_.clear();
        for (const auto& [id, service] : services_)
            for (auto& [key, server] : servers_of(service, node_addresses_, config_.scheduler))
                if (!wanted_.try_emplace(key, id, std::move(server)).second)
                    problems.push_back({id, "another service has that address and port"});
    }

    [[nodiscard]] bool is_own(const Key& key, const std::set<Address>& addresses) const {
        return recorded_.contains(key) || (key.mark == 0 && addresses.contains(key.address));
    }

    void read_actual() {
        // What this instance has made or found to be another's stays so, whatever became of the address.
        const std::map<Key, Server> own_before = std::exchange(actual_, {});
        const std::set<Key> foreign_before = std::exchange(foreign_, {});
        for (auto& [key, server] : system_->servers.list()) {
            const bool is_foreign =
                foreign_before.contains(key) || (!own_before.contains(key) && !is_own(key, present_));
            if (is_foreign) {
                foreign_.insert(key);
                continue;
            }
            for (const BackendState& backend : system_->servers.backends(key)) {
                server.backends[backend.place] = backend.weight;
                if (backend.weight == 0 && !is_wanted(key, backend.place))
                    draining_.try_emplace({key, backend.place},
                                          Clock::now() + std::chrono::seconds(config_.drain_seconds));
            }
            actual_[key] = std::move(server);
        }
    }

    [[nodiscard]] bool is_wanted(const Key& key, const Place& place) const {
        const auto found = wanted_.find(key);
        return found != wanted_.end() && found->second.second.backends.contains(place);
    }

    void write_servers(const std::set<Key>& touched, std::vector<proxy::Problem>& problems) {
        std::vector<std::pair<Key, Place>> stale;
        std::set<Key> appeared;
        for (const Key& key : touched) {
            const auto wanted = wanted_.find(key);
            const auto actual = actual_.find(key);
            if (wanted == wanted_.end()) {
                if (actual == actual_.end()) continue;
                for (const auto& [place, weight] : actual->second.backends) {
                    draining_.erase({key, place});
                    if (key.protocol != IPPROTO_TCP) stale.emplace_back(key, place);
                }
                system_->servers.remove(key);
                actual_.erase(actual);
                continue;
            }
            if (actual == actual_.end() && foreign_.contains(key)) {
                problems.push_back(
                    {wanted->second.first, "another program has a virtual server of that address and port"});
                continue;
            }
            write_server(key, wanted->second.second, stale, appeared);
        }
        system_->servers.flush();
        forget_flows(stale, appeared);
    }

    void write_server(const Key& key, const Server& wanted, std::vector<std::pair<Key, Place>>& stale,
                      std::set<Key>& appeared) {
        auto [at, is_new] = actual_.try_emplace(key, Server{wanted.scheduler, wanted.persistent_seconds, {}});
        Server& actual = at->second;
        if (is_new) {
            system_->servers.add(key, wanted);
        } else if (!actual.has_same_settings(wanted)) {
            system_->servers.change(key, wanted);
            actual.scheduler = wanted.scheduler;
            actual.persistent_seconds = wanted.persistent_seconds;
        }
        if (key.protocol != IPPROTO_TCP && actual.backends.empty() && !wanted.backends.empty())
            appeared.insert(key);
        for (const auto& [place, weight] : wanted.backends) {
            draining_.erase({key, place});
            const auto same = actual.backends.find(place);
            if (same == actual.backends.end())
                system_->servers.add_backend(key, place, weight);
            else if (same->second != weight)
                system_->servers.change_backend(key, place, weight);
            actual.backends[place] = weight;
        }
        for (auto place = actual.backends.begin(); place != actual.backends.end();) {
            const bool stays = wanted.backends.contains(place->first);
            place = stays ? std::next(place) : retire(key, actual, place, stale);
        }
    }

    // Connections of TCP and SCTP may end before their backend goes; what has none gives a client to another
    // at once.
    std::map<Place, std::uint32_t>::iterator retire(const Key& key, Server& actual,
                                                    std::map<Place, std::uint32_t>::iterator place,
                                                    std::vector<std::pair<Key, Place>>& stale) {
        const bool is_datagrams = key.protocol == IPPROTO_UDP;
        if (is_datagrams || config_.drain_seconds <= 0) {
            system_->servers.remove_backend(key, place->first);
            if (is_datagrams) stale.emplace_back(key, place->first);
            return actual.backends.erase(place);
        }
        if (place->second != 0) system_->servers.change_backend(key, place->first, 0);
        place->second = 0;
        draining_.try_emplace({key, place->first},
                              Clock::now() + std::chrono::seconds(config_.drain_seconds));
        return std::next(place);
    }

    [[nodiscard]] std::set<Key> draining_servers() const {
        std::set<Key> keys;
        for (const auto& [which, deadline] : draining_) keys.insert(which.first);
        return keys;
    }

    // Takes out backends of these that nobody is connected to any more, or for too long.
    void end_drained(const std::set<Key>& keys) {
        const Clock::time_point now = Clock::now();
        for (const Key& key : keys) {
            auto at = draining_.lower_bound({key, Place{}});
            const auto actual = actual_.find(key);
            if (at == draining_.end() || !(at->first.first == key) || actual == actual_.end()) continue;
            std::map<Place, std::uint32_t> active;
            for (const BackendState& state : system_->servers.backends(key))
                active[state.place] = state.active;
            while (at != draining_.end() && at->first.first == key) {
                const Place place = at->first.second;
                const auto found = active.find(place);
                const bool stays = found != active.end() && found->second != 0 && at->second > now;
                if (!stays) {
                    system_->servers.remove_backend(key, place);
                    actual->second.backends.erase(place);
                }
                at = stays ? std::next(at) : draining_.erase(at);
            }
        }
        system_->servers.flush();
    }

    // UDP: the tracked flow would stay with the backend that is gone, or with the lack of one.
    void forget_flows(const std::vector<std::pair<Key, Place>>& stale, const std::set<Key>& appeared) {
        if (stale.empty() && appeared.empty()) return;
        std::set<Key> keys = appeared;
        for (const auto& [key, place] : stale) keys.insert(key);
        std::set<Place> places;
        for (const auto& [key, place] : stale) places.insert(place);
        Conntrack conntrack;
        for (const int family : families) {
            if (std::ranges::none_of(keys, [&](const Key& key) { return key.address.family == family; }))
                continue;
            conntrack.remove_if(family, [&](const Flow& flow) {
                const Key key{flow.destination, flow.destination_port, flow.protocol, 0};
                if (appeared.contains(key) && !flow.is_translated()) return true;
                if (flow.protocol == IPPROTO_TCP) return false;
                return (keys.contains(key) || is_by_mark(keys, family)) &&
                       places.contains({flow.reply_source, flow.reply_source_port});
            });
        }
    }
    static bool is_by_mark(const std::set<Key>& keys, int family) {
        return std::ranges::any_of(
            keys, [&](const Key& key) { return key.mark != 0 && key.address.family == family; });
    }

    void write_address(const Address& address) {
        const bool is_wanted = addresses_.contains(address);
        if (is_wanted == present_.contains(address)) return;
        if (is_wanted) {
            system_->link.add(address);
            present_.insert(address);
        } else {
            system_->link.remove(address);
            present_.erase(address);
        }
    }

    RuleInputs rule_inputs() const {
        RuleInputs inputs;
        inputs.masquerade_bit = bit();
        inputs.cluster = surroundings_.cluster;
        inputs.own_pods = surroundings_.own_pods;
        inputs.node_addresses = node_addresses_;
        for (const std::string& id : with_rules_) inputs.services[id] = &services_.at(id);
        inputs.own_backends = own_backends_;
        inputs.is_used = !services_.empty();
        return inputs;
    }

    // Most changes leave them as they are: what they are made of is compared first.
    std::string digest_of_rules() const {
        std::string text;
        for (const auto* prefixes : {&surroundings_.cluster, &surroundings_.own_pods}) {
            for (const Prefix& prefix : *prefixes) text += prefix.text() + " ";
            text += "| ";
        }
        for (const auto& [address, count] : own_backends_) text += address.text() + " ";
        text += services_.empty() ? "-" : "+";
        for (const std::string& id : with_rules_) {
            const VirtualService& service = services_.at(id);
            text += "\n" + id + " " + service.protocol + " " + std::to_string(service.port) + " " +
                    std::to_string(service.mark);
            text += service.is_silent() ? "s" : "";
            text += service.is_local && service.external_backends.empty() ? "l" : "";
            for (const Address& address : addresses_of(service, node_addresses_))
                text += " " + address.text();
            text += service.is_restricted ? " |" : "";
            for (const Prefix& range : service.source_ranges) text += " " + range.text();
        }
        return text;
    }

    void write_rules(const Call& call) {
        std::string digest = digest_of_rules();
        if (digest == rules_) return;
        const RuleInputs inputs = rule_inputs();
        const keelson::stack::FirewallLock firewall(host_, call);
        for (const int family : families) {
            const bool is_used =
                std::ranges::any_of(addresses_,
                                    [&](const auto& entry) { return entry.first.family == family; }) ||
                std::ranges::any_of(services_,
                                    [&](const auto& entry) { return entry.second.family() == family; });
            RuleInputs own = inputs;
            own.is_used = is_used;
            write_chains(family, "nat", nat_chains(family, own), is_own_chain);
            write_chains(family, "filter", filter_chains(family, own), is_own_chain);
            for (const char* table : {"nat", "filter"})
                sizes_[{family, table}] = keelson::stack::table_size(family, table);
        }
        rules_ = std::move(digest);
    }

    // A look at the device, the tables of the packet filter and some of the virtual servers, others each
    // time.
    bool is_intact() {
        if (!system_->link.is_there()) return false;
        for (const auto& [which, size] : sizes_)
            if (keelson::stack::table_size(which.first, which.second) != size) return false;
        if (find_node_addresses() != node_addresses_) return false;
        for (std::size_t count = 0; count < std::min(probes, actual_.size()); ++count) {
            auto next = actual_.upper_bound(probed_);
            if (next == actual_.end()) next = actual_.begin();
            probed_ = next->first;
            if (!system_->servers.is_there(probed_)) return false;
            if (probed_.mark == 0 && !system_->link.is_delivered(probed_.address)) return false;
        }
        return true;
    }

    // Virtual servers that no address of the device tells to be ours: written down before they are made, so
    // that a crash leaves nothing that nobody knows of, and struck out when they are gone.
    void record(const std::set<Key>& touched) {
        bool has_changed = false;
        for (const Key& key : touched) {
            const auto wanted = wanted_.find(key);
            const bool shall_be = wanted != wanted_.end() && !foreign_.contains(key) &&
                                  (key.mark != 0 || services_.at(wanted->second.first).is_node_port());
            if (shall_be)
                has_changed |= recorded_.insert(key).second;
            else if (!actual_.contains(key))
                has_changed |= recorded_.erase(key) != 0;
        }
        if (has_changed || is_unsaved_) save_records();
    }
    // What could not be written is written with the next change.
    void save_records() {
        is_unsaved_ = true;
        write_records(host_, recorded_);
        is_unsaved_ = false;
    }

    const keelson::Host host_;
    const Config config_;

    std::mutex mutex_;
    bool is_configured_ = false;
    Surroundings surroundings_;
    std::vector<Address> node_addresses_;
    ChangeParts parts_;
    std::int64_t generation_ = 0;

    // As it shall be.
    std::map<std::string, VirtualService> services_;
    std::map<Key, std::pair<std::string, Server>> wanted_;  // with the id of the service
    std::map<Address, std::size_t> addresses_;              // how many services have it
    std::map<Address, std::size_t> own_backends_;
    std::set<std::string> with_rules_;
    std::set<std::uint32_t> marks_;

    // As it is.
    std::optional<System> system_;
    std::map<Key, Server> actual_;
    std::set<Key> foreign_;
    std::set<Address> present_;
    std::set<Key> recorded_;
    bool is_unsaved_ = false;  // recorded_ is not what the file says
    std::map<std::pair<Key, Place>, Clock::time_point> draining_;
    std::string rules_;
    std::map<std::pair<int, std::string>, std::string> sizes_;
    Key probed_;
};

}  // namespace

KEELSON_PLUGIN(Ipvs, "dev.keelson.ipvs", "0.1.0")
