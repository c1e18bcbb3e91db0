// Everything that is left to chance in a simulated run, from one seed.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/base/ids.h"

namespace keelson::sim {

class Dice {
  public:
    explicit Dice(std::uint64_t seed) : random_(seed) {}

    [[nodiscard]] bool chance(double probability) {
        return static_cast<double>(random_.below(1'000'000)) < probability * 1e6;
    }
    // Both ends included.
    [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) {
        return low + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
    }
    [[nodiscard]] base::Duration milliseconds(std::int64_t low, std::int64_t high) {
        return std::chrono::milliseconds(between(low, high));
    }
    // The list must not be empty.
    template <typename T>
    [[nodiscard]] const T& pick(const std::vector<T>& from) {
        return from[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(from.size()) - 1))];
    }

  private:
    base::SeededRandom random_;
};

}  // namespace keelson::sim
