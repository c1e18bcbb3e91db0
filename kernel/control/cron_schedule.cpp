#include "kernel/control/cron_schedule.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernel/object/time_format.h"

namespace keelson::control {

struct CronSchedule::Bounds {
    int least;
    int most;
    std::span<const std::string_view> names;  // of the values from `least` on
};

namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kMinute = 0;
constexpr std::size_t kHour = 1;
constexpr std::size_t kDay = 2;
constexpr std::size_t kMonth = 3;
constexpr std::size_t kWeekday = 4;
constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                        "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kDays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr std::pair<std::string_view, std::string_view> kDescriptors[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"},
};

Status unreadable(std::string_view schedule) {
    return Status(Reason::bad_request, "cannot read the schedule " + std::string(schedule));
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    for (std::size_t at = text.find_first_not_of(separators); at != std::string_view::npos;) {
        const std::size_t end = text.find_first_of(separators, at);
        parts.push_back(text.substr(at, end == std::string_view::npos ? end : end - at));
        at = text.find_first_not_of(separators, end);
    }
    return parts;
}

std::optional<int> number_of(std::string_view text, std::span<const std::string_view> names, int least) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    });
    for (std::size_t position = 0; position < names.size(); ++position)
        if (names[position] == lower) return least + static_cast<int>(position);
    if (text.starts_with('+')) text.remove_prefix(1);
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
    return number;
}

}  // namespace

// "*", "5", "1-5", each with a step behind a slash.
bool CronSchedule::add_range(std::string_view text, const Bounds& bounds, Field& field) {
    const std::size_t slash = text.find('/');
    const std::string_view range = text.substr(0, slash);
    const std::size_t dash = range.find('-');
    std::optional<int> first = bounds.least;
    std::optional<int> last = bounds.most;
    const bool is_any = range.substr(0, dash) == "*" || range.substr(0, dash) == "?";
    if (!is_any) {
        first = number_of(range.substr(0, dash), bounds.names, bounds.least);
        last = dash == std::string_view::npos ? first
                                              : number_of(range.substr(dash + 1), bounds.names, bounds.least);
    }
    std::optional<int> step = 1;
    if (slash != std::string_view::npos) {
        step = number_of(text.substr(slash + 1), {}, 0);
        // "5/15" goes on to the end.
        if (dash == std::string_view::npos) last = bounds.most;
    }
    if (!first || !last || !step || *step == 0) return false;
    if (*first < bounds.least || *last > bounds.most || *first > *last) return false;
    for (int value = *first; value <= *last; value += *step) field.values |= std::uint64_t{1} << value;
    field.is_any |= is_any && *step == 1;
    return true;
}

std::optional<CronSchedule::Field> CronSchedule::parse_field(std::string_view text, const Bounds& bounds) {
    Field field;
    for (const std::string_view part : split(text, ","))
        if (!add_range(part, bounds, field)) return std::nullopt;
    return field;
}

Result<CronSchedule> CronSchedule::parse(std::string_view schedule, std::string_view time_zone) {
    const std::string_view whole = schedule;
    for (const std::string_view prefix : {"TZ=", "CRON_TZ="}) {
        if (!schedule.starts_with(prefix)) continue;
        const std::size_t space = std::min(schedule.find(' '), schedule.size());
        time_zone = schedule.substr(prefix.size(), space - prefix.size());
        schedule.remove_prefix(space);
        schedule.remove_prefix(std::min(schedule.find_first_not_of(' '), schedule.size()));
        break;
    }
    CronSchedule result;
    KEELSON_TRY(result.time_zone_, TimeZone::load(time_zone));
    constexpr std::string_view kEvery = "@every ";
    if (schedule.starts_with(kEvery)) {
        KEELSON_TRY(const std::int64_t pause_ns, object::parse_duration(schedule.substr(kEvery.size())));
        result.every_s_ = std::max<std::int64_t>(1, pause_ns / 1'000'000'000);
        return result;
    }
    for (const auto& [name, meaning] : kDescriptors)
        if (schedule == name) schedule = meaning;
    const std::vector<std::string_view> texts = split(schedule, " \t\n\v\f\r");
    const Bounds bounds[] = {{0, 59, {}}, {0, 23, {}}, {1, 31, {}}, {1, 12, kMonths}, {0, 6, kDays}};
    if (texts.size() != result.fields_.size()) return unreadable(whole);
    for (std::size_t position = 0; position < texts.size(); ++position) {
        const auto field = parse_field(texts[position], bounds[position]);
        if (!field) return unreadable(whole);
        result.fields_[position] = *field;
    }
    return result;
}

// Where both days are given, one of them is enough.
bool CronSchedule::is_day(const LocalTime& local) const {
    const bool by_month = fields_[kDay].has(local.day);
    const bool by_week = fields_[kWeekday].has(local.weekday);
    if (fields_[kDay].is_any || fields_[kWeekday].is_any) return by_month && by_week;
    return by_month || by_week;
}

std::optional<Seconds> CronSchedule::next(Seconds after) const {
    if (every_s_ > 0) return after + every_s_;
    constexpr int kYears = 5;
    const std::int64_t last_year = time_zone_->local(after).year + kYears;
    Seconds time = after + 60 - time_zone_->local(after).second;
    while (true) {
        const LocalTime local = time_zone_->local(time);
        if (local.year > last_year) return std::nullopt;
        const Seconds before = time;
        if (!fields_[kMonth].has(local.month))
            time = time_zone_->midnight(local.year, local.month + 1, 1);
        else if (!is_day(local))
            time = time_zone_->midnight(local.year, local.month, local.day + 1);
        else if (!fields_[kHour].has(local.hour))
            time += 3600 - local.minute * 60;
        else if (!fields_[kMinute].has(local.minute))
            time += 60;
        else
            return time;
        // A day that has its midnight twice must not come back.
        if (time <= before) time = before + 60;
    }
}

}  // namespace keelson::control
