#include "kernel/control/endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr std::string_view kSlices = "discovery.k8s.io/v1/endpointslices";

class EndpointsTest : public ::testing::Test {
  protected:
    EndpointsTest() {
        plane.add(make_endpoint_slice_controller(plane.surroundings));
        plane.add(make_endpoints_controller(plane.surroundings));
        plane.add(make_endpoint_mirroring_controller(plane.surroundings));
        plane.start();
        plane.create({"v1/nodes", "", ""},
                     R"({"metadata":{"name":"n1","labels":{"topology.kubernetes.io/zone":"a"}}})");
    }
    void service(
        std::string_view spec = R"({"selector":{"app":"x"},"ports":[{"port":80,"targetPort":8080}]})") {
        plane.create({"v1/services", "default", ""},
                     R"({"metadata":{"name":"svc"},"spec":)" + std::string(spec) + "}");
    }
    void pod(const std::string& name, const std::string& address, bool ready = true) {
        plane.create({"v1/pods", "default", ""},
                     resource::pod_json(name, R"(,"labels":{"app":"x"})", R"(,"nodeName":"n1")"));
        report(name, address, ready);
    }
    void report(const std::string& name, const std::string& address, bool ready) {
        plane.merge({"v1/pods/status", "default", name},
                    R"({"status":{"phase":"Running","podIP":")" + address + R"(","podIPs":[{"ip":")" +
                        address + R"("}],"conditions":[{"type":"Ready","status":")" +
                        (ready ? "True" : "False") + R"(","lastTransitionTime":"2026-01-01T00:00:05Z"}]}})");
    }
    // "address ready/serving/terminating" of all slices.
    std::vector<std::string> endpoints() {
        std::vector<std::string> texts;
        for (const std::string& name : plane.names(kSlices)) {
            const auto slice = plane.get({kSlices, "default", name});
            for (const auto endpoint : slice["endpoints"].items()) {
                const auto conditions = endpoint["conditions"];
                std::string text = endpoint["addresses"].at(0).to_string() + " ";
                for (const char* condition : {"ready", "serving", "terminating"})
                    text += conditions[condition].as_boolean() ? "1" : "0";
                texts.push_back(text);
            }
        }
        return texts;
    }

    ControlPlane plane;
};

TEST_F(EndpointsTest, AServiceWithoutPodsHasOneEmptySlice) {
    service();
    const auto slices = plane.names(kSlices);
    ASSERT_THAT(slices, SizeIs(1));
    const auto slice = plane.get({kSlices, "default", slices[0]});
    EXPECT_EQ(slice["metadata"]["labels"]["kubernetes.io/service-name"].as_string(), "svc");
    EXPECT_EQ(slice["metadata"]["ownerReferences"].at(0)["kind"].as_string(), "Service");
    EXPECT_TRUE(slice["endpoints"].is_unset());
    const auto before = plane.cluster.store->current();
    plane.merge({"v1/services", "default", "svc"}, R"({"metadata":{"annotations":{}}})");
    EXPECT_EQ(plane.cluster.store->current(), before);
}

TEST_F(EndpointsTest, ReadyAndNotReadyPodsAreToldApart) {
    service();
    pod("a", "10.0.0.1");
    pod("b", "10.0.0.2", false);
    EXPECT_THAT(endpoints(), UnorderedElementsAre("10.0.0.1 110", "10.0.0.2 000"));
    const auto object = plane.get({"v1/endpoints", "default", "svc"});
    const auto subset = object["subsets"].at(0);
    EXPECT_EQ(subset["addresses"].at(0)["ip"].as_string(), "10.0.0.1");
    EXPECT_EQ(subset["notReadyAddresses"].at(0)["ip"].as_string(), "10.0.0.2");
    EXPECT_EQ(subset["ports"].at(0)["port"].as_integer(), 8080);
}

TEST_F(EndpointsTest, SayWhereAPodRuns) {
    service();
    pod("a", "10.0.0.1");
    const auto object = plane.get({kSlices, "default", plane.names(kSlices).at(0)});
    const auto endpoint = object["endpoints"].at(0);
    EXPECT_EQ(endpoint["nodeName"].as_string(), "n1");
    EXPECT_EQ(endpoint["zone"].as_string(), "a");
    EXPECT_EQ(endpoint["targetRef"]["name"].as_string(), "a");
}

TEST_F(EndpointsTest, SayWhomAnEndpointIsMeantForWhenTrafficShallStayNear) {
    const std::string base = R"({"selector":{"app":"x"},"ports":[{"port":80}],"trafficDistribution":")";
    service(base + "PreferSameNode\"}");
    pod("a", "10.0.0.1");
    pod("b", "10.0.0.2", false);
    plane.settle();
    const auto slice = plane.get({kSlices, "default", plane.names(kSlices)[0]});
    for (const auto endpoint : slice["endpoints"].items()) {
        const auto hints = endpoint["hints"];
        if (endpoint["addresses"].at(0).as_string() != "10.0.0.1") {
            EXPECT_TRUE(hints.is_unset()) << "it is not ready";
            continue;
        }
        EXPECT_EQ(hints["forZones"].at(0)["name"].as_string(), "a");
        EXPECT_EQ(hints["forNodes"].at(0)["name"].as_string(), "n1");
    }
}

TEST_F(EndpointsTest, APodThatIsEndingServesButIsNotReady) {
    service();
    pod("a", "10.0.0.1");
    plane.merge({"v1/pods", "default", "a"}, R"({"metadata":{"finalizers":["example.com/hold"]}})");
    plane.remove({"v1/pods", "default", "a"}, {.grace_period_seconds = 0});
    EXPECT_THAT(endpoints(), ElementsAre("10.0.0.1 011"));
    EXPECT_TRUE(plane.get({"v1/endpoints", "default", "svc"})["subsets"].empty());
}

TEST_F(EndpointsTest, AServiceThatPublishesAllCallsAllReady) {
    service(R"({"clusterIP":"None","publishNotReadyAddresses":true,"selector":{"app":"x"}})");
    pod("a", "10.0.0.1", false);
    EXPECT_THAT(endpoints(), ElementsAre("10.0.0.1 100"));
    const auto object = plane.get({kSlices, "default", plane.names(kSlices).at(0)});
    const auto labels = object["metadata"]["labels"];
    EXPECT_TRUE(labels.has("service.kubernetes.io/headless"));
}

TEST_F(EndpointsTest, NamedPortsAreThoseOfThePod) {
    service(R"({"selector":{"app":"x"},"ports":[{"name":"h","port":80,"targetPort":"web"}]})");
    plane.create({"v1/pods", "default", ""},
                 R"({"metadata":{"name":"a","labels":{"app":"x"}},"spec":{"nodeName":"n1","containers":)"
                 R"([{"name":"c","image":"i","ports":[{"name":"web","containerPort":8081}]}]}})");
    report("a", "10.0.0.1", true);
    const auto object = plane.get({kSlices, "default", plane.names(kSlices).at(0)});
    const auto port = object["ports"].at(0);
    EXPECT_EQ(port["name"].as_string(), "h");
    EXPECT_EQ(port["port"].as_integer(), 8081);
}

TEST_F(EndpointsTest, ASliceHoldsAtMostAHundred) {
    service();
    for (int index = 0; index < 150; ++index)
        pod("p" + std::to_string(index), "10.0.1." + std::to_string(index));
    EXPECT_THAT(endpoints(), SizeIs(150));
    EXPECT_THAT(plane.names(kSlices), SizeIs(2));
    for (const std::string& name : plane.names("v1/pods"))
        plane.remove({"v1/pods", "default", name}, {.grace_period_seconds = 0});
    EXPECT_THAT(endpoints(), IsEmpty());
    EXPECT_THAT(plane.names(kSlices), SizeIs(1));
}

TEST_F(EndpointsTest, GoWithTheirService) {
    service();
    pod("a", "10.0.0.1");
    plane.remove({"v1/services", "default", "svc"});
    EXPECT_THAT(plane.names("v1/endpoints"), testing::Not(testing::Contains("svc")));
}

TEST_F(EndpointsTest, ThoseOfAServiceWithoutSelectorAreMirrored) {
    service(R"({"ports":[{"port":80}]})");
    plane.create(
        {"v1/endpoints", "default", ""},
        R"({"metadata":{"name":"svc"},"subsets":[{"addresses":[{"ip":"10.3.3.3"}],"ports":[{"port":80}]}]})");
    const auto slices = plane.names(kSlices);
    ASSERT_THAT(slices, SizeIs(1));
    const auto slice = plane.get({kSlices, "default", slices[0]});
    EXPECT_EQ(slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"].as_string(),
              "endpointslicemirroring-controller.k8s.io");
    EXPECT_EQ(slice["endpoints"].at(0)["addresses"].at(0).as_string(), "10.3.3.3");
    plane.merge({"v1/endpoints", "default", "svc"}, R"({"subsets":null})");
    EXPECT_THAT(plane.names(kSlices), IsEmpty());
}

}  // namespace
}  // namespace keelson::control
