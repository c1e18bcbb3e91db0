#include "kernel/base/clock.h"

namespace keelson::base {
namespace {

class SystemClock final : public Clock {
  public:
    [[nodiscard]] MonotonicTime now() const override {
        return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
    }
    [[nodiscard]] WallTime wall_now() const override {
        return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    }
};

}  // namespace

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

}  // namespace keelson::base
