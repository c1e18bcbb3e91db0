#include "kernel/node/pod_record.h"

#include <algorithm>

#include "kernel/base/crc32c.h"
#include "kernel/object/json.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

template <typename Visit>
void each_container(core_v1::Pod pod, Visit visit) {
    for (const core_v1::Container container : pod.spec().init_containers())
        visit(container,
              container.restart_policy() == "Always" ? ContainerRole::sidecar : ContainerRole::init);
    for (const core_v1::Container container : pod.spec().containers()) visit(container, ContainerRole::main);
    for (const core_v1::EphemeralContainer container : pod.spec().ephemeral_containers())
        visit(core_v1::Container(container.untyped()), ContainerRole::ephemeral);
}

}  // namespace

core_v1::Container container_of(core_v1::Pod pod, std::string_view name) {
    core_v1::Container found;
    each_container(pod, [&](core_v1::Container container, ContainerRole) {
        if (container.name() == name) found = container;
    });
    return found;
}

core_v1::ContainerStatus container_status_of(core_v1::Pod pod, std::string_view name) {
    const core_v1::PodStatus status = pod.status();
    for (const auto& statuses : {status.init_container_statuses(), status.container_statuses(),
                                 status.ephemeral_container_statuses()})
        for (const core_v1::ContainerStatus found : statuses)
            if (found.name() == name) return found;
    return {};
}

PodIdentity identity_of(core_v1::Pod pod) {
    PodIdentity identity{std::string(pod.metadata().name()),
                         std::string(pod.metadata().namespace_()),
                         std::string(pod.metadata().uid()),
                         {}};
    for (const auto entry : pod.metadata().annotations())
        identity.annotations.emplace(entry.name, entry.value);
    return identity;
}

void take_containers(PodRecord& record) {
    std::vector<ContainerRecord> now;
    each_container(record.object(), [&](core_v1::Container container, ContainerRole role) {
        if (ContainerRecord* known = record.find(container.name())) {
            now.push_back(std::move(*known));
        } else {
            now.emplace_back();
            now.back().name = container.name();
        }
        now.back().role = role;
    });
    record.containers = std::move(now);
}

// The image is all of a running container that an update may change and that it has to be made anew for.
std::uint64_t hash_of(core_v1::Container container) {
    const std::string text = std::string(container.name()) + "\n" + std::string(container.image());
    const std::uint64_t high = base::crc32c(text);
    return high << 32 | base::crc32c(text + "\n");
}

}  // namespace keelson::node
