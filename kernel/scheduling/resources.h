// Amounts of what pods ask for and nodes have: CPU, memory, disk, pod places and extended resources.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/object/accessors/core_v1.h"

namespace keelson::scheduling {

// A sum of resources. CPU counts in thousandths, everything else in whole units (bytes, pieces).
struct Resources {
    std::int64_t milli_cpu = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t storage_bytes = 0;
    std::int64_t pods = 0;
    // Extended resources and huge pages by name, sorted, without zeros in what pods ask for.
    std::vector<std::pair<std::string, std::int64_t>> others;

    [[nodiscard]] std::int64_t other(std::string_view name) const;
    // The entry, made when there is none.
    std::int64_t& other_entry(std::string_view name);
    void add(const Resources& more);
    void subtract(const Resources& less);
    // Each amount becomes the larger of the two.
    void raise_to(const Resources& least);
    bool operator==(const Resources&) const = default;
};

// "cpu", "memory", "ephemeral-storage", "pods" and the rest; what cannot be parsed counts as nothing.
[[nodiscard]] Resources parse_resources(object::MapView<std::string_view> amounts);

struct PodRequest {
    Resources exact;
    // CPU and memory with what a container that asks for none is counted as (100m, 200 MiB), so that pods
    // without requests spread as well.
    std::int64_t non_zero_milli_cpu = 0;
    std::int64_t non_zero_memory_bytes = 0;
    bool operator==(const PodRequest&) const = default;
};

// What a pod needs of a node: containers and sidecars together, or the largest init container with the
// sidecars started before it; pod-level resources in their place; overhead on top; resized containers with
// the larger of wanted and present
// (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers).
[[nodiscard]] PodRequest pod_request(const api_types::core_v1::Pod& pod);

}  // namespace keelson::scheduling
