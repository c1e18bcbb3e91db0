#include "kernel/resource/service_allocation.h"

#include <algorithm>
#include <set>

#include "kernel/object/addresses.h"
#include "kernel/object/conform.h"
#include "kernel/object/field_errors.h"
#include "kernel/resource/codec.h"

namespace keelson::resource {
namespace {

using base::Result;
using object::Arena;
using object::BadValue;
using object::FieldErrors;
using object::FieldPath;
using object::IpAddress;
using object::IpNetwork;
using object::Value;

constexpr std::string_view kNone = "None";
constexpr int kRandomTries = 64;

const object::Resource& ip_addresses() {
    static const object::Resource& resource =
        *object::find_resource("networking.k8s.io", "v1", "ipaddresses");
    return resource;
}

std::string_view family_of(const IpAddress& address) {
    return address.is_ipv4() ? "IPv4" : "IPv6";
}

std::string node_port_key(std::int64_t port) {
    return "internal/nodeports/" + std::to_string(port);
}

bool takes_cluster_ip(Value spec) {
    return spec["type"].as_string() != "ExternalName";
}

bool takes_node_ports(Value spec) {
    std::string_view type = spec["type"].as_string();
    if (type == "NodePort") return true;
    if (type != "LoadBalancer") return false;
    Value wanted = spec["allocateLoadBalancerNodePorts"];
    return !wanted.is_boolean() || wanted.as_boolean();
}

bool is_external(Value spec) {
    return spec["type"].as_string() == "NodePort" || spec["type"].as_string() == "LoadBalancer";
}

bool takes_health_check_port(Value spec) {
    return spec["type"].as_string() == "LoadBalancer" && spec["externalTrafficPolicy"].as_string() == "Local";
}

std::vector<std::string> texts(Value list) {
    std::vector<std::string> result;
    for (Value item : list.items()) result.push_back(item.to_string());
    return result;
}

Value to_list(const std::vector<std::string>& items, Arena& arena) {
    Value list = Value::list(arena, items.size());
    for (const std::string& item : items) list.push_back(arena, Value::string(arena, item));
    return list;
}

// The addresses and ports that a Service holds.
std::set<std::string> held_addresses(Value service) {
    std::set<std::string> held;
    for (const std::string& address : texts(service["spec"]["clusterIPs"]))
        if (address != kNone && !address.empty()) held.insert(address);
    return held;
}

std::set<std::int64_t> held_ports(Value service) {
    std::set<std::int64_t> held;
    Value spec = service["spec"];
    for (Value port : spec["ports"].items())
        if (std::int64_t number = port["nodePort"].as_integer(); number != 0) held.insert(number);
    if (std::int64_t number = spec["healthCheckNodePort"].as_integer(); number != 0) held.insert(number);
    return held;
}

class Planner {
  public:
    Planner(const Lookup& lookup, base::RandomSource& random, const NetworkSettings& settings, Value service,
            Value old, std::string_view now, bool dry_run, Arena& arena)
        : lookup_(lookup),
          random_(random),
          settings_(settings),
          service_(service),
          spec_(service["spec"]),
          old_(old),
          now_(now),
          dry_run_(dry_run),
          arena_(arena) {}

    Result<std::vector<store::Operation>> run() {
        if (takes_cluster_ip(spec_)) {
            choose_families();
            if (errors_.empty()) KEELSON_TRY_VOID(choose_addresses());
        } else {
            for (std::string_view name : {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"})
                spec_.erase(name);
        }
        if (errors_.empty()) KEELSON_TRY_VOID(choose_ports());
        if (!errors_.empty())
            return object::invalid_status("", "Service", service_["metadata"]["name"].as_string(), errors_);
        release_unused();
        return std::move(operations_);
    }

  private:
    [[nodiscard]] bool is_headless() const { return spec_["clusterIP"].as_string() == kNone; }
    [[nodiscard]] bool is_headless_without_selector() const {
        return is_headless() && spec_["selector"].empty();
    }

    void choose_families() {
        std::vector<std::string> available = families_of(settings_);
        std::vector<std::string> families = texts(spec_["ipFamilies"]);
        std::string policy = spec_["ipFamilyPolicy"].to_string();
        std::vector<std::string> addresses = texts(spec_["clusterIPs"]);
        FieldPath root("spec");
        bool free_choice = is_headless_without_selector();
        if (policy.empty()) {
            bool dual = families.size() > 1 || addresses.size() > 1 || (free_choice && families.empty());
            policy = dual ? "RequireDualStack" : "SingleStack";
        }
        if (policy == "RequireDualStack" && available.size() < 2 && !free_choice)
            errors_.invalid(root.child("ipFamilyPolicy"), "RequireDualStack",
                            "this cluster is not configured for dual-stack services");
        FieldPath list = root.child("ipFamilies");
        for (std::size_t i = 0; i < families.size(); ++i)
            if (std::ranges::find(available, families[i]) == available.end() && !free_choice)
                errors_.invalid(list.index(i), families[i], "not configured on this cluster");
        if (!errors_.empty()) return;
        if (families.empty()) {
            // Given addresses decide, then the cluster's order.
            for (const std::string& text : addresses)
                if (auto address = IpAddress::parse(text)) families.emplace_back(family_of(*address));
            if (families.empty()) families.push_back(available.front());
        }
        bool dual = policy != "SingleStack";
        if (dual && families.size() == 1) {
            std::string other = families[0] == "IPv4" ? "IPv6" : "IPv4";
            if (free_choice || std::ranges::find(available, other) != available.end())
                families.push_back(other);
        }
        if (policy == "SingleStack" && families.size() > 1) families.resize(1);
        spec_.set(arena_, "ipFamilies", to_list(families, arena_));
        spec_.set(arena_, "ipFamilyPolicy", Value::string(arena_, policy));
    }

    Result<void> choose_addresses() {
        if (is_headless()) {
            spec_.set(arena_, "clusterIPs", to_list({std::string(kNone)}, arena_));
            return base::ok();
        }
        std::vector<std::string> families = texts(spec_["ipFamilies"]);
        std::vector<std::string> addresses = texts(spec_["clusterIPs"]);
        if (addresses.empty() && !spec_["clusterIP"].as_string().empty())
            addresses.push_back(spec_["clusterIP"].to_string());
        addresses.resize(families.size());
        std::set<std::string> mine = held_addresses(old_);
        for (std::size_t i = 0; i < families.size(); ++i) {
            if (!addresses[i].empty() && mine.contains(addresses[i])) continue;
            if (addresses[i].empty()) {
                KEELSON_TRY(addresses[i], random_address(families[i]));
                if (addresses[i].empty()) break;
            } else {
                KEELSON_TRY_VOID(check_wanted_address(addresses[i], families[i]));
            }
            if (errors_.empty()) take_address(addresses[i]);
        }
        if (!errors_.empty()) return base::ok();
        spec_.set(arena_, "clusterIPs", to_list(addresses, arena_));
        spec_.set(arena_, "clusterIP", Value::string(arena_, addresses.front()));
        return base::ok();
    }

    [[nodiscard]] std::vector<IpNetwork> networks(std::string_view family) const {
        std::vector<IpNetwork> result;
        for (const std::string& text : settings_.service_cidrs)
            if (auto network = IpNetwork::parse(text); network && family_of(network->address) == family)
                result.push_back(*network);
        return result;
    }

    void allocation_error(const std::string& address, const std::string& why) {
        FieldPath root("spec");
        errors_.invalid(root.child("clusterIPs"), BadValue(std::vector<std::string>{address}),
                        "failed to allocate IP " + address + ": " + why);
    }

    Result<bool> is_taken(const std::string& address) const {
        KEELSON_TRY(auto record, lookup_.store().get(key_of(ip_addresses(), "", address)));
        return record.has_value();
    }

    Result<void> check_wanted_address(const std::string& text, std::string_view family) {
        auto address = IpAddress::parse(text);
        if (!address) return base::ok();  // validation has said so
        bool inside = false;
        for (const IpNetwork& network : networks(family)) inside = inside || network.contains(*address);
        if (!inside) {
            allocation_error(text, "the provided network does not match the current range");
            return base::ok();
        }
        KEELSON_TRY(bool taken, is_taken(text));
        if (taken) allocation_error(text, "provided IP is already allocated");
        return base::ok();
    }

    // Network and broadcast address of IPv4 ranges are not handed out, nor is the first, which is the API's
    // own.
    static std::optional<std::string> address_at(const IpNetwork& network, std::uint64_t offset) {
        IpAddress address = network.masked();
        for (int i = 15; i >= 8 && offset != 0; --i) {
            offset += address.bytes[static_cast<std::size_t>(i)];
            address.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(offset & 0xff);
            offset >>= 8;
        }
        return address.to_string();
    }

    Result<std::string> random_address(std::string_view family) {
        for (const IpNetwork& network : networks(family)) {
            int host_bits = std::min(network.bits() - network.prefix_length, 20);
            std::uint64_t size = std::uint64_t{1} << host_bits;
            if (size < 4) continue;
            // The lower part of a range is kept for addresses that users choose.
            std::uint64_t reserved = std::min<std::uint64_t>(256, std::max<std::uint64_t>(16, size / 16));
            if (reserved >= size / 2) reserved = 0;
            std::uint64_t first = std::max<std::uint64_t>(2, reserved), last = size - 2;
            for (int i = 0; i < kRandomTries; ++i) {
                std::string text = *address_at(network, first + random_.below(last - first + 1));
                KEELSON_TRY(bool taken, is_taken(text));
                if (!taken) return text;
            }
            for (std::uint64_t offset = 2; offset <= last; ++offset) {
                std::string text = *address_at(network, offset);
                KEELSON_TRY(bool taken, is_taken(text));
                if (!taken) return text;
            }
        }
        FieldPath root("spec");
        errors_.internal(root.child("clusterIPs"), "failed to allocate a serviceIP: range is full");
        return std::string();
    }

    void take_address(const std::string& text) {
        Value labels = Value::map(arena_);
        labels.set(arena_, "ipaddress.kubernetes.io/ip-family",
                   Value::reference(family_of(*IpAddress::parse(text))));
        labels.set(arena_, "ipaddress.kubernetes.io/managed-by", Value::reference("ipallocator.k8s.io"));
        Value metadata = Value::map(arena_);
        metadata.set(arena_, "name", Value::string(arena_, text));
        metadata.set(arena_, "uid", Value::string(arena_, base::make_uuid(random_)));
        metadata.set(arena_, "creationTimestamp", Value::reference(now_));
        metadata.set(arena_, "labels", labels);
        Value parent = Value::map(arena_);
        parent.set(arena_, "resource", Value::reference("services"));
        parent.set(arena_, "namespace", service_["metadata"]["namespace"]);
        parent.set(arena_, "name", service_["metadata"]["name"]);
        Value spec = Value::map(arena_);
        spec.set(arena_, "parentRef", parent);
        Value object = Value::map(arena_);
        object.set(arena_, "metadata", metadata);
        object.set(arena_, "spec", spec);
        Encoded encoded = encode(ip_addresses(), object::canonical(*ip_addresses().type, object, arena_));
        store::Operation put;
        put.key = key_of(ip_addresses(), "", text);
        put.expected = 0;
        put.bytes = std::move(encoded.bytes);
        put.header = encoded.header;
        operations_.push_back(std::move(put));
    }

    Result<void> choose_ports() {
        std::set<std::int64_t> mine = held_ports(old_), now;
        FieldPath root("spec");
        auto ports = spec_["ports"].items();
        // Wanted ports first, so that a random one cannot get in their way.
        if (takes_node_ports(spec_)) {
            for (std::size_t i = 0; i < ports.size(); ++i) {
                std::int64_t wanted = ports[i]["nodePort"].as_integer();
                if (wanted == 0) continue;
                FieldPath item = root.item("ports", i);
                KEELSON_TRY_VOID(want_port(wanted, item.child("nodePort"), mine, now));
            }
        } else if (spec_["type"].as_string() != "LoadBalancer" || old_.is_unset()) {
            for (Value port : ports)
                if (spec_["type"].as_string() == "ClusterIP" || spec_["type"].as_string() == "ExternalName")
                    port.erase("nodePort");
        }
        if (errors_.empty() && takes_node_ports(spec_)) KEELSON_TRY_VOID(fill_ports(now));
        if (errors_.empty()) KEELSON_TRY_VOID(choose_health_check_port(mine, now));
        return base::ok();
    }

    Result<void> fill_ports(std::set<std::int64_t>& now) {
        auto ports = spec_["ports"].items();
        FieldPath root("spec");
        for (std::size_t i = 0; i < ports.size(); ++i) {
            if (ports[i]["nodePort"].as_integer() != 0) continue;
            // The same port number for two protocols shares one node port when it can.
            std::int64_t shared = 0;
            for (std::size_t k = 0; k < ports.size(); ++k)
                if (k != i && ports[k]["port"].as_integer() == ports[i]["port"].as_integer() &&
                    !ports[k]["protocol"].equals(ports[i]["protocol"]))
                    shared = ports[k]["nodePort"].as_integer();
            if (shared == 0) {
                KEELSON_TRY(shared, random_port(now));
                if (shared == 0) {
                    errors_.internal(root, "failed to allocate a nodePort: range is full");
                    return base::ok();
                }
            }
            ports[i].set(arena_, "nodePort", Value::integer(shared));
        }
        return base::ok();
    }

    Result<void> choose_health_check_port(const std::set<std::int64_t>& mine, std::set<std::int64_t>& now) {
        FieldPath root("spec");
        if (takes_health_check_port(spec_)) {
            std::int64_t wanted = spec_["healthCheckNodePort"].as_integer();
            if (wanted != 0) {
                KEELSON_TRY_VOID(want_port(wanted, root.child("healthCheckNodePort"), mine, now));
            } else {
                KEELSON_TRY(wanted, random_port(now));
                spec_.set(arena_, "healthCheckNodePort", Value::integer(wanted));
            }
        } else {
            spec_.erase("healthCheckNodePort");
        }
        return base::ok();
    }

    Result<void> want_port(std::int64_t port, const FieldPath& path, const std::set<std::int64_t>& mine,
                           std::set<std::int64_t>& now) {
        if (mine.contains(port) || now.contains(port)) {
            now.insert(port);
            return base::ok();
        }
        if (port < settings_.first_node_port || port > settings_.last_node_port) {
            errors_.invalid(path, port,
                            "provided port is not in the valid range. The range of valid ports is " +
                                std::to_string(settings_.first_node_port) + "-" +
                                std::to_string(settings_.last_node_port));
            return base::ok();
        }
        KEELSON_TRY(auto record, lookup_.store().get(node_port_key(port)));
        if (record) {
            errors_.invalid(path, port, "provided port is already allocated");
            return base::ok();
        }
        take_port(port);
        now.insert(port);
        return base::ok();
    }

    Result<std::int64_t> random_port(std::set<std::int64_t>& now) {
        if (dry_run_) {
            std::int64_t port = settings_.last_node_port + 2;
            if (!now.empty()) port = std::max(port, *now.rbegin() + 1);
            now.insert(port);
            return port;
        }
        auto size = static_cast<std::uint64_t>(settings_.last_node_port - settings_.first_node_port + 1);
        std::uint64_t start = random_.below(size);
        for (std::uint64_t i = 0; i < size; ++i) {
            std::int64_t port = settings_.first_node_port + static_cast<std::int64_t>((start + i) % size);
            if (now.contains(port) || held_ports(old_).contains(port)) continue;
            KEELSON_TRY(auto record, lookup_.store().get(node_port_key(port)));
            if (record) continue;
            take_port(port);
            now.insert(port);
            return port;
        }
        return std::int64_t{0};
    }

    void take_port(std::int64_t port) {
        store::Operation put;
        put.key = node_port_key(port);
        put.expected = 0;
        put.bytes =
            service_["metadata"]["namespace"].to_string() + "/" + service_["metadata"]["name"].to_string();
        operations_.push_back(std::move(put));
    }

    void release_unused() {
        std::set<std::string> addresses = held_addresses(service_);
        for (const std::string& address : held_addresses(old_))
            if (!addresses.contains(address))
                operations_.push_back(removal(key_of(ip_addresses(), "", address)));
        std::set<std::int64_t> ports = held_ports(service_);
        for (std::int64_t port : held_ports(old_))
            if (!ports.contains(port)) operations_.push_back(removal(node_port_key(port)));
    }

  public:
    static store::Operation removal(std::string key) {
        store::Operation operation;
        operation.kind = store::Operation::Kind::remove;
        operation.key = std::move(key);
        return operation;
    }

  private:
    const Lookup& lookup_;
    base::RandomSource& random_;
    const NetworkSettings& settings_;
    Value service_;
    Value spec_;
    Value old_;
    std::string_view now_;
    bool dry_run_;
    Arena& arena_;
    FieldErrors errors_;
    std::vector<store::Operation> operations_;
};

}  // namespace

std::vector<std::string> families_of(const NetworkSettings& settings) {
    std::vector<std::string> families;
    for (const std::string& text : settings.service_cidrs)
        if (auto network = IpNetwork::parse(text)) families.emplace_back(family_of(network->address));
    return families;
}

void carry_over_allocations(Value service, Value old, Arena& arena) {
    Value spec = service.child_map(arena, "spec"), before = old["spec"];
    if (!takes_cluster_ip(spec) || !takes_cluster_ip(before)) {
        // Allocations of a type that no longer has them are not kept by an unchanged copy of them.
        if (!takes_cluster_ip(spec) && spec["clusterIP"].equals(before["clusterIP"]))
            for (std::string_view name : {"clusterIP", "clusterIPs"}) spec.erase(name);
    } else {
        if (spec["clusterIP"].as_string().empty() && spec["clusterIPs"].empty()) {
            spec.set(arena, "clusterIP", before["clusterIP"]);
            spec.set(arena, "clusterIPs", before["clusterIPs"]);
        }
        // Changing only the first of clusterIP and clusterIPs means both.
        bool single_changed = !spec["clusterIP"].equals(before["clusterIP"]);
        bool list_changed = !spec["clusterIPs"].equals(before["clusterIPs"]);
        if (single_changed && !list_changed && !spec["clusterIP"].as_string().empty()) {
            Value list = Value::list(arena);
            list.push_back(arena, spec["clusterIP"]);
            spec.set(arena, "clusterIPs", list);
        } else if (list_changed && !single_changed && !spec["clusterIPs"].empty()) {
            spec.set(arena, "clusterIP", spec["clusterIPs"].at(0));
        }
    }
    // Policies that the new type cannot have go with the old type unless they were set anew.
    if (!takes_cluster_ip(spec) && spec["internalTrafficPolicy"].equals(before["internalTrafficPolicy"]))
        spec.erase("internalTrafficPolicy");
    if (!is_external(spec) && is_external(before) &&
        spec["externalTrafficPolicy"].equals(before["externalTrafficPolicy"]))
        spec.erase("externalTrafficPolicy");
    if (spec["type"].as_string() != "LoadBalancer" && before["type"].as_string() == "LoadBalancer")
        for (std::string_view name : {"allocateLoadBalancerNodePorts", "loadBalancerClass"})
            if (spec[name].equals(before[name])) spec.erase(name);
    if (takes_node_ports(spec) && takes_node_ports(before)) {
        for (Value port : spec["ports"].items()) {
            if (port["nodePort"].as_integer() != 0) continue;
            for (Value known : before["ports"].items())
                if (known["port"].equals(port["port"]) && known["protocol"].equals(port["protocol"]) &&
                    known["nodePort"].as_integer() != 0)
                    port.set(arena, "nodePort", known["nodePort"]);
        }
    }
    if (!takes_node_ports(spec) && takes_node_ports(before)) {
        for (Value port : spec["ports"].items())
            for (Value known : before["ports"].items())
                if (known["nodePort"].equals(port["nodePort"])) port.erase("nodePort");
    }
    if (takes_health_check_port(spec) && takes_health_check_port(before) &&
        spec["healthCheckNodePort"].as_integer() == 0)
        spec.set(arena, "healthCheckNodePort", before["healthCheckNodePort"]);
    if (!takes_health_check_port(spec) && spec["healthCheckNodePort"].equals(before["healthCheckNodePort"]))
        spec.erase("healthCheckNodePort");
}

Result<std::vector<store::Operation>> ServiceAllocation::plan(Value service, Value old, std::string_view now,
                                                              bool dry_run, Arena& arena) const {
    return Planner(lookup_, random_, settings_, service, old, now, dry_run, arena).run();
}

Result<std::vector<store::Operation>> ServiceAllocation::release(Value service, Arena&) const {
    std::vector<store::Operation> operations;
    for (const std::string& address : held_addresses(service))
        operations.push_back(Planner::removal(key_of(ip_addresses(), "", address)));
    for (std::int64_t port : held_ports(service)) operations.push_back(Planner::removal(node_port_key(port)));
    return operations;
}

}  // namespace keelson::resource
