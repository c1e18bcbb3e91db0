#include "kernel/control/service_endpoints.h"

#include <algorithm>

#include "kernel/control/pod_state.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/selector.h"

namespace keelson::control {
namespace {

using api_types::core_v1::Container;
using api_types::core_v1::Pod;
using api_types::core_v1::Service;
using object::LabelSelector;
using object::Value;

Service service_of(const ObjectPointer& object) {
    return Service(object->root());
}

std::optional<std::int64_t> named_port(Container container, std::string_view name,
                                       std::string_view protocol) {
    for (const auto port : container.ports())
        if (port.name() == name && port.protocol() == protocol) return port.container_port();
    return std::nullopt;
}

// Init containers that go on running count as containers.
std::optional<std::int64_t> find_port(Pod pod, std::string_view name, std::string_view protocol) {
    for (const Container container : pod.spec().containers())
        if (const auto port = named_port(container, name, protocol)) return port;
    for (const Container container : pod.spec().init_containers())
        if (container.restart_policy() == "Always")
            if (const auto port = named_port(container, name, protocol)) return port;
    return std::nullopt;
}

// What a pod's part in its Services follows from.
bool is_same_endpoint(const ObjectPointer& before, const ObjectPointer& now) {
    const Pod old_pod = pod_of(before);
    const Pod pod = pod_of(now);
    return before->is_being_deleted() == now->is_being_deleted() && is_ready(old_pod) == is_ready(pod) &&
           is_finished(old_pod) == is_finished(pod) && old_pod.spec().node_name() == pod.spec().node_name() &&
           old_pod.status().pod_ips().untyped().equals(pod.status().pod_ips().untyped()) &&
           old_pod.status().pod_ip() == pod.status().pod_ip() &&
           old_pod.metadata().labels().untyped().equals(pod.metadata().labels().untyped());
}

}  // namespace

std::vector<ServicePort> ports_of(Service service, Pod pod) {
    std::vector<ServicePort> ports;
    for (const auto port : service.spec().ports()) {
        const Value target = port.target_port();
        std::optional<std::int64_t> number;
        if (target.is_string())
            number = find_port(pod, target.as_string(), port.protocol());
        else
            number = target.as_integer() != 0 ? target.as_integer() : port.port();
        if (number)
            ports.push_back({std::string(port.name()), std::string(port.protocol()), *number,
                             std::string(port.app_protocol())});
    }
    return ports;
}

bool can_be_endpoint(Pod pod, bool include_terminating) {
    if (is_finished(pod)) return false;
    if (pod.status().pod_ip().empty() && pod.status().pod_ips().empty()) return false;
    return include_terminating || !pod.metadata().has_deletion_timestamp();
}

bool is_ipv6(std::string_view address) {
    return address.find(':') != std::string_view::npos;
}

std::string_view address_of(Pod pod, std::string_view family) {
    for (const auto entry : pod.status().pod_ips())
        if (is_ipv6(entry.ip()) == (family == "IPv6")) return entry.ip();
    const std::string_view only = pod.status().pod_ip();
    if (pod.status().pod_ips().empty() && is_ipv6(only) == (family == "IPv6")) return only;
    return {};
}

std::string_view host_name_of(Service service, Pod pod) {
    if (pod.spec().subdomain() != service.metadata().name()) return {};
    return pod.spec().hostname();
}

void refer_to_pod(api_types::core_v1::ObjectReference reference, const client::CachedObject& pod,
                  object::Arena& arena) {
    reference.set_kind(arena, "Pod");
    reference.set_namespace(arena, pod.key().namespace_name);
    reference.set_name(arena, pod.key().name);
    reference.set_uid(arena, pod.uid());
}

bool is_headless(Service service) {
    return service.spec().cluster_ip() == "None";
}

bool has_made_endpoints(Service service) {
    return !service.spec().selector().empty() && service.spec().type() != "ExternalName";
}

void enqueue_services_of(const Informer& services, const ObjectPointer& before, const ObjectPointer& now,
                         Queue& queue) {
    if (before && now && is_same_endpoint(before, now)) return;
    const ObjectPointer& any = now ? now : before;
    for (const ObjectPointer& service : services.list(any->key().namespace_name)) {
        if (service_of(service).spec().selector().empty()) continue;
        const auto selector = LabelSelector::from_labels(service_of(service).spec().selector().untyped());
        const auto selects = [&](const ObjectPointer& pod) {
            return pod && selector.matches(pod_of(pod).metadata().labels().untyped());
        };
        if (selects(before) || selects(now)) queue.add(service->key());
    }
}

ObjectList selected_pods(const Informer& pods, const ObjectPointer& service) {
    const auto selector = LabelSelector::from_labels(service_of(service).spec().selector().untyped());
    ObjectList selected = pods.list(service->key().namespace_name);
    std::erase_if(selected, [&](const ObjectPointer& pod) {
        return !selector.matches(pod_of(pod).metadata().labels().untyped());
    });
    return selected;
}

std::optional<std::string> TriggerTimes::next(const ObjectPointer& service, const ObjectList& pods) {
    Known& known = known_[service->key()];
    Known seen;
    std::optional<std::string> earliest;
    const auto consider = [&earliest](std::string_view time, std::string_view before) {
        if (time.empty() || time <= before) return;
        if (!earliest || time < *earliest) earliest = std::string(time);
    };
    seen.service = service_of(service).metadata().creation_timestamp();
    consider(seen.service, known.service);
    for (const ObjectPointer& pod : pods) {
        const std::string since(condition_of(pod_of(pod), "Ready").last_transition_time());
        const auto before = known.pods.find(pod->key().name);
        consider(since, before == known.pods.end() ? std::string_view() : before->second);
        seen.pods[pod->key().name] = since;
    }
    known = std::move(seen);
    return earliest;
}

}  // namespace keelson::control
