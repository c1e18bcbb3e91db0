#include "kernel/object/addresses.h"
#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

void validate_host(FieldErrors& errors, const FieldPath& path, std::string_view host) {
    if (host.find('*') != std::string_view::npos)
        errors.invalid_each(path, host, is_wildcard_dns1123_subdomain(host));
    else
        dns1123_subdomain(errors, path, host);
}

void validate_local_reference(FieldErrors& errors, const FieldPath& path, Value reference) {
    Value group = reference["apiGroup"];
    if (!group.empty()) dns1123_subdomain(errors, path.child("apiGroup"), group.as_string());
    std::string_view kind = reference["kind"].as_string(), name = reference["name"].as_string();
    if (kind.empty())
        errors.required(path.child("kind"), "kind is required");
    else if (Messages messages = is_path_segment(kind); !messages.empty())
        errors.invalid_each(path.child("kind"), kind, messages);
    if (name.empty())
        errors.required(path.child("name"), "name is required");
    else if (Messages messages = is_path_segment(name); !messages.empty())
        errors.invalid_each(path.child("name"), name, messages);
}

void validate_backend(FieldErrors& errors, const FieldPath& path, Value backend) {
    Value service = backend["service"], resource = backend["resource"];
    if (service.is_map() && resource.is_map())
        return errors.invalid(path, "", "cannot set both resource and service backends");
    if (resource.is_map()) return validate_local_reference(errors, path.child("resource"), resource);
    if (!service.is_map()) return errors.invalid(path, "", "resource or service backend is required");
    std::string_view name = service["name"].as_string();
    if (name.empty())
        errors.required(path.child("service.name"));
    else
        dns1123_label(errors, path.child("service.name"), name);
    std::string_view port_name = service.path({"port", "name"}).as_string();
    std::int64_t number = service.path({"port", "number"}).as_integer();
    if (!port_name.empty() && number != 0)
        errors.invalid(path, "", "cannot set both port name & port number");
    else if (!port_name.empty())
        errors.invalid_each(path.child("service.port.name"), port_name, is_port_name(port_name));
    else if (number != 0)
        errors.invalid_each(path.child("service.port.number"), number, is_port_number(number));
    else
        errors.required(path, "port name or number is required");
}

void validate_http_path(FieldErrors& errors, const FieldPath& path, Value entry) {
    Value type = entry["pathType"];
    std::string_view text = entry["path"].as_string();
    if (type.is_unset()) return errors.required(path.child("pathType"), "pathType must be specified");
    const FieldPath at = path.child("path");
    if (type.as_string() == "Exact" || type.as_string() == "Prefix") {
        if (!text.starts_with('/')) errors.invalid(at, text, "must be an absolute path");
        for (std::string_view part : {"//", "/./", "/../", "%2f", "%2F"})
            if (text.find(part) != std::string_view::npos)
                errors.invalid(at, text, "must not contain '" + std::string(part) + "'");
        for (std::string_view part : {"/..", "/."})
            if (text.ends_with(part)) errors.invalid(at, text, "cannot end with '" + std::string(part) + "'");
    } else if (type.as_string() == "ImplementationSpecific") {
        if (!text.empty() && !text.starts_with('/')) errors.invalid(at, text, "must be an absolute path");
    } else {
        errors.not_supported(path.child("pathType"), type.as_string(),
                             {"Exact", "ImplementationSpecific", "Prefix"});
    }
    validate_backend(errors, path.child("backend"), entry["backend"]);
}

void validate_ingress_spec(FieldErrors& errors, const FieldPath& path, Value spec) {
    if (spec["rules"].empty() && spec["defaultBackend"].is_unset())
        errors.invalid(path, spec["rules"], "either `defaultBackend` or `rules` must be specified");
    if (spec["defaultBackend"].is_map())
        validate_backend(errors, path.child("defaultBackend"), spec["defaultBackend"]);
    each(spec, "rules", path, [&](Value rule, const FieldPath& at) {
        if (std::string_view host = rule["host"].as_string(); !host.empty()) {
            if (IpAddress::parse(host))
                errors.invalid(at.child("host"), host, "must be a DNS name, not an IP address");
            validate_host(errors, at.child("host"), host);
        }
        if (!rule["http"].is_map()) return;
        const FieldPath http = at.child("http");
        if (rule["http"]["paths"].empty()) errors.required(http.child("paths"));
        each(rule["http"], "paths", http, [&](Value entry, const FieldPath& entry_path) {
            validate_http_path(errors, entry_path, entry);
        });
    });
    each(spec, "tls", path, [&](Value tls, const FieldPath& at) {
        each(tls, "hosts", at, [&](Value host, const FieldPath& host_path) {
            validate_host(errors, host_path, host.as_string());
        });
        if (!tls["secretName"].empty())
            dns1123_subdomain(errors, at.child("secretName"), tls["secretName"].as_string());
    });
    if (Value name = spec["ingressClassName"]; name.is_set())
        dns1123_subdomain(errors, path.child("ingressClassName"), name.as_string());
}

void validate_ip_block(FieldErrors& errors, const FieldPath& path, Value block) {
    std::string_view text = block["cidr"].as_string();
    if (text.empty()) return errors.required(path.child("cidr"));
    std::size_t before = errors.size();
    validate_cidr(errors, path.child("cidr"), text);
    if (errors.size() != before) return;
    auto network = IpNetwork::parse(text);
    each(block, "except", path, [&](Value except, const FieldPath& at) {
        std::size_t count = errors.size();
        validate_cidr(errors, at, except.as_string());
        if (errors.size() != count) return;
        auto inner = IpNetwork::parse(except.as_string());
        if (!network->contains(inner->address) || inner->prefix_length <= network->prefix_length)
            errors.invalid(at, except.as_string(), "must be a strict subset of `cidr`");
    });
}

void validate_peer(FieldErrors& errors, const FieldPath& path, Value peer) {
    int peers = 0;
    for (std::string_view name : {"podSelector", "namespaceSelector"})
        if (peer[name].is_map()) {
            ++peers;
            validate_label_selector(errors, path.child(name), peer[name]);
        }
    if (peer["ipBlock"].is_map()) {
        ++peers;
        validate_ip_block(errors, path.child("ipBlock"), peer["ipBlock"]);
    }
    if (peers == 0)
        errors.required(path, "must specify a peer");
    else if (peers > 1 && peer["ipBlock"].is_map())
        errors.forbidden(path, "may not specify both ipBlock and another peer");
}

void validate_policy_port(FieldErrors& errors, const FieldPath& path, Value port) {
    if (Value protocol = port["protocol"]; protocol.is_set())
        one_of(errors, path.child("protocol"), protocol.as_string(), {"SCTP", "TCP", "UDP"});
    Value number = port["port"], end = port["endPort"];
    const FieldPath end_path = path.child("endPort");
    if (number.is_set()) {
        validate_port_number_or_name(errors, path.child("port"), number);
        if (end.is_set()) {
            if (number.is_string())
                errors.invalid(end_path, end.as_integer(), "may not be specified when `port` is non-numeric");
            else if (end.as_integer() < number.as_integer())
                errors.invalid(end_path, number.as_integer(), "must be greater than or equal to `port`");
        }
    } else if (end.is_set()) {
        errors.invalid(end_path, end.as_integer(), "may not be specified when `port` is not specified");
    }
    if (end.is_set()) errors.invalid_each(end_path, end.as_integer(), is_port_number(end.as_integer()));
}

void validate_cidr_list(FieldErrors& errors, const FieldPath& path, Value list) {
    constexpr std::string_view kFamilies =
        "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
    for (std::size_t i = 0; i < list.size(); ++i)
        validate_cidr(errors, path.index(i), list.at(i).as_string());
    if (list.size() == 2) {
        auto first = IpNetwork::parse(list.at(0).as_string()),
             second = IpNetwork::parse(list.at(1).as_string());
        if (first && second && first->address.is_ipv4() == second->address.is_ipv4())
            errors.invalid(path, list, kFamilies);
    }
}

Messages name_is_ip(std::string_view name, bool) {
    auto address = IpAddress::parse(name);
    if (!address || address->to_string() != name || (address->written_as_ipv6 && address->is_ipv4()))
        return {"must be a valid IP address in canonical form"};
    return {};
}

}  // namespace

void check_ingress(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    if (request.is_update()) validate_object_meta_update(errors, request);
    if (request.subresource == "status") {
        const FieldPath status("status");
        const FieldPath balancer = status.child("loadBalancer");
        each(request.object.path({"status", "loadBalancer"}), "ingress", balancer,
             [&](Value ingress, const FieldPath& at) {
                 if (std::string_view address = ingress["ip"].as_string(); !address.empty())
                     validate_ip(errors, at.child("ip"), address);
                 if (std::string_view host = ingress["hostname"].as_string(); !host.empty()) {
                     dns1123_subdomain(errors, at.child("hostname"), host);
                     if (IpAddress::parse(host))
                         errors.invalid(at.child("hostname"), host, "must be a DNS name, not an IP address");
                 }
             });
        return;
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    validate_ingress_spec(errors, path, request.spec());
    constexpr std::string_view kClass = "kubernetes.io/ingress.class";
    Value annotation = request.object.path({"metadata", "annotations", kClass});
    Value name = request.spec()["ingressClassName"];
    const FieldPath metadata("metadata");
    if (!request.is_update() && annotation.is_set() && name.is_set() &&
        annotation.as_string() != name.as_string())
        errors.invalid(metadata.entry("annotations", kClass), annotation.as_string(),
                       "must match `ingressClassName` when both are specified");
}

void check_ingress_class(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        immutable(errors, path.child("controller"), spec["controller"], request.old_spec()["controller"]);
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    std::string_view controller = spec["controller"].as_string();
    if (controller.size() > 250) errors.too_long(path.child("controller"), 250);
    if (!request.is_update()) validate_domain_prefixed_path(errors, path.child("controller"), controller);
    Value parameters = spec["parameters"];
    if (!parameters.is_map()) return;
    const FieldPath at = path.child("parameters");
    validate_local_reference(errors, at, parameters);
    std::string_view scope = parameters["scope"].as_string();
    Value name_space = parameters["namespace"];
    if (parameters["scope"].is_unset()) {
        errors.required(at.child("scope"));
    } else {
        one_of(errors, at.child("scope"), scope, {"Cluster", "Namespace"});
        if (scope == "Namespace") {
            if (name_space.empty())
                errors.required(at.child("namespace"), "`parameters.scope` is set to 'Namespace'");
            else
                dns1123_label(errors, at.child("namespace"), name_space.as_string());
        }
        if (scope == "Cluster" && name_space.is_set())
            errors.forbidden(at.child("namespace"), "`parameters.scope` is set to 'Cluster'");
    }
}

void check_network_policy(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    if (request.is_update())
        validate_object_meta_update(errors, request);
    else
        validate_object_meta(errors, request, name_is_dns_subdomain);
    Value spec = request.spec();
    validate_label_selector(errors, path.child("podSelector"), spec["podSelector"]);
    for (std::string_view direction : {"ingress", "egress"})
        each(spec, direction, path, [&](Value rule, const FieldPath& at) {
            each(rule, "ports", at, [&](Value port, const FieldPath& port_path) {
                validate_policy_port(errors, port_path, port);
            });
            each(rule, direction == "ingress" ? "from" : "to", at,
                 [&](Value peer, const FieldPath& peer_path) { validate_peer(errors, peer_path, peer); });
        });
    if (spec["policyTypes"].size() > 2) {
        errors.invalid(path.child("policyTypes"), spec["policyTypes"],
                       "may not specify more than two policyTypes");
        return;
    }
    each(spec, "policyTypes", path, [&](Value type, const FieldPath& at) {
        one_of(errors, at, type.as_string(), {"Egress", "Ingress"});
    });
}

void check_service_cidr(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    const FieldPath at = path.child("cidrs");
    Value now = request.spec()["cidrs"], old = request.old_spec()["cidrs"];
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        if (request.subresource == "status") return;
        if (old.size() == 1 && now.size() == 2) {
            if (now.at(0).as_string() != old.at(0).as_string())
                errors.invalid(at.index(0), now.at(0).as_string(), kImmutable);
            validate_cidr_list(errors, at, now);
        } else if (!same(now, old)) {
            errors.invalid(at, now, kImmutable);
        }
        return;
    }
    validate_object_meta(errors, request, name_is_dns_subdomain);
    if (now.empty()) return errors.required(at, "at least one CIDR required");
    if (now.size() > 2) return errors.invalid(at, now, "may only hold up to 2 values");
    validate_cidr_list(errors, at, now);
}

void check_ip_address(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    const FieldPath at = path.child("parentRef");
    Value reference = request.spec()["parentRef"];
    if (request.is_update()) {
        validate_object_meta_update(errors, request);
        if (!same(reference, request.old_spec()["parentRef"]))
            errors.invalid(at, BadValue::go_structure(reference), kImmutable);
        return;
    }
    validate_object_meta(errors, request, name_is_ip);
    if (!reference.is_map()) return errors.required(at);
    if (!reference["group"].empty())
        dns1123_subdomain(errors, at.child("group"), reference["group"].as_string());
    for (std::string_view name : {"resource", "name", "namespace"}) {
        std::string_view text = reference[name].as_string();
        if (text.empty()) {
            if (name != "namespace") errors.required(at.child(name));
        } else if (Messages messages = is_path_segment(text); !messages.empty()) {
            errors.invalid_each(at.child(name), text, messages);
        }
    }
}

}  // namespace keelson::object::validation
