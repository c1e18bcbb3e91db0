// What has to be done for a pod now. A pure function of its record, in the order and under the conditions of
// https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ and .../init-containers/ and
// .../sidecar-containers/.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kernel/node/pod_record.h"

namespace keelson::node {

struct ContainerStop {
    std::string name;
    std::string reason;   // of the event
    std::string message;  // of the event
};

struct PodPlan {
    bool needs_sandbox = false;  // one has to be made before anything starts
    std::vector<std::string> start;
    std::vector<ContainerStop> stop;
    // Containers that would start but have to wait after a failure.
    std::vector<std::string> held_back;
    // Nothing runs and nothing will.
    bool is_over = false;
    // When to look again, if nothing happens before.
    std::optional<base::Duration> look_again;
};

[[nodiscard]] PodPlan plan_pod(const PodRecord& record, base::MonotonicTime now);
// Of a pod that is ending: who is to be stopped now. Sidecars stay until the others have ended, and end in
// the reverse of their order.
[[nodiscard]] std::vector<std::string> plan_ending(const PodRecord& record);

// Whether the container is to run again after the end that its record shows.
[[nodiscard]] bool restarts_after(const ContainerRecord& container, api_types::core_v1::Pod pod);
// Init containers have all done their work (and sidecars have started), or main containers run already.
[[nodiscard]] bool is_initialized(const PodRecord& record);

// The hash of its container's definition that an id carries.
[[nodiscard]] std::uint64_t hash_in_id(std::string_view container_id);
// An id that is the same whenever the same attempt of the same container is made: 64 hexadecimal digits.
[[nodiscard]] std::string make_container_id(std::string_view pod_uid, api_types::core_v1::Container container,
                                            std::int32_t attempt);
[[nodiscard]] std::string make_sandbox_id(std::string_view pod_uid, std::int32_t attempt);

}  // namespace keelson::node
