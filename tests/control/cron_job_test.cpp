#include "kernel/control/cron_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/control/cron_schedule.h"
#include "kernel/object/time_format.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kCronJobs = "batch/v1/cronjobs";
constexpr std::string_view kJobs = "batch/v1/jobs";

// The times that follow that one.
std::vector<std::string> times(std::string_view schedule, std::string_view after, std::size_t count,
                               std::string_view zone = "") {
    const auto parsed = CronSchedule::parse(schedule, zone);
    if (!parsed) return {"cannot be read"};
    std::vector<std::string> texts;
    std::optional<Seconds> time = object::parse_time(after)->seconds;
    for (std::size_t number = 0; number < count; ++number) {
        time = parsed->next(*time);
        if (!time) return texts;
        texts.push_back(object::format_time({*time, 0}));
    }
    return texts;
}

TEST(CronSchedule, ReadsNumbersRangesAndSteps) {
    EXPECT_THAT(times("*/20 * * * *", "2026-03-01T10:05:00Z", 3),
                ElementsAre("2026-03-01T10:20:00Z", "2026-03-01T10:40:00Z", "2026-03-01T11:00:00Z"));
    EXPECT_THAT(times("5,10-12 9 * * *", "2026-03-01T09:05:00Z", 4),
                ElementsAre("2026-03-01T09:10:00Z", "2026-03-01T09:11:00Z", "2026-03-01T09:12:00Z",
                            "2026-03-02T09:05:00Z"));
    EXPECT_THAT(times("50/5 23 * * *", "2026-03-01T00:00:00Z", 3),
                ElementsAre("2026-03-01T23:50:00Z", "2026-03-01T23:55:00Z", "2026-03-02T23:50:00Z"));
}

TEST(CronSchedule, ReadsNamesAndDescriptors) {
    EXPECT_THAT(times("0 0 * FEB mon", "2026-01-01T00:00:00Z", 2),
                ElementsAre("2026-02-02T00:00:00Z", "2026-02-09T00:00:00Z"));
    EXPECT_THAT(times("@hourly", "2026-01-01T00:00:01Z", 1), ElementsAre("2026-01-01T01:00:00Z"));
    EXPECT_THAT(times("@yearly", "2026-01-01T00:00:00Z", 1), ElementsAre("2027-01-01T00:00:00Z"));
    EXPECT_THAT(times("@every 90s", "2026-01-01T00:00:00Z", 2),
                ElementsAre("2026-01-01T00:01:30Z", "2026-01-01T00:03:00Z"));
}

TEST(CronSchedule, TakesEitherDayWhenBothAreGiven) {
    EXPECT_THAT(times("0 0 15 * 5", "2026-01-01T00:00:00Z", 3),
                ElementsAre("2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-15T00:00:00Z"));
    EXPECT_THAT(times("0 0 15 * ?", "2026-01-01T00:00:00Z", 1), ElementsAre("2026-01-15T00:00:00Z"));
}

TEST(CronSchedule, FollowsTheClockOfItsZone) {
    // 02:30 is skipped on the day on which summer time begins.
    EXPECT_THAT(times("30 2 * * *", "2026-03-28T00:00:00Z", 2, "Europe/Berlin"),
                ElementsAre("2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"));
    EXPECT_THAT(times("TZ=Asia/Kolkata 0 9 * * *", "2026-03-28T00:00:00Z", 1),
                ElementsAre("2026-03-28T03:30:00Z"));
    EXPECT_THAT(times("0 0 * * *", "2026-01-01T00:00:00Z", 1, "No/Where"), ElementsAre("cannot be read"));
}

TEST(CronSchedule, KnowsThatSomeDaysNeverCome) {
    EXPECT_THAT(times("59 23 31 2 *", "2026-01-01T00:00:00Z", 1), IsEmpty());
    for (const std::string_view text : {"* * * *", "60 * * * *", "* * L * *", "*/0 * * * *", "@often", ""})
        EXPECT_THAT(times(text, "2026-01-01T00:00:00Z", 1), ElementsAre("cannot be read")) << text;
}

class CronJobTest : public ::testing::Test {
  protected:
    CronJobTest() {
        plane.add(make_cron_job_controller(plane.surroundings));
        plane.start();
    }
    void create(std::string_view more_spec = {}, std::string_view schedule = "* * * * *") {
        plane.create({kCronJobs, "default", ""},
                     R"({"metadata":{"name":"c"},"spec":{"schedule":")" + std::string(schedule) + R"(",)" +
                         std::string(more_spec) +
                         R"("jobTemplate":{"metadata":{"labels":{"app":"x"}},"spec":{"template":{"spec":)"
                         R"({"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}}})");
    }
    resource::Outcome get() { return plane.get({kCronJobs, "default", "c"}); }
    std::vector<std::string> jobs() { return plane.names(kJobs); }
    void end_job(const std::string& name, bool is_success = true) {
        const std::string now = object::format_time(object::instant_of(plane.surroundings.now()));
        const auto condition = [&](std::string_view type) {
            return R"({"type":")" + std::string(type) + R"(","status":"True","lastTransitionTime":")" + now +
                   R"("})";
        };
        const std::string times = R"("startTime":")" + now + R"(")";
        plane.merge({"batch/v1/jobs/status", "default", name},
                    is_success
                        ? R"({"status":{)" + times + R"(,"completionTime":")" + now + R"(","conditions":[)" +
                              condition("SuccessCriteriaMet") + "," + condition("Complete") + "]}}"
                        : R"({"status":{)" + times + R"(,"conditions":[)" + condition("FailureTarget") + "," +
                              condition("Failed") + "]}}");
    }

    ControlPlane plane;
};

TEST_F(CronJobTest, StartsAJobAtEachTimeOfTheSchedule) {
    create();
    EXPECT_THAT(jobs(), IsEmpty());
    plane.advance(std::chrono::seconds(61));
    ASSERT_THAT(jobs(), SizeIs(1));
    const std::string name = jobs().at(0);
    const auto seconds = object::instant_of(plane.surroundings.now()).seconds;
    EXPECT_EQ(name, "c-" + std::to_string(seconds / 60));
    const auto job = plane.get({kJobs, "default", name});
    EXPECT_EQ(job.text({"metadata", "labels", "app"}), "x");
    EXPECT_EQ(job["metadata"]["ownerReferences"].at(0)["kind"].as_string(), "CronJob");
    const std::string due = object::format_time({seconds / 60 * 60, 0});
    EXPECT_EQ(job.text({"metadata", "annotations", "batch.kubernetes.io/cronjob-scheduled-timestamp"}), due);
    EXPECT_EQ(get().text({"status", "lastScheduleTime"}), due);
    EXPECT_EQ(get()["status"]["active"].at(0)["name"].as_string(), name);
    EXPECT_THAT(plane.events_about("c"), ElementsAre("SuccessfulCreate: Created job " + name));
    plane.advance(std::chrono::minutes(2));
    EXPECT_THAT(jobs(), SizeIs(3));
}

TEST_F(CronJobTest, SeesWhatEnded) {
    create();
    plane.advance(std::chrono::seconds(61));
    const std::string name = jobs().at(0);
    end_job(name);
    EXPECT_FALSE(get()["status"].has("active"));
    EXPECT_FALSE(get().text({"status", "lastSuccessfulTime"}).empty());
    EXPECT_THAT(plane.events_about("c"),
                Contains("SawCompletedJob: Saw completed job: " + name + ", condition: Complete"));
}

TEST_F(CronJobTest, KeepsAsMuchHistoryAsItMay) {
    create(R"("successfulJobsHistoryLimit":1,)");
    plane.advance(std::chrono::seconds(1));
    for (int minute = 0; minute < 3; ++minute) {
        plane.advance(std::chrono::seconds(60));
        ASSERT_THAT(jobs(), Not(IsEmpty()));
        end_job(jobs().back());
    }
    EXPECT_THAT(jobs(), SizeIs(1));
    EXPECT_THAT(plane.events_about("c"), Contains(StartsWith("SuccessfulDelete: Deleted job c-")));
}

TEST_F(CronJobTest, StartsNothingWhileSuspended) {
    create(R"("suspend":true,)");
    plane.advance(std::chrono::minutes(5));
    EXPECT_THAT(jobs(), IsEmpty());
    EXPECT_TRUE(get()["status"].empty());
    plane.merge({kCronJobs, "default", "c"}, R"({"spec":{"suspend":false}})");
    EXPECT_THAT(jobs(), SizeIs(1));
}

TEST_F(CronJobTest, WaitsForTheLastOneWhenTwoAreForbidden) {
    create(R"("concurrencyPolicy":"Forbid",)");
    plane.advance(std::chrono::seconds(150));
    ASSERT_THAT(jobs(), SizeIs(1));
    EXPECT_THAT(plane.events_about("c"),
                Contains("JobAlreadyActive: Not starting job because prior execution is running and "
                         "concurrency policy is Forbid"));
    end_job(jobs().at(0));
    EXPECT_THAT(jobs(), SizeIs(2));
}

TEST_F(CronJobTest, ReplacesTheLastOneWhenToldSo) {
    create(R"("concurrencyPolicy":"Replace",)");
    plane.advance(std::chrono::seconds(61));
    const std::string first = jobs().at(0);
    plane.advance(std::chrono::seconds(60));
    EXPECT_THAT(jobs(), AllOf(SizeIs(1), Not(Contains(first))));
    EXPECT_THAT(plane.events_about("c"), Contains("SuccessfulDelete: Deleted job " + first));
}

TEST_F(CronJobTest, StartsNothingThatIsTooLate) {
    create(R"("suspend":true,"startingDeadlineSeconds":5,)", "0 * * * *");
    plane.advance(std::chrono::minutes(90));
    const auto now = object::instant_of(plane.surroundings.now()).seconds % 3600;
    if (now <= 10) plane.advance(std::chrono::seconds(20));
    plane.merge({kCronJobs, "default", "c"}, R"({"spec":{"suspend":false}})");
    EXPECT_THAT(jobs(), IsEmpty());
    plane.advance(std::chrono::hours(1));
    EXPECT_THAT(jobs(), SizeIs(1));
}

TEST_F(CronJobTest, TellsOfManyMissedTimes) {
    create(R"("suspend":true,)");
    plane.advance(std::chrono::hours(3));
    plane.merge({kCronJobs, "default", "c"}, R"({"spec":{"suspend":false}})");
    EXPECT_THAT(jobs(), SizeIs(1));
    EXPECT_THAT(plane.events_about("c"),
                Contains("TooManyMissedTimes: too many missed start times. Set or decrease "
                         ".spec.startingDeadlineSeconds or check clock skew"));
}

TEST_F(CronJobTest, ForgetsAJobThatWentMissing) {
    create();
    plane.advance(std::chrono::seconds(61));
    const std::string name = jobs().at(0);
    resource::DeleteOptions options;
    options.propagation_policy = "Background";
    plane.remove({kJobs, "default", name}, options);
    EXPECT_FALSE(get()["status"].has("active"));
    EXPECT_THAT(plane.events_about("c"), Contains("MissingJob: Active job went missing: " + name));
}

TEST_F(CronJobTest, TellsOfAnUnknownTimeZone) {
    create(R"("timeZone":"No/Where",)");
    plane.advance(std::chrono::minutes(2));
    EXPECT_THAT(jobs(), IsEmpty());
    EXPECT_THAT(plane.events_about("c"),
                Contains("UnknownTimeZone: invalid timeZone: \"No/Where\": unknown time zone No/Where"));
}

TEST_F(CronJobTest, NamesTheTimeInItsOwnZone) {
    create(R"("timeZone":"Asia/Kolkata",)");
    plane.advance(std::chrono::seconds(61));
    const auto job = plane.get({kJobs, "default", jobs().at(0)});
    EXPECT_THAT(job.text({"metadata", "annotations", "batch.kubernetes.io/cronjob-scheduled-timestamp"}),
                testing::EndsWith("+05:30"));
}

TEST_F(CronJobTest, WritesNothingBetweenItsTimes) {
    create("", "0 0 1 1 *");
    plane.settle();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::hours(2));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

}  // namespace
}  // namespace keelson::control
