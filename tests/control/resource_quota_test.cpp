#include "kernel/control/resource_quota.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/control/replica_set.h"
#include "kernel/object/json.h"
#include "kernel/resource/quota_usage.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kQuotas = "v1/resourcequotas";

std::string pod(std::string_view name, std::string_view resources = "{}", std::string_view more_spec = {}) {
    return R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{)" + std::string(more_spec) +
           R"("containers":[{"name":"c","image":"i","resources":)" + std::string(resources) + "}]}}";
}

class ResourceQuotaTest : public ::testing::Test {
  protected:
    ResourceQuotaTest() {
        plane.add(make_replica_set_controller(plane.surroundings));
        plane.add(make_resource_quota_controller(plane.surroundings));
        plane.start();
    }
    void create_quota(std::string_view hard, std::string_view more_spec = {}, std::string_view name = "q") {
        plane.create({kQuotas, "default", ""}, R"({"metadata":{"name":")" + std::string(name) +
                                                   R"("},"spec":{)" + std::string(more_spec) + R"("hard":)" +
                                                   std::string(hard) + "}}");
    }
    resource::Outcome try_create(std::string_view resource, const std::string& json) {
        plane.settle();
        auto outcome = plane.cluster.create({resource, "default", ""}, json);
        plane.settle();
        return outcome;
    }
    std::string used(std::string_view name, std::string_view quota = "q") {
        return plane.get({kQuotas, "default", quota}).text({"status", "used", name});
    }

    ControlPlane plane;
};

TEST_F(ResourceQuotaTest, CountsWhatIsThere) {
    plane.create({"v1/pods", "default", ""},
                 pod("a", R"({"requests":{"cpu":"600m"},"limits":{"memory":"1Gi"}})"));
    plane.create({"v1/configmaps", "default", ""}, R"({"metadata":{"name":"c"}})");
    create_quota(R"({"pods":"2","requests.cpu":"1","limits.memory":"2Gi","configmaps":"5","count/pods":"9",)"
                 R"("count/deployments.apps":"3"})");
    EXPECT_EQ(used("pods"), "1");
    EXPECT_EQ(used("count/pods"), "1");
    EXPECT_EQ(used("requests.cpu"), "600m");
    EXPECT_EQ(used("limits.memory"), "1Gi");
    EXPECT_EQ(used("configmaps"), "1");
    EXPECT_EQ(used("count/deployments.apps"), "0");
    EXPECT_EQ(plane.get({kQuotas, "default", "q"}).text({"status", "hard", "requests.cpu"}), "1");
}

TEST_F(ResourceQuotaTest, ChargesWhatIsMadeAtOnce) {
    create_quota(R"({"pods":"2"})");
    // No controller runs in between.
    EXPECT_TRUE(plane.cluster.create({"v1/pods", "default", ""}, pod("a")).ok());
    EXPECT_EQ(plane.cluster.get({kQuotas, "default", "q"}).text({"status", "used", "pods"}), "1");
    EXPECT_TRUE(plane.cluster.create({"v1/pods", "default", ""}, pod("b")).ok());
    const auto refused = plane.cluster.create({"v1/pods", "default", ""}, pod("c"));
    EXPECT_EQ(refused.code, 403);
    EXPECT_EQ(refused.error,
              "pods \"c\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2");
}

TEST_F(ResourceQuotaTest, SaysWhatIsExceededAndWhatIsMissing) {
    create_quota(R"({"requests.cpu":"1","services":"9","services.nodeports":"0"})");
    EXPECT_TRUE(try_create("v1/pods", pod("a", R"({"requests":{"cpu":"600m"}})")).ok());
    EXPECT_EQ(try_create("v1/pods", pod("b", R"({"requests":{"cpu":"600m"}})")).error,
              "pods \"b\" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: "
              "requests.cpu=600m, limited: requests.cpu=1");
    EXPECT_EQ(try_create("v1/pods", pod("c")).error,
              "pods \"c\" is forbidden: failed quota: q: must specify requests.cpu for: c");
    EXPECT_EQ(try_create("v1/services",
                         R"({"metadata":{"name":"s"},"spec":{"type":"NodePort","ports":[{"port":80}]}})")
                  .error,
              "services \"s\" is forbidden: exceeded quota: q, requested: services.nodeports=1, used: "
              "services.nodeports=0, limited: services.nodeports=0");
}

TEST_F(ResourceQuotaTest, ChargesAServiceThatTakesMorePorts) {
    create_quota(R"({"services.nodeports":"0"})");
    const std::string service = R"({"metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}})";
    EXPECT_TRUE(try_create("v1/services", service).ok());
    const auto refused = plane.cluster.patch({"v1/services", "default", "s"}, resource::PatchType::merge,
                                             R"({"spec":{"type":"NodePort"}})");
    EXPECT_THAT(refused.error, StartsWith("services \"s\" is forbidden: exceeded quota: q"));
}

TEST_F(ResourceQuotaTest, GivesBackWhatIsGoneOrHasEnded) {
    create_quota(R"({"pods":"2","count/pods":"5"})");
    plane.create({"v1/pods", "default", ""}, pod("a"));
    plane.create({"v1/pods", "default", ""}, pod("b"));
    EXPECT_EQ(used("pods"), "2");
    plane.remove({"v1/pods", "default", "a"});
    EXPECT_EQ(used("pods"), "1");
    plane.set_pod_phase("b", "Succeeded", false);
    EXPECT_EQ(used("pods"), "0");
    EXPECT_EQ(used("count/pods"), "1");
}

TEST_F(ResourceQuotaTest, StopsAReplicaSetAtTheLimit) {
    create_quota(R"({"pods":"3"})");
    plane.create({"apps/v1/replicasets", "default", ""},
                 R"({"metadata":{"name":"r"},"spec":{"replicas":10,"selector":{"matchLabels":{"app":"x"}},)"
                 R"("template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c",)"
                 R"("image":"i"}]}}}})");
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(3));
    EXPECT_EQ(used("pods"), "3");
    const auto object = plane.get({"apps/v1/replicasets", "default", "r"});
    const auto condition = object["status"]["conditions"].at(0);
    EXPECT_EQ(condition["reason"].as_string(), "FailedCreate");
    EXPECT_THAT(condition["message"].to_string(),
                testing::EndsWith("exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3"));
}

TEST_F(ResourceQuotaTest, LetsManyBeMadeAtOnceUpToTheLimit) {
    create_quota(R"({"pods":"200"})");
    plane.create({"apps/v1/replicasets", "default", ""},
                 R"({"metadata":{"name":"r"},"spec":{"replicas":200,"selector":{"matchLabels":{"app":"x"}},)"
                 R"("template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[{"name":"c",)"
                 R"("image":"i"}]}}}})");
    EXPECT_THAT(plane.names("v1/pods"), SizeIs(200));
    EXPECT_EQ(used("pods"), "200");
}

TEST_F(ResourceQuotaTest, CountsOnlyWhatIsInItsScope) {
    create_quota(R"({"pods":"1"})", R"("scopes":["BestEffort"],)");
    create_quota(R"({"pods":"1"})", R"("scopes":["Terminating"],)", "t");
    create_quota(R"({"pods":"1"})",
                 R"("scopeSelector":{"matchExpressions":[{"scopeName":"PriorityClass","operator":"In",)"
                 R"("values":["system-node-critical"]}]},)",
                 "p");
    EXPECT_TRUE(try_create("v1/pods", pod("a")).ok());
    EXPECT_TRUE(try_create("v1/pods", pod("b", R"({"requests":{"cpu":"1"}})")).ok());
    EXPECT_EQ(used("pods"), "1");
    EXPECT_EQ(used("pods", "t"), "0");
    EXPECT_TRUE(
        try_create("v1/pods", pod("c", R"({"requests":{"cpu":"1"}})", R"("activeDeadlineSeconds":5,)")).ok());
    EXPECT_EQ(used("pods", "t"), "1");
    EXPECT_EQ(used("pods", "p"), "0");
}

TEST_F(ResourceQuotaTest, CountsStorageByItsClass) {
    create_quota(R"({"requests.storage":"10Gi","gold.storageclass.storage.k8s.io/requests.storage":"5Gi",)"
                 R"("gold.storageclass.storage.k8s.io/persistentvolumeclaims":"9"})");
    const auto claim = [](std::string_view name, std::string_view storage_class) {
        return R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{"storageClassName":")" +
               std::string(storage_class) +
               R"(","accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"4Gi"}}}})";
    };
    EXPECT_TRUE(try_create("v1/persistentvolumeclaims", claim("a", "gold")).ok());
    EXPECT_THAT(try_create("v1/persistentvolumeclaims", claim("b", "gold")).error,
                testing::EndsWith("exceeded quota: q, requested: "
                                  "gold.storageclass.storage.k8s.io/requests.storage=4Gi, used: "
                                  "gold.storageclass.storage.k8s.io/requests.storage=4Gi, limited: "
                                  "gold.storageclass.storage.k8s.io/requests.storage=5Gi"));
    EXPECT_TRUE(try_create("v1/persistentvolumeclaims", claim("c", "iron")).ok());
    EXPECT_EQ(used("requests.storage"), "8Gi");
    EXPECT_EQ(used("gold.storageclass.storage.k8s.io/persistentvolumeclaims"), "1");
}

TEST_F(ResourceQuotaTest, FollowsAChangeOfItsLimits) {
    create_quota(R"({"pods":"1"})");
    plane.merge({kQuotas, "default", "q"}, R"({"spec":{"hard":{"pods":"7","secrets":"3"}}})");
    const auto quota = plane.get({kQuotas, "default", "q"});
    EXPECT_EQ(quota.text({"status", "hard", "pods"}), "7");
    EXPECT_EQ(quota.text({"status", "used", "secrets"}), "0");
}

TEST_F(ResourceQuotaTest, WritesNothingWhenNothingIsToBeDone) {
    create_quota(R"({"pods":"5","count/pods":"5","requests.cpu":"4","services.nodeports":"1"})");
    plane.create({"v1/pods", "default", ""}, pod("a", R"({"requests":{"cpu":"500m"}})"));
    plane.settle();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(30));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

TEST(QuotaUsage, TakesThePeakOfInitContainersAndSidecars) {
    object::Document document;
    const auto parsed = object::parse_json(
        R"({"spec":{"containers":[{"resources":{"requests":{"cpu":"1"}}}],"initContainers":[)"
        R"({"restartPolicy":"Always","resources":{"requests":{"cpu":"500m"}}},)"
        R"({"resources":{"requests":{"cpu":"3","memory":"1Gi"}}}],"overhead":{"cpu":"100m"}}})",
        document.arena);
    ASSERT_TRUE(parsed);
    const auto usage = resource::quota_usage_of("", "pods", *parsed, base::WallTime{});
    EXPECT_EQ(usage.at("requests.cpu").to_string(), "3600m");
    EXPECT_EQ(usage.at("cpu").to_string(), "3600m");
    EXPECT_EQ(usage.at("requests.memory").to_string(), "1Gi");
    EXPECT_FALSE(usage.contains("limits.cpu"));
}

}  // namespace
}  // namespace keelson::control
