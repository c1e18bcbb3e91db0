#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::describing {
namespace {

void write_peer_ports(Description& out, const Json& ports) {
    if (!ports.is_array() || ports.empty())
        return out.line(2, "To Port: <any> (traffic allowed to all ports)");
    for (const Json& port : ports) {
        const std::string protocol = text(port, {"protocol"});
        const Json& end = at(port, {"endPort"});
        const std::string ports = text(port, {"port"}) + (end.is_null() ? "" : "-" + text(end));
        out.line(2, std::string(end.is_null() ? "To Port: " : "To Port Range: ") + ports + "/" +
                        (protocol.empty() ? "TCP" : protocol));
    }
}

void write_peer(Description& out, const Json& peer) {
    const Json& spaces = at(peer, {"namespaceSelector"});
    const Json& pods = at(peer, {"podSelector"});
    const Json& block = at(peer, {"ipBlock"});
    if (!spaces.is_null()) out.line(3, "NamespaceSelector: " + format_selector(spaces));
    if (!pods.is_null()) out.line(3, "PodSelector: " + format_selector(pods));
    if (!block.is_object()) return;
    out.line(3, "IPBlock:");
    out.line(4, "CIDR: " + text(block, {"cidr"}));
    out.line(4, "Except: " + joined(at(block, {"except"}), ", "));
}

void write_direction(Description& out, const Json& rules, const char* key, const char* title) {
    const bool is_ingress = std::string_view(key) == "from";
    if (!rules.is_array() || rules.empty())
        return out.line(2, std::string("<none> (Selected pods are isolated for ") +
                               (is_ingress ? "ingress" : "egress") + " connectivity)");
    for (const Json& rule : rules) {
        if (&rule != &rules.front()) out.line(2, "----------");
        write_peer_ports(out, at(rule, {"ports"}));
        const Json& peers = at(rule, {key});
        if (!peers.is_array() || peers.empty())
            out.line(2, std::string(title) + ": <any> (traffic not restricted by " +
                            (is_ingress ? "source" : "destination") + ")");
        for (const Json& peer : peers) {
            out.line(2, std::string(title) + ":");
            write_peer(out, peer);
        }
    }
}

bool has_type(const Json& types, const char* type) {
    for (const Json& one : types)
        if (text(one) == type) return true;
    return false;
}

// "2024-01-02 03:04:05 +0000 UTC"
std::string created_text(const Json& object) {
    const std::string time = text(object, {"metadata", "creationTimestamp"});
    if (time.size() < 20) return time;
    return time.substr(0, 10) + " " + time.substr(11, 8) + " +0000 UTC";
}

}  // namespace

void describe_network_policy(const Context& context) {
    const Json& policy = context.object;
    Description& out = context.out;
    const Json& spec = at(policy, {"spec"});
    write_name(out, policy);
    out.field(0, "Created on", created_text(policy));
    write_metadata(out, policy);
    out.line(0, "Spec:");
    const std::string selector = format_selector(at(spec, {"podSelector"}));
    out.line(
        1, "PodSelector:     " + (selector == kNone
                                      ? "<none> (Allowing the specific traffic to all pods in this namespace)"
                                      : selector));
    const Json& types = at(spec, {"policyTypes"});
    const bool has_types = types.is_array() && !types.empty();
    const bool affects_ingress = !has_types || has_type(types, "Ingress");
    const bool affects_egress = has_types ? has_type(types, "Egress") : !at(spec, {"egress"}).is_null();
    out.line(1, affects_ingress ? "Allowing ingress traffic:" : "Not affecting ingress traffic");
    if (affects_ingress) write_direction(out, at(spec, {"ingress"}), "from", "From");
    out.line(1, affects_egress ? "Allowing egress traffic:" : "Not affecting egress traffic");
    if (affects_egress) write_direction(out, at(spec, {"egress"}), "to", "To");
    out.line(1, "Policy Types: " + joined(types, ", "));
}

}  // namespace keelson::cli::describing
