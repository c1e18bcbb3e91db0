#include "kernel/control/cluster_dns.h"

#include <charconv>
#include <map>
#include <vector>

#include "kernel/network/node_labels.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/discovery_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/addresses.h"
#include "kernel/object/conditions.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Node;
using api_types::core_v1::NodeAddress;
using api_types::core_v1::NodeCondition;
using api_types::core_v1::Service;
using api_types::discovery_v1::EndpointSlice;
using base::Result;
using base::Task;
using object::Arena;
using object::Document;
using object::Value;

constexpr std::string_view kNamespace = "kube-system";
constexpr std::string_view kName = "kube-dns";
constexpr std::string_view kServiceLabel = "kubernetes.io/service-name";
constexpr std::string_view kManagerLabel = "endpointslice.kubernetes.io/managed-by";
constexpr std::string_view kManager = "cluster-dns.keelson.dev";
constexpr std::int64_t kDnsPort = 53;

struct Server {
    std::string node;
    std::string address;
    bool is_ready = false;
    bool operator==(const Server&) const = default;
};

// The servers of one slice: of one port and one family.
struct SliceKey {
    std::int64_t port = 0;
    bool is_v6 = false;
    auto operator<=>(const SliceKey&) const = default;  // NOLINT: clang-tidy 14 takes it for a null pointer
    [[nodiscard]] std::string name() const {
        return std::string(kName) + "-" + std::to_string(port) + (is_v6 ? "-ipv6" : "");
    }
};
using Servers = std::map<SliceKey, std::vector<Server>>;

std::int64_t port_of(Node node) {
    const std::string_view text = node.metadata().labels()[network::kDnsPortLabel];
    std::int64_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc() && end == text.data() + text.size() && port > 0 && port <= 0xffff ? port : 0;
}

bool is_ready(Node node) {
    const NodeCondition ready(object::find_condition(node.status().conditions().untyped(), "Ready"));
    return ready.status() == "True";
}

Servers servers_of(const ObjectList& nodes) {
    Servers servers;
    for (const ObjectPointer& object : nodes) {
        const Node node(object->root());
        const std::int64_t port = port_of(node);
        if (port == 0) continue;
        std::map<bool, std::string> addresses;  // the first of each family
        for (const NodeAddress address : node.status().addresses()) {
            const auto parsed = object::IpAddress::parse(address.address());
            // A machine without a network has an address that pods cannot reach, and slices may not name.
            if (address.type() == "InternalIP" && parsed && !parsed->is_loopback())
                addresses.emplace(address.address().find(':') != std::string_view::npos, parsed->to_string());
        }
        for (const auto& [is_v6, address] : addresses)
            servers[{port, is_v6}].push_back({object->key().name, address, is_ready(node)});
    }
    return servers;
}

std::vector<Server> servers_in(EndpointSlice slice) {
    std::vector<Server> servers;
    for (const auto endpoint : slice.endpoints())
        servers.push_back(
            {std::string(endpoint.node_name()),
             endpoint.addresses().empty() ? std::string() : std::string(endpoint.addresses()[0]),
             endpoint.conditions().ready()});
    return servers;
}

void fill_service(Document& document, const std::string& address) {
    Arena& arena = document.arena;
    document.root = Value::map(arena);
    const Service service(document.root);
    const auto metadata = service.make_metadata(arena);
    metadata.set_name(arena, kName);
    metadata.set_namespace(arena, kNamespace);
    const auto labels = metadata.make_labels(arena);
    // What charts and dashboards look for.
    labels.set(arena, "k8s-app", kName);
    labels.set(arena, "kubernetes.io/cluster-service", "true");
    labels.set(arena, "kubernetes.io/name", "CoreDNS");
    const auto spec = service.make_spec(arena);
    if (!address.empty()) spec.set_cluster_ip(arena, address);
    spec.set_internal_traffic_policy(arena, "Local");
    const auto ports = spec.make_ports(arena);
    for (const auto& [name, protocol] : {std::pair("dns", "UDP"), std::pair("dns-tcp", "TCP")}) {
        const auto port = ports.add(arena);
        port.set_name(arena, name);
        port.set_port(arena, kDnsPort);
        port.set_protocol(arena, protocol);
    }
}

void fill_slice(Document& document, const SliceKey& key, const std::vector<Server>& servers) {
    Arena& arena = document.arena;
    const EndpointSlice slice(document.root);
    const auto metadata = slice.make_metadata(arena);
    metadata.set_name(arena, key.name());
    metadata.set_namespace(arena, kNamespace);
    const auto labels = metadata.make_labels(arena);
    labels.set(arena, kServiceLabel, kName);
    labels.set(arena, kManagerLabel, kManager);
    slice.set_address_type(arena, key.is_v6 ? "IPv6" : "IPv4");
    slice.clear_ports();
    const auto ports = slice.make_ports(arena);
    for (const auto& [name, protocol] : {std::pair("dns", "UDP"), std::pair("dns-tcp", "TCP")}) {
        const auto port = ports.add(arena);
        port.set_name(arena, name);
        port.set_port(arena, key.port);
        port.set_protocol(arena, protocol);
    }
    slice.clear_endpoints();
    const auto endpoints = slice.make_endpoints(arena);
    for (const Server& server : servers) {
        const auto endpoint = endpoints.add(arena);
        endpoint.make_addresses(arena).add(arena, std::string_view(server.address));
        endpoint.set_node_name(arena, server.node);
        const auto conditions = endpoint.make_conditions(arena);
        conditions.set_ready(arena, server.is_ready);
        conditions.set_serving(arena, server.is_ready);
        conditions.set_terminating(arena, false);
    }
}

class ClusterDnsController final : public Controller {
  public:
    ClusterDnsController(const Surroundings& surroundings, std::string address)
        : nodes_(surroundings.informers.of(client::collections::nodes)),
          services_(surroundings.informers.of(client::collections::services)),
          slices_(surroundings.informers.of(client::collections::endpoint_slices)),
          address_(std::move(address)) {}

    [[nodiscard]] std::string_view name() const override { return "cluster-dns"; }

    void watch(Queue& queue) override {
        nodes_.add_handler([&queue](const ObjectPointer& before, const ObjectPointer& now) {
            const bool before_matters = before && port_of(Node(before->root())) != 0;
            const bool now_matters = now && port_of(Node(now->root())) != 0;
            if (before_matters || now_matters) queue.add(service_key());
        });
        services_.add_handler([&queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (!now && before->key() == service_key()) queue.add(service_key());
        });
        slices_.add_handler([&queue](const ObjectPointer& before, const ObjectPointer& now) {
            if (is_ours(now ? *now : *before)) queue.add(service_key());
        });
    }

    Task<Result<Again>> reconcile(ObjectKey key, Writer& writer) override {
        const Servers servers = servers_of(nodes_.list());
        if (!servers.empty() && !services_.get(key)) {
            Document document;
            fill_service(document, address_);
            auto creating = writer.create(client::collections::services, document.root);
            const Writer::Object created = co_await creating;
            if (!created && created.error().code() != 409) co_return created.error();
        }
        for (const auto& [slice, there] : servers) {
            auto writing = write_slice(slice, there, writer);
            KEELSON_CO_TRY_VOID(co_await writing);
        }
        for (const ObjectPointer& slice : slices_.list(kNamespace)) {
            if (!is_ours(*slice) || is_wanted(*slice, servers)) continue;
            auto removing = writer.remove(client::collections::endpoint_slices, slice);
            KEELSON_CO_TRY_VOID(co_await removing);
        }
        co_return done();
    }

  private:
    static ObjectKey service_key() { return {std::string(kNamespace), std::string(kName)}; }
    static bool is_ours(const client::CachedObject& object) {
        return EndpointSlice(object.root()).metadata().labels()[kManagerLabel] == kManager;
    }
    static bool is_wanted(const client::CachedObject& object, const Servers& servers) {
        for (const auto& [key, there] : servers)
            if (key.name() == object.key().name) return true;
        return false;
    }

    Task<Result<void>> write_slice(SliceKey key, std::vector<Server> servers, Writer& writer) {
        const ObjectPointer present = slices_.get({std::string(kNamespace), key.name()});
        if (present && servers_in(EndpointSlice(present->root())) == servers) co_return base::ok();
        Document document = present ? present->clone() : Document();
        if (!present) document.root = Value::map(document.arena);
        fill_slice(document, key, servers);
        auto writing = present ? writer.update(client::collections::endpoint_slices, document.root)
                               : writer.create(client::collections::endpoint_slices, document.root);
        const Writer::Object written = co_await writing;
        if (!written) co_return written.error();
        co_return base::ok();
    }

    Informer& nodes_;
    Informer& services_;
    Informer& slices_;
    std::string address_;
};

}  // namespace

std::unique_ptr<Controller> make_cluster_dns_controller(const Surroundings& surroundings,
                                                        std::string address) {
    return std::make_unique<ClusterDnsController>(surroundings, std::move(address));
}

}  // namespace keelson::control
