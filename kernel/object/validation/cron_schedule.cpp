#include <charconv>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

namespace {

struct Bounds {
    int least;
    int most;
    std::span<const std::string_view> names;  // of the values from `least` on
};

constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kDays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr Bounds kFields[] = {{0, 59, {}}, {0, 23, {}}, {1, 31, {}}, {1, 12, kMonths}, {0, 6, kDays}};

// Empty on success.
std::string parse_number(std::string_view text, const Bounds& bounds, int& number) {
    std::string lower = lower_case(text);
    for (std::size_t i = 0; i < bounds.names.size(); ++i)
        if (bounds.names[i] == lower) {
            number = bounds.least + static_cast<int>(i);
            return {};
        }
    std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
    auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || rest != digits.data() + digits.size() || digits.empty())
        return "failed to parse int from " + std::string(text) + ": strconv.Atoi: parsing " +
               go_quoted(text) +
               (error == std::errc::result_out_of_range ? ": value out of range" : ": invalid syntax");
    if (number < 0)
        return "negative number (" + std::to_string(number) + ") not allowed: " + std::string(text);
    return {};
}

std::string parse_range(std::string_view text, const Bounds& bounds) {
    auto step_parts = split(text, '/');
    auto range = split(step_parts[0], '-');
    bool single = range.size() == 1;
    int start = 0, end = 0, step = 1;
    if (range[0] == "*" || range[0] == "?") {
        start = bounds.least;
        end = bounds.most;
    } else {
        if (std::string error = parse_number(range[0], bounds, start); !error.empty()) return error;
        if (range.size() == 1) {
            end = start;
        } else if (range.size() == 2) {
            if (std::string error = parse_number(range[1], bounds, end); !error.empty()) return error;
        } else {
            return "too many hyphens: " + std::string(text);
        }
    }
    if (step_parts.size() == 2) {
        int number = 0;
        if (std::string error = parse_number(step_parts[1], Bounds{0, 0, {}}, number); !error.empty())
            return error;
        step = number;
        if (single) end = bounds.most;
    } else if (step_parts.size() > 2) {
        return "too many slashes: " + std::string(text);
    }
    auto shown = [](int number) { return std::to_string(number); };
    if (start < bounds.least)
        return "beginning of range (" + shown(start) + ") below minimum (" + shown(bounds.least) +
               "): " + std::string(text);
    if (end > bounds.most)
        return "end of range (" + shown(end) + ") above maximum (" + shown(bounds.most) +
               "): " + std::string(text);
    if (start > end)
        return "beginning of range (" + shown(start) + ") beyond end of range (" + shown(end) +
               "): " + std::string(text);
    if (step == 0) return "step of range should be a positive number: " + std::string(text);
    return {};
}

}  // namespace

std::string cron_schedule_error(std::string_view schedule) {
    if (schedule.starts_with("TZ=") || schedule.starts_with("CRON_TZ=")) {
        std::size_t space = schedule.find(' ');
        if (space == std::string_view::npos) return "provided bad location";
        schedule.remove_prefix(space + 1);
        while (schedule.starts_with(' ')) schedule.remove_prefix(1);
    }
    if (schedule.starts_with('@')) {
        for (std::string_view known :
             {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
            if (schedule == known) return {};
        if (schedule.starts_with("@every ")) {
            std::string_view duration = schedule.substr(7);
            bool plausible = !duration.empty() &&
                             duration.find_first_not_of("0123456789.hmsnuµ+-") == std::string_view::npos;
            if (plausible) return {};
            return "failed to parse duration " + std::string(schedule) + ": time: invalid duration " +
                   go_quoted(duration);
        }
        return "unrecognized descriptor: " + std::string(schedule);
    }
    std::vector<std::string_view> fields;
    constexpr std::string_view kSpace = " \t\n\v\f\r";
    for (std::size_t at = schedule.find_first_not_of(kSpace); at != std::string_view::npos;) {
        std::size_t end = schedule.find_first_of(kSpace, at);
        fields.push_back(schedule.substr(at, end == std::string_view::npos ? end : end - at));
        at = schedule.find_first_not_of(kSpace, end);
    }
    if (fields.size() != 5) {
        std::string shown;
        for (std::string_view field : fields) {
            if (!shown.empty()) shown += ' ';
            shown += field;
        }
        return "expected exactly 5 fields, found " + std::to_string(fields.size()) + ": [" + shown + "]";
    }
    for (std::size_t i = 0; i < fields.size(); ++i)
        for (std::string_view part : split(fields[i], ','))
            if (!part.empty())
                if (std::string error = parse_range(part, kFields[i]); !error.empty()) return error;
    return {};
}

}  // namespace keelson::object::validation
