#include "kernel/object/time_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keelson::object {
namespace {

using testing::HasSubstr;

std::string utc(std::string_view text) {
    auto instant = parse_time(text);
    return instant ? format_micro_time(*instant) : "error: " + instant.error().message();
}

TEST(Time, BringsOffsetsToUtc) {
    EXPECT_EQ(utc("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05.000000Z");
    EXPECT_EQ(utc("2026-01-02T03:04:05+02:30"), "2026-01-02T00:34:05.000000Z");
    EXPECT_EQ(utc("2026-01-01T00:00:00-00:01"), "2026-01-01T00:01:00.000000Z");
    EXPECT_EQ(utc("2026-01-01T00:30:00+01:00"), "2025-12-31T23:30:00.000000Z");
    EXPECT_EQ(utc("2026-01-02T03:04:05.123456789Z"), "2026-01-02T03:04:05.123456Z");
    EXPECT_EQ(utc("2026-01-02T03:04:05.5Z"), "2026-01-02T03:04:05.500000Z");
    EXPECT_EQ(utc("1969-12-31T23:59:59Z"), "1969-12-31T23:59:59.000000Z");
    EXPECT_EQ(utc("0001-01-01T00:00:00Z"), "0001-01-01T00:00:00.000000Z");
    EXPECT_EQ(utc("9999-12-31T23:59:59Z"), "9999-12-31T23:59:59.000000Z");
    EXPECT_EQ(utc("2024-02-29T00:00:00Z"), "2024-02-29T00:00:00.000000Z");
}

TEST(Time, RefusesWhatIsNoTime) {
    for (std::string_view bad :
         {"", "now", "2026-01-02", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05", "2026-1-2T03:04:05Z",
          "2026-01-02T03:04:05Zx", "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05+0100", "26-01-02T03:04:05Z"})
        EXPECT_THAT(utc(bad), HasSubstr("error: parsing time \"" + std::string(bad) + "\"")) << bad;
    for (std::string_view bad :
         {"2026-13-02T03:04:05Z", "2026-00-02T03:04:05Z", "2026-01-32T03:04:05Z", "2023-02-29T03:04:05Z",
          "2026-01-02T24:04:05Z", "2026-01-02T03:60:05Z", "2026-01-02T03:04:60Z"})
        EXPECT_THAT(utc(bad), HasSubstr("out of range")) << bad;
}

TEST(Time, AFieldThatIsNotSetIsNoTime) {
    EXPECT_EQ(wall_time_of(""), std::nullopt);
    EXPECT_EQ(wall_time_of("1970-01-01T00:00:01Z"), base::WallTime(std::chrono::seconds(1)));
}

std::string duration(std::string_view text) {
    auto nanoseconds = parse_duration(text);
    return nanoseconds ? format_duration(*nanoseconds) : "error: " + nanoseconds.error().message();
}

TEST(Duration, ReadsAndWritesAsGo) {
    EXPECT_EQ(duration("0"), "0s");
    EXPECT_EQ(duration("90m"), "1h30m0s");
    EXPECT_EQ(duration("1h"), "1h0m0s");
    EXPECT_EQ(duration("1.5s"), "1.5s");
    EXPECT_EQ(duration(".5s"), "500ms");
    EXPECT_EQ(duration("1500us"), "1.5ms");
    EXPECT_EQ(duration("1500ns"), "1.5\xc2\xb5s");
    EXPECT_EQ(duration("7ns"), "7ns");
    EXPECT_EQ(duration("-2h45m"), "-2h45m0s");
    EXPECT_EQ(duration("+1s"), "1s");
    EXPECT_EQ(duration("1h1h"), "2h0m0s");
    EXPECT_EQ(duration("1\xc2\xb5s"), "1\xc2\xb5s");
    EXPECT_EQ(duration("2562047h47m16.854775807s"), "2562047h47m16.854775807s");
}

TEST(Duration, RefusesWhatIsNone) {
    EXPECT_EQ(duration(""), "error: time: invalid duration \"\"");
    EXPECT_EQ(duration("1"), "error: time: missing unit in duration \"1\"");
    EXPECT_EQ(duration("1d"), "error: time: unknown unit \"d\" in duration \"1d\"");
    for (std::string_view bad : {"-", "s", ".s", "1h-2m", "3000000h", "1e3s", "99999999999999999999h", " 1s"})
        EXPECT_THAT(duration(bad), HasSubstr("error: time: ")) << bad;
}

constexpr std::int64_t minute = 60;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;

TEST(Ages, AreShortTexts) {
    EXPECT_EQ(human_duration(-2), "<invalid>");
    EXPECT_EQ(human_duration(-1), "0s");
    EXPECT_EQ(human_duration(0), "0s");
    EXPECT_EQ(human_duration(119), "119s");
    EXPECT_EQ(human_duration(120), "2m");
    EXPECT_EQ(human_duration(185), "3m5s");
    EXPECT_EQ(human_duration(10 * minute), "10m");
    EXPECT_EQ(human_duration(10 * minute + 5), "10m");
    EXPECT_EQ(human_duration(3 * hour), "3h");
    EXPECT_EQ(human_duration(3 * hour + 5 * minute), "3h5m");
    EXPECT_EQ(human_duration(8 * hour + 5 * minute), "8h");
    EXPECT_EQ(human_duration(47 * hour), "47h");
    EXPECT_EQ(human_duration(2 * day), "2d");
    EXPECT_EQ(human_duration(2 * day + 3 * hour), "2d3h");
    EXPECT_EQ(human_duration(8 * day + 3 * hour), "8d");
    EXPECT_EQ(human_duration(400 * day), "400d");
    EXPECT_EQ(human_duration(760 * day), "2y30d");
    EXPECT_EQ(human_duration(365 * day * 9), "9y");
}

}  // namespace
}  // namespace keelson::object
