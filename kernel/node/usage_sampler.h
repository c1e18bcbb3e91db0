// What containers and the machine use, looked at now and then: a rate needs two looks. On the node's
// executor.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "kernel/base/pause.h"
#include "kernel/node/machine.h"
#include "kernel/node/node_agent.h"

namespace keelson::node {

struct RatedUsage {
    Usage usage;
    std::optional<std::int64_t> cpu_nano_cores;  // none: seen for the first time
};

struct UsageReading {
    base::WallTime time{};
    base::Duration window{};  // of the rates
    MachineState machine;
    std::optional<std::int64_t> machine_cpu_nano_cores;
    std::map<std::string, RatedUsage, std::less<>> containers;  // by id
    std::map<std::string, RatedUsage, std::less<>> sandboxes;
};

class UsageSampler {
  public:
    UsageSampler(const NodeSettings& settings, const NodeParts& parts) : settings_(settings), parts_(parts) {}

    // Looks every ten seconds, until stop().
    base::Task<void> run();
    void stop() { pause_.stop(); }
    // The newest look, at most a second old; rates are over the last half minute or what there is of it.
    base::Task<UsageReading> read();

  private:
    struct Sample {
        base::MonotonicTime at{};
        base::WallTime time{};
        MachineState machine;
        std::map<std::string, Usage, std::less<>> containers;
        std::map<std::string, Usage, std::less<>> sandboxes;
    };
    base::Task<void> look();
    [[nodiscard]] const Sample* base_of(const Sample& newest) const;

    const NodeSettings& settings_;
    const NodeParts& parts_;
    base::Pause pause_;
    std::deque<Sample> samples_;  // the oldest first; never two within a second
};

}  // namespace keelson::node
