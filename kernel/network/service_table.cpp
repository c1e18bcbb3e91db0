#include "kernel/network/service_table.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "kernel/network/service_endpoints.h"
#include "kernel/network/service_objects.h"
#include "kernel/object/addresses.h"

namespace keelson::network {
namespace {

namespace core_v1 = api_types::core_v1;
using client::ObjectKey;
using client::ObjectPointer;
using core_v1::Service;
using core_v1::ServicePort;

constexpr std::int64_t kAffinitySeconds = 10'800;
constexpr std::string_view kSourceRanges = "service.beta.kubernetes.io/load-balancer-source-ranges";

bool is_v6(std::string_view address) {
    return address.find(':') != std::string_view::npos;
}

std::string host_port(const std::string& address, std::uint16_t port) {
    return (is_v6(address) ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

// Whom two services that claim the same address belong to: the older one.
struct Claimant {
    std::string created_at;
    std::string uid;
    ObjectKey service;
    ServiceKind kind = ServiceKind::cluster_ip;
    std::string port_name;
    auto operator<=>(const Claimant&) const = default;  // NOLINT: clang-tidy 14 takes it for a null pointer
};

// "192.0.2.10:80/TCP"
std::string place_of(const ServiceEntry& entry) {
    return host_port(entry.address, entry.port) + "/" + entry.protocol;
}

bool is_carried(Service service) {
    const auto labels = service.metadata().labels();
    const std::string_view address = service.spec().cluster_ip();
    return service.spec().type() != "ExternalName" && !address.empty() && address != "None" &&
           !labels.has("service.kubernetes.io/service-proxy-name") &&
           !labels.has("service.kubernetes.io/headless");
}

std::vector<std::string> cluster_addresses(Service service) {
    std::vector<std::string> addresses;
    for (const std::string_view address : service.spec().cluster_ips()) addresses.emplace_back(address);
    if (addresses.empty()) addresses.emplace_back(service.spec().cluster_ip());
    return addresses;
}

std::vector<std::string> source_ranges(Service service) {
    std::vector<std::string> ranges;
    // Kubernetes takes ranges with spaces around them.
    for (const std::string_view range : service.spec().load_balancer_source_ranges())
        std::erase(ranges.emplace_back(range), ' ');
    if (!ranges.empty()) return ranges;
    std::string text(service.metadata().annotations()[kSourceRanges]);
    std::erase(text, ' ');
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        if (end > begin) ranges.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return ranges;
}

// The entries of one service.
class Maker {
  public:
    Maker(const ObjectPointer& object, const ServiceObjects::Slices& slices, const NodeFacts& node)
        : key_(object->key()), service_(object->root()), slices_(slices), node_(node) {}

    std::vector<ServiceEntry> make() {
        for (const std::string& address : cluster_addresses(service_))
            for (const ServicePort port : service_.spec().ports()) add_port(address, port);
        return std::move(entries_);
    }

  private:
    void add_port(const std::string& address, ServicePort port) {
        const bool of_v6 = is_v6(address);
        const std::string_view protocol = port.protocol().empty() ? "TCP" : port.protocol();
        endpoints_ = choose_endpoints(slices_, of_v6, port.name(), protocol, node_);
        const bool stays_inside = service_.spec().internal_traffic_policy() == "Local";
        ServiceEntry& inside = add(ServiceKind::cluster_ip, address, port.port(), port);
        if (stays_inside) {
            inside.backends = endpoints_.local;
            inside.drops_when_empty = endpoints_.has_any;
        }
        for (const std::string_view external : service_.spec().external_ips())
            if (is_v6(external) == of_v6) add_external(ServiceKind::external_ip, std::string(external), port);
        add_load_balancers(of_v6, port);
        const bool has_node_port =
            service_.spec().type() == "NodePort" || service_.spec().type() == "LoadBalancer";
        if (has_node_port && port.node_port() > 0) {
            ServiceEntry& entry =
                add(ServiceKind::node_port, of_v6 ? "::" : "0.0.0.0", port.node_port(), port);
            keep_local(entry);
        }
    }

    void add_load_balancers(bool of_v6, ServicePort port) {
        if (service_.spec().type() != "LoadBalancer") return;
        for (const core_v1::LoadBalancerIngress ingress : service_.status().load_balancer().ingress()) {
            if (ingress.ip().empty() || ingress.ip_mode() == "Proxy" || is_v6(ingress.ip()) != of_v6)
                continue;
            ServiceEntry& entry = add_external(ServiceKind::load_balancer, std::string(ingress.ip()), port);
            for (std::string& range : source_ranges(service_))
                if (is_v6(range) == of_v6) entry.source_ranges.push_back(std::move(range));
            std::ranges::sort(entry.source_ranges);
        }
    }

    ServiceEntry& add_external(ServiceKind kind, std::string address, ServicePort port) {
        ServiceEntry& entry = add(kind, std::move(address), port.port(), port);
        keep_local(entry);
        return entry;
    }

    void keep_local(ServiceEntry& entry) {
        if (service_.spec().external_traffic_policy() != "Local") return;
        entry.is_local = true;
        entry.external_backends = endpoints_.local;
    }

    ServiceEntry& add(ServiceKind kind, std::string address, std::int64_t number, ServicePort port) {
        ServiceEntry entry;
        entry.name = key_.text() + (port.name().empty() ? "" : ":" + std::string(port.name()));
        entry.protocol = port.protocol().empty() ? "TCP" : port.protocol();
        // As everybody writes it.
        if (const auto parsed = object::IpAddress::parse(address)) address = parsed->to_string();
        entry.address = std::move(address);
        entry.port = static_cast<std::uint16_t>(number);
        entry.kind = kind;
        entry.id = entry.name + "/" + std::string(kind_text(kind)) + "/" + entry.address + "/" +
                   std::to_string(entry.port) + "/" + entry.protocol;
        entry.affinity = affinity();
        entry.backends = endpoints_.cluster;
        return entries_.emplace_back(std::move(entry));
    }

    [[nodiscard]] std::chrono::seconds affinity() const {
        if (service_.spec().session_affinity() != "ClientIP") return {};
        const auto config = service_.spec().session_affinity_config().client_ip();
        return std::chrono::seconds(config.has_timeout_seconds() ? config.timeout_seconds()
                                                                 : kAffinitySeconds);
    }

    const ObjectKey key_;
    const Service service_;
    const ServiceObjects::Slices& slices_;
    const NodeFacts& node_;
    PortEndpoints endpoints_;  // of the port that is being added
    std::vector<ServiceEntry> entries_;
};

class Table final : public ServiceTable {
  public:
    explicit Table(NodeFacts node) : node_(std::move(node)) {}

    void service_changed(const ObjectKey& key, ObjectPointer now) override {
        objects_.service_changed(key, std::move(now));
    }
    void slice_changed(const ObjectKey& key, ObjectPointer now) override {
        objects_.slice_changed(key, std::move(now));
    }
    void node_changed(NodeFacts node) override {
        if (node == node_) return;
        node_ = std::move(node);
        objects_.all_changed();
    }

    TableChange take_change() override {
        std::set<std::string> places;
        for (const ObjectKey& key : objects_.take_changed()) renew(key, places);
        TableChange change;
        for (const std::string& place : places) settle(place, change);
        std::ranges::sort(change.set, {}, &ServiceEntry::id);
        std::ranges::sort(change.removed);
        return change;
    }

    [[nodiscard]] std::vector<ServiceEntry> all() const override {
        std::vector<ServiceEntry> entries;
        entries.reserve(table_.size());
        for (const auto& [place, entry] : table_) entries.push_back(entry);
        std::ranges::sort(entries, {}, &ServiceEntry::id);
        return entries;
    }

    [[nodiscard]] std::vector<HealthCheckPort> health_check_ports() const override {
        std::vector<HealthCheckPort> ports;
        for (const auto& [key, port] : health_checks_) ports.push_back(port);
        return ports;
    }

    [[nodiscard]] std::vector<AddressConflict> conflicts() const override {
        std::vector<AddressConflict> all;
        for (const auto& [place, conflicts] : conflicts_)
            all.insert(all.end(), conflicts.begin(), conflicts.end());
        return all;
    }

  private:
    using Claims = std::map<Claimant, ServiceEntry>;

    // What the service claims now, in place of what it claimed before.
    void renew(const ObjectKey& key, std::set<std::string>& places) {
        if (const auto before = claimed_.find(key); before != claimed_.end()) {
            for (const auto& [place, claimant] : before->second) {
                claims_[place].erase(claimant);
                places.insert(place);
            }
            claimed_.erase(before);
        }
        health_checks_.erase(key);
        const ObjectPointer object = objects_.service(key);
        if (!object || !is_carried(Service(object->root()))) return;
        const ServiceObjects::Slices& slices = objects_.slices_of(key);
        const Service service(object->root());
        for (ServiceEntry& entry : Maker(object, slices, node_).make()) {
            const std::string place = place_of(entry);
            Claimant claimant{std::string(service.metadata().creation_timestamp()),
                              std::string(object->uid()), key, entry.kind, entry.name};
            places.insert(place);
            claimed_[key].emplace_back(place, claimant);
            claims_[place].insert_or_assign(std::move(claimant), std::move(entry));
        }
        note_health_check(key, service, slices);
    }

    void note_health_check(const ObjectKey& key, Service service, const ServiceObjects::Slices& slices) {
        const bool is_checked = service.spec().type() == "LoadBalancer" &&
                                service.spec().external_traffic_policy() == "Local" &&
                                service.spec().health_check_node_port() > 0;
        if (!is_checked) return;
        health_checks_[key] = {static_cast<std::uint16_t>(service.spec().health_check_node_port()),
                               key.namespace_name, key.name, count_local_ready(slices, node_)};
    }

    // Gives the place to the first of those who claim it.
    void settle(const std::string& place, TableChange& change) {
        const auto claims = claims_.find(place);
        const auto present = table_.find(place);
        conflicts_.erase(place);
        if (claims == claims_.end() || claims->second.empty()) {
            if (claims != claims_.end()) claims_.erase(claims);
            if (present == table_.end()) return;
            change.removed.push_back(present->second.id);
            table_.erase(present);
            return;
        }
        const auto& [owner, entry] = *claims->second.begin();
        note_conflicts(place, claims->second);
        if (present != table_.end() && present->second == entry) return;
        if (present != table_.end() && present->second.id != entry.id)
            change.removed.push_back(present->second.id);
        change.set.push_back(entry);
        table_.insert_or_assign(place, entry);
    }

    void note_conflicts(const std::string& place, const Claims& claims) {
        const ObjectKey& owner = claims.begin()->first.service;
        for (const auto& [claimant, entry] : claims)
            if (claimant.service != owner) conflicts_[place].push_back({claimant.service, owner, place});
    }

    NodeFacts node_;
    ServiceObjects objects_;
    std::map<std::string, Claims> claims_;  // by place
    std::map<ObjectKey, std::vector<std::pair<std::string, Claimant>>> claimed_;
    std::map<std::string, ServiceEntry> table_;  // by place
    std::map<std::string, std::vector<AddressConflict>> conflicts_;
    std::map<ObjectKey, HealthCheckPort> health_checks_;
};

}  // namespace

std::string_view kind_text(ServiceKind kind) {
    switch (kind) {
        case ServiceKind::cluster_ip:
            return "ClusterIP";
        case ServiceKind::node_port:
            return "NodePort";
        case ServiceKind::load_balancer:
            return "LoadBalancer";
        case ServiceKind::external_ip:
            return "ExternalIP";
    }
    return {};
}

std::unique_ptr<ServiceTable> ServiceTable::make(NodeFacts node) {
    return std::make_unique<Table>(std::move(node));
}

}  // namespace keelson::network
