// From Services, EndpointSlices and the facts of a node to the table of what the node's proxy has to carry:
// one entry for each address and port. Pure: no clock, no I/O; the same objects give the same table in
// whatever order they came. Rules: https://kubernetes.io/docs/reference/networking/virtual-ips/ and
// kube-proxy 1.36.
//
// Used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/client/informer.h"

namespace keelson::network {

struct Backend {
    std::string address;
    std::uint16_t port = 0;
    bool is_local = false;                             // on this node
    bool is_terminating = false;                       // gets connections because there are no better ones
    auto operator<=>(const Backend&) const = default;  // NOLINT: clang-tidy 14 takes it for a null pointer
};

enum class ServiceKind : std::uint8_t { cluster_ip, node_port, load_balancer, external_ip };

// "ClusterIP", "NodePort", ...: as plugins are told.
[[nodiscard]] std::string_view kind_text(ServiceKind kind);

// As `keelson.network.proxy` has it, where the fields are explained (sdk/include/keelson/network.h).
struct ServiceEntry {
    std::string id;    // "namespace/service:port/KIND/address/port/protocol"
    std::string name;  // "namespace/service:port"
    std::string address;
    std::uint16_t port = 0;
    std::string protocol;  // "TCP", "UDP", "SCTP"
    ServiceKind kind = ServiceKind::cluster_ip;
    std::chrono::seconds affinity{};  // 0: none
    std::vector<std::string> source_ranges;
    bool is_local = false;
    std::vector<Backend> backends;  // sorted
    std::vector<Backend> external_backends;
    bool drops_when_empty = false;  // else refuses
    bool operator==(const ServiceEntry&) const = default;
};

struct TableChange {
    std::vector<ServiceEntry> set;     // by id
    std::vector<std::string> removed;  // ids, sorted
    [[nodiscard]] bool empty() const { return set.empty() && removed.empty(); }
};

// Where a load balancer asks whether this node has endpoints of a service with externalTrafficPolicy Local.
struct HealthCheckPort {
    std::uint16_t port = 0;
    std::string namespace_name;
    std::string service;
    std::size_t local_endpoints = 0;
    bool operator==(const HealthCheckPort&) const = default;
};

// An address that two services claim: the older one has it.
struct AddressConflict {
    client::ObjectKey loser;
    client::ObjectKey owner;
    std::string address;  // "192.0.2.10:80/TCP"
    bool operator==(const AddressConflict&) const = default;
};

struct NodeFacts {
    std::string name;
    std::string zone;
    bool operator==(const NodeFacts&) const = default;
};

class ServiceTable {
  public:
    [[nodiscard]] static std::unique_ptr<ServiceTable> make(NodeFacts node);
    virtual ~ServiceTable() = default;

    // What the informers of services and slices tell; null: it is gone.
    virtual void service_changed(const client::ObjectKey& key, client::ObjectPointer now) = 0;
    virtual void slice_changed(const client::ObjectKey& key, client::ObjectPointer now) = 0;
    virtual void node_changed(NodeFacts node) = 0;

    // The difference to what was taken before; costs what has changed, not what is there.
    [[nodiscard]] virtual TableChange take_change() = 0;
    // The whole table as it was last taken, by id.
    [[nodiscard]] virtual std::vector<ServiceEntry> all() const = 0;
    [[nodiscard]] virtual std::vector<HealthCheckPort> health_check_ports() const = 0;
    // Of the table as it was last taken.
    [[nodiscard]] virtual std::vector<AddressConflict> conflicts() const = 0;
};

}  // namespace keelson::network
