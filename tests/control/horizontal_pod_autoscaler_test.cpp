#include "kernel/control/horizontal_pod_autoscaler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "kernel/client/collections.h"
#include "kernel/control/deployment.h"
#include "kernel/control/pod_state.h"
#include "kernel/control/replica_set.h"
#include "kernel/control/stateful_set.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/accessors/meta_v1.h"
#include "kernel/object/json.h"
#include "kernel/object/time_format.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kDeployments = "apps/v1/deployments";
constexpr std::string_view kScalers = "autoscaling/v2/horizontalpodautoscalers";

// Every pod uses the same, unless something else is said of it.
class Usages final : public MetricsSource {
  public:
    explicit Usages(const Surroundings& surroundings) : surroundings_(surroundings) {}

    Task<Result<std::vector<PodUsage>>> usage_of_pods(std::string namespace_name,
                                                      object::LabelSelector pods) override {
        ++questions;
        if (meanwhile) {
            auto doing = meanwhile();
            co_await doing;
        }
        if (failure) co_return *failure;
        std::vector<PodUsage> usages;
        for (const ObjectPointer& pod :
             surroundings_.informers.of(client::collections::pods).list(namespace_name)) {
            if (!pods.matches(pod_of(pod).metadata().labels().untyped())) continue;
            if (silent.contains(pod->key().name)) continue;
            usages.push_back({pod->key().name,
                              surroundings_.now(),
                              {},
                              {{"c", {{"cpu", cpu_milli}, {"memory", memory_bytes * 1000}}}}});
        }
        co_return usages;
    }
    Task<Result<std::vector<PodSample>>> of_pods(MetricQuery query, object::LabelSelector pods) override {
        if (!number) {
            auto refusing = MetricsSource::of_pods(std::move(query), std::move(pods));
            co_return co_await refusing;
        }
        std::vector<PodSample> samples;
        for (const ObjectPointer& pod :
             surroundings_.informers.of(client::collections::pods).list(query.namespace_name))
            samples.push_back({pod->key().name, surroundings_.now(), {}, *number});
        co_return samples;
    }
    Task<Result<std::int64_t>> of_object(MetricQuery query, MeasuredObject about) override {
        if (number) co_return *number;
        auto refusing = MetricsSource::of_object(std::move(query), std::move(about));
        co_return co_await refusing;
    }
    Task<Result<std::vector<std::int64_t>>> external(MetricQuery query) override {
        if (number) co_return std::vector<std::int64_t>{*number / 2, *number / 2};
        auto refusing = MetricsSource::external(std::move(query));
        co_return co_await refusing;
    }

    std::int64_t cpu_milli = 0;
    std::int64_t memory_bytes = 0;
    std::set<std::string> silent;
    std::optional<Status> failure;
    std::optional<std::int64_t> number;     // of everything else, in thousandths
    std::function<Task<void>()> meanwhile;  // happens while they are asked
    int questions = 0;

  private:
    const Surroundings& surroundings_;
};

class AutoscalerTest : public ::testing::Test {
  protected:
    explicit AutoscalerTest(std::uint64_t seed = 0) : plane(seed) {
        plane.add(make_deployment_controller(plane.surroundings));
        plane.add(make_replica_set_controller(plane.surroundings));
        plane.add(make_replication_controller_controller(plane.surroundings));
        plane.add(make_stateful_set_controller(plane.surroundings));
        plane.add(make_horizontal_pod_autoscaler_controller(plane.surroundings, usages));
        plane.start();
    }
    // Pods that request a tenth of a core and 1 Mi.
    static std::string workload(std::string_view name, int replicas) {
        const std::string labels = R"({"app":")" + std::string(name) + R"("})";
        return R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{"replicas":)" +
               std::to_string(replicas) + R"(,"serviceName":"s","selector":{"matchLabels":)" + labels +
               R"(},"template":{"metadata":{"labels":)" + labels +
               R"(},"spec":{"containers":[{"name":"c","image":"i",)"
               R"("resources":{"requests":{"cpu":"100m","memory":"1Mi"}}}]}}}})";
    }
    void create_deployment(int replicas, std::string_view name = "web") {
        std::string text = workload(name, replicas);
        text.erase(text.find(R"("serviceName":"s",)"), std::string_view(R"("serviceName":"s",)").size());
        plane.create({kDeployments, "default", ""}, text);
        run_pods();
    }
    // What somebody else does while the usages are asked for the first time. `times`: how often they were.
    void change_meanwhile(client::Address address, std::string merge_patch, int& times) {
        usages.meanwhile = [this, &times, address = std::move(address),
                            text = std::move(merge_patch)]() -> Task<void> {
            if (++times > 1) co_return;
            object::Document patch;
            patch.root = *object::parse_json(text, patch.arena);
            auto patching = plane.client->patch(address, client::PatchType::merge, patch.root, {});
            EXPECT_TRUE(co_await patching);
        };
    }
    // For half of what is requested, between one and ten replicas, unless `spec` says more.
    void create_scaler(
        std::string_view spec = {}, std::string_view name = "h",
        std::string_view target = R"({"apiVersion":"apps/v1","kind":"Deployment","name":"web"})") {
        std::string all = R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{"scaleTargetRef":)" +
                          std::string(target);
        if (spec.find("maxReplicas") == std::string_view::npos) all += R"(,"maxReplicas":10)";
        if (spec.find(R"("metrics")") == std::string_view::npos) all.append(",").append(cpu_metric());
        if (!spec.empty()) all.append(",").append(spec);
        plane.create({kScalers, "default", ""}, all + "}}");
    }
    static std::string cpu_metric() {
        return R"("metrics":[{"type":"Resource","resource":{"name":"cpu",)"
               R"("target":{"type":"Utilization","averageUtilization":50}}}])";
    }
    // Ready since they started.
    void run_pods() {
        const std::string now = object::format_time(object::instant_of(plane.surroundings.now()));
        const std::string running = R"({"status":{"phase":"Running","startTime":")" + now +
                                    R"(","conditions":[{"type":"Ready","status":"True",)"
                                    R"("lastTransitionTime":")" +
                                    now + R"("}]}})";
        for (const std::string& name : plane.names("v1/pods"))
            if (plane.get({"v1/pods", "default", name}).text({"status", "phase"}) != "Running")
                plane.merge({"v1/pods/status", "default", name}, running);
    }
    // Some looks, with the pods running that they bring.
    void look(int times = 1) {
        for (int time = 0; time < times; ++time) {
            plane.advance(autoscaler_period);
            run_pods();
        }
    }
    void use(std::int64_t cpu_milli) { usages.cpu_milli = cpu_milli; }
    std::int64_t replicas(std::string_view name = "web", std::string_view resource = kDeployments) {
        return plane.get({resource, "default", name})["spec"]["replicas"].as_integer();
    }
    resource::Outcome scaler(std::string_view name = "h") { return plane.get({kScalers, "default", name}); }
    // "True Reason: message"
    std::string condition(std::string_view type, std::string_view name = "h") {
        const auto outcome = scaler(name);
        for (const auto item : outcome["status"]["conditions"].items())
            if (item["type"].as_string() == type)
                return item["status"].to_string() + " " + item["reason"].to_string() + ": " +
                       item["message"].to_string();
        return "";
    }
    std::vector<std::string> events(std::string_view name = "h") { return plane.events_about(name); }

    ControlPlane plane;
    Usages usages{plane.surroundings};
};

TEST_F(AutoscalerTest, MakesAsManyAsTheMetricAsksFor) {
    create_deployment(2);
    use(100);
    create_scaler();
    EXPECT_EQ(replicas(), 4);
    const auto made = scaler();
    EXPECT_EQ(made["status"]["currentReplicas"].as_integer(), 2);
    EXPECT_EQ(made["status"]["desiredReplicas"].as_integer(), 4);
    EXPECT_EQ(made.text({"status", "lastScaleTime"}), "2026-01-01T00:00:00Z");
    const auto metric = made["status"]["currentMetrics"].at(0);
    EXPECT_EQ(metric["type"].as_string(), "Resource");
    EXPECT_EQ(metric["resource"]["name"].as_string(), "cpu");
    EXPECT_EQ(metric["resource"]["current"]["averageUtilization"].as_integer(), 100);
    EXPECT_EQ(metric["resource"]["current"]["averageValue"].as_string(), "100m");
    EXPECT_EQ(condition("AbleToScale"),
              "True SucceededRescale: the HPA controller was able to update the target scale to 4");
    EXPECT_EQ(condition("ScalingActive"),
              "True ValidMetricFound: the HPA was able to successfully calculate a replica count from cpu "
              "resource utilization (percentage of request)");
    EXPECT_EQ(condition("ScalingLimited"),
              "False DesiredWithinRange: the desired count is within the acceptable range");
    EXPECT_THAT(events(), ElementsAre("SuccessfulRescale: New size: 4; reason: cpu resource utilization "
                                      "(percentage of request) above target"));
    run_pods();
    use(50);
    look();
    EXPECT_EQ(replicas(), 4);
    EXPECT_EQ(condition("AbleToScale"), "True ReadyForNewScale: recommended size matches current size");
}

TEST_F(AutoscalerTest, TakesAwayWhatNoLookOfFiveMinutesHasAskedFor) {
    create_deployment(4);
    use(50);
    create_scaler();
    look();
    use(10);
    look(20);
    EXPECT_EQ(replicas(), 4);
    EXPECT_EQ(condition("AbleToScale"),
              "True ScaleDownStabilized: recent recommendations were higher than current one, applying the "
              "highest recent recommendation");
    look(2);
    EXPECT_EQ(replicas(), 1);
    EXPECT_THAT(events(), ElementsAre("SuccessfulRescale: New size: 1; reason: All metrics below target"));
}

TEST_F(AutoscalerTest, FollowsItsBehavior) {
    create_deployment(4);
    use(10);
    create_scaler(R"("behavior":{"scaleDown":{"stabilizationWindowSeconds":0,)"
                  R"("policies":[{"type":"Pods","value":1,"periodSeconds":60}]}})");
    EXPECT_EQ(replicas(), 3);
    EXPECT_EQ(
        condition("ScalingLimited"),
        "True ScaleDownLimit: the desired replica count is decreasing faster than the maximum scale rate");
    look(3);
    EXPECT_EQ(replicas(), 3);
    look();
    EXPECT_EQ(replicas(), 2);
}

TEST_F(AutoscalerTest, HasToleranceOfItsOwn) {
    create_deployment(2);
    use(53);
    create_scaler();
    look();
    EXPECT_EQ(replicas(), 2);
    plane.merge({kScalers, "default", "h"}, R"({"spec":{"behavior":{"scaleUp":{"tolerance":"0.05"}}}})");
    EXPECT_EQ(replicas(), 3);
}

TEST_F(AutoscalerTest, StaysBetweenItsBounds) {
    create_deployment(3);
    create_scaler(R"("minReplicas":5,"maxReplicas":6)");
    EXPECT_EQ(replicas(), 5);
    EXPECT_THAT(events(), Contains("SuccessfulRescale: New size: 5; reason: Current number of replicas below "
                                   "Spec.MinReplicas"));
    run_pods();
    plane.merge({kScalers, "default", "h"}, R"({"spec":{"minReplicas":1,"maxReplicas":2}})");
    EXPECT_EQ(replicas(), 2);
    EXPECT_THAT(events(), Contains("SuccessfulRescale: New size: 2; reason: Current number of replicas above "
                                   "Spec.MaxReplicas"));
    use(500);
    look();
    EXPECT_EQ(replicas(), 2);
    EXPECT_EQ(condition("ScalingLimited"),
              "True TooManyReplicas: the desired replica count is more than the maximum replica count");
}

TEST_F(AutoscalerTest, LeavesAloneWhatIsScaledToNothing) {
    create_deployment(0);
    use(500);
    create_scaler();
    look(3);
    EXPECT_EQ(replicas(), 0);
    EXPECT_EQ(condition("ScalingActive"),
              "False ScalingDisabled: scaling is disabled since the replica count of the target is zero");
    plane.merge({kDeployments, "default", "web"}, R"({"spec":{"replicas":1}})");
    run_pods();
    look();
    EXPECT_EQ(replicas(), 4);
}

TEST_F(AutoscalerTest, ScalesWhateverCanBeScaled) {
    const std::string plain = R"("selector":{"app":"rc"})";
    std::string controller = workload("rc", 1);
    controller.erase(controller.find(R"("serviceName":"s",)"),
                     std::string_view(R"("serviceName":"s",)").size());
    controller.replace(controller.find(R"("selector":{"matchLabels":{"app":"rc"}})"),
                       std::string_view(R"("selector":{"matchLabels":{"app":"rc"}})").size(), plain);
    std::string set = workload("rs", 1);
    set.erase(set.find(R"("serviceName":"s",)"), std::string_view(R"("serviceName":"s",)").size());
    plane.create({"v1/replicationcontrollers", "default", ""}, controller);
    plane.create({"apps/v1/replicasets", "default", ""}, set);
    plane.create({"apps/v1/statefulsets", "default", ""}, workload("sts", 1));
    run_pods();
    use(100);
    create_scaler({}, "h-rc", R"({"apiVersion":"v1","kind":"ReplicationController","name":"rc"})");
    create_scaler({}, "h-rs", R"({"apiVersion":"apps/v1beta1","kind":"ReplicaSet","name":"rs"})");
    create_scaler({}, "h-sts", R"({"apiVersion":"apps/v1","kind":"StatefulSet","name":"sts"})");
    EXPECT_EQ(replicas("rc", "v1/replicationcontrollers"), 2);
    EXPECT_EQ(replicas("rs", "apps/v1/replicasets"), 2);
    EXPECT_EQ(replicas("sts", "apps/v1/statefulsets"), 2);
}

TEST_F(AutoscalerTest, SaysWhenThereIsNoTarget) {
    create_scaler();
    EXPECT_THAT(condition("AbleToScale"),
                StartsWith("False FailedGetScale: the HPA controller was unable to get the target's current "
                           "scale: deployments"));
    EXPECT_THAT(condition("AbleToScale"), HasSubstr("\"web\" not found"));
    EXPECT_THAT(events(), Contains(StartsWith("FailedGetScale: deployments")));
    create_scaler({}, "odd", R"({"apiVersion":"example.com/v1","kind":"Thing","name":"web"})");
    EXPECT_THAT(events("odd"),
                Contains("FailedGetScale: no matches for kind \"Thing\" in group \"example.com\""));
    create_scaler({}, "job", R"({"apiVersion":"batch/v1","kind":"Job","name":"web"})");
    EXPECT_THAT(condition("AbleToScale", "job"), StartsWith("False FailedGetScale"));
    create_deployment(1);
    use(50);
    look();
    EXPECT_THAT(condition("AbleToScale"), StartsWith("True ReadyForNewScale"));
}

TEST_F(AutoscalerTest, SaysWhenThereAreNoMetrics) {
    create_deployment(2);
    usages.failure = Status(Reason::not_found,
                            "the server could not find the requested resource (get pods.metrics.k8s.io)");
    create_scaler();
    const std::string why =
        "failed to get cpu utilization: unable to get metrics for resource cpu: unable to "
        "fetch metrics from resource metrics API: the server could not find the requested "
        "resource (get pods.metrics.k8s.io)";
    EXPECT_EQ(condition("ScalingActive"),
              "False FailedGetResourceMetric: the HPA was unable to compute the replica count: " + why);
    EXPECT_EQ(condition("AbleToScale"),
              "True SucceededGetScale: the HPA controller was able to get the target's current scale");
    EXPECT_THAT(events(), ElementsAre("FailedGetResourceMetric: " + why,
                                      "FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), "
                                      "first error is: failed to get cpu resource metric value: " +
                                          why));
    EXPECT_EQ(scaler()["status"]["currentReplicas"].as_integer(), 2);
    usages.failure.reset();
    for (const std::string& name : plane.names("v1/pods")) usages.silent.insert(name);
    look();
    EXPECT_THAT(condition("ScalingActive"), HasSubstr("no metrics returned from resource metrics API"));
    usages.silent.clear();
    use(100);
    look();
    EXPECT_EQ(replicas(), 4);
}

TEST_F(AutoscalerTest, ReadsOneContainerToo) {
    create_deployment(2);
    use(100);
    const auto metric = [](std::string_view container) {
        return R"("metrics":[{"type":"ContainerResource","containerResource":{"name":"cpu","container":")" +
               std::string(container) + R"(","target":{"type":"Utilization","averageUtilization":50}}}])";
    };
    create_scaler(metric("c"));
    EXPECT_EQ(replicas(), 4);
    const auto outcome = scaler();
    const auto current = outcome["status"]["currentMetrics"].at(0)["containerResource"];
    EXPECT_EQ(current["container"].as_string(), "c");
    EXPECT_EQ(current["current"]["averageUtilization"].as_integer(), 100);
    EXPECT_THAT(events(),
                Contains("SuccessfulRescale: New size: 4; reason: cpu container resource utilization "
                         "(percentage of request) above target"));
    run_pods();
    plane.merge({kScalers, "default", "h"}, R"({"spec":{)" + metric("other") + "}}");
    EXPECT_THAT(condition("ScalingActive"),
                StartsWith("False FailedGetContainerResourceMetric: the HPA was unable to compute"));
}

TEST_F(AutoscalerTest, ReadsAmountsToo) {
    create_deployment(2);
    usages.memory_bytes = 3 << 20;
    create_scaler(R"("metrics":[{"type":"Resource","resource":{"name":"memory",)"
                  R"("target":{"type":"AverageValue","averageValue":"2Mi"}}}])");
    EXPECT_EQ(replicas(), 3);
    const auto outcome = scaler();
    const auto current = outcome["status"]["currentMetrics"].at(0)["resource"]["current"];
    EXPECT_EQ(current["averageValue"].as_string(), "3Mi");
    EXPECT_FALSE(current.has("averageUtilization"));
    EXPECT_THAT(events(), Contains("SuccessfulRescale: New size: 3; reason: memory resource above target"));
}

constexpr std::string_view kOtherMetrics[] = {
    R"("metrics":[{"type":"Pods","pods":{"metric":{"name":"hits"},)"
    R"("target":{"type":"AverageValue","averageValue":"10"}}}])",
    R"("metrics":[{"type":"Object","object":{"metric":{"name":"hits"},"describedObject":)"
    R"({"apiVersion":"networking.k8s.io/v1","kind":"Ingress","name":"s"},"target":{"type":"Value","value":"10"}}}])",
    R"("metrics":[{"type":"External","external":{"metric":{"name":"hits","selector":{"matchLabels":{"a":"b"}}},)"
    R"("target":{"type":"AverageValue","averageValue":"5"}}}])",
    R"("metrics":[{"type":"External","external":{"metric":{"name":"hits"},)"
    R"("target":{"type":"Value","value":"10"}}}])"};

TEST_F(AutoscalerTest, SaysThatNobodyProvidesOtherMetrics) {
    create_deployment(2);
    const std::string none =
        "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) "
        "registered";
    const std::string none_external =
        "unable to fetch metrics from external metrics API: the server could not find the requested resource "
        "(get hits.external.metrics.k8s.io)";
    const std::string expected[] = {
        "FailedGetPodsMetric: unable to get metric hits: " + none,
        "FailedGetObjectMetric: unable to get metric hits on Ingress default/s: " + none,
        "FailedGetExternalMetric: unable to get external metric default/hits/&LabelSelector{MatchLabels:map["
        "string]string{a: b,},MatchExpressions:[]LabelSelectorRequirement{},}: " +
            none_external,
        "FailedGetExternalMetric: unable to get external metric default/hits/nil: " + none_external};
    create_scaler(kOtherMetrics[0]);
    for (std::size_t index = 0; index < std::size(expected); ++index) {
        if (index > 0)
            plane.merge({kScalers, "default", "h"},
                        R"({"spec":{)" + std::string(kOtherMetrics[index]) + "}}");
        EXPECT_THAT(events(), Contains(expected[index]));
        EXPECT_THAT(condition("ScalingActive"),
                    "False " + std::string(expected[index])
                                   .insert(expected[index].find(' ') + 1,
                                           "the HPA was unable to compute the replica "
                                           "count: "));
        EXPECT_EQ(replicas(), 2);
    }
}

TEST_F(AutoscalerTest, GoesByOtherMetricsWhereSomebodyProvidesThem) {
    usages.number = 15'000;
    for (const std::string_view metric : kOtherMetrics) {
        create_deployment(2);
        create_scaler(metric);
        EXPECT_EQ(replicas(), 3) << metric;
        EXPECT_THAT(condition("ScalingActive"), StartsWith("True ValidMetricFound"));
        plane.remove({kScalers, "default", "h"});
        plane.remove({kDeployments, "default", "web"});
        for (const std::string& name : plane.names("apps/v1/replicasets"))
            plane.remove({"apps/v1/replicasets", "default", name});
        for (const std::string& name : plane.names("v1/pods")) plane.remove({"v1/pods", "default", name});
    }
}

TEST_F(AutoscalerTest, TakesTheMostOfSeveralMetrics) {
    create_deployment(2);
    use(75);
    usages.memory_bytes = 2 << 20;
    create_scaler(
        R"("metrics":[)"
        R"({"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":50}}},)"
        R"({"type":"Resource","resource":{"name":"memory","target":{"type":"Utilization","averageUtilization":100}}}])");
    EXPECT_EQ(replicas(), 4);
    EXPECT_EQ(usages.questions, 1) << "the pods are asked about once for both";
    EXPECT_THAT(events(), Contains(HasSubstr("memory resource utilization")));
}

TEST_F(AutoscalerTest, WithoutAMetricThereMayBeMoreButNotFewer) {
    create_deployment(2);
    const std::string both = R"("metrics":[{"type":"Pods","pods":{"metric":{"name":"hits"},)"
                             R"("target":{"type":"AverageValue","averageValue":"10"}}},)"
                             R"({"type":"Resource","resource":{"name":"cpu",)"
                             R"("target":{"type":"Utilization","averageUtilization":50}}}],)";
    use(10);
    create_scaler(both + R"("behavior":{"scaleDown":{"stabilizationWindowSeconds":0}})");
    look();
    EXPECT_EQ(replicas(), 2);
    EXPECT_THAT(condition("ScalingActive"), StartsWith("False FailedGetPodsMetric"));
    EXPECT_THAT(events(),
                Contains(StartsWith("FailedComputeMetricsReplicas: invalid metrics (1 invalid out of "
                                    "2), first error is: failed to get pods metric value: ")));
    const auto unread = scaler();
    EXPECT_EQ(unread["status"]["currentMetrics"].at(0)["type"].as_string(), "");
    EXPECT_EQ(unread["status"]["currentMetrics"].at(1)["type"].as_string(), "Resource");
    use(100);
    look();
    EXPECT_EQ(replicas(), 4);
    EXPECT_THAT(condition("ScalingActive"), StartsWith("True ValidMetricFound"));
}

TEST_F(AutoscalerTest, TwoForTheSamePodsAreRefused) {
    create_deployment(2);
    use(50);
    create_scaler({}, "h");
    use(100);
    create_scaler({}, "other");
    const std::string told =
        "pods by selector app=web are controlled by more than one HPA (e.g. [default/h default/other])";
    EXPECT_EQ(condition("ScalingActive", "other"), "False AmbiguousSelector: " + told);
    EXPECT_THAT(events("other"),
                ElementsAre("AmbiguousSelector: " + told, "FailedComputeMetricsReplicas: " + told));
    look();
    EXPECT_EQ(condition("ScalingActive"), "False AmbiguousSelector: " + told);
    EXPECT_EQ(replicas(), 2);
    plane.remove({kScalers, "default", "other"});
    look();
    EXPECT_EQ(replicas(), 4);
}

// Another one with the same labels in its own namespace, or for other pods, is nobody's business.
TEST_F(AutoscalerTest, OthersWithPodsOfTheirOwnAreNot) {
    create_deployment(2);
    create_deployment(1, "db");
    use(100);
    create_scaler({}, "h");
    create_scaler({}, "other", R"({"apiVersion":"apps/v1","kind":"Deployment","name":"db"})");
    EXPECT_EQ(replicas(), 4);
    EXPECT_EQ(replicas("db"), 2);
}

TEST_F(AutoscalerTest, LooksAgainWhenSomebodyElseScalesMeanwhile) {
    create_deployment(2);
    use(100);
    int times = 0;
    change_meanwhile(client::collections::deployments.address("default", "web"), R"({"spec":{"replicas":3}})",
                     times);
    create_scaler();
    plane.advance(seconds(1));
    run_pods();
    EXPECT_EQ(times, 2);
    // Of three replicas two are measured, and use twice what they should.
    EXPECT_GT(replicas(), 3);
    EXPECT_THAT(events(), Not(Contains(StartsWith("FailedRescale"))));
    EXPECT_EQ(scaler()["status"]["currentReplicas"].as_integer(), 3);
}

TEST_F(AutoscalerTest, AStatusThatCouldNotBeWrittenComesAgain) {
    create_deployment(2);
    use(100);
    int times = 0;
    change_meanwhile(client::collections::horizontal_pod_autoscalers.address("default", "h"),
                     R"({"metadata":{"labels":{"a":"b"}}})", times);
    create_scaler();
    plane.advance(seconds(1));
    EXPECT_EQ(times, 2);
    EXPECT_EQ(replicas(), 4);
    EXPECT_EQ(scaler().text({"status", "lastScaleTime"}), "2026-01-01T00:00:00Z");
    EXPECT_EQ(scaler()["status"]["currentReplicas"].as_integer(), 4);
}

TEST_F(AutoscalerTest, LooksAtOnceWhenItIsChangedAndElseEveryFifteenSeconds) {
    create_deployment(2);
    use(50);
    create_scaler();
    EXPECT_EQ(usages.questions, 1) << "its own status is no reason to look again";
    plane.advance(seconds(14));
    EXPECT_EQ(usages.questions, 1);
    plane.advance(seconds(1));
    EXPECT_EQ(usages.questions, 2);
    plane.merge({kScalers, "default", "h"}, R"({"spec":{"maxReplicas":5}})");
    EXPECT_EQ(usages.questions, 3);
    plane.advance(minutes(10));
    EXPECT_EQ(usages.questions, 43);
    plane.remove({kScalers, "default", "h"});
    plane.advance(minutes(10));
    EXPECT_EQ(usages.questions, 43);
}

// Made anew under its name it remembers nothing.
TEST_F(AutoscalerTest, AnotherOneOfTheNameBeginsAnew) {
    create_deployment(4);
    use(50);
    create_scaler();
    use(10);
    plane.remove({kScalers, "default", "h"});
    plane.advance(minutes(1));
    create_scaler(R"("behavior":{"scaleDown":{"stabilizationWindowSeconds":0}})");
    EXPECT_EQ(replicas(), 1);
    EXPECT_THAT(scaler()["status"]["conditions"].at(0)["reason"].to_string(), "SucceededRescale");
}

TEST_F(AutoscalerTest, OldClientsSeeItInTheFirstVersion) {
    create_deployment(2);
    use(50);
    create_scaler();
    const auto first = plane.get({"autoscaling/v1/horizontalpodautoscalers", "default", "h"});
    EXPECT_EQ(first["status"]["currentCPUUtilizationPercentage"].as_integer(), 50);
    EXPECT_THAT(first["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/conditions"].to_string(),
                HasSubstr("ValidMetricFound"));
}

// Whatever the load, while it is within a tenth of the target.
class SteadyAutoscalerTest : public AutoscalerTest, public ::testing::WithParamInterface<int> {
  protected:
    SteadyAutoscalerTest() : AutoscalerTest(static_cast<std::uint64_t>(GetParam())) {}
};

TEST_P(SteadyAutoscalerTest, WritesNothingWithinTheTolerance) {
    base::SeededRandom random(static_cast<std::uint64_t>(GetParam()));
    const int size = 1 + static_cast<int>(random.below(6));
    create_deployment(size);
    use(50);
    create_scaler(random.below(2) == 0 ? R"("behavior":{"scaleDown":{"stabilizationWindowSeconds":0}})" : "");
    look(2);
    const std::string target = plane.get({kDeployments, "default", "web"}).version();
    for (int load = 0; load < 8; ++load) {
        use(45 + static_cast<std::int64_t>(random.below(11)));
        look(1 + static_cast<int>(random.below(3)));
        EXPECT_EQ(plane.get({kDeployments, "default", "web"}).version(), target) << usages.cpu_milli;
        EXPECT_EQ(condition("ScalingLimited").substr(0, 5), "False");
        const auto before = plane.cluster.store->current();
        plane.advance(minutes(static_cast<int>(random.below(5))));
        EXPECT_EQ(plane.cluster.store->current(), before) << "nothing has changed";
    }
    EXPECT_THAT(events(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, SteadyAutoscalerTest, ::testing::Range(0, 20));

}  // namespace
}  // namespace keelson::control
