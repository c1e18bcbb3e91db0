// All services of one address family as chains of the kernel's tables, and which of them have changed.
#ifndef KEELSON_STACK_SERVICE_TABLES_H
#define KEELSON_STACK_SERVICE_TABLES_H

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stack/dispatcher.h"
#include "stack/service.h"
#include "stack/service_rules.h"

namespace keelson::stack {

class ServiceTables {
  public:
    ServiceTables(int family, Surroundings surroundings);
    ServiceTables(const ServiceTables&) = delete;
    ServiceTables& operator=(const ServiceTables&) = delete;

    // The service stays where it is until it is removed.
    void add(const Service& service);
    void remove(const Service& service);

    // What is to be written since the last time; with the jumps, so that those are mended too.
    std::vector<Chain> take_nat_changes();
    std::vector<Chain> take_filter_changes();
    // The jumps of chains that are there.
    [[nodiscard]] std::vector<Chain> nat_jumps() const;
    [[nodiscard]] std::vector<Chain> filter_jumps() const;
    // Whether forwarded packets are dropped unless a rule accepts them.
    void set_forwarding_closed(bool is_closed) { is_forwarding_closed_ = is_closed; }

    // Of "nat" or "filter": whether it may be one of these tables', of whichever services.
    [[nodiscard]] bool is_own_chain(const std::string& table, std::string_view name) const;

  private:
    using Listed = std::map<std::string, std::vector<const Service*>>;  // by key, each in the order of ids

    // The chains of one table that tell packets by their destination.
    struct Index {
        Listed cluster, external;
        std::array<Listed, 3> ports;  // of nodes, by protocol
        std::unique_ptr<Dispatcher> to_cluster, to_external;
        std::array<std::unique_ptr<Dispatcher>, 3> to_ports;

        [[nodiscard]] bool has_ports() const;
        [[nodiscard]] bool is_empty() const;
        void take_changes(Chains& changes);
    };
    using RulesOf = std::function<std::vector<Rule>(const Service& service)>;

    [[nodiscard]] std::string named(const char* part) const { return surroundings_.chain_prefix + part; }
    void prepare(Index& index, const std::string& prefix, const RulesOf& rules_of) const;
    void change(Index& index, const Service& service, bool is_there, std::size_t rules) const;
    void count_locals(const Service& service, int by);

    [[nodiscard]] std::vector<Rule> entry_rules() const;
    [[nodiscard]] std::vector<Rule> node_port_rules(const Index& index) const;
    [[nodiscard]] std::vector<Rule> jumps_to_node_ports(const char* chain) const;
    void append_marking(std::vector<Rule>& rules, const std::vector<Prefix>& unmarked) const;
    [[nodiscard]] std::vector<Chain> fixed_nat_chains() const;
    [[nodiscard]] std::vector<Chain> fixed_filter_chains() const;

    int family_;
    Surroundings surroundings_;
    Index translation_;
    Index refusal_;
    std::map<std::string, int> locals_;  // backends on this node, by the digits of their addresses
    Dispatcher hairpins_;
    Chains service_chains_;
    bool is_forwarding_closed_ = false;
};

}  // namespace keelson::stack

#endif
