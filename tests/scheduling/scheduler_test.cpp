// The whole scheduler over the verbs and the memory store, in virtual time: what a user of the API sees.
#include "kernel/scheduling/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/access/identity.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "tests/client/forwarding_client.h"
#include "tests/resource/cluster.h"

namespace keelson::scheduling {
namespace {

using resource::Outcome;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;

// Lets a test fail the next creations, as bindings are.
class FailingClient final : public client::ForwardingClient {
  public:
    using ForwardingClient::ForwardingClient;
    base::Task<Object> create(client::Address address, object::Value object,
                              client::WriteOptions options) override {
        if (address.subresource == "binding" && failures > 0) {
            --failures;
            return fail();
        }
        return real_.create(std::move(address), object, std::move(options));
    }

    int failures = 0;

  private:
    static base::Task<Object> fail() {
        co_return base::Status(base::Reason::conflict, "somebody else was faster");
    }
};

class SchedulerTest : public ::testing::TestWithParam<std::uint64_t> {
  protected:
    ~SchedulerTest() override {
        if (scheduler_) scheduler_->stop();
        settle();
        base::sync_wait(api_.executor, informers_->stop());
        settle();
    }

    void start(SchedulerOptions options = {}) {
        scheduler_ =
            std::make_unique<Scheduler>(std::move(options), client_, *informers_, api_.executor, api_.random);
        informers_->start();
        base::spawn(api_.executor, scheduler_->run());
        settle();
    }
    void settle() { api_.executor.run_until_idle(); }
    void advance(base::Duration duration) { api_.executor.advance(duration); }

    void must(const Outcome& outcome) { EXPECT_TRUE(outcome.ok()) << outcome.error; }
    void node(const std::string& name, const std::string& cpu = "4", const std::string& spec = "{}") {
        must(api_.create({"v1/nodes", "", name}, R"({"apiVersion":"v1","kind":"Node","metadata":{"name":")" +
                                                     name + R"(","labels":{"kubernetes.io/hostname":")" +
                                                     name + R"("}},"spec":)" + spec + "}"));
        // New nodes are tainted until they are ready.
        must(api_.patch({"v1/nodes", "", name}, resource::PatchType::merge, R"({"spec":{"taints":[]}})"));
        allocate(name, cpu);
    }
    void allocate(const std::string& name, const std::string& cpu) {
        must(api_.patch({"v1/nodes/status", "", name}, resource::PatchType::merge,
                        R"({"status":{"allocatable":{"cpu":")" + cpu +
                            R"(","memory":"8Gi","pods":"110"},"capacity":{"cpu":")" + cpu +
                            R"(","memory":"8Gi","pods":"110"}}})"));
        settle();
    }
    // "data", whose class waits for the first pod.
    void claim_of_late_class() {
        must(api_.create(
            {"storage.k8s.io/v1/storageclasses", "", "late"},
            R"({"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"late"},"provisioner":"d","volumeBindingMode":"WaitForFirstConsumer"})"));
        must(api_.create(
            {"v1/persistentvolumeclaims", "default", "data"},
            R"({"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"data"},"spec":{"storageClassName":"late","accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}})"));
    }
    void pod(const std::string& name, const std::string& cpu = "1", const std::string& more_spec = "") {
        must(api_.create(
            {"v1/pods", "default", name},
            R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"("},"spec":{)" + more_spec +
                R"("automountServiceAccountToken":false,"containers":[{"name":"c","image":"i",)" +
                R"("resources":{"requests":{"cpu":")" + cpu + R"("}}}]}})"));
        settle();
    }
    Outcome get(const std::string& name) { return api_.get({"v1/pods", "default", name}); }
    std::string node_of(const std::string& name) { return get(name).text({"spec", "nodeName"}); }
    static object::Value condition(const Outcome& pod, std::string_view type) {
        for (object::Value one : pod["status"]["conditions"].items())
            if (one["type"].as_string() == type) return one;
        return {};
    }
    std::vector<std::string> events(const std::string& about) {
        std::vector<std::string> texts;
        for (const std::string& name : api_.list({"v1/events", "default", ""}).names) {
            const Outcome event = api_.get({"v1/events", "default", name});
            if (event.text({"involvedObject", "name"}) == about)
                texts.push_back(event.text({"type"}) + " " + event.text({"reason"}) + ": " +
                                event.text({"message"}));
        }
        return texts;
    }

    resource::Cluster api_{{}, GetParam()};
    std::unique_ptr<client::Client> real_ =
        client::make_in_process_client(*api_.verbs, *api_.subresources, access::scheduler_identity());
    FailingClient client_{*real_};
    std::unique_ptr<client::Informers> informers_ =
        client::Informers::make(client_, api_.executor, api_.random);
    std::unique_ptr<Scheduler> scheduler_;
};

TEST_P(SchedulerTest, BindsPodsAndSaysSo) {
    node("n1");
    start();
    pod("p");
    EXPECT_EQ(node_of("p"), "n1");
    EXPECT_EQ(condition(get("p"), "PodScheduled")["status"].as_string(), "True");
    EXPECT_THAT(events("p"), ElementsAre("Normal Scheduled: Successfully assigned default/p to n1"));
    EXPECT_EQ(scheduler_->cluster().assumed_count(), 0U);
}

TEST_P(SchedulerTest, PodsThatWereThereFirstArePlacedToo) {
    node("n1");
    pod("p");
    start();
    EXPECT_EQ(node_of("p"), "n1");
}

TEST_P(SchedulerTest, SaysWhyAPodFitsNowhere) {
    node("n1");
    start();
    pod("p", "64");
    const std::string message =
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are "
        "available: 1 Preemption is not helpful for scheduling.";
    const Outcome refused = get("p");
    const object::Value scheduled = condition(refused, "PodScheduled");
    EXPECT_EQ(scheduled["status"].as_string(), "False");
    EXPECT_EQ(scheduled["reason"].as_string(), "Unschedulable");
    EXPECT_EQ(scheduled["message"].as_string(), message);
    EXPECT_THAT(events("p"), ElementsAre("Warning FailedScheduling: " + message));
}

TEST_P(SchedulerTest, WithoutNodesPodsWaitForTheFirst) {
    start();
    pod("p");
    EXPECT_EQ(condition(get("p"), "PodScheduled")["message"].as_string(),
              "no nodes available to schedule pods");
    node("n1");
    advance(seconds(3));
    EXPECT_EQ(node_of("p"), "n1");
}

TEST_P(SchedulerTest, ALargerNodeBringsAPodBack) {
    node("n1");
    start();
    pod("p", "6");
    EXPECT_EQ(node_of("p"), "");
    allocate("n1", "8");
    advance(seconds(2));
    EXPECT_EQ(node_of("p"), "n1");
}

TEST_P(SchedulerTest, ADeletedPodMakesRoom) {
    node("n1");
    start();
    pod("first", "3");
    pod("second", "3");
    EXPECT_EQ(node_of("second"), "");
    client::DeleteOptions at_once;
    at_once.grace_period_seconds = 0;
    must(api_.remove({"v1/pods", "default", "first"}, at_once));
    advance(seconds(2));
    EXPECT_EQ(node_of("second"), "n1");
}

TEST_P(SchedulerTest, FinishedPodsMakeRoom) {
    node("n1");
    start();
    pod("first", "3");
    pod("second", "3");
    must(api_.patch({"v1/pods/status", "default", "first"}, resource::PatchType::merge,
                    R"({"status":{"phase":"Succeeded"}})"));
    advance(seconds(2));
    EXPECT_EQ(node_of("second"), "n1");
}

TEST_P(SchedulerTest, GatedPodsWait) {
    node("n1");
    start();
    pod("p", "1", R"("schedulingGates":[{"name":"x.org/g"}],)");
    EXPECT_EQ(node_of("p"), "");
    EXPECT_EQ(condition(get("p"), "PodScheduled")["reason"].as_string(), "SchedulingGated");
    must(api_.patch({"v1/pods", "default", "p"}, resource::PatchType::merge,
                    R"({"spec":{"schedulingGates":[]}})"));
    settle();
    EXPECT_EQ(node_of("p"), "n1");
}

TEST_P(SchedulerTest, PodsOfOtherSchedulersAreLeftAlone) {
    node("n1");
    start();
    pod("p", "1", R"("schedulerName":"mine",)");
    EXPECT_EQ(node_of("p"), "");
    EXPECT_TRUE(condition(get("p"), "PodScheduled").is_absent());
}

TEST_P(SchedulerTest, SeveralProfilesServeTheirNames) {
    node("n1");
    SchedulerOptions options;
    options.profiles.emplace_back();
    options.profiles.back().scheduler_name = "mine";
    start(options);
    pod("p", "1", R"("schedulerName":"mine",)");
    pod("q");
    EXPECT_EQ(node_of("p"), "n1");
    EXPECT_EQ(node_of("q"), "n1");
}

TEST_P(SchedulerTest, NeverPutsMoreOnANodeThanItHas) {
    node("n1");
    node("n2");
    for (int number = 0; number < 10; ++number) pod("early" + std::to_string(number));
    start();
    int placed = 0;
    for (int number = 0; number < 10; ++number)
        placed += node_of("early" + std::to_string(number)).empty() ? 0 : 1;
    EXPECT_EQ(placed, 8);
    EXPECT_EQ(scheduler_->statistics().aside, 2U);
}

TEST_P(SchedulerTest, AFailedBindingIsTriedAgain) {
    node("n1");
    start();
    client_.failures = 1;
    pod("p");
    EXPECT_EQ(node_of("p"), "");
    EXPECT_EQ(scheduler_->cluster().assumed_count(), 0U);
    EXPECT_EQ(condition(get("p"), "PodScheduled")["reason"].as_string(), "SchedulerError");
    advance(seconds(2));
    EXPECT_EQ(node_of("p"), "n1");
    EXPECT_EQ(scheduler_->statistics().failed, 1U);
}

TEST_P(SchedulerTest, ImportantPodsPushOthersAside) {
    node("n1");
    must(api_.create(
        {"scheduling.k8s.io/v1/priorityclasses", "", "high"},
        R"({"apiVersion":"scheduling.k8s.io/v1","kind":"PriorityClass","metadata":{"name":"high"},"value":1000})"));
    start();
    pod("low", "3");
    EXPECT_EQ(node_of("low"), "n1");
    pod("high", "3", R"("priorityClassName":"high",)");
    const Outcome waiting = get("high");
    EXPECT_EQ(waiting.text({"status", "nominatedNodeName"}), "n1");
    EXPECT_EQ(condition(waiting, "PodScheduled")["message"].as_string(),
              "0/1 nodes are available: 1 Insufficient cpu.");
    const Outcome victim = get("low");
    EXPECT_FALSE(victim.text({"metadata", "deletionTimestamp"}).empty());
    const object::Value disturbed = condition(victim, "DisruptionTarget");
    EXPECT_EQ(disturbed["reason"].as_string(), "PreemptionByScheduler");
    EXPECT_EQ(disturbed["message"].as_string(),
              "default-scheduler: preempting to accommodate a higher priority pod");
    EXPECT_THAT(events("low"), Contains("Normal Preempted: Preempted by pod " +
                                        waiting.text({"metadata", "uid"}) + " on node n1"));
    // The kubelet has stopped it.
    client::DeleteOptions at_once;
    at_once.grace_period_seconds = 0;
    must(api_.remove({"v1/pods", "default", "low"}, at_once));
    advance(seconds(3));
    EXPECT_EQ(node_of("high"), "n1");
}

TEST_P(SchedulerTest, WaitsUntilVolumesAreBound) {
    node("n1");
    claim_of_late_class();
    start();
    pod("p", "1", R"("volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"data"}}],)");
    EXPECT_EQ(node_of("p"), "");
    const Outcome claim = api_.get({"v1/persistentvolumeclaims", "default", "data"});
    EXPECT_EQ(claim.text({"metadata", "annotations", "volume.kubernetes.io/selected-node"}), "n1");
    must(api_.patch(
        {"v1/persistentvolumeclaims", "default", "data"}, resource::PatchType::merge,
        R"({"metadata":{"annotations":{"pv.kubernetes.io/bind-completed":"yes"}},"spec":{"volumeName":"pv"}})"));
    advance(seconds(2));
    EXPECT_EQ(node_of("p"), "n1");
}

TEST_P(SchedulerTest, ANodeThatIsGivenBackIsChosenAgain) {
    node("n1");
    claim_of_late_class();
    start();
    pod("p", "1", R"("volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"data"}}],)");
    must(api_.patch({"v1/persistentvolumeclaims", "default", "data"}, resource::PatchType::merge,
                    R"({"metadata":{"annotations":{"volume.kubernetes.io/selected-node":null}}})"));
    // Another has come meanwhile, and the first one takes no more pods.
    node("n2");
    must(
        api_.patch({"v1/nodes", "", "n1"}, resource::PatchType::merge, R"({"spec":{"unschedulable":true}})"));
    advance(seconds(30));
    const Outcome claim = api_.get({"v1/persistentvolumeclaims", "default", "data"});
    EXPECT_EQ(claim.text({"metadata", "annotations", "volume.kubernetes.io/selected-node"}), "n2");
}

TEST_P(SchedulerTest, APodThatIsDeletedWhileItWaitsIsForgotten) {
    start();
    pod("p");
    client::DeleteOptions at_once;
    at_once.grace_period_seconds = 0;
    must(api_.remove({"v1/pods", "default", "p"}, at_once));
    settle();
    const SchedulerStatistics statistics = scheduler_->statistics();
    EXPECT_EQ(statistics.active + statistics.aside + statistics.backing_off + statistics.gated, 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerTest, ::testing::Values(0, 1, 2, 3),
                         [](const auto& seed) { return "seed" + std::to_string(seed.param); });

}  // namespace
}  // namespace keelson::scheduling
