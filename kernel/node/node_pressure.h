// Where the machine runs short of what pods need: the node's pressure conditions, and what evictions follow
// from. On the node's executor. Source:
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/node/machine.h"

namespace keelson::node {

// Below these the node takes no new pods and ends some; the defaults are the kubelet's.
struct EvictionThresholds {
    std::int64_t memory_available_bytes = 100 << 20;
    int disk_available_percent = 10;
    int inodes_free_percent = 5;
    int processes_available_percent = 1;
    // A condition stays this long after its cause.
    std::chrono::seconds transition{300};
    bool operator==(const EvictionThresholds&) const = default;
};

enum class Pressure : std::uint8_t { memory, disk, processes };

struct Shortage {
    Pressure pressure = Pressure::memory;
    std::string_view resource;  // "memory", "ephemeral-storage", "inodes", "pids": as messages name it
    std::string threshold;      // "100Mi", "25Gi"
    std::string available;      // "51200Ki"
};

class NodePressure {
  public:
    explicit NodePressure(const EvictionThresholds& thresholds) : thresholds_(thresholds) {}

    // A limit of 0 processes: not known.
    void look(const MachineState& state, std::int64_t process_limit, base::MonotonicTime now);

    // Of the last look, the most urgent first.
    [[nodiscard]] const std::vector<Shortage>& shortages() const { return shortages_; }
    // Whether the condition holds: there is a shortage, or there was one within the transition.
    [[nodiscard]] bool has(Pressure pressure) const;

  private:
    const EvictionThresholds& thresholds_;
    std::vector<Shortage> shortages_;
    std::optional<base::MonotonicTime> seen_[3];
    base::MonotonicTime now_{};
};

// "MemoryPressure", "DiskPressure", "PIDPressure".
[[nodiscard]] std::string_view condition_of(Pressure pressure);

}  // namespace keelson::node
