#include "kernel/control/horizontal_pod_autoscaler_replicas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "kernel/object/json.h"
#include "kernel/object/time_format.h"

namespace keelson::control::autoscaling {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

const base::WallTime kNow = object::wall_time_of({1'767'225'600, 0});

std::string ago(base::Duration time) {
    return object::format_time(object::instant_of(kNow - time));
}

struct PodCase {
    std::optional<std::int64_t> uses_milli;  // none: no metrics
    std::string phase = "Running";
    std::string ready = "True";
    base::Duration started = minutes(10);  // so long ago
    base::Duration changed = minutes(9);   // its readiness
    bool is_going = false;
    std::string requests = R"({"cpu":"100m","memory":"1Mi"})";
    base::Duration window = seconds(30);
};

ObjectPointer pod_of_case(const PodCase& one, const std::string& name) {
    const std::string going = one.is_going ? R"(,"deletionTimestamp":")" + ago(seconds(1)) + "\"" : "";
    const std::string text = R"({"metadata":{"name":")" + name + R"(","namespace":"n","uid":"u-)" + name +
                             "\"" + going +
                             R"(},"spec":{"containers":[{"name":"c","resources":{"requests":)" +
                             one.requests + R"(}}]},"status":{"phase":")" + one.phase + R"(","startTime":")" +
                             ago(one.started) + R"(","conditions":[{"type":"Ready","status":")" + one.ready +
                             R"(","lastTransitionTime":")" + ago(one.changed) + R"("}]}})";
    object::Document document;
    document.root = *object::parse_json_copy(text, document.arena);
    return std::make_shared<client::CachedObject>(document.root, "Pod", "v1");
}

struct World {
    ReplicaQuestion question;
    PodMetrics metrics;
};

World world_of(std::int64_t current, const std::vector<PodCase>& pods) {
    World world;
    world.question.current = current;
    world.question.now = kNow;
    int number = 0;
    for (const PodCase& one : pods) {
        const std::string name = "p" + std::to_string(++number);
        world.question.pods.push_back(pod_of_case(one, name));
        if (one.uses_milli) world.metrics[name] = {*one.uses_milli, kNow, one.window};
    }
    return world;
}

// A pod that has just become ready, whose cpu is still that of its start.
PodCase starting(std::int64_t uses_milli) {
    return {.uses_milli = uses_milli, .started = minutes(1), .changed = seconds(10)};
}

struct UtilizationCase {
    std::string name;
    std::int64_t current;
    std::vector<PodCase> pods;
    std::int64_t replicas;  // for half of what is requested
    std::int64_t percent;
    std::int64_t target_percent = 50;
};

void PrintTo(const UtilizationCase& one, std::ostream* out) {
    *out << one.name;
}

class UtilizationTest : public ::testing::TestWithParam<UtilizationCase> {};

TEST_P(UtilizationTest, AsksForSoMany) {
    const UtilizationCase& one = GetParam();
    const World world = world_of(one.current, one.pods);
    const auto answer = replicas_by_utilization(world.question, world.metrics, "cpu", {}, one.target_percent);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->replicas, one.replicas);
    EXPECT_EQ(answer->percent, one.percent);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, UtilizationTest,
    ::testing::Values(
        UtilizationCase{"AsManyAsThereAreOnTarget", 2, {{50}, {50}}, 2, 50},
        UtilizationCase{"NothingForTenPercentAbove", 2, {{55}, {55}}, 2, 55},
        UtilizationCase{"NothingForTenPercentBelow", 2, {{45}, {45}}, 2, 45},
        UtilizationCase{"MoreForElevenPercentAbove", 2, {{56}, {56}}, 3, 56},
        UtilizationCase{"TwiceAsManyForTwiceTheLoad", 2, {{100}, {100}}, 4, 100},
        UtilizationCase{"TheAverageCounts", 3, {{10}, {20}, {30}}, 2, 20},
        UtilizationCase{"RoundedUp", 3, {{60}, {61}, {60}}, 4, 60},
        UtilizationCase{"NoneForNoLoad", 2, {{0}, {0}}, 0, 0},
        // 200 of 200 is seen; the third counts as idle: 200 of 300.
        UtilizationCase{"MissingOnesAreIdleOnTheWayUp", 3, {{100}, {100}, {{}}}, 4, 100},
        // 20 of 200 is seen; the third counts as busy: 120 of 300.
        UtilizationCase{"MissingOnesAreBusyOnTheWayDown", 3, {{10}, {10}, {{}}}, 3, 10},
        UtilizationCase{"MissingOnesDoNotTurnTheDirection", 2, {{60}, {{}}}, 2, 60},
        UtilizationCase{"MissingOnesAreAsBusyAsTheTargetAboveAHundred", 2, {{50}, {{}}}, 2, 50, 200},
        UtilizationCase{"NothingIsAssumedOnTarget", 2, {{50}, {{}}}, 2, 50},
        UtilizationCase{"StartingOnesAreIdleOnTheWayUp", 3, {{100}, {100}, starting(900)}, 4, 100},
        UtilizationCase{"StartingOnesDoNotCountOnTheWayDown", 3, {{10}, {10}, starting(900)}, 1, 10},
        UtilizationCase{"PendingOnesAreIdle", 3, {{100}, {100}, {{}, "Pending", "False"}}, 4, 100},
        UtilizationCase{
            "EndedOnesDoNotCount", 2, {{100}, {100}, {100, "Failed"}, {100, "Succeeded"}}, 4, 100},
        UtilizationCase{
            "GoingOnesDoNotCount", 2, {{100}, {100}, {.uses_milli = 900, .is_going = true}}, 4, 100},
        UtilizationCase{"NeverReadyOnesAreIdle",
                        2,
                        {{100}, {.uses_milli = 900, .ready = "False", .changed = minutes(10) - seconds(20)}},
                        2,
                        100},
        // Once ready, no longer: it counts with what it uses.
        UtilizationCase{"OnesThatWereReadyCount",
                        2,
                        {{100}, {.uses_milli = 100, .ready = "False", .changed = minutes(1)}},
                        4,
                        100},
        UtilizationCase{
            "UnreadyOnesOfLateAreIdle",
            2,
            {{100}, {.uses_milli = 900, .ready = "False", .started = minutes(4), .changed = minutes(1)}},
            2,
            100},
        UtilizationCase{"OneWindowAfterItsStartAPodCounts",
                        2,
                        {{100}, {.uses_milli = 100, .started = minutes(1), .changed = seconds(30)}},
                        4,
                        100}),
    [](const auto& info) { return info.param.name; });

std::string failure_of(const World& world, std::string_view container = {}) {
    const auto answer = replicas_by_utilization(world.question, world.metrics, "cpu", container, 50);
    return answer ? "" : answer.error().message();
}

TEST(ReplicasByUtilization, SaysWhatItCannotDoWithout) {
    EXPECT_EQ(failure_of(world_of(1, {})), "no pods returned by selector while calculating replica count");
    EXPECT_EQ(failure_of(world_of(1, {{{}}})),
              "did not receive metrics for targeted pods (pods might be unready)");
    EXPECT_EQ(failure_of(world_of(1, {starting(10)})),
              "did not receive metrics for targeted pods (pods might be unready)");
    EXPECT_EQ(failure_of(world_of(1, {{.uses_milli = 10, .requests = "{}"}})),
              "missing request for cpu in container c of Pod p1");
    EXPECT_EQ(failure_of(world_of(1, {{10}}), "other"), "container other not found in Pod p1");
    EXPECT_EQ(failure_of(world_of(1, {{.uses_milli = 10, .requests = R"({"cpu":"0"})"}})),
              "no metrics returned matched known pods");
}

TEST(ReplicasByUtilization, ReadinessSaysNothingOfMemory) {
    constexpr std::int64_t kUsed = 2'097'152'000;
    const World world = world_of(1, {starting(kUsed)});
    const auto answer = replicas_by_utilization(world.question, world.metrics, "memory", {}, 100);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->replicas, 2);
    EXPECT_EQ(answer->average_milli, kUsed);
}

TEST(ReplicasByUtilization, HugeAmountsAreStillNumbers) {
    const std::int64_t huge = std::numeric_limits<std::int64_t>::max() / 2;
    const World world = world_of(2, {{huge}, {huge}});
    const auto answer = replicas_by_utilization(world.question, world.metrics, "cpu", {}, 50);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->replicas, std::numeric_limits<std::int32_t>::max());
}

ObjectPointer pod_with_containers(const std::string& spec) {
    object::Document document;
    document.root = *object::parse_json_copy(
        R"({"metadata":{"name":"p","namespace":"n"},"spec":)" + spec + R"(,"status":{"phase":"Running"}})",
        document.arena);
    return std::make_shared<client::CachedObject>(document.root, "Pod", "v1");
}

TEST(ReplicasByUtilization, CountsTheRequestsOfAllThatRuns) {
    ReplicaQuestion question;
    question.current = 1;
    question.now = kNow;
    const std::string two = R"("containers":[{"name":"a","resources":{"requests":{"memory":"1k"}}},)"
                            R"({"name":"b","resources":{"requests":{"memory":"2k"}}}],)"
                            R"("initContainers":[{"name":"once","resources":{}},)"
                            R"({"name":"side","restartPolicy":"Always",)"
                            R"("resources":{"requests":{"memory":"1k"}}}])";
    const auto percent_of = [&](const std::string& spec, std::string_view container) {
        question.pods = {pod_with_containers(spec)};
        const auto answer =
            replicas_by_utilization(question, {{"p", {1'000'000, kNow, {}}}}, "memory", container, 50);
        return answer ? *answer->percent : -1;
    };
    EXPECT_EQ(percent_of("{" + two + "}", {}), 25);
    EXPECT_EQ(percent_of("{" + two + "}", "b"), 50);
    EXPECT_EQ(percent_of("{" + two + "}", "side"), 100);
    // What is requested for the pod as a whole goes before.
    EXPECT_EQ(percent_of(R"({"resources":{"requests":{"memory":"10k"}},)" + two + "}", {}), 10);
    EXPECT_EQ(percent_of(R"({"resources":{"requests":{"memory":"10k"}},)" + two + "}", "a"), 100);
}

TEST(ReplicasByAverage, MissingOnesUseWhatTheyAreToUse) {
    const auto replicas = [](std::int64_t current, const std::vector<PodCase>& pods) {
        const World world = world_of(current, pods);
        const auto answer = replicas_by_average(world.question, world.metrics, {}, 100);
        return answer ? answer->replicas : -1;
    };
    EXPECT_EQ(replicas(2, {{150}, {150}}), 3);
    EXPECT_EQ(replicas(2, {{105}, {105}}), 2);
    EXPECT_EQ(replicas(4, {{50}, {50}, {50}, {50}}), 2);
    EXPECT_EQ(replicas(3, {{300}, {300}, {{}}}), 6);
    EXPECT_EQ(replicas(4, {{10}, {10}, {{}}, {{}}}), 3);
    // Numbers that are of no resource count from the start.
    EXPECT_EQ(replicas(1, {starting(300)}), 3);
    EXPECT_EQ(replicas(1, {{{}}}), -1);
}

TEST(ReplicasByValue, GoesByThePodsThatAreReady) {
    const World world = world_of(3, {{{}}, {{}}, {.ready = "False"}});
    EXPECT_EQ(replicas_by_value(world.question, 300, 100)->replicas, 6);
    EXPECT_EQ(replicas_by_value(world.question, 105, 100)->replicas, 3);
    EXPECT_EQ(replicas_by_value(world.question, 50, 100)->replicas, 1);
    const auto without = replicas_by_value(world_of(3, {}).question, 300, 100);
    ASSERT_FALSE(without);
    EXPECT_THAT(without.error().message(), HasSubstr("unable to calculate ready pods: no pods returned"));
}

TEST(ReplicasByShare, EachHasItsPart) {
    const World world = world_of(4, {});
    EXPECT_EQ(replicas_by_share(world.question, 1000, 100).replicas, 10);
    EXPECT_EQ(replicas_by_share(world.question, 420, 100).replicas, 4);
    EXPECT_EQ(replicas_by_share(world.question, 150, 100).replicas, 2);
    EXPECT_EQ(replicas_by_share(world.question, 410, 100).average_milli, 103);
    EXPECT_EQ(replicas_by_share(world_of(0, {}).question, 150, 100).replicas, 2);
}

TEST(Tolerance, HasTwoSides) {
    World world = world_of(10, {{60}});
    world.question.tolerance = {.up = 0.25, .down = 0.0};
    const auto replicas = [&](std::int64_t uses) {
        return replicas_by_utilization(world.question, {{"p1", {uses, kNow, {}}}}, "cpu", {}, 50)->replicas;
    };
    EXPECT_EQ(replicas(62), 10);
    EXPECT_EQ(replicas(63), 2);
    EXPECT_EQ(replicas(50), 10);
    EXPECT_EQ(replicas(49), 1);
}

}  // namespace
}  // namespace keelson::control::autoscaling
