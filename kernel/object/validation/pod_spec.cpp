#include <algorithm>
#include <set>

#include "kernel/object/addresses.h"
#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

void validate_resource_claims(FieldErrors& errors, const FieldPath& path, Value spec) {
    std::set<std::string_view> names;
    each(spec, "resourceClaims", path, [&](Value claim, const FieldPath& at) {
        std::string_view name = claim["name"].as_string();
        if (name.empty()) {
            errors.required(at.child("name"));
        } else {
            if (!names.insert(name).second) errors.duplicate(at.child("name"), name);
            dns1123_label(errors, at.child("name"), name);
        }
        Value by_name = claim["resourceClaimName"], by_template = claim["resourceClaimTemplateName"];
        if (by_name.is_set() && by_template.is_set())
            errors.invalid(
                at, BadValue::go_structure(claim),
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
        if (by_name.is_unset() && by_template.is_unset())
            errors.invalid(at, BadValue::go_structure(claim),
                           "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
        if (by_name.is_set()) dns1123_subdomain(errors, at.child("resourceClaimName"), by_name.as_string());
        if (by_template.is_set())
            dns1123_subdomain(errors, at.child("resourceClaimTemplateName"), by_template.as_string());
    });
}

void validate_pod_resources(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value resources = spec["resources"];
    if (!resources.is_map()) return;
    if (!resources["claims"].empty())
        errors.forbidden(path.child("claims"), "claims may not be set for Resources at pod-level");
    for (std::string_view which : {"limits", "requests"})
        for (const Member& member : resources[which].members())
            if (member.name != "cpu" && member.name != "memory" && !is_hugepages(member.name))
                errors.not_supported(path.entry(which, member.name), member.name,
                                     {"cpu", "hugepages-", "memory"});
    validate_resource_requirements(errors, path, resources, spec["resourceClaims"]);
    for (const Member& request : resources["requests"].members()) {
        Quantity total;
        for (Value container : spec["containers"].items())
            total.add(quantity_of(container.path({"resources", "requests", request.name})));
        if (total > quantity_of(request.value))
            errors.invalid(
                path.entry("requests", request.name), request.value.as_string(),
                "must be greater than or equal to aggregate container requests of " + total.to_string());
    }
}

void validate_host_aliases(FieldErrors& errors, const FieldPath& path, Value spec) {
    each(spec, "hostAliases", path, [&](Value alias, const FieldPath& at) {
        validate_ip(errors, at.child("ip"), alias["ip"].as_string());
        each(alias, "hostnames", at, [&](Value name, const FieldPath& name_path) {
            dns1123_subdomain(errors, name_path, name.as_string());
        });
    });
}

void validate_gates(FieldErrors& errors, const FieldPath& path, Value spec) {
    each(spec, "readinessGates", path, [&](Value gate, const FieldPath& at) {
        qualified_name(errors, at.child("conditionType"), gate["conditionType"].as_string());
    });
    std::set<std::string_view> seen;
    each(spec, "schedulingGates", path, [&](Value gate, const FieldPath& at) {
        std::string_view name = gate["name"].as_string();
        qualified_name(errors, at, name);
        if (!seen.insert(name).second) errors.duplicate(at, name);
    });
}

void validate_host_users(FieldErrors& errors, const FieldPath& path, Value spec) {
    Value host_users = spec["hostUsers"];
    if (host_users.is_unset() || host_users.as_boolean()) return;
    for (std::string_view name : {"hostNetwork", "hostPID", "hostIPC"})
        if (spec[name].as_boolean()) errors.forbidden(path.child(name), "when `hostUsers` is false");
}

void validate_host_name(FieldErrors& errors, const FieldPath& path, Value spec) {
    for (std::string_view name : {"hostname", "subdomain"})
        if (!spec[name].empty()) dns1123_label(errors, path.child(name), spec[name].as_string());
    Value override_name = spec["hostnameOverride"];
    if (override_name.is_unset()) return;
    const FieldPath at = path.child("hostnameOverride");
    dns1123_subdomain(errors, at, override_name.as_string());
    if (override_name.size() > 64) errors.too_long(at, 64);
    if (spec["setHostnameAsFQDN"].as_boolean())
        errors.forbidden(at, "hostnameOverride and setHostnameAsFQDN may not be set at the same time");
    if (spec["hostNetwork"].as_boolean())
        errors.forbidden(at, "hostnameOverride may not be set when hostNetwork is set");
}

void validate_overhead(FieldErrors& errors, const FieldPath& path, Value spec) {
    if (!spec["overhead"].is_map()) return;
    const FieldPath at = path.child("overhead");
    for (const Member& member : spec["overhead"].members()) {
        const FieldPath entry = at.key(member.name);
        validate_container_resource_name(errors, entry, member.name);
        validate_resource_quantity(errors, entry, member.name, member.value);
    }
}

}  // namespace

void validate_pod_spec(FieldErrors& errors, const FieldPath& path, Value spec, const PodOptions& options) {
    Value grace_period = spec["terminationGracePeriodSeconds"];
    if (grace_period.is_unset()) errors.required(path.child("terminationGracePeriodSeconds"));
    PodContext pod{options,
                   spec,
                   {},
                   grace_period.as_integer(),
                   spec["hostUsers"].is_unset() || spec["hostUsers"].as_boolean()};
    pod.volumes = validate_volumes(errors, path.child("volumes"), spec, options);
    validate_resource_claims(errors, path, spec);
    validate_containers(errors, path.child("containers"), pod);
    validate_init_containers(errors, path.child("initContainers"), pod);
    validate_ephemeral_containers(errors, path.child("ephemeralContainers"), pod);
    validate_pod_resources(errors, path.child("resources"), spec);
    std::string_view restart = spec["restartPolicy"].as_string();
    if (restart.empty())
        errors.required(path.child("restartPolicy"));
    else
        one_of(errors, path.child("restartPolicy"), restart, {"Always", "OnFailure", "Never"});
    std::string_view dns = spec["dnsPolicy"].as_string();
    if (dns.empty())
        errors.required(path.child("dnsPolicy"));
    else
        one_of(errors, path.child("dnsPolicy"), dns,
               {"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"});
    validate_labels(errors, path.child("nodeSelector"), spec["nodeSelector"]);
    validate_pod_security(errors, path, spec, options);
    validate_affinity(errors, path.child("affinity"), spec["affinity"]);
    validate_dns(errors, path.child("dnsConfig"), spec);
    validate_gates(errors, path, spec);
    validate_topology_spread(errors, path.child("topologySpreadConstraints"),
                             spec["topologySpreadConstraints"]);
    validate_host_users(errors, path, spec);
    for (std::string_view name : {"serviceAccountName", "nodeName"})
        if (!spec[name].empty()) dns1123_subdomain(errors, path.child(name), spec[name].as_string());
    if (Value deadline = spec["activeDeadlineSeconds"]; deadline.is_set())
        if (Messages messages = is_in_range(deadline.as_integer(), 1, INT32_MAX); !messages.empty())
            errors.invalid_each(path.child("activeDeadlineSeconds"), deadline.as_integer(), messages);
    validate_host_name(errors, path, spec);
    validate_tolerations(errors, path.child("tolerations"), spec["tolerations"]);
    validate_host_aliases(errors, path, spec);
    if (!spec["priorityClassName"].empty())
        dns1123_subdomain(errors, path.child("priorityClassName"), spec["priorityClassName"].as_string());
    if (spec["runtimeClassName"].is_set())
        dns1123_subdomain(errors, path.child("runtimeClassName"), spec["runtimeClassName"].as_string());
    if (Value preemption = spec["preemptionPolicy"]; preemption.is_set()) {
        if (preemption.empty())
            errors.required(path.child("preemptionPolicy"));
        else
            one_of(errors, path.child("preemptionPolicy"), preemption.as_string(),
                   {"PreemptLowerPriority", "Never"});
    }
    validate_overhead(errors, path, spec);
    validate_operating_system(errors, path, spec);
}

void validate_pod_template(FieldErrors& errors, const FieldPath& path, Value pod_template) {
    Value metadata = pod_template["metadata"];
    validate_labels(errors, path.child("labels"), metadata["labels"]);
    validate_annotations(errors, path.child("annotations"), metadata["annotations"]);
    PodOptions options;
    options.is_template = true;
    validate_pod_spec(errors, path.child("spec"), pod_template["spec"], options);
    if (!pod_template.path({"spec", "ephemeralContainers"}).empty())
        errors.forbidden(path.child("spec.ephemeralContainers"),
                         "ephemeral containers not allowed in pod template");
}

void validate_pod_only(FieldErrors& errors, const FieldPath& path, Value spec) {
    if (spec["serviceAccountName"].empty())
        each(spec, "volumes", path, [&](Value volume, const FieldPath& at) {
            const FieldPath projected = at.child("projected");
            each(volume["projected"], "sources", projected, [&](Value source, const FieldPath& source_path) {
                if (source["serviceAccountToken"].is_map())
                    errors.forbidden(source_path.child("serviceAccountToken"),
                                     "must not be specified when serviceAccountName is not set");
            });
        });
    for (std::string_view name : {"containers", "initContainers"})
        each(spec, name, path, [&](Value container, const FieldPath& at) {
            std::string_view image = container["image"].as_string();
            auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
            if (!image.empty() && (is_space(image.front()) || is_space(image.back())))
                errors.invalid(at.child("image"), image, "must not have leading or trailing whitespace");
        });
}

void validate_dns(FieldErrors& errors, const FieldPath& path, Value spec) {
    constexpr std::size_t kServersMost = 3, kSearchesMost = 32, kSearchBytesMost = 2048;
    Value config = spec["dnsConfig"];
    if (spec["dnsPolicy"].as_string() == "None") {
        if (!config.is_map())
            return errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None");
        if (config["nameservers"].empty())
            return errors.required(path.child("nameservers"),
                                   "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
    if (config["nameservers"].size() > kServersMost)
        errors.invalid(path.child("nameservers"), config["nameservers"],
                       "must not have more than 3 nameservers");
    each(config, "nameservers", path,
         [&](Value server, const FieldPath& at) { validate_ip(errors, at, server.as_string()); });
    Value searches = config["searches"];
    if (searches.size() > kSearchesMost)
        errors.invalid(path.child("searches"), searches, "must not have more than 32 search paths");
    std::size_t bytes = searches.empty() ? 0 : searches.size() - 1;
    for (Value search : searches.items()) bytes += search.size();
    if (bytes > kSearchBytesMost)
        errors.invalid(path.child("searches"), searches,
                       "must not have more than 2048 characters (including spaces) in the search list");
    each(config, "searches", path, [&](Value search, const FieldPath& at) {
        std::string_view text = search.as_string();
        if (text == ".") return;
        if (text.ends_with('.')) text.remove_suffix(1);
        errors.invalid_each(at, text, is_dns1123_subdomain_with_underscore(text));
    });
    each(config, "options", path, [&](Value option, const FieldPath& at) {
        if (option["name"].empty()) errors.required(at, "must not be empty");
    });
}

}  // namespace keelson::object::validation
