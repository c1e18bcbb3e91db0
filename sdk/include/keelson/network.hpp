// The network of pods and of services, as structs. What the methods have to do is said in network.h.
#ifndef KEELSON_NETWORK_HPP
#define KEELSON_NETWORK_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keelson/network.h"
#include "keelson/plugin.hpp"

namespace keelson {

struct PodNetworkPlugin {};
struct ServiceProxyPlugin {};
struct DnsPlugin {};

namespace pod_network {

struct Node {
    std::string name;
    std::vector<std::string> addresses;
    std::vector<std::string> pod_cidrs;
    KEELSON_FIELDS(field.required("name", self.name)
                       .required("addresses", self.addresses)
                       .required("podCidrs", self.pod_cidrs))
};

struct Pod {
    std::string name;
    std::string namespace_;
    std::string uid;
    KEELSON_FIELDS(
        field.required("name", self.name).required("namespace", self.namespace_).required("uid", self.uid))
};

struct HostPort {
    std::string protocol;  // "TCP", "UDP", "SCTP"
    std::int32_t host_port = 0;
    std::int32_t container_port = 0;
    std::string host_ip;
    KEELSON_FIELDS(field.required("protocol", self.protocol)
                       .required("hostPort", self.host_port)
                       .required("containerPort", self.container_port)
                       .optional("hostIP", self.host_ip))
};

struct Bandwidth {
    std::optional<std::int64_t> ingress_bits_per_second;
    std::optional<std::int64_t> egress_bits_per_second;
    KEELSON_FIELDS(field.optional("ingressBitsPerSecond", self.ingress_bits_per_second)
                       .optional("egressBitsPerSecond", self.egress_bits_per_second))
};

struct Sandbox {
    std::string sandbox_id;
    std::vector<std::string> addresses;
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id).required("addresses", self.addresses))
};

struct Configure {
    Node node;
    std::vector<Node> peers;
    std::optional<std::int32_t> mtu;
    std::vector<std::string> cluster_cidrs;
    KEELSON_FIELDS(field.required("node", self.node)
                       .required("peers", self.peers)
                       .optional("mtu", self.mtu)
                       .optional("clusterCidrs", self.cluster_cidrs))
};

struct Attach {
    std::string sandbox_id;
    Pod pod;
    std::vector<HostPort> host_ports;
    std::optional<Bandwidth> bandwidth;
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id)
                       .required("pod", self.pod)
                       .required("hostPorts", self.host_ports)
                       .optional("bandwidth", self.bandwidth))
};

struct Attached {
    std::vector<std::string> addresses;
    std::string gateway;
    std::optional<std::int32_t> mtu;
    KEELSON_FIELDS(field.required("addresses", self.addresses)
                       .optional("gateway", self.gateway)
                       .optional("mtu", self.mtu))
};

struct Detach {
    std::string sandbox_id;
    KEELSON_FIELDS(field.required("sandboxId", self.sandbox_id))
};

struct List {
    KEELSON_FIELDS()
};

struct Listed {
    std::vector<Sandbox> sandboxes;
    KEELSON_FIELDS(field.required("sandboxes", self.sandboxes))
};

namespace methods {
KEELSON_DETAIL_SLOT(configure, Configure, Empty)
KEELSON_DETAIL_SLOT(attach, Attach, Attached)
KEELSON_DETAIL_SLOT(detach, Detach, Empty)
KEELSON_DETAIL_SLOT(list, List, Listed)
}  // namespace methods
}  // namespace pod_network

namespace proxy {

struct Backend {
    std::string address;
    std::int32_t port = 0;
    bool local = false;
    bool terminating = false;
    KEELSON_FIELDS(field.required("address", self.address)
                       .required("port", self.port)
                       .required("local", self.local)
                       .optional("terminating", self.terminating))
};

struct Configure {
    pod_network::Node node;
    std::vector<std::string> cluster_cidrs;
    std::vector<std::string> node_port_addresses;
    KEELSON_FIELDS(field.required("node", self.node)
                       .required("clusterCidrs", self.cluster_cidrs)
                       .optional("nodePortAddresses", self.node_port_addresses))
};

struct Service {
    std::string id;
    std::string name;
    std::string address;
    std::int32_t port = 0;
    std::string protocol;  // "TCP", "UDP", "SCTP"
    std::string kind;      // "ClusterIP", "NodePort", "LoadBalancer", "ExternalIP"
    std::int32_t affinity_seconds = 0;
    std::vector<std::string> source_ranges;
    bool local = false;
    std::vector<Backend> backends;
    std::vector<Backend> external_backends;
    std::string none = "reject";  // "reject", "drop"
    KEELSON_FIELDS(field.required("id", self.id)
                       .required("name", self.name)
                       .required("address", self.address)
                       .required("port", self.port)
                       .required("protocol", self.protocol)
                       .required("kind", self.kind)
                       .required("affinitySeconds", self.affinity_seconds)
                       .optional("sourceRanges", self.source_ranges)
                       .required("local", self.local)
                       .required("backends", self.backends)
                       .optional("externalBackends", self.external_backends)
                       .required("none", self.none))
};

struct Apply {
    std::int64_t generation = 0;
    bool full = false;
    bool more = false;
    std::vector<Service> set;
    std::vector<std::string> removed;
    KEELSON_FIELDS(field.required("generation", self.generation)
                       .required("full", self.full)
                       .optional("more", self.more)
                       .required("set", self.set)
                       .required("removed", self.removed))
};

struct Problem {
    std::string id;  // of the service
    std::string message;
    KEELSON_FIELDS(field.required("id", self.id).required("message", self.message))
};

struct Applied {
    std::int64_t generation = 0;
    std::vector<Problem> problems;
    KEELSON_FIELDS(field.required("generation", self.generation).optional("problems", self.problems))
};

struct StateRequest {
    KEELSON_FIELDS()
};

struct State {
    std::int64_t generation = 0;
    bool intact = true;
    KEELSON_FIELDS(field.required("generation", self.generation).required("intact", self.intact))
};

struct Clear {
    KEELSON_FIELDS()
};

namespace methods {
KEELSON_DETAIL_SLOT(configure, Configure, Empty)
KEELSON_DETAIL_SLOT(apply, Apply, Applied)
KEELSON_DETAIL_SLOT(state, StateRequest, State)
KEELSON_DETAIL_SLOT(clear, Clear, Empty)
}  // namespace methods
}  // namespace proxy

namespace dns {

struct Configure {
    std::vector<std::string> listen;
    std::string zone;
    std::vector<std::string> upstreams;
    bool pod_names = false;
    KEELSON_FIELDS(field.required("listen", self.listen)
                       .required("zone", self.zone)
                       .required("upstreams", self.upstreams)
                       .required("podNames", self.pod_names))
};

struct Record {
    std::string name;
    std::string type;
    std::int32_t ttl_seconds = 0;
    std::vector<std::string> values;
    KEELSON_FIELDS(field.required("name", self.name)
                       .required("type", self.type)
                       .required("ttlSeconds", self.ttl_seconds)
                       .required("values", self.values))
};

struct RecordKey {
    std::string name;
    std::string type;
    KEELSON_FIELDS(field.required("name", self.name).required("type", self.type))
};

struct Apply {
    std::int64_t generation = 0;
    bool full = false;
    bool more = false;
    std::vector<Record> set;
    std::vector<RecordKey> removed;
    KEELSON_FIELDS(field.required("generation", self.generation)
                       .required("full", self.full)
                       .optional("more", self.more)
                       .required("set", self.set)
                       .required("removed", self.removed))
};

struct Applied {
    std::int64_t generation = 0;
    KEELSON_FIELDS(field.required("generation", self.generation))
};

struct StateRequest {
    KEELSON_FIELDS()
};

struct State {
    std::int64_t generation = 0;
    std::vector<std::string> addresses;
    KEELSON_FIELDS(field.required("generation", self.generation).required("addresses", self.addresses))
};

namespace methods {
KEELSON_DETAIL_SLOT(configure, Configure, Empty)
KEELSON_DETAIL_SLOT(apply, Apply, Applied)
KEELSON_DETAIL_SLOT(state, StateRequest, State)
}  // namespace methods
}  // namespace dns

KEELSON_DETAIL_BIND(PodNetworkPlugin, KEELSON_POD_NETWORK, keelson_pod_network, KEELSON_POD_NETWORK_METHODS,
                    pod_network::methods)
KEELSON_DETAIL_BIND(ServiceProxyPlugin, KEELSON_SERVICE_PROXY, keelson_service_proxy,
                    KEELSON_SERVICE_PROXY_METHODS, proxy::methods)
KEELSON_DETAIL_BIND(DnsPlugin, KEELSON_DNS, keelson_dns, KEELSON_DNS_METHODS, dns::methods)

}  // namespace keelson

#endif
