// The parts of workload commands that need no server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/workloads/drain_plan.h"
#include "cli/workloads/label_selector.h"
#include "cli/workloads/pod_specs.h"
#include "cli/workloads/rollout_status.h"
#include "cli/workloads/taints.h"

namespace keelson::cli::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Object pod(const std::string& name, const std::string& owner, Object spec = Object::object()) {
    Object made{{"kind", "Pod"},
                {"metadata", {{"name", name}, {"namespace", "a"}}},
                {"spec", spec},
                {"status", {{"phase", "Running"}}}};
    if (!owner.empty())
        made["metadata"]["ownerReferences"] = {{{"kind", owner}, {"name", "o"}, {"controller", true}}};
    return made;
}

TEST(DrainPlan, SaysWhyPodsMayNotGo) {
    const Object with_data =
        pod("data", "ReplicaSet", {{"volumes", {{{"name", "v"}, {"emptyDir", Object::object()}}}}});
    const std::vector<Object> pods{pod("owned", "ReplicaSet"), pod("daemon", "DaemonSet"), pod("bare", ""),
                                   pod("bare2", ""), with_data};
    const DrainPlan plan = plan_drain(pods, {});
    EXPECT_THAT(
        plan.problems,
        ElementsAre(
            "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): a/daemon",
            "cannot delete Pods that declare no controller (use --force to override): a/bare, a/bare2",
            "cannot delete Pods with local storage (use --delete-emptydir-data to override): a/data"));
    const DrainPlan forced =
        plan_drain(pods, {.forces = true, .ignores_daemon_sets = true, .deletes_empty_dirs = true});
    EXPECT_THAT(forced.problems, IsEmpty());
    EXPECT_EQ(forced.pods.size(), 4u);
    EXPECT_THAT(forced.warnings, ElementsAre("deleting Pods that declare no controller: a/bare, a/bare2",
                                             "deleting Pods with local storage: a/data",
                                             "ignoring DaemonSet-managed Pods: a/daemon"));
}

TEST(DrainPlan, LeavesMirrorsAndWhatIsLongBeingDeleted) {
    Object mirror = pod("mirror", "");
    mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"] = "x";
    Object going = pod("going", "");
    going["metadata"]["deletionTimestamp"] = "2024-01-02T03:04:05Z";
    const DrainPlan plan = plan_drain({mirror, going}, {.skips_deleted_after = 10, .now = 4'000'000'000});
    EXPECT_THAT(plan.pods, IsEmpty());
    EXPECT_THAT(plan.problems, IsEmpty());
    Object ended = pod("ended", "");
    ended["status"]["phase"] = "Succeeded";
    EXPECT_EQ(plan_drain({ended}, {}).pods.size(), 1u);
}

Result<Object> tainted(const Object& taints, const std::vector<std::string>& words, bool overwrites = false) {
    const auto changes = parse_taints(words);
    if (!changes) return pass_on(changes);
    return changed_taints({{"metadata", {{"name", "n1"}}}, {"spec", {{"taints", taints}}}}, *changes,
                          overwrites);
}

TEST(Taints, AreAddedReplacedAndRemoved) {
    const Object old =
        Object::parse(R"([{"key":"a","value":"b","effect":"NoSchedule"},{"key":"a","effect":"NoExecute"}])");
    EXPECT_EQ(tainted({}, {"k=v:NoSchedule"}),
              Object::parse(R"([{"key":"k","value":"v","effect":"NoSchedule"}])"));
    EXPECT_EQ(tainted(old, {"a-"}), Object::array());
    EXPECT_EQ(tainted(old, {"a:NoExecute-"}), Object::array({old[0]}));
    EXPECT_EQ(tainted(old, {"a=c:NoSchedule"}, true)->at(0).at("value"), "c");
    EXPECT_EQ(tainted(old, {"a=c:NoSchedule"}).error().message,
              "node n1 already has a taint(s) with same effect(s) and --overwrite is false");
    EXPECT_EQ(tainted(old, {"z-"}).error().message, "taint \"z\" not found");
    EXPECT_EQ(tainted(old, {"z:Nothing"}).error().message,
              "invalid taint effect: Nothing, unsupported taint effect");
}

TEST(LabelSelector, IsReadAsPeopleWriteIt) {
    EXPECT_EQ(parse_label_selector("a=b,c==d"), Object::parse(R"({"matchLabels":{"a":"b","c":"d"}})"));
    EXPECT_EQ(parse_label_selector("a in (x, b),!c,d,e!=f,g notin (h)"),
              Object::parse(R"({"matchExpressions":[{"key":"a","operator":"In","values":["b","x"]},
                  {"key":"c","operator":"DoesNotExist"},{"key":"d","operator":"Exists"},
                  {"key":"e","operator":"NotIn","values":["f"]},{"key":"g","operator":"NotIn","values":["h"]}]})"));
    EXPECT_FALSE(parse_label_selector("a=b,,c=d"));
}

TEST(StrategicDifference, MergesContainersAndVariablesByNameInTheirOrder) {
    const Object before =
        Object::parse(R"({"spec":{"containers":[{"name":"a","image":"x","env":[{"name":"A","value":"1"},
        {"name":"B","value":"2"}]},{"name":"b","image":"y"}]}})");
    Object after = before;
    after["spec"]["containers"][0]["image"] = "z";
    after["spec"]["containers"][0]["env"] =
        Object::parse(R"([{"name":"A","value":"3"},{"name":"C","value":"4"}])");
    EXPECT_EQ(strategic_difference(before, after),
              Object::parse(R"({"spec":{"containers":[{"name":"a","image":"z","env":[{"name":"A","value":"3"},
                  {"name":"C","value":"4"},{"name":"B","$patch":"delete"}],
                  "$setElementOrder/env":[{"name":"A"},{"name":"C"}]}],
                  "$setElementOrder/containers":[{"name":"a"},{"name":"b"}]}})"));
    EXPECT_TRUE(strategic_difference(before, before).is_null());
}

TEST(Containers, AreFoundByPatterns) {
    Object spec = Object::parse(
        R"({"containers":[{"name":"web"},{"name":"worker"}],"initContainers":[{"name":"wait"}]})");
    EXPECT_EQ(matching_containers(spec, "*").size(), 3u);
    EXPECT_EQ(matching_containers(spec, "w*k*").size(), 1u);
    EXPECT_EQ(matching_containers(spec, "we").size(), 0u);
}

Object deployment(int replicas, int updated, int all, int available) {
    return {{"metadata", {{"name", "web"}, {"generation", 2}}},
            {"spec", {{"replicas", replicas}}},
            {"status",
             {{"observedGeneration", 2},
              {"updatedReplicas", updated},
              {"replicas", all},
              {"availableReplicas", available}}}};
}

TEST(RolloutStatus, TellsHowFarADeploymentIs) {
    const auto text = [](const Object& object) { return rollout_status("Deployment", object, 0)->text; };
    EXPECT_EQ(
        text(deployment(3, 1, 4, 3)),
        "Waiting for deployment \"web\" rollout to finish: 1 out of 3 new replicas have been updated...\n");
    EXPECT_EQ(
        text(deployment(3, 3, 4, 3)),
        "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending termination...\n");
    EXPECT_EQ(text(deployment(3, 3, 3, 2)),
              "Waiting for deployment \"web\" rollout to finish: 2 of 3 updated replicas are available...\n");
    EXPECT_EQ(text(deployment(3, 3, 3, 3)), "deployment \"web\" successfully rolled out\n");
    EXPECT_TRUE(rollout_status("Deployment", deployment(3, 3, 3, 3), 0)->is_done);
    Object late = deployment(3, 1, 3, 3);
    late["status"]["conditions"] = {{{"type", "Progressing"}, {"reason", "ProgressDeadlineExceeded"}}};
    EXPECT_EQ(rollout_status("Deployment", late, 0).error().message,
              "deployment \"web\" exceeded its progress deadline");
    late["metadata"]["generation"] = 3;
    EXPECT_EQ(text(late), "Waiting for deployment spec update to be observed...\n");
    EXPECT_THAT(rollout_status("Pod", {}, 0).error().message, HasSubstr("no status viewer"));
}

}  // namespace
}  // namespace keelson::cli::kube
