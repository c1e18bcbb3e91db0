#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/object/accessors/apps_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/conform.h"
#include "kernel/object/json.h"

namespace keelson::object {
namespace {

namespace core_v1 = api_types::core_v1;
namespace apps_v1 = api_types::apps_v1;

TEST(Accessors, ReadTypedObjects) {
    Arena arena;
    core_v1::Pod pod(*parse_json(
        R"({"metadata":{"name":"p","labels":{"a":"1","b":"2"}},"spec":{"nodeName":"n","hostNetwork":true,
        "terminationGracePeriodSeconds":7,"containers":[{"name":"c","image":"i","args":["x","y"],
        "resources":{"limits":{"cpu":"1"}},"livenessProbe":{"httpGet":{"port":"http"}}},{"name":"d"}]}})",
        arena));
    EXPECT_EQ(pod.metadata().name(), "p");
    EXPECT_EQ(pod.metadata().labels()["a"], "1");
    EXPECT_TRUE(pod.metadata().labels().has("b"));
    EXPECT_EQ(pod.metadata().labels().size(), 2u);
    EXPECT_EQ(pod.spec().node_name(), "n");
    EXPECT_TRUE(pod.spec().host_network());
    EXPECT_EQ(pod.spec().termination_grace_period_seconds(), 7);
    ASSERT_EQ(pod.spec().containers().size(), 2u);
    EXPECT_EQ(pod.spec().containers()[0].image(), "i");
    EXPECT_EQ(pod.spec().containers()[0].args()[1], "y");
    EXPECT_EQ(pod.spec().containers()[0].resources().limits()["cpu"], "1");
    EXPECT_EQ(pod.spec().containers()[0].liveness_probe().http_get().port().as_string(), "http");
    std::vector<std::string_view> names;
    for (core_v1::Container container : pod.spec().containers()) names.push_back(container.name());
    EXPECT_THAT(names, testing::ElementsAre("c", "d"));
    std::string labels;
    for (auto [name, value] : pod.metadata().labels())
        labels += std::string(name) + "=" + std::string(value) + " ";
    EXPECT_EQ(labels, "a=1 b=2 ");
}

TEST(Accessors, WhatIsNotThereReadsAsEmpty) {
    core_v1::Pod pod;
    EXPECT_FALSE(pod.is_set());
    EXPECT_FALSE(pod.spec().is_set());
    EXPECT_EQ(pod.spec().containers()[3].liveness_probe().http_get().path(), "");
    EXPECT_TRUE(pod.metadata().labels().empty());
    EXPECT_FALSE(pod.spec().has_node_name());
    for (core_v1::Volume volume : pod.spec().volumes()) ADD_FAILURE() << volume.name();
}

TEST(Accessors, WriteTypedObjects) {
    Arena arena;
    apps_v1::Deployment deployment(Value::map(arena));
    deployment.make_metadata(arena).set_name(arena, "d");
    deployment.make_metadata(arena).make_labels(arena).set(arena, "app", "web");
    apps_v1::DeploymentSpec spec = deployment.make_spec(arena);
    spec.set_replicas(arena, 3);
    spec.make_selector(arena).make_match_labels(arena).set(arena, "app", "web");
    core_v1::PodSpec pod = spec.make_template(arena).make_spec(arena);
    core_v1::Container container = pod.make_containers(arena).add(arena);
    container.set_name(arena, "c");
    container.set_tty(arena, true);
    container.make_args(arena).add(arena, "run");
    container.make_ports(arena).add(arena).set_container_port(arena, 80);
    EXPECT_EQ(
        to_json(deployment.untyped()),
        R"({"metadata":{"name":"d","labels":{"app":"web"}},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},)"
        R"("template":{"spec":{"containers":[{"name":"c","tty":true,"args":["run"],"ports":[{"containerPort":80}]}]}}}})");
    EXPECT_TRUE(conform(*find_type("apps/v1.Deployment"), deployment.untyped(), arena));
    EXPECT_EQ(spec.template_().spec().containers().size(), 1u) << "words of C++ end in an underscore";
    spec.clear_replicas();
    EXPECT_FALSE(spec.has_replicas());
}

TEST(Accessors, NamesAreSpelledTheUsualWay) {
    Arena arena;
    core_v1::Service service(*parse_json(
        R"({"spec":{"clusterIP":"1","clusterIPs":["1"],"externalIPs":["2"],"loadBalancerIP":"3"}})", arena));
    EXPECT_EQ(service.spec().cluster_ip(), "1");
    EXPECT_EQ(service.spec().cluster_ips()[0], "1");
    EXPECT_EQ(service.spec().external_ips()[0], "2");
    EXPECT_EQ(service.spec().load_balancer_ip(), "3");
}

}  // namespace
}  // namespace keelson::object
