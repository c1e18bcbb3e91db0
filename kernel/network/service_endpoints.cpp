#include "kernel/network/service_endpoints.h"

#include <algorithm>
#include <map>
#include <set>

namespace keelson::network {
namespace {

namespace discovery_v1 = api_types::discovery_v1;
using discovery_v1::EndpointSlice;

struct Candidate {
    Backend backend;
    bool is_ready = false;
    bool is_serving = false;
    bool is_terminating = false;
    std::set<std::string, std::less<>> zones;  // that it is meant for; empty: not said
    std::set<std::string, std::less<>> nodes;
};

// What is not said counts as ready and as serving.
bool is_ready(discovery_v1::EndpointConditions conditions) {
    return !conditions.has_ready() || conditions.ready();
}
bool is_serving(discovery_v1::EndpointConditions conditions) {
    return !conditions.has_serving() || conditions.serving();
}

// Others may keep slices for themselves, as they may services.
bool is_for_proxy(EndpointSlice slice) {
    const auto labels = slice.metadata().labels();
    return !labels.has("service.kubernetes.io/service-proxy-name") &&
           !labels.has("service.kubernetes.io/headless");
}

std::uint16_t port_in(EndpointSlice slice, std::string_view name, std::string_view protocol) {
    for (const discovery_v1::EndpointPort port : slice.ports()) {
        const std::string_view spoken = port.protocol().empty() ? "TCP" : port.protocol();
        if (port.name() == name && spoken == protocol) return static_cast<std::uint16_t>(port.port());
    }
    return 0;
}

Candidate candidate_of(discovery_v1::Endpoint endpoint, std::uint16_t port, const NodeFacts& node) {
    Candidate candidate;
    candidate.backend.address = endpoint.addresses()[0];
    candidate.backend.port = port;
    candidate.backend.is_local = !node.name.empty() && endpoint.node_name() == node.name;
    candidate.is_ready = is_ready(endpoint.conditions());
    candidate.is_serving = is_serving(endpoint.conditions());
    candidate.is_terminating = endpoint.conditions().terminating();
    for (const discovery_v1::ForZone zone : endpoint.hints().for_zones())
        candidate.zones.emplace(zone.name());
    for (const discovery_v1::ForNode one : endpoint.hints().for_nodes()) candidate.nodes.emplace(one.name());
    return candidate;
}

// While an endpoint moves from one slice to another it is in both: the better news counts.
bool is_better(const Candidate& left, const Candidate& right) {
    if (left.is_ready != right.is_ready) return left.is_ready;
    return left.is_serving && !right.is_serving;
}

std::vector<Candidate> candidates_in(const ServiceObjects::Slices& slices, bool is_v6,
                                     std::string_view port_name, std::string_view protocol,
                                     const NodeFacts& node) {
    std::map<std::pair<std::string, std::uint16_t>, Candidate> found;
    for (const auto& [key, object] : slices) {
        const EndpointSlice slice(object->root());
        if (slice.address_type() != (is_v6 ? "IPv6" : "IPv4") || !is_for_proxy(slice)) continue;
        const std::uint16_t port = port_in(slice, port_name, protocol);
        if (port == 0) continue;
        for (const discovery_v1::Endpoint endpoint : slice.endpoints()) {
            if (endpoint.addresses().empty()) continue;
            Candidate candidate = candidate_of(endpoint, port, node);
            const std::pair<std::string, std::uint16_t> place(candidate.backend.address, port);
            const auto [at, is_new] = found.try_emplace(place, candidate);
            if (!is_new && is_better(candidate, at->second)) at->second = std::move(candidate);
        }
    }
    std::vector<Candidate> candidates;
    candidates.reserve(found.size());
    for (auto& [place, candidate] : found) candidates.push_back(std::move(candidate));
    return candidates;
}

enum class Topology : std::uint8_t { everywhere, zone, node };

// Hints count when all ready endpoints have them and one of them is meant for here.
Topology topology_of(const std::vector<Candidate>& candidates, const NodeFacts& node) {
    bool all_name_nodes = true;
    bool all_name_zones = true;
    bool one_for_node = false;
    bool one_for_zone = false;
    for (const Candidate& candidate : candidates) {
        if (!candidate.is_ready) continue;
        all_name_nodes = all_name_nodes && !candidate.nodes.empty();
        all_name_zones = all_name_zones && !candidate.zones.empty();
        one_for_node = one_for_node || candidate.nodes.contains(node.name);
        one_for_zone = one_for_zone || candidate.zones.contains(node.zone);
    }
    if (all_name_nodes && one_for_node) return Topology::node;
    if (all_name_zones && one_for_zone && !node.zone.empty()) return Topology::zone;
    return Topology::everywhere;
}

bool is_meant(const Candidate& candidate, Topology topology, const NodeFacts& node) {
    if (topology == Topology::node) return candidate.nodes.contains(node.name);
    if (topology == Topology::zone) return candidate.zones.contains(node.zone);
    return true;
}

template <typename Wanted>
std::vector<Backend> backends_of(const std::vector<Candidate>& candidates, bool are_terminating,
                                 const Wanted& wanted) {
    std::vector<Backend> backends;
    for (const Candidate& candidate : candidates) {
        if (!wanted(candidate)) continue;
        backends.push_back(candidate.backend);
        backends.back().is_terminating = are_terminating;
    }
    std::ranges::sort(backends);
    return backends;
}

}  // namespace

PortEndpoints choose_endpoints(const ServiceObjects::Slices& slices, bool is_v6, std::string_view port_name,
                               std::string_view protocol, const NodeFacts& node) {
    const std::vector<Candidate> candidates = candidates_in(slices, is_v6, port_name, protocol, node);
    const Topology topology = topology_of(candidates, node);
    const auto is_last_resort = [](const Candidate& candidate) {
        return candidate.is_serving && candidate.is_terminating;
    };
    PortEndpoints chosen;
    chosen.cluster = backends_of(candidates, false, [&](const Candidate& candidate) {
        return candidate.is_ready && is_meant(candidate, topology, node);
    });
    if (chosen.cluster.empty()) chosen.cluster = backends_of(candidates, true, is_last_resort);
    chosen.local = backends_of(candidates, false, [](const Candidate& candidate) {
        return candidate.is_ready && candidate.backend.is_local;
    });
    if (chosen.local.empty())
        chosen.local = backends_of(candidates, true, [&](const Candidate& candidate) {
            return candidate.backend.is_local && is_last_resort(candidate);
        });
    chosen.has_any = std::ranges::any_of(candidates, [&](const Candidate& candidate) {
        return candidate.is_ready || is_last_resort(candidate);
    });
    return chosen;
}

std::size_t count_local_ready(const ServiceObjects::Slices& slices, const NodeFacts& node) {
    std::set<std::string> owners;
    if (node.name.empty()) return 0;
    for (const auto& [key, object] : slices) {
        const EndpointSlice slice(object->root());
        if (!is_for_proxy(slice)) continue;
        for (const discovery_v1::Endpoint endpoint : slice.endpoints()) {
            if (endpoint.addresses().empty() || endpoint.node_name() != node.name ||
                !is_ready(endpoint.conditions()))
                continue;
            const std::string_view pod = endpoint.target_ref().uid();
            owners.insert(pod.empty() ? "address " + std::string(endpoint.addresses()[0]) : std::string(pod));
        }
    }
    return owners.size();
}

}  // namespace keelson::network
