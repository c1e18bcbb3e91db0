#include "kernel/control/role_aggregation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;

constexpr std::string_view kRoles = "rbac.authorization.k8s.io/v1/clusterroles";

class RoleAggregationTest : public ::testing::Test {
  protected:
    RoleAggregationTest() {
        plane.add(make_role_aggregation_controller(plane.surroundings));
        plane.start();
    }
    void role(const std::string& name, const std::string& label, const std::string& resource) {
        plane.create({kRoles, "", ""},
                     R"({"metadata":{"name":")" + name + R"(","labels":{")" + label +
                         R"(":"true"}},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":[")" +
                         resource + R"("]}]})");
    }
    void gatherer(const std::string& name, const std::string& label, const std::string& labels = "{}") {
        plane.create({kRoles, "", ""},
                     R"({"metadata":{"name":")" + name + R"(","labels":)" + labels +
                         R"(},"aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{")" + label +
                         R"(":"true"}}]}})");
    }
    // The first resource of every rule.
    std::vector<std::string> resources(std::string_view name) {
        std::vector<std::string> found;
        const auto role = plane.get({kRoles, "", name});
        for (const object::Value rule : role["rules"].items())
            for (const object::Value resource : rule["resources"].items())
                found.push_back(resource.to_string());
        return found;
    }

    ControlPlane plane;
};

TEST_F(RoleAggregationTest, GathersInTheOrderOfNamesAndEachRuleOnce) {
    role("z", "part", "pods");
    role("m", "part", "services");
    role("n", "part", "pods");
    role("stranger", "other", "secrets");
    gatherer("all", "part");
    EXPECT_THAT(resources("all"), ElementsAre("services", "pods"));
    EXPECT_THAT(resources("stranger"), ElementsAre("secrets")) << "only roles that ask for it are written";
}

TEST_F(RoleAggregationTest, FollowsEveryChange) {
    gatherer("all", "part");
    EXPECT_THAT(resources("all"), IsEmpty());
    role("a", "part", "pods");
    EXPECT_THAT(resources("all"), ElementsAre("pods"));
    role("b", "part", "services");
    EXPECT_THAT(resources("all"), ElementsAre("pods", "services"));
    plane.merge({kRoles, "", "a"}, R"({"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["nodes"]}]})");
    EXPECT_THAT(resources("all"), ElementsAre("nodes", "services"));
    plane.merge({kRoles, "", "b"}, R"({"metadata":{"labels":{"part":null}}})");
    EXPECT_THAT(resources("all"), ElementsAre("nodes"));
    plane.remove({kRoles, "", "a"});
    EXPECT_THAT(resources("all"), IsEmpty());
}

TEST_F(RoleAggregationTest, PutsBackWhatSomebodyElseWrote) {
    role("a", "part", "pods");
    gatherer("all", "part");
    plane.merge({kRoles, "", "all"}, R"({"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]})");
    EXPECT_THAT(resources("all"), ElementsAre("pods"));
}

TEST_F(RoleAggregationTest, GathersWhatOthersHaveGathered) {
    gatherer("outer", "inner");
    gatherer("middle", "part", R"({"inner":"true"})");
    role("a", "part", "pods");
    EXPECT_THAT(resources("outer"), ElementsAre("pods"));
    plane.remove({kRoles, "", "a"});
    EXPECT_THAT(resources("outer"), IsEmpty());
}

TEST_F(RoleAggregationTest, FillsTheRolesThatEveryClusterHas) {
    plane.settle();
    EXPECT_THAT(resources("view"), IsSupersetOf({"pods", "pods/log", "configmaps"}));
    EXPECT_THAT(resources("view"), testing::Not(testing::Contains("secrets")));
    EXPECT_THAT(resources("edit"), IsSupersetOf({"pods/log", "secrets", "deployments"}));
    EXPECT_THAT(resources("admin"), IsSupersetOf({"pods/log", "secrets", "rolebindings"}));
}

}  // namespace
}  // namespace keelson::control
