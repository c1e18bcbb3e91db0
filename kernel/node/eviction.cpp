#include "kernel/node/eviction.h"

#include <algorithm>
#include <tuple>

#include "kernel/object/quantity.h"
#include "kernel/resource/quota_usage.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;
using object::Quantity;

constexpr std::int64_t kCriticalPriority = 2'000'000'000;
constexpr std::string_view kDisk = "ephemeral-storage";
constexpr std::string_view kEvicted = "Evicted";
// A pod that is in the way has this long to end.
constexpr std::chrono::seconds kGrace{1};

std::int64_t value_of(std::string_view text) {
    const auto quantity = Quantity::parse(text);
    return text.empty() || !quantity ? 0 : quantity->value();
}

std::string bytes_text(std::int64_t bytes) {
    return Quantity(bytes, Quantity::Format::binary_si).to_string();
}

// What the container has of the resource; 0 when it is not known.
std::int64_t used_by(const ContainerRecord& container, std::string_view resource,
                     const UsageReading& reading) {
    if (!container.current) return 0;
    const auto found = reading.containers.find(container.current->id);
    if (found == reading.containers.end()) return 0;
    const Usage& usage = found->second.usage;
    if (resource == "memory") return usage.working_set_bytes;
    if (resource == "pids") return usage.processes.value_or(0);
    return usage.file_system_bytes.value_or(0);
}

std::int64_t on_disk(const PodDiskUsage& disk) {
    std::int64_t bytes = disk.log_bytes;
    for (const auto& [name, size] : disk.volumes) bytes += size;
    return bytes;
}

struct Standing {
    std::int64_t used = 0;
    std::int64_t requested = 0;
    std::int64_t priority = 0;

    // The first to go is the smallest.
    [[nodiscard]] auto order() const { return std::tuple(used <= requested, priority, requested - used); }
};

Standing standing_of(const PodRecord& record, std::string_view resource, const UsageReading& reading,
                     const DiskUsages& disk) {
    Standing standing;
    const core_v1::Pod pod = record.object();
    standing.priority = pod.spec().priority();
    for (const ContainerRecord& container : record.containers)
        standing.used += used_by(container, resource, reading);
    if (resource == "memory" || resource == kDisk) {
        const auto amounts = resource::quota_usage_of("", "pods", pod.untyped(), base::WallTime());
        const auto requested = amounts.find("requests." + std::string(resource));
        if (requested != amounts.end()) standing.requested = requested->second.value();
    }
    if (resource != "memory" && resource != "pids")
        if (const auto found = disk.find(record.uid); found != disk.end())
            standing.used += on_disk(found->second);
    return standing;
}

std::string message_of(const Shortage& shortage, const PodRecord& record, const UsageReading& reading) {
    std::string message = "The node was low on resource: " + std::string(shortage.resource) +
                          ". Threshold quantity: " + shortage.threshold +
                          ", available: " + shortage.available + ". ";
    if (shortage.resource != "memory" && shortage.resource != kDisk) return message;
    for (const ContainerRecord& container : record.containers) {
        const core_v1::Container definition = container_of(record.object(), container.name);
        const std::string_view request = definition.resources().requests()[shortage.resource];
        const std::int64_t used = used_by(container, shortage.resource, reading);
        if (used <= value_of(request)) continue;
        message += "Container " + container.name + " was using " + bytes_text(used) + ", request is " +
                   std::string(request.empty() ? "0" : request) + ", has larger consumption of " +
                   std::string(shortage.resource) + ". ";
    }
    return message;
}

PodFailure evicted(std::string message) {
    return {std::string(kEvicted), std::move(message), kGrace, true};
}

std::string_view disk_limit_of(core_v1::Container container) {
    return container.resources().limits()[kDisk];
}

}  // namespace

bool is_critical(core_v1::Pod pod) {
    return pod.spec().priority() >= kCriticalPriority ||
           !pod.metadata().annotations()["kubernetes.io/config.mirror"].empty();
}

std::optional<Eviction> choose_eviction(const Shortage& shortage,
                                        const std::vector<std::shared_ptr<PodRecord>>& records,
                                        const UsageReading& reading, const DiskUsages& disk) {
    std::shared_ptr<PodRecord> chosen;
    Standing lowest;
    for (const auto& record : records) {
        if (record->stage != PodStage::living || !record->is_admitted || !record->pod ||
            is_critical(record->object()))
            continue;
        const Standing standing = standing_of(*record, shortage.resource, reading, disk);
        if (chosen && standing.order() >= lowest.order()) continue;
        chosen = record;
        lowest = standing;
    }
    if (!chosen) return std::nullopt;
    return Eviction{chosen, evicted(message_of(shortage, *chosen, reading))};
}

bool has_disk_limit(core_v1::Pod pod) {
    for (const core_v1::Volume volume : pod.spec().volumes())
        if (!volume.empty_dir().size_limit().empty()) return true;
    return std::ranges::any_of(pod.spec().containers(), [](core_v1::Container container) {
        return !disk_limit_of(container).empty();
    });
}

std::optional<PodFailure> over_its_disk(const PodRecord& record, const UsageReading& reading,
                                        const PodDiskUsage& disk) {
    const core_v1::Pod pod = record.object();
    for (const core_v1::Volume volume : pod.spec().volumes()) {
        const std::string_view limit = volume.empty_dir().size_limit();
        const auto used = disk.volumes.find(std::string(volume.name()));
        if (!limit.empty() && used != disk.volumes.end() && used->second > value_of(limit))
            return evicted("Usage of EmptyDir volume \"" + std::string(volume.name()) +
                           "\" exceeds the limit \"" + std::string(limit) + "\". ");
    }
    std::int64_t allowed = 0;
    std::int64_t used = on_disk(disk);
    bool all_are_limited = true;
    for (const ContainerRecord& container : record.containers) {
        const std::string_view limit = disk_limit_of(container_of(record.object(), container.name));
        const std::int64_t own = used_by(container, kDisk, reading);
        used += own;
        if (container.role != ContainerRole::main) continue;
        if (limit.empty()) {
            all_are_limited = false;
            continue;
        }
        allowed += value_of(limit);
        if (own > value_of(limit))
            return evicted("Container " + container.name + " exceeded its local ephemeral storage limit \"" +
                           std::string(limit) + "\". ");
    }
    if (all_are_limited && allowed > 0 && used > allowed)
        return evicted("Pod ephemeral local storage usage exceeds the total limit of containers " +
                       bytes_text(allowed) + ". ");
    return std::nullopt;
}

}  // namespace keelson::node
