#include "kernel/control/time_zone.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <string>

namespace keelson::control {
namespace {

class DatabaseZone final : public TimeZone {
  public:
    explicit DatabaseZone(absl::TimeZone zone) : zone_(zone) {}

    [[nodiscard]] LocalTime local(Seconds time) const override {
        const absl::TimeZone::CivilInfo info = zone_.At(absl::FromUnixSeconds(time));
        LocalTime local;
        local.year = info.cs.year();
        local.month = info.cs.month();
        local.day = info.cs.day();
        local.hour = info.cs.hour();
        local.minute = info.cs.minute();
        local.second = info.cs.second();
        // absl counts from Monday.
        local.weekday = (static_cast<int>(absl::GetWeekday(info.cs)) + 1) % 7;
        local.offset_from_utc_s = info.offset;
        return local;
    }

    [[nodiscard]] Seconds midnight(std::int64_t year, int month, int day) const override {
        const absl::TimeZone::TimeInfo info = zone_.At(absl::CivilSecond(year, month, day));
        const bool is_skipped = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
        return absl::ToUnixSeconds(is_skipped ? info.trans : info.pre);
    }

  private:
    absl::TimeZone zone_;
};

}  // namespace

base::Result<std::shared_ptr<const TimeZone>> TimeZone::load(std::string_view name) {
    absl::TimeZone zone = absl::UTCTimeZone();
    if (!name.empty() && !absl::LoadTimeZone(std::string(name), &zone))
        return base::Status(base::Reason::bad_request, "unknown time zone " + std::string(name));
    return std::make_shared<const DatabaseZone>(zone);
}

}  // namespace keelson::control
