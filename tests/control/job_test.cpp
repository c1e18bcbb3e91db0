#include "kernel/control/job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/control/garbage_collector.h"
#include "kernel/control/job_indexes.h"
#include "kernel/object/time_format.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kJobs = "batch/v1/jobs";

std::string job(std::string_view name, std::string_view more_spec = {},
                std::string_view restart_policy = "Never") {
    return R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{)" + std::string(more_spec) +
           R"("template":{"metadata":{"labels":{"app":"x"}},"spec":{"restartPolicy":")" +
           std::string(restart_policy) + R"(","containers":[{"name":"c","image":"i"}]}}}})";
}

class JobTest : public ::testing::Test {
  protected:
    JobTest() {
        plane.add(make_job_controller(plane.surroundings));
        plane.start();
    }
    void create(std::string_view more_spec = {}, std::string_view restart_policy = "Never") {
        plane.create({kJobs, "default", ""}, job("j", more_spec, restart_policy));
    }
    resource::Outcome get() { return plane.get({kJobs, "default", "j"}); }
    std::int64_t status(std::string_view field) { return get()["status"][field].as_integer(); }
    std::string text(std::string_view field) { return get()["status"][field].to_string(); }
    std::string now() {
        const auto time = plane.surroundings.now();
        return object::format_time(object::instant_of(time));
    }
    // "Type=Status Reason: message" of each condition.
    std::vector<std::string> conditions() {
        std::vector<std::string> texts;
        const auto outcome = get();
        for (const auto condition : outcome["status"]["conditions"].items())
            texts.push_back(condition["type"].to_string() + "=" + condition["status"].to_string() + " " +
                            condition["reason"].to_string() + ": " + condition["message"].to_string());
        return texts;
    }
    // Those that have not ended.
    std::vector<std::string> active_pods() {
        std::vector<std::string> names;
        for (const std::string& name : plane.names("v1/pods")) {
            const auto pod = plane.get({"v1/pods", "default", name});
            const std::string phase = pod.text({"status", "phase"});
            if (phase != "Succeeded" && phase != "Failed" &&
                pod.text({"metadata", "deletionTimestamp"}).empty())
                names.push_back(name);
        }
        return names;
    }
    void end_pod(const std::string& name, int exit_code, std::string_view more_status = {}) {
        plane.merge({"v1/pods/status", "default", name},
                    R"({"status":{"phase":")" + std::string(exit_code == 0 ? "Succeeded" : "Failed") +
                        R"(","containerStatuses":[{"name":"c","image":"i","imageID":"","ready":false,)"
                        R"("restartCount":0,"state":{"terminated":{"exitCode":)" +
                        std::to_string(exit_code) + R"(,"finishedAt":")" + now() + R"("}}}])" +
                        std::string(more_status) + "}}");
    }
    void end_all(int exit_code) {
        for (const std::string& name : active_pods()) end_pod(name, exit_code);
    }
    std::string index_of(const std::string& pod) {
        return plane.get({"v1/pods", "default", pod})
            .text({"metadata", "annotations", "batch.kubernetes.io/job-completion-index"});
    }
    std::string pod_of_index(std::string_view index) {
        for (const std::string& name : active_pods())
            if (index_of(name) == index) return name;
        return {};
    }

    ControlPlane plane;
};

constexpr std::string_view kReached = "CompletionsReached: Reached expected number of succeeded pods";

TEST_F(JobTest, RunsOnePodAndIsComplete) {
    create();
    ASSERT_THAT(active_pods(), SizeIs(1));
    EXPECT_EQ(status("active"), 1);
    EXPECT_FALSE(text("startTime").empty());
    end_all(0);
    EXPECT_THAT(conditions(), ElementsAre("SuccessCriteriaMet=True " + std::string(kReached),
                                          "Complete=True " + std::string(kReached)));
    const auto ended = get();
    EXPECT_EQ(ended["status"]["succeeded"].as_integer(), 1);
    EXPECT_FALSE(ended["status"].has("active"));
    EXPECT_TRUE(ended["status"]["ready"].is_integer());
    EXPECT_TRUE(ended["status"]["terminating"].is_integer());
    EXPECT_TRUE(ended["status"]["uncountedTerminatedPods"].is_map());
    EXPECT_FALSE(text("completionTime").empty());
    EXPECT_THAT(plane.events_about("j"), AllOf(SizeIs(2), Contains("Completed: Job completed"),
                                               Contains(StartsWith("SuccessfulCreate: Created pod: j-"))));
}

TEST_F(JobTest, HoldsPodsByAFinalizerUntilTheyAreCounted) {
    create();
    const std::string pod = active_pods().at(0);
    const auto running = plane.get({"v1/pods", "default", pod});
    EXPECT_EQ(running["metadata"]["finalizers"].at(0).as_string(), "batch.kubernetes.io/job-tracking");
    end_all(0);
    const auto ended = plane.get({"v1/pods", "default", pod});
    EXPECT_TRUE(ended["metadata"]["finalizers"].empty());
}

TEST_F(JobTest, RunsAsManyAtOnceAsItMayUntilEnoughSucceeded) {
    create(R"("completions":5,"parallelism":2,)");
    EXPECT_THAT(active_pods(), SizeIs(2));
    end_all(0);
    EXPECT_THAT(active_pods(), SizeIs(2));
    end_all(0);
    EXPECT_THAT(active_pods(), SizeIs(1));
    end_all(0);
    EXPECT_EQ(status("succeeded"), 5);
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(5));
    EXPECT_THAT(conditions(), SizeIs(2));
}

TEST_F(JobTest, StartsNoMoreWithoutCompletionsOnceOneSucceeded) {
    create(R"("parallelism":3,"completions":null,)");
    ASSERT_THAT(active_pods(), SizeIs(3));
    end_pod(active_pods().at(0), 0);
    EXPECT_THAT(active_pods(), SizeIs(2));
    EXPECT_THAT(conditions(), IsEmpty());
    end_all(0);
    EXPECT_EQ(status("succeeded"), 3);
    EXPECT_THAT(conditions(), Contains("Complete=True " + std::string(kReached)));
}

TEST_F(JobTest, GivesEachIndexAPodOfItsOwn) {
    create(R"("completions":3,"parallelism":3,"completionMode":"Indexed",)");
    ASSERT_THAT(active_pods(), ElementsAre(StartsWith("j-0-"), StartsWith("j-1-"), StartsWith("j-2-")));
    const auto pod = plane.get({"v1/pods", "default", active_pods().at(1)});
    EXPECT_EQ(pod.text({"metadata", "labels", "batch.kubernetes.io/job-completion-index"}), "1");
    EXPECT_EQ(pod.text({"spec", "hostname"}), "j-1");
    const auto variable = pod["spec"]["containers"].at(0)["env"].at(0);
    EXPECT_EQ(variable["name"].as_string(), "JOB_COMPLETION_INDEX");
    end_pod(pod_of_index("2"), 0);
    EXPECT_EQ(text("completedIndexes"), "2");
    end_all(0);
    EXPECT_EQ(text("completedIndexes"), "0-2");
    EXPECT_EQ(status("succeeded"), 3);
}

TEST_F(JobTest, RunsManyPodsToTheirEnd) {
    create(R"("completions":300,"parallelism":300,"completionMode":"Indexed",)");
    end_all(0);
    EXPECT_EQ(text("completedIndexes"), "0-299");
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(300));
    EXPECT_THAT(conditions(), SizeIs(2));
}

TEST_F(JobTest, RepeatsAnIndexThatFailed) {
    create(R"("completions":2,"parallelism":2,"completionMode":"Indexed",)");
    end_pod(pod_of_index("1"), 1);
    EXPECT_EQ(pod_of_index("1"), "");
    plane.advance(std::chrono::seconds(11));
    EXPECT_THAT(pod_of_index("1"), StartsWith("j-1-"));
    EXPECT_EQ(status("failed"), 1);
}

TEST_F(JobTest, FailsAtItsBackoffLimit) {
    create(R"("backoffLimit":0,)");
    end_all(1);
    EXPECT_EQ(status("failed"), 1);
    EXPECT_THAT(
        conditions(),
        ElementsAre("FailureTarget=True BackoffLimitExceeded: Job has reached the specified backoff limit",
                    "Failed=True BackoffLimitExceeded: Job has reached the specified backoff limit"));
    EXPECT_THAT(plane.events_about("j"),
                Contains("BackoffLimitExceeded: Job has reached the specified backoff limit"));
}

TEST_F(JobTest, PausesLongerAfterEachFailure) {
    create();
    end_all(1);
    EXPECT_THAT(active_pods(), IsEmpty());
    plane.advance(std::chrono::seconds(8));
    EXPECT_THAT(active_pods(), IsEmpty());
    plane.advance(std::chrono::seconds(3));
    ASSERT_THAT(active_pods(), SizeIs(1));
    end_all(1);
    plane.advance(std::chrono::seconds(18));
    EXPECT_THAT(active_pods(), IsEmpty());
    plane.advance(std::chrono::seconds(3));
    EXPECT_THAT(active_pods(), SizeIs(1));
}

TEST_F(JobTest, DeletesWhatStillRunsWhenItFails) {
    create(R"("completions":3,"parallelism":3,"backoffLimit":0,)");
    end_pod(active_pods().at(0), 1);
    EXPECT_THAT(active_pods(), IsEmpty());
    EXPECT_EQ(status("failed"), 3);
    EXPECT_THAT(conditions(), SizeIs(2));
    EXPECT_THAT(plane.events_about("j"), Contains(StartsWith("SuccessfulDelete: Deleted pod: j-")));
}

TEST_F(JobTest, CountsRestartsWhereContainersRestart) {
    create(R"("backoffLimit":2,)", "OnFailure");
    plane.merge({"v1/pods/status", "default", active_pods().at(0)},
                R"({"status":{"phase":"Running","containerStatuses":[{"name":"c","image":"i","imageID":"",)"
                R"("ready":false,"restartCount":2,"state":{"running":{}}}]}})");
    EXPECT_THAT(conditions(), Contains(StartsWith("Failed=True BackoffLimitExceeded")));
}

TEST_F(JobTest, EndsAtItsDeadline) {
    create(R"("activeDeadlineSeconds":30,)");
    plane.advance(std::chrono::seconds(29));
    EXPECT_THAT(conditions(), IsEmpty());
    plane.advance(std::chrono::seconds(2));
    EXPECT_THAT(conditions(),
                Contains("Failed=True DeadlineExceeded: Job was active longer than specified deadline"));
    EXPECT_THAT(active_pods(), IsEmpty());
    EXPECT_THAT(plane.events_about("j"),
                Contains("DeadlineExceeded: Job was active longer than specified deadline"));
}

TEST_F(JobTest, SuspendsAndResumes) {
    create(R"("suspend":true,)");
    EXPECT_THAT(active_pods(), IsEmpty());
    EXPECT_EQ(text("startTime"), "");
    EXPECT_THAT(conditions(), ElementsAre("Suspended=True JobSuspended: Job suspended"));
    plane.merge({kJobs, "default", "j"}, R"({"spec":{"suspend":false}})");
    EXPECT_THAT(active_pods(), SizeIs(1));
    EXPECT_FALSE(text("startTime").empty());
    EXPECT_THAT(conditions(), ElementsAre("Suspended=False JobResumed: Job resumed"));
    plane.merge({kJobs, "default", "j"}, R"({"spec":{"suspend":true}})");
    EXPECT_THAT(plane.names("v1/pods"), IsEmpty());
    EXPECT_EQ(status("failed"), 0);
    EXPECT_THAT(plane.events_about("j"),
                AllOf(Contains("Suspended: Job suspended"), Contains("Resumed: Job resumed")));
}

TEST_F(JobTest, TakesPodsAwayWhenParallelismFalls) {
    create(R"("completions":4,"parallelism":4,)");
    plane.merge({kJobs, "default", "j"}, R"({"spec":{"parallelism":1}})");
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(1));
    EXPECT_EQ(status("active"), 1);
    EXPECT_EQ(status("failed"), 0);
}

TEST_F(JobTest, IgnoresFailuresThatItsPolicyIgnores) {
    create(R"("backoffLimit":0,"podFailurePolicy":{"rules":[{"action":"Ignore","onPodConditions":)"
           R"([{"type":"DisruptionTarget","status":"True"}]}]},)");
    end_pod(active_pods().at(0), 1, R"(,"conditions":[{"type":"DisruptionTarget","status":"True"}])");
    EXPECT_EQ(status("failed"), 0);
    EXPECT_THAT(conditions(), IsEmpty());
    plane.advance(std::chrono::seconds(11));
    EXPECT_THAT(active_pods(), SizeIs(1));
}

TEST_F(JobTest, FailsAtOnceForAnExitCodeOfItsPolicy) {
    create(R"("backoffLimit":6,"podFailurePolicy":{"rules":[{"action":"FailJob","onExitCodes":)"
           R"({"operator":"In","values":[42]}}]},)");
    const std::string pod = active_pods().at(0);
    end_pod(pod, 42);
    EXPECT_THAT(conditions(), Contains("Failed=True PodFailurePolicy: Container c for pod default/" + pod +
                                       " failed with exit code 42 matching FailJob rule at index 0"));
}

TEST_F(JobTest, CountsFailuresByIndexWhenItsLimitIsByIndex) {
    create(R"("completions":2,"parallelism":2,"completionMode":"Indexed","backoffLimitPerIndex":1,)");
    EXPECT_TRUE(get()["status"]["failedIndexes"].is_string());
    end_pod(pod_of_index("0"), 1);
    EXPECT_EQ(text("failedIndexes"), "");
    plane.advance(std::chrono::seconds(11));
    const auto again = plane.get({"v1/pods", "default", pod_of_index("0")});
    EXPECT_EQ(again.text({"metadata", "annotations", "batch.kubernetes.io/job-index-failure-count"}), "1");
    end_pod(pod_of_index("0"), 1);
    EXPECT_EQ(text("failedIndexes"), "0");
    EXPECT_EQ(status("failed"), 2);
    EXPECT_THAT(conditions(), IsEmpty());
    end_pod(pod_of_index("1"), 0);
    EXPECT_THAT(conditions(), Contains("Failed=True FailedIndexes: Job has failed indexes"));
    EXPECT_EQ(text("completedIndexes"), "1");
}

TEST_F(JobTest, FailsWithTooManyFailedIndexes) {
    create(R"("completions":3,"parallelism":3,"completionMode":"Indexed","backoffLimitPerIndex":0,)"
           R"("maxFailedIndexes":1,)");
    end_pod(pod_of_index("0"), 1);
    EXPECT_THAT(conditions(), IsEmpty());
    end_pod(pod_of_index("1"), 1);
    EXPECT_THAT(conditions(), Contains("Failed=True MaxFailedIndexesExceeded: Job has exceeded the specified "
                                       "maximal number of failed indexes"));
    EXPECT_THAT(active_pods(), IsEmpty());
}

TEST_F(JobTest, SucceedsByItsPolicyBeforeAllIndexesAreDone) {
    create(R"("completions":3,"parallelism":3,"completionMode":"Indexed",)"
           R"("successPolicy":{"rules":[{"succeededIndexes":"0,2","succeededCount":1}]},)");
    end_pod(pod_of_index("1"), 0);
    EXPECT_THAT(conditions(), IsEmpty());
    end_pod(pod_of_index("2"), 0);
    EXPECT_THAT(conditions(), ElementsAre("SuccessCriteriaMet=True SuccessPolicy: Matched rules at index 0",
                                          "Complete=True SuccessPolicy: Matched rules at index 0"));
    EXPECT_EQ(text("completedIndexes"), "1,2");
    EXPECT_THAT(active_pods(), IsEmpty());
}

TEST_F(JobTest, ReplacesAPodOnlyOnceItHasEndedWhenToldSo) {
    create(R"("podReplacementPolicy":"Failed",)");
    const std::string pod = active_pods().at(0);
    plane.merge({"v1/pods", "default", pod},
                R"({"metadata":{"finalizers":["a.b/keep","batch.kubernetes.io/job-tracking"]}})");
    plane.remove({"v1/pods", "default", pod});
    EXPECT_THAT(plane.names("v1/pods"), ElementsAre(pod));
    EXPECT_EQ(status("terminating"), 1);
    EXPECT_EQ(status("failed"), 0);
    end_pod(pod, 1);
    plane.advance(std::chrono::seconds(11));
    EXPECT_THAT(active_pods(), SizeIs(1));
    EXPECT_EQ(status("failed"), 1);
}

TEST_F(JobTest, CountsAPodThatWasDeletedAsFailed) {
    create();
    plane.remove({"v1/pods", "default", active_pods().at(0)});
    EXPECT_EQ(status("failed"), 1);
    plane.advance(std::chrono::seconds(11));
    EXPECT_THAT(active_pods(), SizeIs(1));
}

TEST_F(JobTest, LeavesJobsOfOtherManagersAlone) {
    create(R"("managedBy":"example.com/other",)");
    EXPECT_THAT(plane.names("v1/pods"), IsEmpty());
    EXPECT_EQ(text("startTime"), "");
}

TEST_F(JobTest, LetsThePodsOfADeletedJobGo) {
    create();
    resource::DeleteOptions options;
    options.propagation_policy = "Background";
    plane.remove({kJobs, "default", "j"}, options);
    const auto pod = plane.get({"v1/pods", "default", plane.names("v1/pods").at(0)});
    EXPECT_TRUE(pod["metadata"]["finalizers"].empty());
}

TEST_F(JobTest, WritesNothingWhenNothingIsToBeDone) {
    create(R"("completions":2,"parallelism":2,"completionMode":"Indexed","backoffLimitPerIndex":1,)");
    plane.run_pods();
    EXPECT_EQ(status("ready"), 2);
    plane.settle();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(10));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

TEST_F(JobTest, WritesNothingOnceItHasEnded) {
    create();
    end_all(0);
    plane.settle();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(10));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

// A controller may stop between any two of its writes.
TEST(JobAfterARestart, CountsAnEndOnceThatWasBeingCounted) {
    ControlPlane plane;
    plane.add(make_job_controller(plane.surroundings));
    plane.create({kJobs, "default", ""}, job("j", R"("completions":2,"parallelism":2,)"));
    const std::string uid = plane.get({kJobs, "default", "j"}).text({"metadata", "uid"});
    const auto pod = plane.create(
        {"v1/pods", "default", ""},
        resource::pod_json("p", R"(,"labels":{"batch.kubernetes.io/controller-uid":")" + uid +
                                    R"("},"finalizers":["batch.kubernetes.io/job-tracking"],)"
                                    R"("ownerReferences":[{"apiVersion":"batch/v1","kind":"Job","name":"j",)"
                                    R"("controller":true,"uid":")" +
                                    uid + R"("}])"));
    plane.set_pod_phase("p", "Succeeded", false);
    plane.merge({"batch/v1/jobs/status", "default", "j"},
                R"({"status":{"startTime":"2026-01-01T00:00:00Z","uncountedTerminatedPods":{"succeeded":[")" +
                    pod.text({"metadata", "uid"}) + R"("]}}})");
    plane.start();
    const auto started = plane.get({kJobs, "default", "j"});
    EXPECT_EQ(started["status"]["succeeded"].as_integer(), 1);
    EXPECT_EQ(started["status"]["active"].as_integer(), 1);
    EXPECT_TRUE(started["status"]["uncountedTerminatedPods"].empty());
    EXPECT_TRUE(plane.get({"v1/pods", "default", "p"})["metadata"]["finalizers"].empty());
}

TEST(TtlAfterFinished, RemovesAJobSomeTimeAfterItsEnd) {
    ControlPlane plane;
    plane.add(make_job_controller(plane.surroundings));
    plane.add(make_ttl_after_finished_controller(plane.surroundings));
    plane.add(make_garbage_collector(plane.surroundings));
    plane.start();
    plane.create({kJobs, "default", ""}, job("j", R"("ttlSecondsAfterFinished":60,)"));
    plane.advance(std::chrono::minutes(2));
    plane.set_pod_phase(plane.names("v1/pods").at(0), "Succeeded", false);
    plane.advance(std::chrono::seconds(58));
    EXPECT_THAT(plane.names(kJobs), SizeIs(1));
    plane.advance(std::chrono::seconds(5));
    EXPECT_THAT(plane.names(kJobs), IsEmpty());
    EXPECT_THAT(plane.names("v1/pods"), IsEmpty());
}

TEST(JobIndexes, AreWrittenAsShortAsTheyCanBe) {
    IndexSet set;
    for (const std::int64_t index : {4, 0, 2, 1, 6, 7}) set.add(index);
    EXPECT_EQ(set.to_string(), "0-2,4,6,7");
    EXPECT_EQ(set.size(), 6);
    EXPECT_TRUE(set.has(7));
    EXPECT_FALSE(set.has(5));
    set.add(1);
    set.add(3);
    EXPECT_EQ(set.to_string(), "0-4,6,7");
    EXPECT_EQ(set.size(), 7);
    const IndexSet parsed = IndexSet::parse("0-2,4,6,7", 7);
    EXPECT_EQ(parsed.to_string(), "0-2,4,6");
    EXPECT_EQ(parsed.count_common(IndexSet::parse("2-5", 10)), 2);
}

}  // namespace
}  // namespace keelson::control
