#include <algorithm>
#include <cmath>

#include "kernel/object/defaults_parts.h"
#include "kernel/object/image_name.h"
#include "kernel/object/quantity.h"

namespace keelson::object::defaults {

namespace {

void field_reference(Value holder, Arena& arena) {
    if (Value reference = holder["fieldRef"]; reference.is_map())
        set_text(reference, arena, "apiVersion", "v1");
}

void http_get(Value holder, Arena& arena) {
    Value get = holder["httpGet"];
    if (!get.is_map()) return;
    set_text(get, arena, "path", "/");
    set_text(get, arena, "scheme", "HTTP");
}

void probe(Value probe, Arena& arena) {
    if (!probe.is_map()) return;
    set_number(probe, arena, "timeoutSeconds", 1);
    set_number(probe, arena, "periodSeconds", 10);
    set_number(probe, arena, "successThreshold", 1);
    set_number(probe, arena, "failureThreshold", 3);
    http_get(probe, arena);
    if (Value grpc = probe["grpc"]; grpc.is_map()) set_absent(grpc, arena, "service", Value::reference(""));
}

void container(Value container, Arena& arena) {
    if (container["imagePullPolicy"].as_string().empty())
        container.set(
            arena, "imagePullPolicy",
            Value::reference(image_is_latest(container["image"].as_string()) ? "Always" : "IfNotPresent"));
    set_text(container, arena, "terminationMessagePath", "/dev/termination-log");
    set_text(container, arena, "terminationMessagePolicy", "File");
    for (Value port : container["ports"].items()) set_text(port, arena, "protocol", "TCP");
    for (Value variable : container["env"].items()) {
        Value from = variable["valueFrom"];
        field_reference(from, arena);
        if (Value file = from["fileKeyRef"]; file.is_map())
            set_absent(file, arena, "optional", Value::boolean(false));
    }
    resource_requirements(container["resources"], arena);
    probe(container["livenessProbe"], arena);
    probe(container["readinessProbe"], arena);
    probe(container["startupProbe"], arena);
    if (Value lifecycle = container["lifecycle"]; lifecycle.is_map()) {
        http_get(lifecycle["postStart"], arena);
        http_get(lifecycle["preStop"], arena);
    }
}

void mode_and_items(Value source, Arena& arena) {
    if (!source.is_map()) return;
    set_absent(source, arena, "defaultMode", Value::integer(0644));
    for (Value item : source["items"].items()) field_reference(item, arena);
}

void limits_to_requests(Value container, Arena& arena) {
    Value resources = container["resources"];
    Value limits = resources["limits"];
    if (limits.empty()) return;
    Value requests = resources.child_map(arena, "requests");
    for (const Member& limit : limits.members())
        if (!requests.has(limit.name)) requests.append(arena, limit.name, limit.value);
}

void host_ports(Value container, Arena& arena) {
    for (Value port : container["ports"].items())
        if (port["hostPort"].as_integer() == 0) {
            std::int64_t number = port["containerPort"].as_integer();
            if (number != 0) port.set(arena, "hostPort", Value::integer(number));
        }
}

bool is_restartable(Value container) {
    return container["restartPolicy"].as_string() == "Always";
}

Quantity quantity_of(Value text) {
    auto parsed = Quantity::parse(text.as_string());
    return parsed ? *parsed : Quantity();
}

// What all containers together ask for of one resource; `which` is "requests" or "limits". An init container
// counts by itself on top of the restartable ones before it.
bool aggregate(Value spec, std::string_view which, std::string_view resource, Quantity& total) {
    bool found = false;
    Quantity running, restartable, most_at_start;
    for (Value container : spec["containers"].items()) {
        Value amount = container.path({"resources", which, resource});
        if (amount.is_unset()) continue;
        found = true;
        running.add(quantity_of(amount));
    }
    for (Value container : spec["initContainers"].items()) {
        Value amount = container.path({"resources", which, resource});
        if (amount.is_unset()) continue;
        found = true;
        Quantity needed = quantity_of(amount);
        if (is_restartable(container)) {
            restartable.add(needed);
            needed = restartable;
        } else {
            needed.add(restartable);
        }
        if (needed > most_at_start) most_at_start = needed;
    }
    running.add(restartable);
    total = most_at_start > running ? most_at_start : running;
    return found;
}

void huge_page_limits(Value spec, Arena& arena) {
    Value resources = spec["resources"];
    if (resources["limits"].empty() && resources["requests"].empty()) return;
    auto each = [&](Value containers) {
        for (Value container : containers.items())
            for (const Member& limit : container.path({"resources", "limits"}).members()) {
                if (!limit.name.starts_with("hugepages-")) continue;
                if (resources["requests"].has(limit.name) || resources["limits"].has(limit.name)) continue;
                Quantity total;
                aggregate(spec, "limits", limit.name, total);
                resources.child_map(arena, "limits")
                    .append(arena, limit.name, Value::string(arena, total.to_string()));
            }
    };
    each(spec["containers"]);
    each(spec["initContainers"]);
}

void pod_level_requests(Value spec, Arena& arena) {
    Value resources = spec["resources"];
    Value limits = resources["limits"];
    if (limits.empty()) return;
    Value requests = resources["requests"];
    if (!requests.is_map()) requests = Value::map(arena);
    auto add = [&](std::string_view name, Value amount) { requests.append(arena, name, amount); };
    for (std::string_view name : {std::string_view("cpu"), std::string_view("memory")}) {
        Quantity total;
        if (!requests.has(name) && aggregate(spec, "requests", name, total))
            add(name, Value::string(arena, total.to_string()));
    }
    for (const Member& limit : limits.members()) {
        bool known = limit.name == "cpu" || limit.name == "memory" || limit.name.starts_with("hugepages-");
        if (known && !requests.has(limit.name)) add(limit.name, limit.value);
    }
    if (!requests.empty()) resources.set(arena, "requests", requests);
}

}  // namespace

void resource_list(Value list, Arena& arena) {
    for (Member& member : list.members()) {
        std::string_view text = member.value.as_string();
        if (text.empty()) continue;
        bool fine = text.back() == 'n' || text.back() == 'u' || text.find("e-") != std::string_view::npos;
        if (!fine) continue;
        auto parsed = Quantity::parse(text);
        if (!parsed) continue;
        Quantity rounded = Quantity::from_milli(parsed->milli_value(), parsed->format());
        if (!(rounded == *parsed)) member.value = Value::string(arena, rounded.to_string());
    }
}

void resource_requirements(Value resources, Arena& arena) {
    resource_list(resources["limits"], arena);
    resource_list(resources["requests"], arena);
}

void claim_spec(Value spec, Arena& arena) {
    if (!spec.is_map()) return;
    set_absent(spec, arena, "volumeMode", Value::reference("Filesystem"));
    resource_requirements(spec["resources"], arena);
}

void claim(Value claim, Arena& arena) {
    claim_spec(claim["spec"], arena);
    Value status = claim.child_map(arena, "status");
    set_text(status, arena, "phase", "Pending");
    resource_list(status["capacity"], arena);
    resource_list(status["allocatedResources"], arena);
}

void persistent_volume_source(Value source, Arena& arena) {
    for (const Member& member : source.members()) {
        Value part = member.value;
        if (!part.is_map()) continue;
        if (member.name == "iscsi") {
            set_text(part, arena, "iscsiInterface", "default");
        } else if (member.name == "rbd") {
            set_text(part, arena, "pool", "rbd");
            set_text(part, arena, "user", "admin");
            set_text(part, arena, "keyring", "/etc/ceph/keyring");
        } else if (member.name == "azureDisk") {
            set_absent(part, arena, "cachingMode", Value::reference("ReadWrite"));
            set_absent(part, arena, "fsType", Value::reference("ext4"));
            set_absent(part, arena, "readOnly", Value::boolean(false));
            set_absent(part, arena, "kind", Value::reference("Shared"));
        } else if (member.name == "scaleIO") {
            set_text(part, arena, "storageMode", "ThinProvisioned");
            set_text(part, arena, "fsType", "xfs");
        } else if (member.name == "hostPath") {
            set_absent(part, arena, "type", Value::reference(""));
        }
    }
}

void volume(Value volume, Arena& arena) {
    bool has_source = false;
    for (const Member& member : volume.members()) has_source = has_source || member.value.is_map();
    if (!has_source) {
        volume.set(arena, "emptyDir", Value::map(arena));
        return;
    }
    persistent_volume_source(volume, arena);
    mode_and_items(volume["secret"], arena);
    mode_and_items(volume["configMap"], arena);
    mode_and_items(volume["downwardAPI"], arena);
    if (Value projected = volume["projected"]; projected.is_map()) {
        set_absent(projected, arena, "defaultMode", Value::integer(0644));
        for (Value source : projected["sources"].items()) {
            for (Value item : source.path({"downwardAPI", "items"}).items()) field_reference(item, arena);
            if (Value token = source["serviceAccountToken"]; token.is_map())
                set_absent(token, arena, "expirationSeconds", Value::integer(3600));
        }
    }
    if (Value image = volume["image"]; image.is_map() && image["pullPolicy"].as_string().empty())
        image.set(
            arena, "pullPolicy",
            Value::reference(image_is_latest(image["reference"].as_string()) ? "Always" : "IfNotPresent"));
    claim_spec(volume.path({"ephemeral", "volumeClaimTemplate", "spec"}), arena);
}

void pod_spec(Value spec, Arena& arena) {
    if (!spec.is_map()) return;
    set_text(spec, arena, "dnsPolicy", "ClusterFirst");
    set_text(spec, arena, "restartPolicy", "Always");
    set_absent(spec, arena, "securityContext", Value::map(arena));
    set_absent(spec, arena, "terminationGracePeriodSeconds", Value::integer(30));
    set_text(spec, arena, "schedulerName", "default-scheduler");
    // The two names of one field.
    if (spec["serviceAccountName"].empty() && !spec["serviceAccount"].empty())
        spec.set(arena, "serviceAccountName", spec["serviceAccount"]);
    if (!spec["serviceAccountName"].empty()) spec.set(arena, "serviceAccount", spec["serviceAccountName"]);
    for (Value item : spec["volumes"].items()) volume(item, arena);
    for (Value item : spec["initContainers"].items()) container(item, arena);
    for (Value item : spec["containers"].items()) container(item, arena);
    for (Value item : spec["ephemeralContainers"].items()) container(item, arena);
    resource_list(spec["overhead"], arena);
    resource_requirements(spec["resources"], arena);
}

void pod(Value pod, Arena& arena) {
    Value spec = pod["spec"];
    if (!spec.is_map()) spec = pod.child_map(arena, "spec");
    pod_spec(spec, arena);
    for (Value item : spec["containers"].items()) limits_to_requests(item, arena);
    for (Value item : spec["initContainers"].items()) limits_to_requests(item, arena);
    if (spec["resources"].is_map()) {
        huge_page_limits(spec, arena);
        pod_level_requests(spec, arena);
    }
    set_absent(spec, arena, "enableServiceLinks", Value::boolean(true));
    if (spec["hostNetwork"].as_boolean()) {
        for (Value item : spec["containers"].items()) host_ports(item, arena);
        for (Value item : spec["initContainers"].items()) host_ports(item, arena);
    }
}

}  // namespace keelson::object::defaults
