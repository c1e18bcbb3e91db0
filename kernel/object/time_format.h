// Times and durations in the forms that Kubernetes writes and accepts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/base/clock.h"
#include "kernel/base/result.h"

namespace keelson::object {

// An instant: seconds since 1970 in UTC (may be negative) and nanoseconds after them.
struct Instant {
    std::int64_t seconds = 0;
    std::int32_t nanoseconds = 0;
    auto operator<=>(const Instant&) const = default;
};

[[nodiscard]] Instant instant_of(base::WallTime time);
// Only for times that a WallTime can hold (the years 1678 to 2261); others give the nearest.
[[nodiscard]] base::WallTime wall_time_of(Instant instant);
// None when the text is no time, as that of a field that is not set.
[[nodiscard]] std::optional<base::WallTime> wall_time_of(std::string_view text);

// Parses RFC 3339 as Go's time.Parse does; the error is worded as Go's.
[[nodiscard]] base::Result<Instant> parse_time(std::string_view text);
// Whether the instant lies in the years 0 to 9999, which the formats below can write and parse_time reads.
[[nodiscard]] bool has_time_text(Instant instant);
// "2006-01-02T15:04:05Z"
[[nodiscard]] std::string format_time(Instant instant);
// "2006-01-02T15:04:05.000000Z"
[[nodiscard]] std::string format_micro_time(Instant instant);

// Go's time.ParseDuration / Duration.String, in nanoseconds: "1h2m3.5s".
[[nodiscard]] base::Result<std::int64_t> parse_duration(std::string_view text);
[[nodiscard]] std::string format_duration(std::int64_t nanoseconds);

// The age column of tables: "5s", "3m12s", "4h5m", "2d3h", "400d", "2y30d"; "<invalid>" when in the future.
[[nodiscard]] std::string human_duration(std::int64_t seconds);

}  // namespace keelson::object
