// Local time in the zones of the system's time zone database.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "kernel/base/result.h"

namespace keelson::control {

// Seconds since 1970, in UTC.
using Seconds = std::int64_t;

struct LocalTime {
    std::int64_t year = 1970;
    int month = 1;  // 1 to 12
    int day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int weekday = 0;            // 0: Sunday
    int offset_from_utc_s = 0;  // of local time
};

class TimeZone {
  public:
    virtual ~TimeZone() = default;
    [[nodiscard]] virtual LocalTime local(Seconds time) const = 0;
    // The instant of that midnight; the first one of that day where it is skipped. Days and months past their
    // ends count on.
    [[nodiscard]] virtual Seconds midnight(std::int64_t year, int month, int day) const = 0;

    // "Europe/Berlin"; the empty name is UTC. Fails for a name that the database does not have.
    [[nodiscard]] static base::Result<std::shared_ptr<const TimeZone>> load(std::string_view name);
};

}  // namespace keelson::control
