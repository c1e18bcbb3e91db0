// A whole cluster in one thread and in virtual time: API and store, controllers, scheduler, nodes, a user and
// everything that can go wrong between them, all from one seed. The same seed gives the same run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/processes.h"
#include "tests/sim/workload.h"

namespace keelson::sim {

struct SimulationSettings {
    std::uint64_t seed = 1;
    bool prints_diary = false;
    // For bugs that are put in on purpose.
    Wrapper wraps_controllers;
    Wrapper wraps_scheduler;
    // Otherwise the seed says.
    std::optional<bool> is_calm;
    std::optional<bool> recreates;
    std::optional<bool> crowds;
};

struct Report {
    std::uint64_t seed = 0;
    std::optional<std::string> broken;  // the invariant
    std::uint64_t history_hash = 0;     // of every write with its time
    std::uint64_t revisions = 0;
    base::Duration virtual_time{};
    std::vector<std::string> last_actions;
};

[[nodiscard]] Report simulate(const SimulationSettings& settings);
// What to tell people about a run that broke something.
[[nodiscard]] std::string text_of(const Report& report);

}  // namespace keelson::sim
