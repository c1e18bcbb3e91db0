#include "kernel/object/time_format.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <limits>

namespace keelson::object {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::string_view kLayout = "2006-01-02T15:04:05Z07:00";

Status time_error(std::string_view text, std::string_view rest, std::string_view wanted) {
    std::string message = "parsing time \"" + std::string(text) + "\"";
    message += " as \"" + std::string(kLayout) + "\": cannot parse \"" + std::string(rest) + "\" as \"" +
               std::string(wanted) + "\"";
    return Status(Reason::bad_request, message);
}

Status time_range_error(std::string_view text, std::string_view part) {
    return Status(Reason::bad_request,
                  "parsing time \"" + std::string(text) + "\": " + std::string(part) + " out of range");
}

bool read_digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
    if (at + count > text.size()) return false;
    value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (text[i] < '0' || text[i] > '9') return false;
        value = value * 10 + (text[i] - '0');
    }
    return true;
}

struct Part {
    std::string_view wanted;
    std::size_t digits;  // 0: a literal
};

constexpr std::array<Part, 11> kParts{{{"2006", 4},
                                       {"-", 0},
                                       {"01", 2},
                                       {"-", 0},
                                       {"02", 2},
                                       {"T", 0},
                                       {"15", 2},
                                       {":", 0},
                                       {"04", 2},
                                       {":", 0},
                                       {"05", 2}}};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// 0 for an unknown unit.
std::uint64_t unit_nanoseconds(std::string_view unit) {
    struct Unit {
        std::string_view name;
        std::uint64_t nanoseconds;
    };
    constexpr Unit kUnits[] = {
        {"ns", 1},         {"us", 1'000},        {"\xc2\xb5s", 1'000},  {"\xce\xbcs", 1'000},
        {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
    for (const Unit& known : kUnits)
        if (known.name == unit) return known.nanoseconds;
    return 0;
}

std::chrono::sys_days civil_day(std::int64_t seconds, std::int64_t& rest) {
    std::int64_t days = seconds / 86400;
    rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        --days;
    }
    return std::chrono::sys_days(std::chrono::days(days));
}

std::string format_seconds(std::int64_t seconds) {
    std::int64_t rest;
    std::chrono::year_month_day day(civil_day(seconds, rest));
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(day.year()),
                  static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                  static_cast<int>(rest / 3600), static_cast<int>(rest / 60 % 60),
                  static_cast<int>(rest % 60));
    return buffer;
}

}  // namespace

Result<Instant> parse_time(std::string_view text) {
    int values[6] = {};
    std::size_t at = 0, filled = 0;
    for (const Part& part : kParts) {
        if (part.digits == 0) {
            if (at >= text.size() || text[at] != part.wanted[0])
                return time_error(text, text.substr(at), part.wanted);
            ++at;
        } else {
            if (!read_digits(text, at, part.digits, values[filled]))
                return time_error(text, text.substr(at), part.wanted);
            at += part.digits;
            ++filled;
        }
    }
    std::int64_t nanoseconds = 0;
    if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
        std::int64_t scale = 100'000'000;
        std::size_t start = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
            nanoseconds += (text[at] - '0') * scale;
        if (at == start) return time_error(text, text.substr(at - 1), "Z07:00");
    }
    int offset = 0;
    if (at < text.size() && text[at] == 'Z') {
        ++at;
    } else {
        int hours, minutes;
        if (at + 6 > text.size() || (text[at] != '+' && text[at] != '-') || text[at + 3] != ':' ||
            !read_digits(text, at + 1, 2, hours) || !read_digits(text, at + 4, 2, minutes))
            return time_error(text, text.substr(at), "Z07:00");
        offset = (hours * 3600 + minutes * 60) * (text[at] == '-' ? -1 : 1);
        at += 6;
    }
    if (at != text.size())
        return Status(Reason::bad_request, "parsing time \"" + std::string(text) + "\": extra text: \"" +
                                               std::string(text.substr(at)) + "\"");
    if (values[1] < 1 || values[1] > 12) return time_range_error(text, "month");
    if (values[3] > 23) return time_range_error(text, "hour");
    if (values[4] > 59) return time_range_error(text, "minute");
    if (values[5] > 59) return time_range_error(text, "second");
    std::chrono::year_month_day day(std::chrono::year{values[0]},
                                    std::chrono::month(static_cast<unsigned>(values[1])),
                                    std::chrono::day(static_cast<unsigned>(values[2])));
    if (!day.ok()) return time_range_error(text, "day");
    std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
    Instant instant{
        days * 86400 + std::int64_t{3600} * values[3] + std::int64_t{60} * values[4] + values[5] - offset,
        static_cast<std::int32_t>(nanoseconds)};
    if (!has_time_text(instant)) return time_range_error(text, "year");
    return instant;
}

bool has_time_text(Instant instant) {
    constexpr std::int64_t kFirst = -62'167'219'200, kLast = 253'402'300'799;  // 0000-01-01 and 9999-12-31
    return instant.seconds >= kFirst && instant.seconds <= kLast && instant.nanoseconds >= 0 &&
           instant.nanoseconds < 1'000'000'000;
}

std::string format_time(Instant instant) {
    return format_seconds(instant.seconds) + "Z";
}

Instant instant_of(base::WallTime time) {
    const auto since = time.time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
    return {seconds.count(), static_cast<std::int32_t>((since - seconds).count())};
}

base::WallTime wall_time_of(Instant instant) {
    constexpr std::int64_t kFarthestSeconds = INT64_MAX / 1'000'000'000 - 1;
    const std::int64_t seconds = std::clamp(instant.seconds, -kFarthestSeconds, kFarthestSeconds);
    return base::WallTime(std::chrono::seconds(seconds) + std::chrono::nanoseconds(instant.nanoseconds));
}

std::optional<base::WallTime> wall_time_of(std::string_view text) {
    const auto instant = parse_time(text);
    if (!instant) return std::nullopt;
    return wall_time_of(*instant);
}

std::string format_micro_time(Instant instant) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, ".%06dZ", instant.nanoseconds / 1000);
    return format_seconds(instant.seconds) + buffer;
}

Result<std::int64_t> parse_duration(std::string_view text) {
    auto invalid = [&](std::string_view what = "invalid duration ") {
        return Status(Reason::bad_request, "time: " + std::string(what) + "\"" + std::string(text) + "\"");
    };
    std::string_view rest = text;
    bool negative = false;
    if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
        negative = rest[0] == '-';
        rest.remove_prefix(1);
    }
    if (rest == "0") return 0;
    if (rest.empty()) return invalid();
    // Whole numbers and fractions apart, as in Go: so what format_duration writes is read back exactly.
    constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;
    std::uint64_t total = 0;
    while (!rest.empty()) {
        std::uint64_t whole = 0, fraction = 0;
        double scale = 1;
        std::size_t i = 0;
        for (; i < rest.size() && is_digit(rest[i]); ++i) {
            if (whole > kLimit / 10) return invalid();
            whole = whole * 10 + static_cast<std::uint64_t>(rest[i] - '0');
            if (whole > kLimit) return invalid();
        }
        bool digit = i > 0;
        if (i < rest.size() && rest[i] == '.') {
            bool full = false;
            for (++i; i < rest.size() && is_digit(rest[i]); ++i) {
                digit = true;
                full = full || fraction > (kLimit - 1) / 10;
                if (full) continue;
                std::uint64_t longer = fraction * 10 + static_cast<std::uint64_t>(rest[i] - '0');
                full = longer > kLimit;
                if (full) continue;
                fraction = longer;
                scale *= 10;
            }
        }
        if (!digit) return invalid();
        rest.remove_prefix(i);
        std::size_t unit_length = 0;
        while (unit_length < rest.size() && rest[unit_length] != '.' && !is_digit(rest[unit_length]))
            ++unit_length;
        std::string_view unit = rest.substr(0, unit_length);
        if (unit.empty()) return invalid("missing unit in duration ");
        std::uint64_t nanoseconds = unit_nanoseconds(unit);
        if (nanoseconds == 0)
            return Status(Reason::bad_request, "time: unknown unit \"" + std::string(unit) +
                                                   "\" in duration \"" + std::string(text) + "\"");
        if (whole > kLimit / nanoseconds) return invalid();
        whole *= nanoseconds;
        whole += static_cast<std::uint64_t>(static_cast<double>(fraction) *
                                            (static_cast<double>(nanoseconds) / scale));
        if (whole > kLimit) return invalid();
        total += whole;
        if (total > kLimit) return invalid();
        rest.remove_prefix(unit_length);
    }
    if (negative) return static_cast<std::int64_t>(~total + 1);
    if (total == kLimit) return invalid();
    return static_cast<std::int64_t>(total);
}

std::string format_duration(std::int64_t nanoseconds) {
    if (nanoseconds == 0) return "0s";
    std::string sign = nanoseconds < 0 ? "-" : "";
    auto rest = nanoseconds < 0 ? ~static_cast<std::uint64_t>(nanoseconds) + 1
                                : static_cast<std::uint64_t>(nanoseconds);
    auto fraction = [](std::uint64_t value, int digits) {
        std::uint64_t unit = 1;
        for (int i = 0; i < digits; ++i) unit *= 10;
        std::string text = std::to_string(value / unit);
        if (std::uint64_t part = value % unit; part != 0) {
            std::string tail = std::to_string(part);
            tail.insert(0, static_cast<std::size_t>(digits) - tail.size(), '0');
            while (tail.back() == '0') tail.pop_back();
            text += "." + tail;
        }
        return text;
    };
    if (rest < 1000) return sign + std::to_string(rest) + "ns";
    if (rest < 1'000'000) return sign + fraction(rest, 3) + "\xc2\xb5s";
    if (rest < 1'000'000'000) return sign + fraction(rest, 6) + "ms";
    std::uint64_t minutes = rest / 60'000'000'000ULL;
    std::string text = fraction(rest % 60'000'000'000ULL, 9) + "s";
    if (minutes > 0) text = std::to_string(minutes % 60) + "m" + text;
    if (minutes >= 60) text = std::to_string(minutes / 60) + "h" + text;
    return sign + text;
}

std::string human_duration(std::int64_t seconds) {
    auto pair = [](std::int64_t major, char major_unit, std::int64_t minor, char minor_unit) {
        std::string text = std::to_string(major) + major_unit;
        if (minor != 0) text += std::to_string(minor) + minor_unit;
        return text;
    };
    if (seconds < -1) return "<invalid>";
    if (seconds < 0) return "0s";
    std::int64_t minutes = seconds / 60, hours = seconds / 3600, days = hours / 24;
    if (seconds < 120) return std::to_string(seconds) + "s";
    if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
    if (minutes < 180) return std::to_string(minutes) + "m";
    if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
    if (hours < 48) return std::to_string(hours) + "h";
    if (hours < 192) return pair(days, 'd', hours % 24, 'h');
    if (days < 730) return std::to_string(days) + "d";
    if (days < 2920) return pair(days / 365, 'y', days % 365, 'd');
    return std::to_string(days / 365) + "y";
}

}  // namespace keelson::object
