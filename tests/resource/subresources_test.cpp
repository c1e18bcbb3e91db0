#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "kernel/base/sync_wait.h"
#include "kernel/object/json.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using testing::HasSubstr;

constexpr std::string_view kDeployment =
    R"({"metadata":{"name":"d"},"spec":{"replicas":2,"selector":{"matchLabels":{"a":"b"}},
    "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})";

TEST(Scale, IsAViewOfTheWorkload) {
    Cluster cluster;
    const Target scale{"apps/v1/deployments/scale", "default", "d"},
        deployment{"apps/v1/deployments", "default", "d"};
    ASSERT_TRUE(cluster.create({"apps/v1/deployments", "default", ""}, kDeployment).ok());
    Outcome read = cluster.get(scale);
    EXPECT_EQ(read["kind"].as_string(), "Scale");
    EXPECT_EQ(read["apiVersion"].as_string(), "autoscaling/v1");
    EXPECT_EQ(read["spec"]["replicas"].as_integer(), 2);
    EXPECT_EQ(read.text({"status", "selector"}), "a=b");
    Outcome patched = cluster.patch(scale, PatchType::merge, R"({"spec":{"replicas":5}})");
    ASSERT_TRUE(patched.ok()) << patched.error;
    EXPECT_EQ(patched["spec"]["replicas"].as_integer(), 5);
    Outcome after = cluster.get(deployment);
    EXPECT_EQ(after["spec"]["replicas"].as_integer(), 5);
    EXPECT_EQ(after["metadata"]["generation"].as_integer(), 2);
    Outcome updated = cluster.update(
        scale,
        R"({"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"d","namespace":"default"},"spec":{"replicas":0}})");
    EXPECT_EQ(updated.code, 200) << updated.error;
    EXPECT_EQ(cluster.get(deployment)["spec"]["replicas"].as_integer(), 0);
    EXPECT_EQ(cluster.patch(scale, PatchType::merge, R"({"spec":{"replicas":-1}})").code, 422);
    EXPECT_EQ(
        cluster
            .patch(scale, PatchType::merge, R"({"metadata":{"resourceVersion":"1"},"spec":{"replicas":1}})")
            .code,
        409);
    const auto message = [&](const std::string& resource) {
        const Outcome outcome = cluster.get({resource + "/scale", "default", "nope"});
        EXPECT_EQ(outcome.code, 404);
        return outcome.error;
    };
    EXPECT_EQ(message("apps/v1/deployments"), R"(deployments/scale.apps "nope" not found)");
    EXPECT_EQ(message("v1/replicationcontrollers"),
              R"(replicationcontrollers/scale.autoscaling "nope" not found)");
    EXPECT_EQ(message("apps/v1/statefulsets"), R"(statefulsets.apps "nope" not found)");
}

TEST(Binding, AssignsAPodOnce) {
    Cluster cluster;
    const Target binding{"v1/pods/binding", "default", "p"};
    ASSERT_TRUE(cluster.create({"v1/pods", "default", ""}, pod_json("p")).ok());
    auto body = [](std::string_view node) {
        return R"({"metadata":{"name":"p"},"target":{"kind":"Node","name":")" + std::string(node) + "\"}}";
    };
    EXPECT_EQ(cluster.create(binding, R"({"metadata":{"name":"p"},"target":{}})").code, 422);
    Outcome bound = cluster.create(binding, body("n1"));
    EXPECT_EQ(bound.code, 201) << bound.error;
    EXPECT_EQ(bound["status"].as_string(), "Success");
    Outcome pod = cluster.get({"v1/pods", "default", "p"});
    EXPECT_EQ(pod.text({"spec", "nodeName"}), "n1");
    EXPECT_EQ(pod["status"]["conditions"].at(0)["type"].as_string(), "PodScheduled");
    Outcome again = cluster.create(binding, body("n2"));
    EXPECT_EQ(again.code, 409);
    EXPECT_THAT(again.error, HasSubstr("already assigned to node \"n1\""));
    EXPECT_EQ(cluster
                  .create({"v1/pods/binding", "default", "nope"},
                          R"({"metadata":{"name":"nope"},"target":{"name":"n"}})")
                  .code,
              404);
    // The older way, by a resource of its own.
    ASSERT_TRUE(cluster.create({"v1/pods", "default", ""}, pod_json("q")).ok());
    EXPECT_EQ(
        cluster.create({"v1/bindings", "default", ""}, R"({"metadata":{"name":"q"},"target":{"name":"n3"}})")
            .code,
        201);
    EXPECT_EQ(cluster.get({"v1/pods", "default", "q"}).text({"spec", "nodeName"}), "n3");
}

class EvictionTest : public ::testing::Test {
  protected:
    void make_pods(int count) {
        for (int i = 0; i < count; ++i) {
            std::string name = "p" + std::to_string(i);
            ASSERT_TRUE(cluster
                            .create({"v1/pods", "default", ""},
                                    pod_json(name, R"(,"labels":{"app":"a"})", R"(,"nodeName":"n")"))
                            .ok());
            Outcome status = cluster.patch(
                {"v1/pods/status", "default", name}, PatchType::merge,
                R"({"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}})");
            ASSERT_TRUE(status.ok()) << status.error;
        }
    }
    void make_budget(int allowed) {
        ASSERT_TRUE(
            cluster
                .create(
                    {"policy/v1/poddisruptionbudgets", "default", ""},
                    R"({"metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"app":"a"}}}})")
                .ok());
        Outcome status = cluster.patch(
            {"policy/v1/poddisruptionbudgets/status", "default", "b"}, PatchType::merge,
            R"({"status":{"observedGeneration":1,"disruptionsAllowed":)" + std::to_string(allowed) +
                R"(,"currentHealthy":3,"desiredHealthy":1,"expectedPods":3}})");
        ASSERT_TRUE(status.ok()) << status.error;
    }
    Outcome evict(const std::string& name, std::string_view options = "{}") {
        return cluster.create({"v1/pods/eviction", "default", name},
                              R"({"kind":"Eviction","apiVersion":"policy/v1","metadata":{"name":")" + name +
                                  R"("},"deleteOptions":)" + std::string(options) + "}");
    }
    Cluster cluster;
};

TEST_F(EvictionTest, SpendsTheBudget) {
    make_pods(3);
    make_budget(1);
    Outcome first = evict("p0");
    EXPECT_EQ(first.code, 201) << first.error;
    Outcome pod = cluster.get({"v1/pods", "default", "p0"});
    EXPECT_NE(pod.text({"metadata", "deletionTimestamp"}), "");
    Outcome budget = cluster.get({"policy/v1/poddisruptionbudgets", "default", "b"});
    EXPECT_EQ(budget["status"]["disruptionsAllowed"].as_integer(), 0);
    EXPECT_TRUE(budget["status"]["disruptedPods"].has("p0"));
    Outcome second = evict("p1");
    EXPECT_EQ(second.code, 429);
    EXPECT_THAT(second.error, HasSubstr("Cannot evict pod as it would violate the pod's disruption budget."));
    EXPECT_TRUE(cluster.get({"v1/pods", "default", "p1"})["metadata"]["deletionTimestamp"].is_absent());
}

TEST_F(EvictionTest, NeedsNoBudgetWhenThereIsNone) {
    make_pods(1);
    EXPECT_EQ(evict("p0").code, 201);
    EXPECT_EQ(evict("nope").code, 404);
}

TEST_F(EvictionTest, DryRunsSpendNothing) {
    make_pods(1);
    make_budget(1);
    EXPECT_EQ(evict("p0", R"({"dryRun":["All"]})").code, 201);
    EXPECT_TRUE(cluster.get({"v1/pods", "default", "p0"})["metadata"]["deletionTimestamp"].is_absent());
    EXPECT_EQ(cluster.get({"policy/v1/poddisruptionbudgets", "default", "b"})["status"]["disruptionsAllowed"]
                  .as_integer(),
              1);
}

TEST_F(EvictionTest, PodsThatDoNotRunNeedNoBudget) {
    ASSERT_TRUE(cluster.create({"v1/pods", "default", ""}, pod_json("p0", R"(,"labels":{"app":"a"})")).ok());
    make_budget(0);
    EXPECT_EQ(evict("p0").code, 201);
}

TEST(Streams, AreNeverMadeUp) {
    Cluster cluster;
    ASSERT_TRUE(cluster.create({"v1/pods", "default", ""}, pod_json("p")).ok());
    Outcome log = cluster.get({"v1/pods/log", "default", "p"});
    EXPECT_FALSE(log.ok());
    EXPECT_GE(log.code, 400);
    EXPECT_EQ(cluster.get({"v1/pods/log", "default", "nope"}).code, 404);
}

TEST(Reviews, AreAnsweredFromTheCallersIdentity) {
    Cluster cluster;
    Outcome self = cluster.create({"authentication.k8s.io/v1/selfsubjectreviews", "", ""}, "{}");
    EXPECT_EQ(self.code, 201) << self.error;
    EXPECT_EQ(self.text({"status", "userInfo", "username"}), "tester");
    EXPECT_EQ(self["status"]["userInfo"]["groups"].at(0).as_string(), "system:masters");
    // Without an authorizer nobody may do anything; without an authenticator no token is good.
    Outcome access = cluster.create({"authorization.k8s.io/v1/selfsubjectaccessreviews", "", ""},
                                    R"({"spec":{"resourceAttributes":{"verb":"get","resource":"pods"}}})");
    EXPECT_EQ(access.code, 201) << access.error;
    EXPECT_FALSE(access["status"]["allowed"].as_boolean());
    Outcome token =
        cluster.create({"authentication.k8s.io/v1/tokenreviews", "", ""}, R"({"spec":{"token":"x"}})");
    EXPECT_EQ(token.code, 201) << token.error;
    EXPECT_FALSE(token["status"]["authenticated"].as_boolean());
    EXPECT_EQ(cluster.create({"authorization.k8s.io/v1/subjectaccessreviews", "", ""}, R"({"spec":{}})").code,
              422);
}

TEST(Conversion, AutoscalersHaveTwoVersions) {
    Cluster cluster;
    const Target first{"autoscaling/v1/horizontalpodautoscalers", "default", "h"};
    const Target second{"autoscaling/v2/horizontalpodautoscalers", "default", "h"};
    Outcome made = cluster.create(
        {"autoscaling/v1/horizontalpodautoscalers", "default", ""},
        R"({"metadata":{"name":"h"},"spec":{"maxReplicas":4,"targetCPUUtilizationPercentage":70,
                                      "scaleTargetRef":{"kind":"Deployment","name":"d","apiVersion":"apps/v1"}}})");
    ASSERT_TRUE(made.ok()) << made.error;
    EXPECT_EQ(made["apiVersion"].as_string(), "autoscaling/v1");
    EXPECT_EQ(made["spec"]["targetCPUUtilizationPercentage"].as_integer(), 70);
    Outcome newer = cluster.get(second);
    EXPECT_EQ(newer["apiVersion"].as_string(), "autoscaling/v2");
    EXPECT_EQ(
        object::to_json(newer["spec"]["metrics"]),
        R"([{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":70}}}])");
    EXPECT_EQ(newer.version(), made.version());
    // What v1 has no field for survives an update through v1.
    Outcome patched = cluster.patch(
        second, PatchType::merge,
        R"({"spec":{"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":60}}},
                                        {"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Gi"}}}],
                                        "behavior":{"scaleDown":{"stabilizationWindowSeconds":7}}}})");
    ASSERT_TRUE(patched.ok()) << patched.error;
    Outcome older = cluster.get(first);
    EXPECT_EQ(older["spec"]["targetCPUUtilizationPercentage"].as_integer(), 60);
    Outcome written = cluster.update(first, object::to_json(older.document->root));
    ASSERT_TRUE(written.ok()) << written.error;
    Outcome back = cluster.get(second);
    EXPECT_EQ(object::to_json(back["spec"]["behavior"]), object::to_json(patched["spec"]["behavior"]));
    std::set<std::string> before, after;
    for (object::Value metric : patched["spec"]["metrics"].items()) before.insert(object::to_json(metric));
    for (object::Value metric : back["spec"]["metrics"].items()) after.insert(object::to_json(metric));
    EXPECT_EQ(after, before);
}

TEST(Conversion, EventsHaveTwoVersions) {
    Cluster cluster;
    Outcome made = cluster.create(
        {"events.k8s.io/v1/events", "default", ""},
        R"({"metadata":{"name":"e"},"eventTime":"2026-01-01T00:00:00.000000Z","reportingController":"example.org/c",
                                      "reportingInstance":"i","action":"Did","reason":"Because","type":"Normal","note":"text",
                                      "regarding":{"kind":"Pod","name":"p","namespace":"default"}})");
    ASSERT_TRUE(made.ok()) << made.error;
    Outcome core = cluster.get({"v1/events", "default", "e"});
    EXPECT_EQ(core["apiVersion"].as_string(), "v1");
    EXPECT_EQ(core["message"].as_string(), "text");
    EXPECT_EQ(core["reportingComponent"].as_string(), "example.org/c");
    EXPECT_EQ(core.text({"involvedObject", "name"}), "p");
    Outcome old_style = cluster.create(
        {"v1/events", "default", ""},
        R"({"metadata":{"name":"o"},"involvedObject":{"kind":"Pod","name":"q","namespace":"default"},
                                           "reason":"R","message":"m","type":"Warning","count":3,"source":{"component":"c","host":"h"},
                                           "firstTimestamp":"2026-01-01T00:00:00Z","lastTimestamp":"2026-01-01T00:01:00Z"})");
    ASSERT_TRUE(old_style.ok()) << old_style.error;
    Outcome modern = cluster.get({"events.k8s.io/v1/events", "default", "o"});
    EXPECT_EQ(modern["note"].as_string(), "m");
    EXPECT_EQ(modern.text({"regarding", "name"}), "q");
    EXPECT_EQ(modern["deprecatedCount"].as_integer(), 3);
    EXPECT_EQ(modern.text({"deprecatedSource", "component"}), "c");
    ListOptions options;
    options.field_selector = "involvedObject.name=q";
    EXPECT_THAT(cluster.list({"v1/events", "default", ""}, options).names, testing::ElementsAre("o"));
    options.field_selector = "regarding.name=q";
    EXPECT_THAT(cluster.list({"events.k8s.io/v1/events", "default", ""}, options).names,
                testing::ElementsAre("o"));
}

}  // namespace
}  // namespace keelson::resource
