#include "kernel/node/node_pressure.h"

#include "kernel/object/quantity.h"

namespace keelson::node {
namespace {

std::string bytes_text(std::int64_t bytes) {
    return object::Quantity(bytes, object::Quantity::Format::binary_si).to_string();
}

std::int64_t part_of(std::int64_t all, int percent) {
    return all / 100 * percent + all % 100 * percent / 100;
}

}  // namespace

void NodePressure::look(const MachineState& state, std::int64_t process_limit, base::MonotonicTime now) {
    shortages_.clear();
    now_ = now;
    const auto found = [&](Pressure pressure, std::string_view resource, std::string threshold,
                           std::string available) {
        shortages_.push_back({pressure, resource, std::move(threshold), std::move(available)});
        seen_[static_cast<std::size_t>(pressure)] = now;
    };
    // No machine that runs this has none left: 0 is what could not be read, and no reason to end pods.
    if (state.available_memory_bytes > 0 && state.available_memory_bytes < thresholds_.memory_available_bytes)
        found(Pressure::memory, "memory", bytes_text(thresholds_.memory_available_bytes),
              kibibytes(state.available_memory_bytes));
    const std::int64_t disk = part_of(state.disk_bytes, thresholds_.disk_available_percent);
    if (state.available_disk_bytes < disk)
        found(Pressure::disk, "ephemeral-storage", bytes_text(disk), kibibytes(state.available_disk_bytes));
    const std::int64_t inodes = part_of(state.inodes, thresholds_.inodes_free_percent);
    if (state.available_inodes < inodes)
        found(Pressure::disk, "inodes", std::to_string(inodes), std::to_string(state.available_inodes));
    const std::int64_t processes = part_of(process_limit, thresholds_.processes_available_percent);
    if (const std::int64_t left = process_limit - state.processes; left < processes)
        found(Pressure::processes, "pids", std::to_string(processes), std::to_string(left));
}

bool NodePressure::has(Pressure pressure) const {
    const auto& seen = seen_[static_cast<std::size_t>(pressure)];
    return seen && (*seen == now_ || now_ - *seen < thresholds_.transition);
}

std::string_view condition_of(Pressure pressure) {
    switch (pressure) {
        case Pressure::memory:
            return "MemoryPressure";
        case Pressure::disk:
            return "DiskPressure";
        case Pressure::processes:
            break;
    }
    return "PIDPressure";
}

}  // namespace keelson::node
