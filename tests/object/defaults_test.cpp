#include "kernel/object/defaults.h"

#include <gtest/gtest.h>

#include "kernel/object/conform.h"
#include "kernel/object/image_name.h"
#include "kernel/object/json.h"

namespace keelson::object {
namespace {

Value defaulted(Arena& arena, std::string_view type_id, std::string_view json) {
    const Type* type = find_type(type_id);
    EXPECT_NE(type, nullptr);
    auto raw = parse_json(json, arena);
    EXPECT_TRUE(raw);
    auto conformed = conform(*type, *raw, arena);
    EXPECT_TRUE(conformed);
    apply_defaults(*type, *conformed, arena);
    return canonical(*type, *conformed, arena);
}

TEST(Defaults, Pod) {
    Arena arena;
    Value pod =
        defaulted(arena, "core/v1.Pod", R"({"spec":{"hostNetwork":true,"volumes":[{"name":"v"}],"containers":[
        {"name":"c","image":"nginx:1.2","ports":[{"containerPort":80}],
         "resources":{"limits":{"cpu":"1"}},"livenessProbe":{"httpGet":{"port":80}}}]}})");
    Value container = pod.path({"spec", "containers"}).at(0);
    EXPECT_EQ(to_json(pod["spec"]["volumes"]), R"([{"name":"v","emptyDir":{}}])");
    EXPECT_EQ(container["imagePullPolicy"].as_string(), "IfNotPresent");
    EXPECT_EQ(to_json(container["ports"]), R"([{"hostPort":80,"containerPort":80,"protocol":"TCP"}])");
    EXPECT_EQ(container.path({"resources", "requests", "cpu"}).as_string(), "1");
    EXPECT_EQ(to_json(container["livenessProbe"]),
              R"({"httpGet":{"path":"/","port":80,"scheme":"HTTP"},"timeoutSeconds":1,"periodSeconds":10,)"
              R"("successThreshold":1,"failureThreshold":3})");
    EXPECT_TRUE(pod["spec"]["enableServiceLinks"].as_boolean());
    EXPECT_EQ(pod["spec"]["terminationGracePeriodSeconds"].as_integer(), 30);
}

TEST(Defaults, TemplatesGetThoseOfThePodSpecOnly) {
    Arena arena;
    Value spec =
        defaulted(arena, "apps/v1.Deployment",
                  R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"nginx"}]}}}})")["spec"];
    EXPECT_EQ(spec["replicas"].as_integer(), 1);
    EXPECT_EQ(to_json(spec["strategy"]),
              R"({"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}})");
    Value pod = spec.path({"template", "spec"});
    EXPECT_EQ(pod["restartPolicy"].as_string(), "Always");
    EXPECT_EQ(pod["containers"].at(0)["imagePullPolicy"].as_string(), "Always");
    EXPECT_TRUE(pod["enableServiceLinks"].is_absent());
}

TEST(Defaults, Service) {
    Arena arena;
    Value spec = defaulted(
        arena, "core/v1.Service",
        R"({"spec":{"type":"LoadBalancer","sessionAffinity":"ClientIP","ports":[{"port":80}]}})")["spec"];
    EXPECT_EQ(to_json(spec["ports"]), R"([{"protocol":"TCP","port":80,"targetPort":80}])");
    EXPECT_EQ(spec.path({"sessionAffinityConfig", "clientIP", "timeoutSeconds"}).as_integer(), 10800);
    EXPECT_EQ(spec["externalTrafficPolicy"].as_string(), "Cluster");
    EXPECT_TRUE(spec["allocateLoadBalancerNodePorts"].as_boolean());
}

TEST(Defaults, SecretsTakeOverPlainData) {
    Arena arena;
    Value secret = defaulted(arena, "core/v1.Secret", R"({"stringData":{"a":"plain","b":"xy","c":""}})");
    EXPECT_EQ(to_json(secret["data"]), R"({"a":"cGxhaW4=","b":"eHk=","c":""})");
    EXPECT_TRUE(secret["stringData"].is_absent());
    EXPECT_EQ(secret["type"].as_string(), "Opaque");
}

TEST(Defaults, AutoscalersScaleOnProcessorTime) {
    Arena arena;
    Value spec =
        defaulted(arena, "autoscaling/v2.HorizontalPodAutoscaler", R"({"spec":{"maxReplicas":3}})")["spec"];
    EXPECT_EQ(
        to_json(spec["metrics"]),
        R"([{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":80}}}])");
}

TEST(ImageName, LatestIsAlsoNoTag) {
    for (std::string_view image : {"nginx", "nginx:latest", "example.org:5000/a/b", "localhost/a", "a/b_c-d"})
        EXPECT_TRUE(image_is_latest(image)) << image;
    for (std::string_view image :
         {"nginx:1", "", "Bad_Value!", "a@sha256:0123", "example.org:5000/a:1", "a//b"})
        EXPECT_FALSE(image_is_latest(image)) << image;
}

}  // namespace
}  // namespace keelson::object
