#include "kernel/control/horizontal_pod_autoscaler_behavior.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/object/json.h"
#include "kernel/object/time_format.h"

namespace keelson::control::autoscaling {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;

// An autoscaler whose target follows at once, looked at every fifteen seconds.
class Scaler {
  public:
    Scaler(std::int64_t current, Bounds bounds, std::string_view behavior = {})
        : bounds_(bounds), current_(current) {
        const std::string spec = behavior.empty() ? "{}" : R"({"behavior":)" + std::string(behavior) + "}";
        document_.root = *object::parse_json_copy(spec, document_.arena);
        behavior_ =
            ScalingBehavior::of(api_types::autoscaling_v2::HorizontalPodAutoscalerSpec(document_.root));
        history_.begin(current_, now_);
    }
    // What becomes of that recommendation.
    std::int64_t recommend(std::int64_t replicas) {
        decision_ = history_.decide(behavior_, bounds_, current_, replicas, now_);
        if (decision_.replicas != current_)
            history_.note_change(behavior_, current_, decision_.replicas, now_);
        current_ = decision_.replicas;
        return current_;
    }
    // The sizes of as many looks.
    std::vector<std::int64_t> recommend(std::int64_t replicas, int looks) {
        std::vector<std::int64_t> sizes;
        for (int look = 0; look < looks; ++look) {
            sizes.push_back(recommend(replicas));
            pass(seconds(15));
        }
        return sizes;
    }
    void pass(base::Duration time) { now_ += time; }
    [[nodiscard]] std::string able() const { return std::string(decision_.able.reason); }
    [[nodiscard]] std::string limited() const {
        return std::string(decision_.limited.status) + " " + std::string(decision_.limited.reason);
    }
    [[nodiscard]] const ScalingBehavior& behavior() const { return behavior_; }

  private:
    object::Document document_;
    ScalingBehavior behavior_;
    ScaleHistory history_;
    Bounds bounds_;
    std::int64_t current_;
    base::WallTime now_ = object::wall_time_of({1'767'225'600, 0});
    Decision decision_;
};

TEST(ScalingWithoutBehavior, DoublesAtMostOrMakesFour) {
    Scaler scaler(1, {1, 100});
    EXPECT_THAT(scaler.recommend(100, 4), ElementsAre(4, 8, 16, 32));
    EXPECT_EQ(scaler.limited(), "True ScaleUpLimit");
    EXPECT_EQ(scaler.able(), "ReadyForNewScale");
}

TEST(ScalingWithoutBehavior, StaysWithinItsBounds) {
    Scaler scaler(4, {2, 5});
    EXPECT_EQ(scaler.recommend(9), 5);
    EXPECT_EQ(scaler.limited(), "True TooManyReplicas");
    EXPECT_EQ(scaler.recommend(5), 5);
    EXPECT_EQ(scaler.limited(), "True TooManyReplicas") << "nine were recommended of late";
    scaler.pass(minutes(6));
    EXPECT_EQ(scaler.recommend(1), 2);
    EXPECT_EQ(scaler.limited(), "True TooFewReplicas");
}

TEST(ScalingWithoutBehavior, GoesDownToTheHighestOfFiveMinutes) {
    Scaler scaler(4, {1, 10});
    EXPECT_EQ(scaler.recommend(2), 4);
    EXPECT_EQ(scaler.able(), "ScaleDownStabilized");
    scaler.pass(minutes(2));
    EXPECT_EQ(scaler.recommend(3), 4);
    scaler.pass(minutes(3));
    EXPECT_EQ(scaler.recommend(1), 4) << "exactly five minutes";
    scaler.pass(seconds(1));
    EXPECT_EQ(scaler.recommend(1), 3);
    scaler.pass(minutes(2));
    EXPECT_EQ(scaler.recommend(1), 1);
    EXPECT_EQ(scaler.limited(), "False DesiredWithinRange");
}

TEST(ScalingWithoutBehavior, WhatIsFoundCountsAsARecommendation) {
    Scaler scaler(7, {1, 10});
    EXPECT_EQ(scaler.recommend(1), 7);
    scaler.pass(minutes(5) + seconds(1));
    EXPECT_EQ(scaler.recommend(1), 1);
}

TEST(ScalingBehavior, HasTheDefaultsOfTheApi) {
    const Scaler scaler(1, {1, 10}, R"({"scaleUp":{},"scaleDown":{}})");
    const ScalingBehavior& behavior = scaler.behavior();
    EXPECT_EQ(behavior.up.window, seconds(0));
    EXPECT_EQ(behavior.down.window, seconds(300));
    ASSERT_EQ(behavior.up.policies.size(), 2U);
    ASSERT_EQ(behavior.down.policies.size(), 1U);
    EXPECT_EQ(behavior.tolerance.up, 0.1);
    const Scaler own(1, {1, 10}, R"({"scaleUp":{"tolerance":"0"},"scaleDown":{"tolerance":"50m"}})");
    EXPECT_EQ(own.behavior().tolerance.up, 0.0);
    EXPECT_DOUBLE_EQ(own.behavior().tolerance.down, 0.05);
}

TEST(ScalingBehavior, AddsSoManyPodsInAPeriod) {
    Scaler scaler(2, {1, 100}, R"({"scaleUp":{"policies":[{"type":"Pods","value":3,"periodSeconds":60}]}})");
    EXPECT_THAT(scaler.recommend(50, 9), ElementsAre(5, 5, 5, 5, 8, 8, 8, 8, 11));
    EXPECT_EQ(scaler.limited(), "True ScaleUpLimit");
}

TEST(ScalingBehavior, AddsAPartInAPeriod) {
    Scaler scaler(10, {1, 100},
                  R"({"scaleUp":{"policies":[{"type":"Percent","value":50,"periodSeconds":30}]}})");
    EXPECT_THAT(scaler.recommend(100, 5), ElementsAre(15, 15, 23, 23, 35));
    Scaler one(1, {1, 100}, R"({"scaleUp":{"policies":[{"type":"Percent","value":10,"periodSeconds":15}]}})");
    EXPECT_EQ(one.recommend(100), 2) << "a part of one is one more";
}

TEST(ScalingBehavior, TakesTheMostOrTheLeastOfItsPolicies) {
    const std::string policies = R"("policies":[{"type":"Pods","value":1,"periodSeconds":15},)"
                                 R"({"type":"Percent","value":100,"periodSeconds":15}])";
    Scaler most(10, {1, 100}, R"({"scaleUp":{)" + policies + "}}");
    EXPECT_EQ(most.recommend(100), 20);
    Scaler least(10, {1, 100}, R"({"scaleUp":{"selectPolicy":"Min",)" + policies + "}}");
    EXPECT_EQ(least.recommend(100), 11);
    const std::string down = R"({"scaleDown":{"stabilizationWindowSeconds":0,)";
    Scaler most_down(10, {0, 100}, down + policies + "}}");
    EXPECT_EQ(most_down.recommend(0), 0);
    Scaler least_down(10, {0, 100}, down + R"("selectPolicy":"Min",)" + policies + "}}");
    EXPECT_EQ(least_down.recommend(0), 9);
}

TEST(ScalingBehavior, ADirectionCanBeClosed) {
    Scaler scaler(5, {1, 100},
                  R"({"scaleUp":{"selectPolicy":"Disabled"},)"
                  R"("scaleDown":{"selectPolicy":"Disabled","stabilizationWindowSeconds":0}})");
    EXPECT_EQ(scaler.recommend(50), 5);
    EXPECT_EQ(scaler.limited(), "True ScaleUpLimit");
    EXPECT_EQ(scaler.recommend(1), 5);
    EXPECT_EQ(scaler.limited(), "True ScaleDownLimit");
    EXPECT_EQ(scaler.recommend(5), 5);
    EXPECT_EQ(scaler.limited(), "False DesiredWithinRange");
}

TEST(ScalingBehavior, RemovesSoManyInAPeriod) {
    Scaler scaler(10, {1, 100},
                  R"({"scaleDown":{"stabilizationWindowSeconds":0,)"
                  R"("policies":[{"type":"Pods","value":2,"periodSeconds":30}]}})");
    EXPECT_THAT(scaler.recommend(1, 5), ElementsAre(8, 8, 6, 6, 4));
    EXPECT_EQ(scaler.limited(), "True ScaleDownLimit");
}

// What was removed within the period may come back, and the other way round.
TEST(ScalingBehavior, CountsWhatWasDoneTheOtherWay) {
    Scaler scaler(10, {1, 100},
                  R"({"scaleUp":{"policies":[{"type":"Pods","value":2,"periodSeconds":60}]},)"
                  R"("scaleDown":{"stabilizationWindowSeconds":0,)"
                  R"("policies":[{"type":"Pods","value":4,"periodSeconds":60}]}})");
    EXPECT_EQ(scaler.recommend(1), 6);
    scaler.pass(seconds(15));
    EXPECT_EQ(scaler.recommend(100), 12);
}

TEST(ScalingBehavior, StabilizesBothWays) {
    Scaler scaler(5, {1, 100},
                  R"({"scaleUp":{"stabilizationWindowSeconds":60},)"
                  R"("scaleDown":{"stabilizationWindowSeconds":120}})");
    EXPECT_EQ(scaler.recommend(9), 5) << "what is there was recommended of late";
    EXPECT_EQ(scaler.able(), "ScaleUpStabilized");
    scaler.pass(seconds(30));
    EXPECT_EQ(scaler.recommend(7), 5);
    scaler.pass(seconds(31));
    EXPECT_EQ(scaler.recommend(8), 7) << "the lowest of a minute";
    scaler.pass(seconds(15));
    EXPECT_EQ(scaler.recommend(2), 7);
    EXPECT_EQ(scaler.able(), "ScaleDownStabilized");
    scaler.pass(seconds(110));
    EXPECT_EQ(scaler.recommend(2), 2);
    EXPECT_EQ(scaler.able(), "ReadyForNewScale");
}

TEST(ScalingBehavior, BoundsGoBeforeRates) {
    Scaler scaler(8, {1, 10}, R"({"scaleUp":{},"scaleDown":{"stabilizationWindowSeconds":0}})");
    EXPECT_EQ(scaler.recommend(50), 10);
    EXPECT_EQ(scaler.limited(), "True TooManyReplicas");
    EXPECT_EQ(scaler.recommend(0), 1);
    EXPECT_EQ(scaler.limited(), "True TooFewReplicas");
}

}  // namespace
}  // namespace keelson::control::autoscaling
