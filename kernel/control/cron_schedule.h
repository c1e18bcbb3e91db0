// When a CronJob is due: five fields, or "@hourly" and its like, as robfig/cron v3 reads them
// (https://pkg.go.dev/github.com/robfig/cron/v3#hdr-CRON_Expression_Format).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "kernel/base/result.h"
#include "kernel/control/time_zone.h"

namespace keelson::control {

class CronSchedule {
  public:
    // A schedule may begin with "TZ=zone " or "CRON_TZ=zone "; otherwise it is meant in `time_zone`.
    [[nodiscard]] static base::Result<CronSchedule> parse(std::string_view schedule,
                                                          std::string_view time_zone);

    // The first time after that one; nothing when there is none in the next five years.
    [[nodiscard]] std::optional<Seconds> next(Seconds after) const;
    [[nodiscard]] const TimeZone& time_zone() const { return *time_zone_; }

  private:
    [[nodiscard]] bool is_day(const LocalTime& local) const;

    // A bit for each value.
    struct Field {
        std::uint64_t values = 0;
        bool is_any = false;  // "*": leaves the choice of the day to the other field
        [[nodiscard]] bool has(int value) const { return (values >> value & 1) != 0; }
    };
    struct Bounds;
    [[nodiscard]] static std::optional<Field> parse_field(std::string_view text, const Bounds& bounds);
    [[nodiscard]] static bool add_range(std::string_view text, const Bounds& bounds, Field& field);

    std::array<Field, 5> fields_;  // minute, hour, day of the month, month, day of the week
    std::int64_t every_s_ = 0;     // "@every 90s": a pause instead
    std::shared_ptr<const TimeZone> time_zone_;
};

}  // namespace keelson::control
