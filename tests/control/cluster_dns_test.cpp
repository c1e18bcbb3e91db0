#include "kernel/control/cluster_dns.h"

#include <gtest/gtest.h>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

constexpr std::string_view kSlices = "discovery.k8s.io/v1/endpointslices";

class ClusterDnsTest : public ::testing::Test {
  protected:
    ClusterDnsTest() {
        plane.add(make_cluster_dns_controller(plane.surroundings, "10.96.0.10"));
        plane.start();
    }
    void node(const std::string& name, const std::string& address, const std::string& labels) {
        plane.create({"v1/nodes", "", ""},
                     R"({"metadata":{"name":")" + name + R"(","labels":{)" + labels + "}}}");
        plane.merge({"v1/nodes/status", "", name},
                    R"({"status":{"addresses":[{"type":"InternalIP","address":")" + address +
                        R"("}],"conditions":[{"type":"Ready","status":"True"}]}})");
        plane.settle();
    }

    ControlPlane plane;
};

TEST_F(ClusterDnsTest, WithoutAServerThereIsNoService) {
    node("n1", "192.0.2.1", "");
    EXPECT_EQ(plane.cluster.get({"v1/services", "kube-system", "kube-dns"}).code, 404);
}

TEST_F(ClusterDnsTest, AServerThatPodsCannotReachIsNoEndpoint) {
    node("n1", "127.0.0.1", R"("keelson.dev/dns-port":"10053")");
    EXPECT_EQ(plane.cluster.get({kSlices, "kube-system", "kube-dns-10053"}).code, 404);
}

TEST_F(ClusterDnsTest, EachNodeWithAServerIsAnEndpoint) {
    node("n1", "192.0.2.1", R"("keelson.dev/dns-port":"10053")");
    node("n2", "192.0.2.2", R"("keelson.dev/dns-port":"10053")");
    node("n3", "192.0.2.3", "");
    const auto service = plane.get({"v1/services", "kube-system", "kube-dns"});
    EXPECT_EQ(service.text({"spec", "clusterIP"}), "10.96.0.10");
    EXPECT_EQ(service.text({"spec", "internalTrafficPolicy"}), "Local");
    const auto slice = plane.get({kSlices, "kube-system", "kube-dns-10053"});
    ASSERT_EQ(slice["endpoints"].size(), 2u);
    EXPECT_EQ(slice["endpoints"].at(0)["nodeName"].as_string(), "n1");
    EXPECT_EQ(slice["endpoints"].at(0)["addresses"].at(0).as_string(), "192.0.2.1");
    EXPECT_TRUE(slice["endpoints"].at(0)["conditions"]["ready"].as_boolean());
    EXPECT_EQ(slice["ports"].size(), 2u);
    EXPECT_EQ(slice["ports"].at(0)["port"].as_integer(), 10053);
}

TEST_F(ClusterDnsTest, AServerThatIsGoneOrNotReadyIsNoEndpoint) {
    node("n1", "192.0.2.1", R"("keelson.dev/dns-port":"10053")");
    plane.merge({"v1/nodes/status", "", "n1"},
                R"({"status":{"conditions":[{"type":"Ready","status":"Unknown"}]}})");
    plane.settle();
    auto slice = plane.get({kSlices, "kube-system", "kube-dns-10053"});
    EXPECT_FALSE(slice["endpoints"].at(0)["conditions"]["ready"].as_boolean());
    plane.merge({"v1/nodes", "", "n1"}, R"({"metadata":{"labels":{"keelson.dev/dns-port":null}}})");
    plane.settle();
    EXPECT_EQ(plane.cluster.get({kSlices, "kube-system", "kube-dns-10053"}).code, 404);
}

}  // namespace
}  // namespace keelson::control
