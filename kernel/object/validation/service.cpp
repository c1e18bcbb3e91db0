#include <set>

#include "kernel/object/addresses.h"
#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kOnlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";
constexpr std::int64_t kKubeletPort = 10250;
constexpr std::int64_t kAffinityMostSeconds = 86400;

bool is_headless(Value spec) {
    return spec["clusterIPs"].size() == 1 && spec["clusterIPs"].at(0).as_string() == "None";
}

void validate_special_ip(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    auto address = IpAddress::parse(text);
    if (!address) return errors.invalid(path, text, "must be a valid IP address");
    if (address->is_unspecified())
        errors.invalid(path, text, "may not be unspecified (" + std::string(text) + ")");
    if (address->is_loopback())
        errors.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    if (address->is_link_local_unicast())
        errors.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    if (address->is_link_local_multicast())
        errors.invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

void validate_port(FieldErrors& errors, const FieldPath& path, Value port, bool name_required,
                   std::set<std::string_view>& names) {
    std::string_view name = port["name"].as_string();
    if (name_required && name.empty()) {
        errors.required(path.child("name"));
    } else if (!name.empty()) {
        dns1123_label(errors, path.child("name"), name);
        if (!names.insert(name).second) errors.duplicate(path.child("name"), name);
    }
    if (Messages messages = is_port_number(port["port"].as_integer()); !messages.empty())
        errors.invalid_each(path.child("port"), port["port"].as_integer(), messages);
    std::string_view protocol = port["protocol"].as_string();
    if (protocol.empty())
        errors.required(path.child("protocol"));
    else
        one_of(errors, path.child("protocol"), protocol, {"SCTP", "TCP", "UDP"});
    validate_port_number_or_name(errors, path.child("targetPort"), port["targetPort"]);
    if (Value application = port["appProtocol"]; application.is_set())
        qualified_name(errors, path.child("appProtocol"), application.as_string());
}

void validate_type_fields(FieldErrors& errors, const FieldPath& path, Value spec) {
    std::string_view type = spec["type"].as_string();
    if (type == "LoadBalancer" || type == "NodePort") {
        if (type == "LoadBalancer")
            each(spec, "ports", path, [&](Value port, const FieldPath& at) {
                if (port["port"].as_integer() == kKubeletPort)
                    errors.invalid(at, kKubeletPort,
                                   "may not expose port 10250 externally since it is used by kubelet");
            });
        if (is_headless(spec))
            errors.invalid(path.item("clusterIPs", 0), "None",
                           "may not be set to 'None' for " + std::string(type) + " services");
    } else if (type == "ExternalName") {
        constexpr std::string_view kRefused = "may not be set for ExternalName services";
        if (!spec["clusterIPs"].empty()) errors.forbidden(path.child("clusterIPs"), kRefused);
        if (!spec["ipFamilies"].empty()) errors.forbidden(path.child("ipFamilies"), kRefused);
        if (spec["ipFamilyPolicy"].is_set()) errors.forbidden(path.child("ipFamilyPolicy"), kRefused);
        std::string_view name = spec["externalName"].as_string();
        if (name.ends_with('.')) name.remove_suffix(1);
        if (name.empty())
            errors.required(path.child("externalName"));
        else
            dns1123_subdomain(errors, path.child("externalName"), name);
    }
}

void validate_affinity_config(FieldErrors& errors, const FieldPath& path, Value spec) {
    std::string_view affinity = spec["sessionAffinity"].as_string();
    Value config = spec["sessionAffinityConfig"];
    const FieldPath at = path.child("sessionAffinityConfig");
    if (affinity.empty())
        errors.required(path.child("sessionAffinity"));
    else
        one_of(errors, path.child("sessionAffinity"), affinity, {"ClientIP", "None"});
    if (affinity == "ClientIP") {
        Value seconds = config.path({"clientIP", "timeoutSeconds"});
        constexpr std::string_view kWhen = "when session affinity type is ClientIP";
        if (!config.is_map())
            errors.required(at, kWhen);
        else if (!config["clientIP"].is_map())
            errors.required(at.child("clientIP"), kWhen);
        else if (seconds.is_unset())
            errors.required(at.child("clientIP.timeoutSeconds"), kWhen);
        else if (seconds.as_integer() <= 0 || seconds.as_integer() > kAffinityMostSeconds)
            errors.invalid(at.child("clientIP.timeoutSeconds"), seconds.as_integer(),
                           "must be greater than 0 and less than 86400");
    } else if (affinity == "None" && config.is_set()) {
        errors.forbidden(at, "must not be set when session affinity is None");
    }
}

void validate_cluster_ips(FieldErrors& errors, const FieldPath& path, Value spec) {
    if (spec["type"].as_string() == "ExternalName") return;
    std::size_t before = errors.size();
    std::string_view first = spec["clusterIP"].as_string();
    Value all = spec["clusterIPs"], families = spec["ipFamilies"];
    const FieldPath at = path.child("clusterIPs");
    if (!first.empty()) {
        if (all.empty())
            errors.required(at);
        else if (all.at(0).as_string() != first)
            errors.invalid(at, all, "first value must match `clusterIP`");
    } else if (!all.empty()) {
        errors.invalid(at, all, "must be empty when `clusterIP` is not specified");
    }
    std::set<std::string_view> seen;
    each(spec, "ipFamilies", path, [&](Value family, const FieldPath& family_path) {
        one_of(errors, family_path, family.as_string(), {"IPv4", "IPv6"});
        if (!seen.insert(family.as_string()).second) errors.duplicate(family_path, family.as_string());
    });
    if (Value policy = spec["ipFamilyPolicy"]; policy.is_set())
        one_of(errors, path.child("ipFamilyPolicy"), policy.as_string(),
               {"PreferDualStack", "RequireDualStack", "SingleStack"});
    bool broken = false;
    for (std::size_t i = 0; i < all.size(); ++i) {
        std::string_view text = all.at(i).as_string();
        if (i == 0 && text == "None") {
            if (all.size() > 1) {
                broken = true;
                errors.invalid(at, all, "'None' must be the first and only value");
            }
            continue;
        }
        std::size_t count = errors.size();
        validate_ip(errors, at.index(i), text);
        broken = broken || errors.size() != count;
    }
    if (all.size() > 2) errors.invalid(at, all, "may only hold up to 2 values");
    if (broken) return;
    auto is_ipv6 = [&](std::size_t i) {
        auto address = IpAddress::parse(all.at(i).as_string());
        return address && !address->is_ipv4();
    };
    if (all.size() > 1 && is_ipv6(0) == is_ipv6(1))
        errors.invalid(at, all, "may specify no more than one IP for each IP family");
    if (is_headless(spec) || errors.size() != before) return;
    for (std::size_t i = 0; i < all.size() && i < families.size(); ++i) {
        std::string_view family = families.at(i).as_string();
        if (is_ipv6(i) != (family == "IPv6"))
            errors.invalid(at.index(i), all.at(i).as_string(),
                           "expected an " + std::string(family) + " value as indicated by `ipFamilies[" +
                               std::to_string(i) + "]`");
    }
}

void validate_port_uniqueness(FieldErrors& errors, const FieldPath& path, Value spec) {
    std::set<std::string> node_ports, ports;
    if (spec["type"].as_string() == "ClusterIP")
        each(spec, "ports", path, [&](Value port, const FieldPath& at) {
            if (port["nodePort"].as_integer() != 0)
                errors.forbidden(at.child("nodePort"), "may not be used when `type` is 'ClusterIP'");
        });
    each(spec, "ports", path, [&](Value port, const FieldPath& at) {
        std::int64_t number = port["nodePort"].as_integer();
        if (number != 0 && !node_ports.insert(port["protocol"].to_string() + std::to_string(number)).second)
            errors.duplicate(at.child("nodePort"), number);
    });
    each(spec, "ports", path, [&](Value port, const FieldPath& at) {
        std::string protocol = port["protocol"].to_string(),
                    number = std::to_string(port["port"].as_integer());
        if (!ports.insert(protocol + number).second)
            errors.duplicate(at, BadValue::raw("{\"Name\":\"\",\"Protocol\":\"" + protocol +
                                               "\",\"AppProtocol\":null,\"Port\":" + number +
                                               ",\"TargetPort\":0,\"NodePort\":0}"));
    });
}

void validate_load_balancer(FieldErrors& errors, const FieldPath& path, Value spec) {
    bool load_balancer = spec["type"].as_string() == "LoadBalancer";
    if (Value ranges = spec["loadBalancerSourceRanges"]; !ranges.empty()) {
        const FieldPath at = path.child("LoadBalancerSourceRanges");
        if (!load_balancer) errors.forbidden(at, kOnlyLoadBalancer);
        for (std::size_t i = 0; i < ranges.size(); ++i) {
            std::string_view text = ranges.at(i).as_string();
            while (text.starts_with(' ')) text.remove_prefix(1);
            while (text.ends_with(' ')) text.remove_suffix(1);
            validate_cidr(errors, at.index(i), text);
        }
    }
    Value allocate = spec["allocateLoadBalancerNodePorts"];
    if (allocate.is_set() && !load_balancer)
        errors.forbidden(path.child("allocateLoadBalancerNodePorts"), kOnlyLoadBalancer);
    if (allocate.is_unset() && load_balancer) errors.required(FieldPath("allocateLoadBalancerNodePorts"));
}

void validate_load_balancer_class(FieldErrors& errors, const FieldPath& path, Value spec, Value old) {
    Value name = spec["loadBalancerClass"], before = old["loadBalancerClass"];
    bool load_balancer = spec["type"].as_string() == "LoadBalancer";
    if (old.is_set() && load_balancer && old["type"].as_string() == "LoadBalancer") {
        if (!same(name, before))
            return errors.invalid(path.child("loadBalancerClass"), name, "may not change once set");
    }
    if (name.is_unset()) return;
    if (!load_balancer)
        errors.forbidden(path.child("loadBalancerClass"), kOnlyLoadBalancer);
    else
        qualified_name(errors, path.child("loadBalancerClass"), name.as_string());
}

void validate_traffic(FieldErrors& errors, const FieldPath& path, Value spec) {
    std::string_view type = spec["type"].as_string();
    std::string_view external = spec["externalTrafficPolicy"].as_string();
    bool reachable =
        type == "LoadBalancer" || type == "NodePort" || (type == "ClusterIP" && !spec["externalIPs"].empty());
    if (!reachable) {
        if (!external.empty())
            errors.invalid(path.child("externalTrafficPolicy"), external,
                           "may only be set for externally-accessible services");
    } else if (external.empty()) {
        errors.required(path.child("externalTrafficPolicy"));
    } else {
        one_of(errors, path.child("externalTrafficPolicy"), external, {"Cluster", "Local"});
    }
    std::int64_t health = spec["healthCheckNodePort"].as_integer();
    if (health != 0 && !(type == "LoadBalancer" && external == "Local"))
        errors.invalid(
            path.child("healthCheckNodePort"), health,
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    Value internal = spec["internalTrafficPolicy"];
    if (internal.is_unset()) {
        if (type == "NodePort" || type == "LoadBalancer" || type == "ClusterIP")
            errors.required(path.child("internalTrafficPolicy"));
    } else {
        one_of(errors, path.child("internalTrafficPolicy"), internal.as_string(), {"Cluster", "Local"});
    }
    if (Value distribution = spec["trafficDistribution"]; distribution.is_set())
        one_of(errors, path.child("trafficDistribution"), distribution.as_string(),
               {"PreferClose", "PreferSameNode", "PreferSameZone"});
}

void validate_service(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    validate_object_meta(errors, request, name_is_dns_label);
    if (spec["ports"].empty() && !is_headless(spec) && spec["type"].as_string() != "ExternalName")
        errors.required(path.child("ports"));
    validate_type_fields(errors, path, spec);
    std::set<std::string_view> names;
    bool several = spec["ports"].size() > 1;
    each(spec, "ports", path,
         [&](Value port, const FieldPath& at) { validate_port(errors, at, port, several, names); });
    validate_labels(errors, path.child("selector"), spec["selector"]);
    validate_affinity_config(errors, path, spec);
    validate_cluster_ips(errors, path, spec);
    each(spec, "externalIPs", path, [&](Value address, const FieldPath& at) {
        std::size_t before = errors.size();
        validate_ip(errors, at, address.as_string());
        if (errors.size() == before) validate_special_ip(errors, at, address.as_string());
    });
    std::string_view type = spec["type"].as_string();
    if (type.empty())
        errors.required(path.child("type"));
    else
        one_of(errors, path.child("type"), type, {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"});
    validate_port_uniqueness(errors, path, spec);
    validate_load_balancer(errors, path, spec);
    validate_load_balancer_class(errors, path, spec, request.old_spec());
    validate_traffic(errors, path, spec);
}

void validate_list_change(FieldErrors& errors, const FieldPath& path, Value now, Value old, bool addresses,
                          Value policy) {
    const FieldPath first = path.item(addresses ? "clusterIPs" : "ipFamilies", 0);
    const FieldPath all = path.child(addresses ? "clusterIPs" : "ipFamilies");
    constexpr std::string_view kOnce = "may not change once set";
    if (now.size() == old.size()) {
        for (std::size_t i = 0; i < now.size(); ++i)
            if (now.at(i).as_string() != old.at(i).as_string()) errors.invalid(all.index(i), now, kOnce);
        return;
    }
    if (now.empty())
        errors.invalid(
            first, now,
            addresses ? "primary clusterIP can not be unset" : "primary ipFamily can not be unset");
    if (!now.empty() && !old.empty() && now.at(0).as_string() != old.at(0).as_string())
        errors.invalid(first, now, kOnce);
    if (old.size() > now.size() && now.size() == 1 && policy.as_string() != "SingleStack")
        errors.invalid(path.child("ipFamilyPolicy"), policy,
                       std::string("must be set to 'SingleStack' when releasing the secondary ") +
                           (addresses ? "clusterIP" : "ipFamily"));
}

void validate_load_balancer_status(FieldErrors& errors, const Request& request) {
    const FieldPath status("status");
    const FieldPath path = status.child("loadBalancer");
    Value balancer = request.object.path({"status", "loadBalancer"});
    if (!balancer["ingress"].empty() && request.spec()["type"].as_string() != "LoadBalancer")
        errors.forbidden(path.child("ingress"), "may only be used when `spec.type` is LoadBalancer");
    each(balancer, "ingress", path, [&](Value ingress, const FieldPath& at) {
        std::string_view address = ingress["ip"].as_string();
        if (!address.empty()) validate_ip(errors, at.child("ip"), address);
        Value mode = ingress["ipMode"];
        if (!address.empty() && mode.is_unset())
            errors.required(at.child("ipMode"), "must be specified when `ip` is set");
        else if (address.empty() && mode.is_set())
            errors.forbidden(at.child("ipMode"), "may not be specified when `ip` is not set");
        else if (mode.is_set())
            one_of(errors, at.child("ipMode"), mode.as_string(), {"Proxy", "VIP"});
        if (std::string_view host = ingress["hostname"].as_string(); !host.empty()) {
            dns1123_subdomain(errors, at.child("hostname"), host);
            if (IpAddress::parse(host))
                errors.invalid(at.child("hostname"), host, "must be a DNS name, not an IP address");
        }
    });
}

}  // namespace

void check_service(FieldErrors& errors, const Request& request) {
    if (!request.is_update()) return validate_service(errors, request);
    validate_object_meta_update(errors, request);
    if (request.subresource == "status") return validate_load_balancer_status(errors, request);
    const FieldPath path("spec");
    Value spec = request.spec(), old = request.old_spec();
    bool external = spec["type"].as_string() == "ExternalName" || old["type"].as_string() == "ExternalName";
    if (!external && !(is_headless(spec) && is_headless(old))) {
        validate_list_change(errors, path, spec["clusterIPs"], old["clusterIPs"], true,
                             spec["ipFamilyPolicy"]);
        if (is_headless(spec) == is_headless(old))
            validate_list_change(errors, path, spec["ipFamilies"], old["ipFamilies"], false,
                                 spec["ipFamilyPolicy"]);
    }
    validate_service(errors, request);
}

void check_endpoints(FieldErrors& errors, const Request& request) {
    if (request.is_update()) validate_object_meta_update(errors, request);
    validate_object_meta(errors, request, name_is_dns_subdomain);
    auto check_address = [&](Value address, const FieldPath& at) {
        std::string_view text = address["ip"].as_string();
        validate_ip(errors, at.child("ip"), text);
        if (!address["hostname"].empty())
            dns1123_label(errors, at.child("hostname"), address["hostname"].as_string());
        if (address["nodeName"].is_set())
            dns1123_subdomain(errors, at.child("nodeName"), address["nodeName"].as_string());
        validate_special_ip(errors, at.child("ip"), text);
    };
    each(request.object, "subsets", FieldPath(), [&](Value subset, const FieldPath& at) {
        if (subset["addresses"].empty() && subset["notReadyAddresses"].empty())
            errors.required(at, "must specify `addresses` or `notReadyAddresses`");
        each(subset, "addresses", at, check_address);
        each(subset, "notReadyAddresses", at, check_address);
        bool several = subset["ports"].size() > 1;
        each(subset, "ports", at, [&](Value port, const FieldPath& port_path) {
            std::string_view name = port["name"].as_string(), protocol = port["protocol"].as_string();
            if (several && name.empty())
                errors.required(port_path.child("name"));
            else if (!name.empty())
                dns1123_label(errors, port_path.child("name"), name);
            errors.invalid_each(port_path.child("port"), port["port"].as_integer(),
                                is_port_number(port["port"].as_integer()));
            if (protocol.empty())
                errors.required(port_path.child("protocol"));
            else
                one_of(errors, port_path.child("protocol"), protocol, {"SCTP", "TCP", "UDP"});
            if (Value application = port["appProtocol"]; application.is_set())
                qualified_name(errors, port_path.child("appProtocol"), application.as_string());
        });
    });
}

}  // namespace keelson::object::validation
