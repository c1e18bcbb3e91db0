#include "kernel/control/daemon_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kSets = "apps/v1/daemonsets";
constexpr std::string_view kRevisions = "apps/v1/controllerrevisions";

std::string daemon_set(std::string_view more_pod_spec = {}, std::string_view more_spec = {}) {
    return R"({"metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"app":"x"}},)" +
           std::string(more_spec) +
           R"("template":{"metadata":{"labels":{"app":"x"}},"spec":{"automountServiceAccountToken":false,)" +
           std::string(more_pod_spec) + R"("containers":[{"name":"c","image":"app:1"}]}}}})";
}

std::string strategy(std::string_view rolling_update) {
    return R"("updateStrategy":{"type":"RollingUpdate","rollingUpdate":)" + std::string(rolling_update) +
           "},";
}

class DaemonSetTest : public ::testing::Test {
  protected:
    DaemonSetTest() {
        plane.add(make_daemon_set_controller(plane.surroundings));
        plane.start();
        for (const std::string_view node : {"n1", "n2", "n3"}) add_node(node);
    }
    void add_node(std::string_view name, std::string_view more_metadata = {}) {
        plane.create({"v1/nodes", "", ""}, R"({"metadata":{"name":")" + std::string(name) + "\"" +
                                               std::string(more_metadata) + "}}");
        // Admission taints what has never said that it is ready.
        plane.merge({"v1/nodes", "", name}, R"({"spec":{"taints":null}})");
    }
    void taint(std::string_view node, std::string_view effect) {
        plane.merge({"v1/nodes", "", node}, R"({"spec":{"taints":[{"key":"t","value":"v","effect":")" +
                                                std::string(effect) + R"("}]}})");
    }
    void create(std::string_view more_pod_spec = {}, std::string_view more_spec = {}) {
        plane.create({kSets, "default", ""}, daemon_set(more_pod_spec, more_spec));
    }
    void merge(std::string_view json) { plane.merge({kSets, "default", "d"}, json); }
    void change_image(std::string_view image) {
        merge(R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":")" + std::string(image) +
              R"("}]}}}})");
    }
    std::vector<std::string> pods() { return plane.names("v1/pods"); }
    static std::string node_of(const resource::Outcome& pod) {
        return pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
                  ["nodeSelectorTerms"]
                      .at(0)["matchFields"]
                      .at(0)["values"]
                      .at(0)
                      .to_string();
    }
    // "n1 app:1" for every pod, in order.
    std::vector<std::string> places() {
        std::vector<std::string> result;
        for (const std::string& name : pods()) {
            const auto pod = plane.get({"v1/pods", "default", name});
            result.push_back(node_of(pod) + " " + pod["spec"]["containers"].at(0)["image"].to_string());
        }
        std::ranges::sort(result);
        return result;
    }
    std::string pod_on(std::string_view node) {
        for (const std::string& name : pods())
            if (node_of(plane.get({"v1/pods", "default", name})) == node) return name;
        return {};
    }
    std::int64_t status(std::string_view field) {
        return plane.get({kSets, "default", "d"})["status"][field].as_integer();
    }

    ControlPlane plane;
};

TEST_F(DaemonSetTest, MakesOnePodForEachNode) {
    create();
    EXPECT_THAT(places(), ElementsAre("n1 app:1", "n2 app:1", "n3 app:1"));
    EXPECT_EQ(status("desiredNumberScheduled"), 3);
    EXPECT_EQ(status("currentNumberScheduled"), 3);
    EXPECT_EQ(status("numberUnavailable"), 3);
    plane.run_pods();
    EXPECT_EQ(status("numberReady"), 3);
    EXPECT_EQ(status("numberAvailable"), 3);
    EXPECT_EQ(status("updatedNumberScheduled"), 3);
    EXPECT_EQ(status("numberUnavailable"), 0);
    EXPECT_EQ(status("observedGeneration"), 1);
    EXPECT_THAT(plane.events_about("d"),
                AllOf(SizeIs(3), Contains(StartsWith("SuccessfulCreate: Created pod: d-"))));
}

TEST_F(DaemonSetTest, MakesPodsThatBearTheTroublesOfTheirNode) {
    create();
    const auto pod = plane.get({"v1/pods", "default", pods().at(0)});
    const auto labels = pod["metadata"]["labels"];
    EXPECT_EQ(labels["pod-template-generation"].as_string(), "1");
    EXPECT_FALSE(labels["controller-revision-hash"].as_string().empty());
    std::vector<std::string> tolerated;
    for (const auto toleration : pod["spec"]["tolerations"].items())
        tolerated.push_back(toleration["key"].to_string() + ":" + toleration["effect"].to_string());
    EXPECT_THAT(
        tolerated,
        testing::IsSupersetOf(
            {"node.kubernetes.io/not-ready:NoExecute", "node.kubernetes.io/unreachable:NoExecute",
             "node.kubernetes.io/disk-pressure:NoSchedule", "node.kubernetes.io/memory-pressure:NoSchedule",
             "node.kubernetes.io/pid-pressure:NoSchedule", "node.kubernetes.io/unschedulable:NoSchedule"}));
    EXPECT_THAT(tolerated, testing::Not(Contains("node.kubernetes.io/network-unavailable:NoSchedule")));
}

TEST_F(DaemonSetTest, FollowsNodesThatComeAndGo) {
    create();
    add_node("n4");
    EXPECT_THAT(pods(), SizeIs(4));
    plane.remove({"v1/nodes", "", "n2"});
    // Its pod was not bound yet, and never will be.
    EXPECT_THAT(places(), ElementsAre("n1 app:1", "n3 app:1", "n4 app:1"));
    EXPECT_EQ(status("desiredNumberScheduled"), 3);
}

TEST_F(DaemonSetTest, RunsOnTheNodesThatItsTemplateSelects) {
    add_node("n4", R"(,"labels":{"disk":"ssd"})");
    create(R"("nodeSelector":{"disk":"ssd"},)");
    EXPECT_THAT(places(), ElementsAre("n4 app:1"));
    plane.merge({"v1/nodes", "", "n1"}, R"({"metadata":{"labels":{"disk":"ssd"}}})");
    EXPECT_THAT(places(), ElementsAre("n1 app:1", "n4 app:1"));
    plane.merge({"v1/nodes", "", "n4"}, R"({"metadata":{"labels":{"disk":null}}})");
    EXPECT_THAT(places(), ElementsAre("n1 app:1"));
}

TEST_F(DaemonSetTest, RunsOnTheNodesThatItsAffinityAsksFor) {
    create(R"("affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
           {"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["n2"]}]}]}}},)");
    EXPECT_THAT(places(), ElementsAre("n2 app:1"));
}

TEST_F(DaemonSetTest, StaysAwayFromTaintsThatItDoesNotBear) {
    taint("n1", "NoSchedule");
    create();
    EXPECT_THAT(places(), ElementsAre("n2 app:1", "n3 app:1"));
    // What runs already may stay where no new ones are wanted, and goes when even that is forbidden.
    taint("n2", "NoSchedule");
    EXPECT_THAT(places(), ElementsAre("n2 app:1", "n3 app:1"));
    EXPECT_EQ(status("numberMisscheduled"), 1);
    EXPECT_EQ(status("desiredNumberScheduled"), 1);
    taint("n2", "NoExecute");
    EXPECT_THAT(places(), ElementsAre("n3 app:1"));
}

TEST_F(DaemonSetTest, RunsOnTaintedNodesThatItTolerates) {
    taint("n1", "NoSchedule");
    create(R"("tolerations":[{"operator":"Exists"}],)");
    EXPECT_THAT(pods(), SizeIs(3));
}

TEST_F(DaemonSetTest, UpdatesOneNodeAfterTheOther) {
    create();
    plane.run_pods();
    change_image("app:2");
    EXPECT_THAT(places(), ElementsAre("n1 app:2", "n2 app:1", "n3 app:1"));
    EXPECT_EQ(status("updatedNumberScheduled"), 1);
    EXPECT_EQ(status("numberAvailable"), 2);
    plane.run_pods();
    EXPECT_THAT(places(), ElementsAre("n1 app:2", "n2 app:2", "n3 app:1"));
    for (int round = 0; round < 4; ++round) plane.run_pods();
    EXPECT_THAT(places(), ElementsAre("n1 app:2", "n2 app:2", "n3 app:2"));
    EXPECT_EQ(status("numberAvailable"), 3);
    EXPECT_EQ(plane.get({"v1/pods", "default", pods().at(0)})["metadata"]["labels"]["pod-template-generation"]
                  .as_string(),
              "2");
}

TEST_F(DaemonSetTest, UpdatesAsManyNodesAtOnceAsMayBeUnavailable) {
    create({}, strategy(R"({"maxUnavailable":"50%"})"));
    plane.run_pods();
    change_image("app:2");
    EXPECT_THAT(places(), ElementsAre("n1 app:2", "n2 app:2", "n3 app:1"));
}

TEST_F(DaemonSetTest, ReplacesPodsThatAreNotAvailableAtOnce) {
    create();
    change_image("app:2");
    EXPECT_THAT(places(), ElementsAre("n1 app:2", "n2 app:2", "n3 app:2"));
}

TEST_F(DaemonSetTest, MakesTheNewPodBesideTheOldOneWhenItMaySurge) {
    create({}, strategy(R"({"maxUnavailable":0,"maxSurge":1})"));
    plane.run_pods();
    plane.advance(std::chrono::seconds(2));
    change_image("app:2");
    EXPECT_THAT(places(), ElementsAre("n1 app:1", "n1 app:2", "n2 app:1", "n3 app:1"));
    EXPECT_EQ(status("numberAvailable"), 3);
    for (int round = 0; round < 6; ++round) plane.run_pods();
    EXPECT_THAT(places(), ElementsAre("n1 app:2", "n2 app:2", "n3 app:2"));
}

TEST_F(DaemonSetTest, UpdatesOnDeletionOnlyWhenToldSo) {
    create({}, R"("updateStrategy":{"type":"OnDelete"},)");
    plane.run_pods();
    change_image("app:2");
    EXPECT_THAT(places(), ElementsAre("n1 app:1", "n2 app:1", "n3 app:1"));
    plane.remove({"v1/pods", "default", pod_on("n2")});
    EXPECT_THAT(places(), ElementsAre("n1 app:1", "n2 app:2", "n3 app:1"));
}

TEST_F(DaemonSetTest, KeepsARevisionOfEachTemplate) {
    create();
    plane.run_pods();
    change_image("app:2");
    for (int round = 0; round < 6; ++round) plane.run_pods();
    const auto names = plane.names(kRevisions);
    ASSERT_THAT(names, SizeIs(2));
    const auto pod = plane.get({"v1/pods", "default", pods().at(0)});
    const std::string hash = pod["metadata"]["labels"]["controller-revision-hash"].to_string();
    const auto revision = plane.get({kRevisions, "default", "d-" + hash});
    EXPECT_EQ(revision["revision"].as_integer(), 2);
    EXPECT_EQ(revision["metadata"]["labels"]["controller-revision-hash"].to_string(), hash);
    EXPECT_EQ(revision["metadata"]["annotations"]["deprecated.daemonset.template.generation"].as_string(),
              "2");
    // The template is the one that Deployments' ReplicaSets are named by in other tests.
    EXPECT_EQ(hash, "767c9d464");
}

TEST_F(DaemonSetTest, ForgetsTheOldestRevisionsBeyondItsHistory) {
    create({}, R"("revisionHistoryLimit":1,)");
    for (const std::string_view image : {"app:2", "app:3", "app:4"}) {
        change_image(image);
        for (int round = 0; round < 6; ++round) plane.run_pods();
    }
    EXPECT_THAT(plane.names(kRevisions), SizeIs(2));
}

TEST_F(DaemonSetTest, CountsACollisionWhenTheNameOfARevisionIsTaken) {
    plane.create({kRevisions, "default", ""},
                 R"({"metadata":{"name":"d-895ff75ff"},"revision":1,"data":{"other":true}})");
    create();
    EXPECT_EQ(status("collisionCount"), 1);
    EXPECT_THAT(plane.names(kRevisions), SizeIs(2));
    EXPECT_THAT(pods(), SizeIs(3));
}

TEST_F(DaemonSetTest, ReplacesFailedPodsEverMoreSlowly) {
    create();
    const std::string first = pod_on("n1");
    plane.set_pod_phase(first, "Failed", false);
    const std::string second = pod_on("n1");
    EXPECT_NE(second, first);
    EXPECT_THAT(plane.events_about("d"), Contains("FailedDaemonPod: Found failed daemon pod default/" +
                                                  first + " on node n1, will try to kill it"));
    plane.set_pod_phase(second, "Failed", false);
    EXPECT_EQ(pod_on("n1"), second);
    plane.advance(std::chrono::milliseconds(1100));
    const std::string third = pod_on("n1");
    EXPECT_NE(third, second);
    plane.set_pod_phase(third, "Failed", false);
    plane.advance(std::chrono::milliseconds(1100));
    EXPECT_EQ(pod_on("n1"), third);
    plane.advance(std::chrono::milliseconds(1100));
    EXPECT_NE(pod_on("n1"), third);
}

TEST_F(DaemonSetTest, ReplacesPodsThatSucceeded) {
    create();
    const std::string first = pod_on("n1");
    plane.set_pod_phase(first, "Succeeded", false);
    EXPECT_NE(pod_on("n1"), first);
    EXPECT_THAT(plane.events_about("d"), Contains("SucceededDaemonPod: Found succeeded daemon pod default/" +
                                                  first + " on node n1, will try to delete it"));
}

TEST_F(DaemonSetTest, WaitsForAPodThatIsBeingDeleted) {
    create();
    const std::string pod = pod_on("n1");
    plane.create({"v1/pods/binding", "default", pod}, R"({"target":{"kind":"Node","name":"n1"}})");
    plane.run_pods();
    plane.remove({"v1/pods", "default", pod});
    EXPECT_THAT(pods(), SizeIs(3));
    resource::DeleteOptions options;
    options.grace_period_seconds = 0;
    plane.remove({"v1/pods", "default", pod}, options);
    EXPECT_THAT(pods(), SizeIs(3));
    EXPECT_NE(pod_on("n1"), pod);
}

TEST_F(DaemonSetTest, AdoptsThePodThatANodeHasAlready) {
    plane.create({"v1/pods", "default", ""},
                 R"({"metadata":{"name":"mine","labels":{"app":"x"}},"spec":{"nodeName":"n1",
                    "containers":[{"name":"c","image":"app:1"}]}})");
    create({}, R"("updateStrategy":{"type":"OnDelete"},)");
    EXPECT_THAT(pods(), AllOf(SizeIs(3), Contains("mine")));
    EXPECT_EQ(
        plane.get({"v1/pods", "default", "mine"})["metadata"]["ownerReferences"].at(0)["name"].as_string(),
        "d");
}

TEST_F(DaemonSetTest, WaitsUntilAReadyPodHasBeenReadyLongEnough) {
    create({}, R"("minReadySeconds":30,)");
    plane.run_pods();
    EXPECT_EQ(status("numberReady"), 3);
    EXPECT_EQ(status("numberAvailable"), 0);
    plane.advance(std::chrono::seconds(31));
    EXPECT_EQ(status("numberAvailable"), 3);
}

TEST_F(DaemonSetTest, DoesNothingForASetThatIsBeingDeleted) {
    create();
    plane.merge({kSets, "default", "d"}, R"({"metadata":{"finalizers":["example.com/wait"]}})");
    plane.remove({kSets, "default", "d"});
    for (const std::string& pod : pods()) plane.remove({"v1/pods", "default", pod});
    EXPECT_THAT(pods(), IsEmpty());
}

TEST_F(DaemonSetTest, WritesNothingWhenNothingIsToBeDone) {
    create();
    plane.run_pods();
    plane.settle();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(10));
    // Nodes tell how they are all the time.
    EXPECT_EQ(plane.cluster.store->current(), before);
    plane.merge({"v1/nodes/status", "", "n1"}, R"({"status":{"phase":"Running"}})");
    EXPECT_EQ(plane.cluster.store->current(), before + 1);
}

}  // namespace
}  // namespace keelson::control
