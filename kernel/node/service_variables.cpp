#include "kernel/node/service_variables.h"

#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/names.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using Variables = std::map<std::string, std::string>;

std::string variable_name(std::string_view text) {
    std::string name;
    for (const char letter : text)
        name += letter == '-'                    ? '_'
                : letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32)
                                                 : letter;
    return name;
}

bool has_address(core_v1::ServiceSpec spec) {
    return !spec.cluster_ip().empty() && spec.cluster_ip() != "None" && !spec.ports().empty();
}

// "10.0.0.1:80", "[fd00::1]:80".
std::string host_and_port(std::string_view host, std::int64_t port) {
    const bool needs_brackets = host.find(':') != std::string_view::npos;
    return (needs_brackets ? "[" + std::string(host) + "]" : std::string(host)) + ":" + std::to_string(port);
}

// The form that Docker's links had.
void add_link(Variables& variables, const std::string& prefix, std::string_view address,
              core_v1::ServicePort port, bool is_first) {
    const std::string protocol(port.protocol().empty() ? "TCP" : port.protocol());
    const std::string scheme = object::lower_case(protocol);
    const std::string url = scheme + "://" + host_and_port(address, port.port());
    if (is_first) variables[prefix + "_PORT"] = url;
    const std::string of_port =
        prefix + "_PORT_" + std::to_string(port.port()) + "_" + variable_name(protocol);
    variables[of_port] = url;
    variables[of_port + "_PROTO"] = scheme;
    variables[of_port + "_PORT"] = std::to_string(port.port());
    variables[of_port + "_ADDR"] = address;
}

void add_service(Variables& variables, std::string_view name, core_v1::ServiceSpec spec) {
    const std::string prefix = variable_name(name);
    variables[prefix + "_SERVICE_HOST"] = spec.cluster_ip();
    variables[prefix + "_SERVICE_PORT"] = std::to_string(spec.ports()[0].port());
    bool is_first = true;
    for (const core_v1::ServicePort port : spec.ports()) {
        if (!port.name().empty())
            variables[prefix + "_SERVICE_PORT_" + variable_name(port.name())] = std::to_string(port.port());
        add_link(variables, prefix, spec.cluster_ip(), port, is_first);
        is_first = false;
    }
}

}  // namespace

Variables service_variables(const std::vector<client::ObjectPointer>& services,
                            std::string_view namespace_name, bool has_service_links) {
    // By name: the pod's own namespace wins over default/kubernetes.
    std::map<std::string, client::ObjectPointer> chosen;
    for (const client::ObjectPointer& service : services) {
        if (!has_address(core_v1::Service(service->root()).spec())) continue;
        const client::ObjectKey& key = service->key();
        if (has_service_links && key.namespace_name == namespace_name)
            chosen[key.name] = service;
        else if (key.namespace_name == "default" && key.name == "kubernetes")
            chosen.try_emplace(key.name, service);
    }
    Variables variables;
    for (const auto& [name, service] : chosen)
        add_service(variables, name, core_v1::Service(service->root()).spec());
    return variables;
}

}  // namespace keelson::node
