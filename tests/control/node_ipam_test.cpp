#include "kernel/control/node_ipam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class NodeIpamTest : public ::testing::Test {
  protected:
    void start(std::vector<std::string> cidrs) {
        plane.add(make_node_ipam_controller(plane.surroundings, std::move(cidrs)));
        plane.start();
    }
    void node(const std::string& name, const std::string& spec = "{}") {
        plane.create({"v1/nodes", "", ""}, R"({"metadata":{"name":")" + name + R"("},"spec":)" + spec + "}");
        plane.settle();
    }
    std::vector<std::string> parts(const std::string& name) {
        std::vector<std::string> result;
        const auto outcome = plane.get({"v1/nodes", "", name});
        for (const auto cidr : outcome["spec"]["podCIDRs"].items()) result.push_back(cidr.to_string());
        return result;
    }

    ControlPlane plane;
};

TEST_F(NodeIpamTest, EveryNodeGetsAPartOfItsOwn) {
    start({"10.244.0.0/16"});
    node("a");
    node("b");
    EXPECT_THAT(parts("a"), ElementsAre("10.244.0.0/24"));
    EXPECT_THAT(parts("b"), ElementsAre("10.244.1.0/24"));
    EXPECT_EQ(plane.get({"v1/nodes", "", "b"}).text({"spec", "podCIDR"}), "10.244.1.0/24");
}

TEST_F(NodeIpamTest, BothFamiliesAreCut) {
    start({"10.1.0.0/16", "fd00:10::/48"});
    node("a");
    node("b");
    EXPECT_THAT(parts("a"), ElementsAre("10.1.0.0/24", "fd00:10::/64"));
    EXPECT_THAT(parts("b"), ElementsAre("10.1.1.0/24", "fd00:10:0:1::/64"));
}

TEST_F(NodeIpamTest, APartThatANodeBroughtIsNotGivenTwice) {
    start({"10.244.0.0/16"});
    node("a", R"({"podCIDR":"10.244.0.0/24","podCIDRs":["10.244.0.0/24"]})");
    node("b");
    EXPECT_THAT(parts("b"), ElementsAre("10.244.1.0/24"));
}

TEST_F(NodeIpamTest, ADeletedNodeGivesItsPartBack) {
    start({"10.244.0.0/23"});
    node("a");
    node("b");
    node("c");
    EXPECT_THAT(parts("c"), IsEmpty());
    plane.remove({"v1/nodes", "", "a"});
    plane.advance(std::chrono::minutes(1));
    EXPECT_THAT(parts("c"), ElementsAre("10.244.0.0/24"));
}

}  // namespace
}  // namespace keelson::control
