#include "kernel/scheduling/resources.h"

#include <algorithm>

#include "kernel/object/quantity.h"

namespace keelson::scheduling {
namespace {

namespace core_v1 = api_types::core_v1;

constexpr std::int64_t kAssumedMilliCpu = 100;
constexpr std::int64_t kAssumedMemoryBytes = 200LL * 1024 * 1024;

// One container's or a whole pod's request in both countings.
struct Sum {
    Resources exact;
    std::int64_t cpu = 0;
    std::int64_t memory = 0;

    void add(const Sum& more) {
        exact.add(more.exact);
        cpu += more.cpu;
        memory += more.memory;
    }
    void raise_to(const Sum& least) {
        exact.raise_to(least.exact);
        cpu = std::max(cpu, least.cpu);
        memory = std::max(memory, least.memory);
    }
};

Resources with_status(Resources wanted, std::string_view name,
                      object::ListView<core_v1::ContainerStatus> all) {
    for (core_v1::ContainerStatus status : all) {
        if (status.name() != name) continue;
        if (status.has_resources()) wanted.raise_to(parse_resources(status.resources().requests()));
        if (status.has_allocated_resources()) wanted.raise_to(parse_resources(status.allocated_resources()));
    }
    return wanted;
}

Sum container_sum(core_v1::Container container, object::ListView<core_v1::ContainerStatus> statuses) {
    object::MapView<std::string_view> requests = container.resources().requests();
    Sum sum;
    sum.exact = with_status(parse_resources(requests), container.name(), statuses);
    sum.cpu = requests.has("cpu") ? sum.exact.milli_cpu : kAssumedMilliCpu;
    sum.memory = requests.has("memory") ? sum.exact.memory_bytes : kAssumedMemoryBytes;
    return sum;
}

Sum containers_sum(const core_v1::Pod& pod) {
    core_v1::PodSpec spec = pod.spec();
    Sum total, sidecars, largest_init;
    for (core_v1::Container container : spec.containers())
        total.add(container_sum(container, pod.status().container_statuses()));
    for (core_v1::Container container : spec.init_containers()) {
        Sum one = container_sum(container, pod.status().init_container_statuses());
        if (container.restart_policy() == "Always") {
            sidecars.add(one);
            total.add(one);
            one = sidecars;
        } else {
            one.add(sidecars);
        }
        largest_init.raise_to(one);
    }
    total.raise_to(largest_init);
    return total;
}

// Only what the pod level may say: CPU, memory and huge pages; the containers say the rest.
void apply_pod_level(Sum& sum, object::MapView<std::string_view> requests) {
    const Resources level = parse_resources(requests);
    if (requests.has("cpu")) sum.exact.milli_cpu = sum.cpu = level.milli_cpu;
    if (requests.has("memory")) sum.exact.memory_bytes = sum.memory = level.memory_bytes;
    for (const auto& [name, amount] : level.others)
        if (name.starts_with("hugepages-")) sum.exact.other_entry(name) = amount;
}

}  // namespace

std::int64_t Resources::other(std::string_view name) const {
    for (const auto& entry : others)
        if (entry.first == name) return entry.second;
    return 0;
}

std::int64_t& Resources::other_entry(std::string_view name) {
    auto at =
        std::lower_bound(others.begin(), others.end(), name,
                         [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
    if (at == others.end() || at->first != name) at = others.emplace(at, std::string(name), 0);
    return at->second;
}

void Resources::add(const Resources& more) {
    milli_cpu += more.milli_cpu;
    memory_bytes += more.memory_bytes;
    storage_bytes += more.storage_bytes;
    pods += more.pods;
    for (const auto& [name, amount] : more.others) other_entry(name) += amount;
}

void Resources::subtract(const Resources& less) {
    milli_cpu -= less.milli_cpu;
    memory_bytes -= less.memory_bytes;
    storage_bytes -= less.storage_bytes;
    pods -= less.pods;
    for (const auto& [name, amount] : less.others) other_entry(name) -= amount;
}

void Resources::raise_to(const Resources& least) {
    milli_cpu = std::max(milli_cpu, least.milli_cpu);
    memory_bytes = std::max(memory_bytes, least.memory_bytes);
    storage_bytes = std::max(storage_bytes, least.storage_bytes);
    pods = std::max(pods, least.pods);
    for (const auto& [name, amount] : least.others) {
        std::int64_t& entry = other_entry(name);
        entry = std::max(entry, amount);
    }
}

Resources parse_resources(object::MapView<std::string_view> amounts) {
    Resources result;
    for (const auto& [name, text] : amounts) {
        const auto quantity = object::Quantity::parse(text);
        if (!quantity) continue;
        if (name == "cpu")
            result.milli_cpu = quantity->milli_value();
        else if (name == "memory")
            result.memory_bytes = quantity->value();
        else if (name == "ephemeral-storage")
            result.storage_bytes = quantity->value();
        else if (name == "pods")
            result.pods = quantity->value();
        else
            result.other_entry(name) = quantity->value();
    }
    return result;
}

PodRequest pod_request(const core_v1::Pod& pod) {
    Sum sum = containers_sum(pod);
    if (pod.spec().has_resources()) apply_pod_level(sum, pod.spec().resources().requests());
    PodRequest request;
    request.exact = std::move(sum.exact);
    if (pod.spec().has_overhead()) {
        const Resources overhead = parse_resources(pod.spec().overhead());
        request.exact.add(overhead);
        sum.cpu += overhead.milli_cpu;
        sum.memory += overhead.memory_bytes;
    }
    request.exact.pods = 0;
    std::erase_if(request.exact.others, [](const auto& entry) { return entry.second == 0; });
    request.non_zero_milli_cpu = sum.cpu;
    request.non_zero_memory_bytes = sum.memory;
    return request;
}

}  // namespace keelson::scheduling
