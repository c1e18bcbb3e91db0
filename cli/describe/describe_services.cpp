// Services, endpoints, endpoint slices, ingresses and their classes.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/describe/parts.h"
#include "cli/kube/object.h"

namespace keelson::cli::describing {
namespace {

constexpr std::size_t kMostShown = 3;
constexpr const char* kServiceName = "kubernetes.io/service-name=";

std::string host_and_port(const std::string& host, const std::string& port) {
    return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

// The addresses behind one port of a service, by the port's name.
std::string endpoints_of_port(const Json& slices, const std::string& name) {
    std::vector<std::string> all;
    for (const Json& slice : at(slices, {"items"})) {
        for (const Json& port : at(slice, {"ports"})) {
            if (text(port, {"name"}) != name) continue;
            for (const Json& endpoint : at(slice, {"endpoints"})) {
                const Json& ready = at(endpoint, {"conditions", "ready"});
                if (!ready.is_null() && !is_true(ready)) continue;
                for (const Json& address : at(endpoint, {"addresses"}))
                    all.push_back(host_and_port(text(address), text(port, {"port"})));
            }
        }
    }
    const std::size_t more = all.size() > kMostShown ? all.size() - kMostShown : 0;
    all.resize(all.size() - more);
    std::string shown = joined(all, ",");
    if (more > 0) shown += " + " + std::to_string(more) + " more...";
    return shown;
}

std::string ingress_text(const Json& ingress) {
    std::vector<std::string> parts;
    for (const Json& one : ingress) {
        const std::string address = text(one, {"ip"});
        std::string part = address.empty() ? text(one, {"hostname"}) : address;
        const std::string mode = text(one, {"ipMode"});
        if (!mode.empty()) part += " (" + mode + ")";
        parts.push_back(part);
    }
    return joined(parts, ", ");
}

void write_addresses(Description& out, const Json& service) {
    const Json& spec = at(service, {"spec"});
    if (const Json& policy = at(spec, {"ipFamilyPolicy"}); !policy.is_null())
        out.field(0, "IP Family Policy", text(policy));
    out.field(0, "IP Families", or_none(joined(at(spec, {"ipFamilies"}), ",")));
    out.field(0, "IP", text(spec, {"clusterIP"}));
    out.field(0, "IPs", or_none(joined(at(spec, {"clusterIPs"}), ",")));
    const std::string external = joined(at(spec, {"externalIPs"}), ",");
    if (!external.empty()) out.field(0, "External IPs", external);
    for (const auto& [title, name] :
         {std::pair{"Desired LoadBalancer IP", "loadBalancerIP"}, std::pair{"External Name", "externalName"}})
        if (const std::string value = text(spec, {name}); !value.empty()) out.field(0, title, value);
    const Json& ingress = at(service, {"status", "loadBalancer", "ingress"});
    if (ingress.is_array() && !ingress.empty()) out.field(0, "LoadBalancer Ingress", ingress_text(ingress));
}

void write_ports(Description& out, const Json& service, const Json& slices) {
    for (const Json& port : at(service, {"spec", "ports"})) {
        const std::string given = text(port, {"name"});
        const std::string name = given.empty() ? std::string(kUnset) : given;
        const std::string protocol = "/" + text(port, {"protocol"});
        out.row(0, {"Port:", name, text(port, {"port"}) + protocol});
        out.field(0, "TargetPort", text(port, {"targetPort"}) + protocol);
        if (number(at(port, {"nodePort"})) != 0)
            out.row(0, {"NodePort:", name, text(port, {"nodePort"}) + protocol});
        out.field(0, "Endpoints", endpoints_of_port(slices, given));
    }
}

void write_subset(Description& out, const Json& subset) {
    const auto addresses = [&](const char* name) {
        std::vector<std::string> parts;
        for (const Json& address : at(subset, {name})) parts.push_back(text(address, {"ip"}));
        return or_none(joined(parts, ","));
    };
    out.field(1, "Addresses", addresses("addresses"));
    out.field(1, "NotReadyAddresses", addresses("notReadyAddresses"));
    const Json& ports = at(subset, {"ports"});
    if (ports.is_array() && !ports.empty()) {
        out.line(1, "Ports:");
        out.row(2, {"Name", "Port", "Protocol"});
        out.row(2, {"----", "----", "--------"});
        for (const Json& port : ports) {
            const std::string name = text(port, {"name"});
            out.row(2, {name.empty() ? kUnset : name, text(port, {"port"}), text(port, {"protocol"})});
        }
    }
    out.line(0, "");
}

void write_slice_endpoint(Description& out, const Json& endpoint) {
    out.field(1, "- Addresses", joined(at(endpoint, {"addresses"}), ", "));
    out.line(2, "Conditions:");
    out.field(3, "Ready", or_unset(at(endpoint, {"conditions", "ready"})));
    out.field(2, "Hostname", or_unset(at(endpoint, {"hostname"})));
    const Json& target = at(endpoint, {"targetRef"});
    if (target.is_object()) out.field(2, "TargetRef", text(target, {"kind"}) + "/" + text(target, {"name"}));
    out.field(2, "NodeName", or_unset(at(endpoint, {"nodeName"})));
    out.field(2, "Zone", or_unset(at(endpoint, {"zone"})));
}

std::string backend_text(const Json& backend) {
    const Json& service = at(backend, {"service"});
    if (service.is_object()) {
        const Json& port = at(service, {"port", "number"});
        const std::string name = text(service, {"port", "name"});
        return text(service, {"name"}) + ":" + (name.empty() ? std::to_string(number(port)) : name);
    }
    const Json& resource = at(backend, {"resource"});
    if (!resource.is_object()) return {};
    const std::string group = text(resource, {"apiGroup"});
    return "APIGroup: " + (group.empty() ? std::string(kNone) : group) +
           ", Kind: " + text(resource, {"kind"}) + ", Name: " + text(resource, {"name"});
}

// Where a backend's service leads, or why nowhere.
std::string backend_endpoints(const Context& context, const Json& backend) {
    const Json& wanted = at(backend, {"service"});
    if (!wanted.is_object()) return {};
    const std::string name = text(wanted, {"name"});
    const std::string space = kube::namespace_of(context.object);
    const auto service = context.related.get("services", space, name);
    if (!service) return "<error: " + service.error().message + ">";
    const auto slices =
        context.related.list("endpointslices.discovery.k8s.io", space, {.labels = kServiceName + name});
    if (!slices) return "<error: " + slices.error().message + ">";
    const std::string port_name = text(wanted, {"port", "name"});
    for (const Json& port : at(*service, {"spec", "ports"})) {
        const bool is_it = port_name.empty() ? at(port, {"port"}) == at(wanted, {"port", "number"})
                                             : text(port, {"name"}) == port_name;
        if (is_it) return endpoints_of_port(*slices, text(port, {"name"}));
    }
    return {};
}

void write_rules(const Context& context) {
    Description& out = context.out;
    out.line(0, "Rules:");
    out.row(1, {"Host", "Path", "Backends"});
    out.row(1, {"----", "----", "--------"});
    bool has_rules = false;
    for (const Json& rule : at(context.object, {"spec", "rules"})) {
        const Json& paths = at(rule, {"http", "paths"});
        if (!paths.is_array()) continue;
        has_rules = true;
        const std::string host = text(rule, {"host"});
        out.row(1, {host.empty() ? "*" : host, ""});
        for (const Json& path : paths) {
            const Json& backend = at(path, {"backend"});
            const std::string shown = backend_text(backend);
            const bool is_service = at(backend, {"service"}).is_object();
            out.row(2, {"", text(path, {"path"}) + " ",
                        is_service ? shown + " (" + backend_endpoints(context, backend) + ")" : shown});
        }
    }
    if (has_rules) return;
    const Json& fallback = at(context.object, {"spec", "defaultBackend"});
    const std::string shown = backend_text(fallback);
    out.row(1, {"*", "*",
                shown.empty() ? "<default>" : shown + " (" + backend_endpoints(context, fallback) + ")"});
}

void write_tls(Description& out, const Json& tls) {
    if (!tls.is_array() || tls.empty()) return;
    out.line(0, "TLS:");
    for (const Json& one : tls) {
        const std::string secret = text(one, {"secretName"});
        const std::string hosts = joined(at(one, {"hosts"}), ",");
        out.line(1, secret.empty() ? "SNI routes " + hosts : secret + " terminates " + hosts);
    }
}

}  // namespace

void describe_service(const Context& context) {
    const Json& service = context.object;
    Description& out = context.out;
    const Json& spec = at(service, {"spec"});
    write_name(out, service);
    write_metadata(out, service);
    out.field(0, "Selector", format_labels(at(spec, {"selector"})));
    out.field(0, "Type", text(spec, {"type"}));
    write_addresses(out, service);
    const auto slices = context.related.list("endpointslices.discovery.k8s.io", kube::namespace_of(service),
                                             {.labels = kServiceName + kube::name_of(service)});
    write_ports(out, service, slices ? *slices : Json());
    out.field(0, "Session Affinity", text(spec, {"sessionAffinity"}));
    for (const auto& [title, name] : {std::pair{"External Traffic Policy", "externalTrafficPolicy"},
                                      std::pair{"Internal Traffic Policy", "internalTrafficPolicy"}})
        if (const std::string value = text(spec, {name}); !value.empty()) out.field(0, title, value);
    if (number(at(spec, {"healthCheckNodePort"})) != 0)
        out.field(0, "HealthCheck NodePort", text(spec, {"healthCheckNodePort"}));
    const std::string ranges = joined(at(spec, {"loadBalancerSourceRanges"}), ",");
    if (!ranges.empty()) out.field(0, "LoadBalancer Source Ranges", ranges);
    write_events(context);
}

void describe_endpoints(const Context& context) {
    write_name(context.out, context.object);
    write_metadata(context.out, context.object);
    context.out.line(0, "Subsets:");
    for (const Json& subset : at(context.object, {"subsets"})) write_subset(context.out, subset);
    write_events(context);
}

void describe_endpoint_slice(const Context& context) {
    const Json& slice = context.object;
    Description& out = context.out;
    write_name(out, slice);
    write_metadata(out, slice);
    out.field(0, "AddressType", text(slice, {"addressType"}));
    const Json& ports = at(slice, {"ports"});
    const bool has_ports = ports.is_array() && !ports.empty();
    out.line(0, has_ports ? "Ports:" : "Ports: <unset>");
    if (has_ports) {
        out.row(1, {"Name", "Port", "Protocol"});
        out.row(1, {"----", "----", "--------"});
    }
    for (const Json& port : ports) {
        const std::string name = text(port, {"name"});
        out.row(1, {name.empty() ? kUnset : name, or_unset(at(port, {"port"})), text(port, {"protocol"})});
    }
    const Json& endpoints = at(slice, {"endpoints"});
    const bool has_endpoints = endpoints.is_array() && !endpoints.empty();
    out.line(0, has_endpoints ? "Endpoints:" : "Endpoints: <none>");
    for (const Json& endpoint : endpoints) write_slice_endpoint(out, endpoint);
    write_events(context);
}

void describe_ingress(const Context& context) {
    const Json& ingress = context.object;
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(ingress));
    write_labels(out, "Labels", at(ingress, {"metadata", "labels"}));
    out.field(0, "Namespace", kube::namespace_of(ingress));
    out.field(0, "Address", ingress_text(at(ingress, {"status", "loadBalancer", "ingress"})));
    const std::string type = text(ingress, {"spec", "ingressClassName"});
    out.field(0, "Ingress Class", or_none(type));
    const Json& fallback = at(ingress, {"spec", "defaultBackend"});
    const std::string shown = backend_text(fallback);
    const bool is_service = at(fallback, {"service"}).is_object();
    out.field(0, "Default backend",
              shown.empty() ? "<default>"
              : is_service  ? shown + " (" + backend_endpoints(context, fallback) + ")"
                            : shown);
    write_tls(out, at(ingress, {"spec", "tls"}));
    write_rules(context);
    write_annotations(out, "Annotations", at(ingress, {"metadata", "annotations"}));
    write_events(context);
}

void describe_ingress_class(const Context& context) {
    Description& out = context.out;
    out.field(0, "Name", kube::name_of(context.object));
    write_metadata(out, context.object);
    out.field(0, "Controller", text(context.object, {"spec", "controller"}));
    const Json& parameters = at(context.object, {"spec", "parameters"});
    if (parameters.is_object()) {
        out.line(0, "Parameters:");
        const std::string group = text(parameters, {"apiGroup"});
        if (!group.empty()) out.field(1, "APIGroup", group);
        out.field(1, "Kind", text(parameters, {"kind"}));
        out.field(1, "Name", text(parameters, {"name"}));
    }
    write_events(context);
}

}  // namespace keelson::cli::describing
