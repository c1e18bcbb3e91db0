#include <algorithm>

#include "kernel/object/addresses.h"
#include "kernel/object/validation/internal_form.h"
#include "kernel/object/validation/kinds.h"

namespace keelson::object::validation {

namespace {

constexpr std::string_view kMirror = "kubernetes.io/config.mirror";

void validate_pod_annotations(FieldErrors& errors, const FieldPath& path, Value annotations, Value spec) {
    if (Value mirror = annotations[kMirror]; mirror.is_set() && spec["nodeName"].empty())
        errors.invalid(path.key(kMirror), mirror.as_string(),
                       "must set spec.nodeName if mirror pod annotation is set");
    constexpr std::string_view kCost = "controller.kubernetes.io/pod-deletion-cost";
    if (Value cost = annotations[kCost]; cost.is_set()) {
        std::string_view text = cost.as_string();
        std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
        bool number = !digits.empty() && digits.size() <= 10 && !(digits.size() > 1 && digits[0] == '0') &&
                      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
        std::int64_t value = 0;
        if (number)
            for (char c : digits) value = value * 10 + (c - '0');
        if (!number || value > INT32_MAX) errors.invalid(path.key(kCost), text, "must be a 32bit integer");
    }
}

void validate_metadata_and_spec(FieldErrors& errors, const Request& request) {
    const FieldPath spec_path("spec");
    const FieldPath metadata_path("metadata");
    validate_object_meta(errors, request, name_is_dns_subdomain);
    validate_pod_annotations(errors, metadata_path.child("annotations"),
                             request.object.path({"metadata", "annotations"}), request.spec());
    PodOptions options;
    options.is_update = request.is_update();
    options.pod_name = request.object.path({"metadata", "name"}).as_string();
    validate_pod_spec(errors, spec_path, request.spec(), options);
    validate_pod_only(errors, spec_path, request.spec());
}

void validate_pod_create(FieldErrors& errors, const Request& request) {
    validate_metadata_and_spec(errors, request);
    const FieldPath path("spec");
    Value spec = request.spec();
    if (!spec["ephemeralContainers"].empty())
        errors.forbidden(path.child("ephemeralContainers"), "cannot be set on create");
    if (!spec["schedulingGates"].empty() && !spec["nodeName"].empty())
        errors.forbidden(path.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
}

void validate_annotation_updates(FieldErrors& errors, const Request& request) {
    const FieldPath metadata("metadata");
    const FieldPath path = metadata.child("annotations");
    Value annotations = request.object.path({"metadata", "annotations"});
    Value old = request.old.path({"metadata", "annotations"});
    constexpr std::string_view kAppArmor = "container.apparmor.security.beta.kubernetes.io/";
    auto guarded = [&](std::string_view name) { return name.starts_with(kAppArmor) || name == kMirror; };
    for (const Member& member : annotations.members()) {
        if (!guarded(member.name)) continue;
        if (Value before = old[member.name];
            before.is_set() && before.as_string() == member.value.as_string())
            continue;
        errors.forbidden(path.key(member.name), member.name == kMirror ? "may not add mirror pod annotation"
                                                                       : "may not add AppArmor annotations");
    }
    for (const Member& member : old.members())
        if (guarded(member.name) && !annotations.has(member.name))
            errors.forbidden(path.key(member.name), member.name == kMirror
                                                        ? "may not remove or update mirror pod annotation"
                                                        : "may not remove or update AppArmor annotations");
}

// False when the rest of the checks must not run.
bool validate_container_updates(FieldErrors& errors, const FieldPath& path, Value containers, Value old) {
    if (containers.size() != old.size()) {
        errors.forbidden(path, "pod updates may not add or remove containers");
        return false;
    }
    return true;
}

bool validate_deadline_update(FieldErrors& errors, const FieldPath& path, Value deadline, Value old) {
    if (deadline.is_set()) {
        if (Messages messages = is_in_range(deadline.as_integer(), 0, INT32_MAX); !messages.empty()) {
            errors.invalid_each(path, deadline.as_integer(), messages);
            return false;
        }
        if (old.is_set() && old.as_integer() < deadline.as_integer()) {
            errors.invalid(path, deadline.as_integer(), "must be less than or equal to previous value");
            return false;
        }
    } else if (old.is_set()) {
        errors.invalid(path, Value(), "must not update from a positive integer to nil value");
    }
    return true;
}

// Old tolerations must all be there; only tolerationSeconds may differ.
void validate_added_tolerations(FieldErrors& errors, const FieldPath& path, Value tolerations, Value old) {
    for (Value before : old.items()) {
        bool found = false;
        for (Value now : tolerations.items()) {
            bool equal = true;
            for (std::string_view name : {"key", "operator", "value", "effect"})
                equal = equal && now[name].as_string() == before[name].as_string();
            found = found || equal;
        }
        if (!found)
            return errors.forbidden(path,
                                    "existing toleration can not be modified except its tolerationSeconds");
    }
    validate_tolerations(errors, path, tolerations);
}

void validate_deleted_gates(FieldErrors& errors, const FieldPath& path, Value gates, Value old) {
    auto has = [](Value list, std::string_view name) {
        for (Value gate : list.items())
            if (gate["name"].as_string() == name) return true;
        return false;
    };
    auto items = gates.items();
    for (std::size_t i = 0; i < items.size(); ++i)
        if (std::string_view name = items[i]["name"].as_string(); !has(old, name))
            errors.forbidden(path.index(i), "only deletion is allowed, but found new scheduling gate '" +
                                                std::string(name) + "'");
}

// The new spec with what may change put back to the old values.
Value munged_spec(const Request& request) {
    Arena& arena = *request.arena;
    Value munged = request.spec().clone(arena);
    Value old = request.old_spec();
    auto restore = [&](Value into, Value from, std::string_view name) {
        if (from[name].is_set())
            into.set(arena, name, from[name]);
        else
            into.erase(name);
    };
    for (std::string_view list : {"containers", "initContainers"})
        for (std::size_t i = 0; i < munged[list].size(); ++i)
            restore(munged[list].at(i), old[list].at(i), "image");
    restore(munged, old, "activeDeadlineSeconds");
    restore(munged, old, "schedulingGates");
    restore(munged, old, "tolerations");
    bool was_negative = old["terminationGracePeriodSeconds"].as_integer() < 0;
    if (was_negative && munged["terminationGracePeriodSeconds"].as_integer() == 1)
        restore(munged, old, "terminationGracePeriodSeconds");
    return munged;
}

// Pods that still have scheduling gates may narrow where they can go.
void validate_gated_changes(FieldErrors& errors, const FieldPath& path, Value munged,
                            const Request& request) {
    Value old = request.old_spec();
    Arena& arena = *request.arena;
    for (const Member& label : old["nodeSelector"].members()) {
        Value now = munged["nodeSelector"][label.name];
        if (now.as_string() == label.value.as_string() && now.is_set()) continue;
        errors.invalid(path.child("nodeSelector"), BadValue::map(munged["nodeSelector"]),
                       "only additions are allowed to spec.nodeSelector (no mutations or deletions)");
        break;
    }
    if (old["nodeSelector"].is_set())
        munged.set(arena, "nodeSelector", old["nodeSelector"]);
    else
        munged.erase("nodeSelector");
    Value old_required =
        old.path({"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"});
    if (old_required.is_unset()) {
        if (old["affinity"].is_set())
            munged.set(arena, "affinity", old["affinity"]);
        else
            munged.erase("affinity");
    }
}

void validate_pod_update(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    validate_object_meta_update(errors, request);
    validate_metadata_and_spec(errors, request);
    validate_annotation_updates(errors, request);
    Value spec = request.spec(), old = request.old_spec();
    for (std::string_view list : {"containers", "initContainers"})
        if (!validate_container_updates(errors, path.child(list), spec[list], old[list])) return;
    if (!validate_deadline_update(errors, path.child("activeDeadlineSeconds"), spec["activeDeadlineSeconds"],
                                  old["activeDeadlineSeconds"]))
        return;
    validate_added_tolerations(errors, path.child("tolerations"), spec["tolerations"], old["tolerations"]);
    validate_deleted_gates(errors, path.child("schedulingGates"), spec["schedulingGates"],
                           old["schedulingGates"]);
    if (spec.equals(old)) return;
    Value munged = munged_spec(request);
    if (!old["schedulingGates"].empty()) validate_gated_changes(errors, path, munged, request);
    if (munged.equals(old)) return;
    errors.forbidden(
        path,
        "pod updates may not change fields other than `spec.containers[*].image`,"
        "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions "
        "to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
        "previously negative)\n" +
            internal_difference(InternalType::pod_spec, old, munged));
}

void validate_ephemeral_update(FieldErrors& errors, const Request& request) {
    const FieldPath spec_path("spec");
    const FieldPath path = spec_path.child("ephemeralContainers");
    validate_object_meta_update(errors, request);
    validate_metadata_and_spec(errors, request);
    if (request.old.path({"metadata", "annotations"}).has(kMirror))
        errors.forbidden(FieldPath(), "static pods do not support ephemeral containers");
    Value now = request.spec()["ephemeralContainers"];
    auto old = request.old_spec()["ephemeralContainers"].items();
    for (std::size_t i = 0; i < old.size(); ++i) {
        std::string_view name = old[i]["name"].as_string();
        Value match;
        for (Value container : now.items())
            if (container["name"].as_string() == name) match = container;
        std::string shown(name);
        if (match.is_unset())
            errors.forbidden(path,
                             "existing ephemeral containers " + go_quoted(name) + " may not be removed\n");
        else if (!match.equals(old[i]))
            errors.forbidden(path,
                             "existing ephemeral containers " + go_quoted(name) + " may not be changed\n");
    }
}

std::string_view qos_class(Value spec) {
    bool any = false, guaranteed = true;
    for (std::string_view list : {"containers", "initContainers"})
        for (Value container : spec[list].items())
            for (std::string_view name : {"cpu", "memory"}) {
                Quantity limit = quantity_of(container.path({"resources", "limits", name}));
                Quantity request = quantity_of(container.path({"resources", "requests", name}));
                any = any || limit.sign() > 0 || request.sign() > 0;
                guaranteed = guaranteed && limit.sign() > 0 && (request.is_zero() || request == limit);
            }
    if (!any) return "BestEffort";
    return guaranteed ? "Guaranteed" : "Burstable";
}

void validate_resize(FieldErrors& errors, const Request& request) {
    const FieldPath path("spec");
    validate_object_meta_update(errors, request);
    validate_metadata_and_spec(errors, request);
    Value spec = request.spec(), old = request.old_spec();
    if (request.old.path({"metadata", "annotations"}).has(kMirror))
        errors.forbidden(FieldPath(), "static pods cannot be resized");
    if (old.path({"os", "name"}).as_string() == "windows")
        errors.forbidden(FieldPath(), "windows pods cannot be resized");
    if (std::string_view before = qos_class(old); before != qos_class(spec))
        errors.invalid(path, before, "Pod QOS Class may not change as a result of resizing");
    for (std::string_view list : {"containers", "initContainers"}) {
        if (spec[list].size() != old[list].size()) {
            errors.forbidden(path.child(list),
                             std::string(list == "containers" ? "containers" : "initContainers") +
                                 " may not be added or removed on resize");
            continue;
        }
        for (std::size_t i = 0; i < spec[list].size(); ++i) {
            const FieldPath at = path.item(list, i);
            Value container = spec[list].at(i);
            Value before = old[list].at(i)["resources"];
            for (std::string_view which : {"limits", "requests"})
                for (const Member& member : before[which].members())
                    if (!container.path({"resources", which}).has(member.name))
                        errors.forbidden(
                            at.child(which == "limits" ? "resources.limits" : "resources.requests"),
                            "resource " + std::string(which) + " cannot be removed");
        }
    }
    Arena& arena = *request.arena;
    Value munged = spec.clone(arena);
    for (std::string_view list : {"containers", "initContainers"})
        for (std::size_t i = 0; i < munged[list].size(); ++i) {
            Value container = munged[list].at(i), before = old[list].at(i);
            for (std::string_view which : {"limits", "requests"})
                for (std::string_view name : {"cpu", "memory"}) {
                    Value amount = before.path({"resources", which, name});
                    Value target = container.path({"resources", which});
                    if (amount.is_set())
                        container.child_map(arena, "resources")
                            .child_map(arena, which)
                            .set(arena, name, amount);
                    else if (target.is_map()) {
                        target.erase(name);
                        if (target.empty()) container["resources"].erase(which);
                    }
                }
        }
    if (!munged.equals(old))
        errors.forbidden(path, "only cpu and memory resources are mutable\n" +
                                   internal_difference(InternalType::pod_spec, old, munged));
}

void validate_pod_ips(FieldErrors& errors, const FieldPath& path, Value status) {
    each(status, "podIPs", path, [&](Value entry, const FieldPath& at) {
        std::string_view text = entry["ip"].as_string();
        if (text.empty()) return;
        validate_ip(errors, at, text);
    });
    if (status["podIPs"].size() > 2)
        errors.invalid(path.child("podIPs"), status["podIPs"],
                       "may specify no more than one IP for each IP family");
    if (!status["hostIPs"].empty() &&
        status["hostIPs"].at(0)["ip"].as_string() != status["hostIP"].as_string())
        errors.invalid(path.child("hostIPs[0].ip"), status["hostIPs"].at(0)["ip"].as_string(),
                       "must be equal to `hostIP`");
}

void validate_status_update(FieldErrors& errors, const Request& request) {
    const FieldPath path("status");
    validate_object_meta_update(errors, request);
    validate_annotation_updates(errors, request);
    Value status = request.object["status"], old = request.old["status"];
    each(status, "conditions", path, [&](Value condition, const FieldPath& at) {
        std::string_view type = condition["type"].as_string();
        if (type != "PodScheduled" && type != "Ready" && type != "Initialized" && type != "ContainersReady")
            qualified_name(errors, at.child("Type"), type);
    });
    if (std::string_view name = status["nominatedNodeName"].as_string(); !name.empty())
        dns1123_subdomain(errors, path.child("nominatedNodeName"), name);
    if (request.spec()["nodeName"].as_string() != request.old_spec()["nodeName"].as_string())
        errors.forbidden(path.child("nodeName"), "may not be changed directly");
    not_negative(errors, path.child("observedGeneration"), status["observedGeneration"]);
    if (status["qosClass"].as_string() != old["qosClass"].as_string() && old["qosClass"].is_set())
        errors.invalid(path.child("qosClass"), status["qosClass"].as_string(), kImmutable);
    validate_pod_ips(errors, path, status);
}

}  // namespace

void check_pod(FieldErrors& errors, const Request& request) {
    if (!request.is_update()) return validate_pod_create(errors, request);
    if (request.subresource == "status") return validate_status_update(errors, request);
    if (request.subresource == "ephemeralcontainers") return validate_ephemeral_update(errors, request);
    if (request.subresource == "resize") return validate_resize(errors, request);
    validate_pod_update(errors, request);
}

}  // namespace keelson::object::validation
