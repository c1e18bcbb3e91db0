// Time as the kernel sees it. Wall time goes into objects; monotonic time drives timers and timeouts.
#pragma once

#include <chrono>
#include <cstdint>

namespace keelson::base {

using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;
using Duration = std::chrono::nanoseconds;

// Thread-safe.
class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual MonotonicTime now() const = 0;
    [[nodiscard]] virtual WallTime wall_now() const = 0;
};

// The machine's clock. Lives for the whole process.
Clock& system_clock();

}  // namespace keelson::base
