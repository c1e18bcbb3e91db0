#include <set>

#include "kernel/object/addresses.h"
#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::size_t kEndpointsMost = 1000, kPortsMost = 20000, kAddressesMost = 100, kTopologyMost = 16,
                      kZonesMost = 8;

void validate_address(FieldErrors& errors, const FieldPath& path, std::string_view text,
                      std::string_view type) {
    if (type == "FQDN") return validate_fully_qualified_name(errors, path, text);
    if (type != "IPv4" && type != "IPv6") return;
    std::size_t before = errors.size();
    validate_ip(errors, path, text);
    if (errors.size() != before) return;
    auto address = IpAddress::parse(text);
    if (address->is_ipv4() != (type == "IPv4"))
        return errors.invalid(path, text, "must be an " + std::string(type) + " address");
    if (address->is_unspecified())
        errors.invalid(path, text, "may not be unspecified (" + std::string(text) + ")");
    if (address->is_loopback())
        errors.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    if (address->is_link_local_unicast())
        errors.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    if (address->is_link_local_multicast())
        errors.invalid(path, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
}

void validate_hints(FieldErrors& errors, const FieldPath& path, Value hints) {
    for (std::string_view list : {"forZones", "forNodes"}) {
        if (hints[list].size() > kZonesMost) {
            errors.too_many(path.child(list), static_cast<std::int64_t>(hints[list].size()), kZonesMost);
            continue;
        }
        std::set<std::string_view> seen;
        each(hints, list, path, [&](Value hint, const FieldPath& at) {
            std::string_view name = hint["name"].as_string();
            if (!seen.insert(name).second) {
                errors.duplicate(at, name);
            } else if (list == "forZones") {
                if (Messages messages = is_label_value(name); !messages.empty())
                    errors.invalid_each(at.child("name"), name, messages);
            } else {
                dns1123_subdomain(errors, at.child("name"), name);
            }
        });
    }
}

void validate_endpoint(FieldErrors& errors, const FieldPath& path, Value endpoint, std::string_view type) {
    std::size_t count = endpoint["addresses"].size();
    if (count == 0) {
        errors.required(path.child("addresses"), "must contain at least 1 address");
    } else if (count > kAddressesMost) {
        errors.too_many(path.child("addresses"), static_cast<std::int64_t>(count), kAddressesMost);
    }
    each(endpoint, "addresses", path, [&](Value address, const FieldPath& at) {
        validate_address(errors, at, address.as_string(), type);
    });
    if (Value node = endpoint["nodeName"]; node.is_set())
        dns1123_subdomain(errors, path.child("nodeName"), node.as_string());
    Value topology = endpoint["deprecatedTopology"];
    if (topology.size() > kTopologyMost)
        errors.too_many(path.child("deprecatedTopology"), static_cast<std::int64_t>(topology.size()),
                        kTopologyMost);
    validate_labels(errors, path.child("deprecatedTopology"), topology);
    if (topology.has("topology.kubernetes.io/zone"))
        errors.invalid(path.entry("deprecatedTopology", "topology.kubernetes.io/zone"),
                       topology["topology.kubernetes.io/zone"].as_string(),
                       "reserved and cannot be set in topology");
    if (Value host = endpoint["hostname"]; host.is_set())
        dns1123_label(errors, path.child("hostname"), host.as_string());
    if (Value hints = endpoint["hints"]; hints.is_map()) validate_hints(errors, path.child("hints"), hints);
}

}  // namespace

void check_endpoint_slice(FieldErrors& errors, const Request& request) {
    Value object = request.object;
    const FieldPath root;
    if (request.is_update()) validate_object_meta_update(errors, request);
    validate_object_meta(errors, request, name_is_dns_subdomain);
    std::string_view type = object["addressType"].as_string();
    if (type.empty())
        errors.required(FieldPath("addressType"));
    else
        one_of(errors, FieldPath("addressType"), type, {"FQDN", "IPv4", "IPv6"});
    if (object["endpoints"].size() > kEndpointsMost)
        errors.too_many(FieldPath("endpoints"), static_cast<std::int64_t>(object["endpoints"].size()),
                        kEndpointsMost);
    else
        each(object, "endpoints", root,
             [&](Value endpoint, const FieldPath& at) { validate_endpoint(errors, at, endpoint, type); });
    std::set<std::string_view> names;
    if (object["ports"].size() > kPortsMost)
        errors.too_many(FieldPath("ports"), static_cast<std::int64_t>(object["ports"].size()), kPortsMost);
    else
        each(object, "ports", root, [&](Value port, const FieldPath& at) {
            std::string_view name = port["name"].as_string();
            if (!name.empty()) dns1123_label(errors, at.child("name"), name);
            if (!names.insert(name).second) errors.duplicate(at.child("name"), name);
            if (port["protocol"].is_unset())
                errors.required(at.child("protocol"));
            else
                one_of(errors, at.child("protocol"), port["protocol"].as_string(), {"SCTP", "TCP", "UDP"});
            if (Value application = port["appProtocol"]; application.is_set())
                qualified_name(errors, at.child("appProtocol"), application.as_string());
        });
    if (request.is_update())
        immutable(errors, FieldPath("addressType"), object["addressType"], request.old["addressType"]);
}

}  // namespace keelson::object::validation
