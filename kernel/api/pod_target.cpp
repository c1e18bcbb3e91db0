#include "kernel/api/pod_target.h"

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Status;
using object::Arena;
using object::Value;
using resource::bad_request;

constexpr std::int64_t kKubeletPort = 10250;

std::vector<std::string> container_names(Value spec) {
    std::vector<std::string> names;
    for (const std::string_view list : {"initContainers", "containers", "ephemeralContainers"})
        for (const Value container : spec[list].items()) names.push_back(container["name"].to_string());
    return names;
}

// The first of the first type that there is.
std::string first_address(Value status, std::initializer_list<std::string_view> types) {
    for (const std::string_view type : types)
        for (const Value address : status["addresses"].items())
            if (address["type"].as_string() == type) return address["address"].to_string();
    return {};
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return "[" + text + "]";
}

}  // namespace

Result<PodTarget> find_pod(const resource::Lookup& lookup, const resource::Call& call, Arena& arena) {
    PodTarget target;
    KEELSON_TRY(target.pod, lookup.get("", "pods", call.namespace_name, call.name, arena));
    if (target.pod.is_absent()) return resource::not_found(*call.resource, call.name);
    target.query = {call.namespace_name, call.name, target.pod["metadata"]["uid"].to_string(), ""};
    target.node = target.pod["spec"]["nodeName"].to_string();
    return target;
}

Result<void> choose_container(PodTarget& target, std::string_view wanted) {
    const Value spec = target.pod["spec"];
    const std::vector<std::string> names = container_names(spec);
    if (wanted.empty()) {
        if (spec["containers"].size() != 1)
            return bad_request("a container name must be specified for pod " + target.query.pod +
                               ", choose one of: " + joined(names));
        target.query.container = spec["containers"].items().front()["name"].to_string();
        return base::ok();
    }
    if (std::ranges::find(names, wanted) == names.end())
        return bad_request("container " + std::string(wanted) + " is not valid for pod " + target.query.pod);
    target.query.container = wanted;
    return base::ok();
}

Status no_host(const PodTarget& target) {
    return bad_request("pod " + target.query.pod + " does not have a host assigned");
}

Result<NodeEndpoint> node_endpoint(const resource::Lookup& lookup, const std::string& node_name) {
    Arena arena;
    KEELSON_TRY(const Value node, lookup.get("", "nodes", "", node_name, arena));
    if (node.is_absent()) return resource::not_found(*object::find_resource("", "v1", "nodes"), node_name);
    const Value status = node["status"];
    const Value port = status["daemonEndpoints"]["kubeletEndpoint"]["Port"];
    NodeEndpoint endpoint;
    if (port.is_integer() && port.as_integer() > 0 && port.as_integer() <= 0xffff)
        endpoint.port = static_cast<std::uint16_t>(port.as_integer());
    endpoint.address = first_address(status, {"InternalIP", "ExternalIP"});
    // The order in which Kubernetes prefers them.
    std::string host =
        first_address(status, {"Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP"});
    if (host.empty())
        return Status(base::Reason::unknown, "no preferred addresses found; known addresses: []");
    if (host.find(':') != std::string::npos) host.insert(0, "[").append("]");
    endpoint.text = host + ":" + std::to_string(endpoint.port != 0 ? endpoint.port : kKubeletPort);
    return endpoint;
}

std::string refused_text(const std::string& endpoint) {
    return "dial tcp " + endpoint + ": connect: connection refused";
}

}  // namespace keelson::api
