#include <algorithm>
#include <set>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

using Names = std::vector<std::string_view>;

bool has(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

void validate_ports(FieldErrors& errors, const FieldPath& path, Value container) {
    Names names;
    each(container, "ports", path, [&](Value port, const FieldPath& at) {
        if (std::string_view name = port["name"].as_string(); !name.empty()) {
            if (Messages messages = is_port_name(name); !messages.empty())
                errors.invalid_each(at.child("name"), name, messages);
            else if (has(names, name))
                errors.duplicate(at.child("name"), name);
            else
                names.push_back(name);
        }
        auto in_range = [&](std::string_view field, std::int64_t number) {
            if (Messages messages = is_port_number(number); !messages.empty())
                errors.invalid_each(at.child(field), number, messages);
        };
        if (std::int64_t number = port["containerPort"].as_integer(); number == 0)
            errors.required(at.child("containerPort"));
        else
            in_range("containerPort", number);
        if (std::int64_t number = port["hostPort"].as_integer(); number != 0) in_range("hostPort", number);
        std::string_view protocol = port["protocol"].as_string();
        if (protocol.empty())
            errors.required(at.child("protocol"));
        else
            one_of(errors, at.child("protocol"), protocol, {"SCTP", "TCP", "UDP"});
    });
}

void validate_host_port_conflicts(FieldErrors& errors, const FieldPath& path,
                                  std::span<const Value> containers) {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < containers.size(); ++i) {
        const FieldPath container_path = path.index(i);
        each(containers[i], "ports", container_path, [&](Value port, const FieldPath& at) {
            std::int64_t number = port["hostPort"].as_integer();
            if (number == 0) return;
            std::string key = port["protocol"].to_string() + "/" + port["hostIP"].to_string() + "/" +
                              std::to_string(number);
            if (!seen.insert(key).second) errors.duplicate(at.child("hostPort"), key);
        });
    }
}

void validate_resize_policy(FieldErrors& errors, const FieldPath& path, Value container,
                            std::string_view pod_restart_policy) {
    Names seen;
    for (Value policy : container["resizePolicy"].items()) {
        std::string_view resource = policy["resourceName"].as_string();
        if (resource.empty())
            errors.required(path);
        else
            one_of(errors, path, resource, {"cpu", "memory"});
        if (has(seen, resource)) errors.duplicate(path, resource);
        seen.push_back(resource);
        std::string_view restart = policy["restartPolicy"].as_string();
        if (restart.empty())
            errors.required(path);
        else
            one_of(errors, path, restart, {"NotRequired", "RestartContainer"});
        if (pod_restart_policy == "Never" && restart != "NotRequired")
            errors.invalid(path, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'");
    }
}

// What every kind of container must fulfil.
void validate_common(FieldErrors& errors, const FieldPath& path, Value container, const PodContext& pod) {
    if (std::string_view name = container["name"].as_string(); name.empty())
        errors.required(path.child("name"));
    else
        dns1123_label(errors, path.child("name"), name);
    if (container["image"].empty()) errors.required(path.child("image"));
    std::string_view message_policy = container["terminationMessagePolicy"].as_string();
    if (message_policy.empty())
        errors.required(path.child("terminationMessagePolicy"));
    else
        one_of(errors, path.child("terminationMessagePolicy"), message_policy,
               {"FallbackToLogsOnError", "File"});
    validate_ports(errors, path, container);
    validate_environment(errors, path, container, pod.volumes);
    validate_mounts(errors, path, container, pod.volumes);
    validate_pull_policy(errors, path.child("imagePullPolicy"), container["imagePullPolicy"].as_string());
    validate_resource_requirements(errors, path.child("resources"), container["resources"],
                                   pod.spec["resourceClaims"]);
    validate_resize_policy(errors, path.child("resizePolicy"), container,
                           pod.spec["restartPolicy"].as_string());
    validate_container_security(errors, path.child("securityContext"), container["securityContext"],
                                pod.host_users);
}

void validate_restart_rules(FieldErrors& errors, const FieldPath& path, Value container) {
    constexpr std::size_t kRulesMost = 20, kCodesMost = 255;
    Value policy = container["restartPolicy"], rules = container["restartPolicyRules"];
    if (policy.is_set())
        one_of(errors, path.child("restartPolicy"), policy.as_string(), {"Always", "Never", "OnFailure"});
    else if (!rules.empty())
        errors.required(path.child("restartPolicy"),
                        "must specify restartPolicy when restart rules are used");
    if (rules.size() > kRulesMost)
        errors.too_many(path.child("restartPolicyRules"), static_cast<std::int64_t>(rules.size()),
                        kRulesMost);
    each(container, "restartPolicyRules", path, [&](Value rule, const FieldPath& at) {
        one_of(errors, at.child("action"), rule["action"].as_string(), {"Restart", "RestartAllContainers"});
        Value codes = rule["exitCodes"];
        if (!codes.is_map()) return errors.required(at.child("exitCodes"), "must be specified");
        one_of(errors, at.child("exitCodes.operator"), codes["operator"].as_string(), {"In", "NotIn"});
        if (codes["values"].size() > kCodesMost)
            errors.too_many(at.child("exitCodes.values"), static_cast<std::int64_t>(codes["values"].size()),
                            kCodesMost);
    });
}

}  // namespace

void validate_pull_policy(FieldErrors& errors, const FieldPath& path, std::string_view policy) {
    if (policy.empty())
        errors.required(path);
    else
        one_of(errors, path, policy, {"Always", "IfNotPresent", "Never"});
}

void validate_containers(FieldErrors& errors, const FieldPath& path, const PodContext& pod) {
    auto containers = pod.spec["containers"].items();
    if (containers.empty()) return errors.required(path);
    Names names;
    for (std::size_t i = 0; i < containers.size(); ++i) {
        const FieldPath at = path.index(i);
        Value container = containers[i];
        validate_common(errors, at, container, pod);
        std::string_view name = container["name"].as_string();
        if (has(names, name))
            errors.duplicate(at.child("name"), name);
        else
            names.push_back(name);
        validate_lifecycle(errors, at.child("lifecycle"), container["lifecycle"], pod.grace_period);
        validate_probes(errors, at, container, pod.grace_period);
        validate_restart_rules(errors, at, container);
    }
    validate_host_port_conflicts(errors, path, containers);
}

void validate_init_containers(FieldErrors& errors, const FieldPath& path, const PodContext& pod) {
    auto containers = pod.spec["initContainers"].items();
    if (containers.empty()) return;
    Names names;
    for (Value container : pod.spec["containers"].items()) names.push_back(container["name"].as_string());
    for (std::size_t i = 0; i < containers.size(); ++i) {
        const FieldPath at = path.index(i);
        Value container = containers[i];
        validate_common(errors, at, container, pod);
        validate_restart_rules(errors, at, container);
        std::string_view name = container["name"].as_string();
        if (has(names, name))
            errors.duplicate(at.child("name"), name);
        else if (!name.empty())
            names.push_back(name);
        validate_host_port_conflicts(errors, path, containers.subspan(i, 1));
        if (container["restartPolicy"].as_string() == "Always") {
            validate_lifecycle(errors, at.child("lifecycle"), container["lifecycle"], pod.grace_period);
            validate_probes(errors, at, container, pod.grace_period);
            continue;
        }
        for (std::string_view field : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"})
            if (container[field].is_set())
                errors.forbidden(at.child(field),
                                 "may not be set for init containers without restartPolicy=Always");
    }
}

void validate_ephemeral_containers(FieldErrors& errors, const FieldPath& path, const PodContext& pod) {
    constexpr std::string_view kRefused = "cannot be set for an Ephemeral Container";
    auto containers = pod.spec["ephemeralContainers"].items();
    if (containers.empty()) return;
    Names others;
    for (std::string_view list : {"containers", "initContainers"})
        for (Value container : pod.spec[list].items()) others.push_back(container["name"].as_string());
    Names names = others;
    for (std::size_t i = 0; i < containers.size(); ++i) {
        const FieldPath at = path.index(i);
        Value container = containers[i];
        validate_common(errors, at, container, pod);
        std::string_view name = container["name"].as_string();
        if (has(names, name))
            errors.duplicate(at.child("name"), name);
        else
            names.push_back(name);
        std::string_view target = container["targetContainerName"].as_string();
        if (!target.empty() && !has(others, target))
            errors.not_found(at.child("targetContainerName"), target);
        for (std::string_view field :
             {"ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "livenessProbe",
              "readinessProbe", "startupProbe", "lifecycle"}) {
            Value value = container[field];
            bool empty = value.is_unset() || ((value.is_map() || value.is_list()) && value.empty());
            if (!empty) errors.forbidden(at.child(field), kRefused);
        }
        each(container, "volumeMounts", at, [&](Value mount, const FieldPath& mount_path) {
            for (std::string_view field : {"subPath", "subPathExpr"})
                if (!mount[field].empty()) errors.forbidden(mount_path.child(field), kRefused);
        });
    }
}

}  // namespace keelson::object::validation
