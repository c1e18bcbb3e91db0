#include "kernel/object/addresses.h"
#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

void validate_taints(FieldErrors& errors, Value taints) {
    const FieldPath metadata("metadata");
    for (std::size_t i = 0; i < taints.size(); ++i) {
        const FieldPath at = metadata.item("taints", i);
        Value taint = taints.at(i);
        validate_label_key(errors, at.child("key"), taint["key"].as_string());
        std::string_view value = taint["value"].as_string();
        if (Messages messages = is_label_value(value); !messages.empty())
            errors.invalid(at.child("value"), value, join_messages(messages, ";"));
        validate_taint_effect(errors, at.child("effect"), taint["effect"].as_string(), false);
        for (std::size_t j = 0; j < i; ++j)
            if (taints.at(j)["key"].as_string() == taint["key"].as_string() &&
                taints.at(j)["effect"].as_string() == taint["effect"].as_string()) {
                errors.duplicate(at, BadValue::go_structure(taint));
                break;
            }
    }
}

void validate_resources(FieldErrors& errors, Value status) {
    const FieldPath path("status");
    for (std::string_view list : {"capacity", "allocatable"})
        for (const Member& member : status[list].members())
            validate_resource_quantity(errors, path.entry(list, member.name), member.name, member.value);
}

void validate_pod_networks(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value networks = spec["podCIDRs"];
    each(spec, "podCIDRs", path,
         [&](Value network, const FieldPath& at) { validate_cidr(errors, at, network.as_string()); });
    if (networks.size() < 2) return;
    auto first = IpNetwork::parse(networks.at(0).as_string()),
         second = IpNetwork::parse(networks.at(1).as_string());
    bool dual = first && second && first->address.is_ipv4() != second->address.is_ipv4();
    if (!dual || networks.size() > 2)
        errors.invalid(path.child("podCIDRs"), networks,
                       "may specify no more than one CIDR for each IP family");
}

}  // namespace

void check_node(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    Value spec = request.spec();
    if (!request.is_update()) {
        validate_object_meta(errors, request, name_is_dns_subdomain);
        validate_taints(errors, spec["taints"]);
        validate_resources(errors, request.object["status"]);
        validate_pod_networks(errors, path, spec);
        return;
    }
    Value old = request.old_spec();
    validate_object_meta_update(errors, request);
    validate_taints(errors, spec["taints"]);
    validate_resources(errors, request.object["status"]);
    const FieldPath status("status");
    Value addresses = request.object.path({"status", "addresses"});
    for (std::size_t i = 0; i < addresses.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (addresses.at(i).equals(addresses.at(j))) {
                errors.duplicate(status.item("addresses", i), BadValue::go_structure(addresses.at(i)));
                break;
            }
    if (!old["podCIDRs"].empty() && !same(spec["podCIDRs"], old["podCIDRs"]))
        errors.forbidden(path.child("podCIDRs"),
                         "node updates may not change podCIDR except from \"\" to valid");
    if (!old["providerID"].empty() && spec["providerID"].as_string() != old["providerID"].as_string())
        errors.forbidden(path.child("providerID"),
                         "node updates may not change providerID except from \"\" to valid");
}

}  // namespace keelson::object::validation
