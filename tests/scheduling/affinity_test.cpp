// Affinity and anti-affinity between pods: where pods may go and where they would rather go.
#include <gtest/gtest.h>

#include "tests/scheduling/world.h"

namespace keelson::scheduling {
namespace {

std::string required(std::string_view kind, std::string_view term) {
    return "affinity: {" + std::string(kind) + ": {requiredDuringSchedulingIgnoredDuringExecution: [{" +
           std::string(term) + "}]}}";
}

std::string preferred(std::string_view kind, std::string_view term) {
    return "affinity: {" + std::string(kind) +
           ": {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {" +
           std::string(term) + "}}]}}";
}

std::string near_web(std::string_view topology) {
    return "labelSelector: {matchLabels: {app: web}}, topologyKey: " + std::string(topology);
}

constexpr const char* kHost = "kubernetes.io/hostname";
constexpr const char* kZone = "topology.kubernetes.io/zone";
constexpr const char* kWeb = "{metadata: {name: web, labels: {app: web}}}";

class AffinityTest : public ::testing::Test {
  protected:
    AffinityTest() { world_.three_nodes(); }
    std::string spec(const std::string& text) { return "{spec: {" + text + "}}"; }
    std::string web(const std::string& text) {
        return "{metadata: {name: p, labels: {app: web}}, spec: {" + text + "}}";
    }
    World world_;
};

TEST_F(AffinityTest, FollowsPodsToTheirNode) {
    world_.running("n2", kWeb);
    EXPECT_TRUE(world_.always_goes_to("n2", spec(required("podAffinity", near_web(kHost)))));
}

TEST_F(AffinityTest, FollowsPodsToTheirZone) {
    world_.running("n3", kWeb);
    EXPECT_TRUE(world_.always_goes_to("n3", spec(required("podAffinity", near_web(kZone)))));
}

TEST_F(AffinityTest, NothingToFollowIsRefused) {
    EXPECT_EQ(
        world_.outcome(spec(required("podAffinity", near_web(kHost)))),
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules. no new claims to deallocate, "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.");
}

TEST_F(AffinityTest, TheFirstOfAGroupMayStartAnywhere) {
    EXPECT_TRUE(world_.decide(web(required("podAffinity", near_web(kHost)))).is_placed());
}

TEST_F(AffinityTest, PodsOfOtherNamespacesAreNotFollowed) {
    world_.running("n2", "{metadata: {name: web, namespace: other, labels: {app: web}}}");
    EXPECT_FALSE(world_.decide(spec(required("podAffinity", near_web(kHost)))).is_placed());
}

TEST_F(AffinityTest, NamedNamespacesAreLookedAt) {
    world_.running("n2", "{metadata: {name: web, namespace: other, labels: {app: web}}}");
    EXPECT_TRUE(world_.always_goes_to(
        "n2", spec(required("podAffinity", near_web(kHost) + ", namespaces: [other]"))));
}

TEST_F(AffinityTest, NamespacesAreChosenByLabels) {
    world_.running("n2", "{metadata: {name: web, namespace: other, labels: {app: web}}}");
    const std::string term =
        required("podAffinity", near_web(kHost) + ", namespaceSelector: {matchLabels: {team: a}}");
    EXPECT_FALSE(world_.decide(spec(term)).is_placed());
    object::MapView<std::string_view> labels(world_.parse("{team: a}"));
    world_.cluster.set_namespace("other", Labels(labels));
    EXPECT_TRUE(world_.always_goes_to("n2", spec(term)));
}

TEST_F(AffinityTest, AnEmptyNamespaceSelectorChoosesAll) {
    world_.running("n2", "{metadata: {name: web, namespace: other, labels: {app: web}}}");
    EXPECT_TRUE(world_.always_goes_to(
        "n2", spec(required("podAffinity", near_web(kHost) + ", namespaceSelector: {}"))));
}

TEST_F(AffinityTest, AntiAffinityKeepsAway) {
    world_.running("n1", kWeb);
    EXPECT_TRUE(world_.always_goes_to("n3", spec(required("podAntiAffinity", near_web(kZone)))));
}

TEST_F(AffinityTest, AntiAffinityOfOthersKeepsAway) {
    world_.running("n1",
                   "{metadata: {name: x}, spec: {" + required("podAntiAffinity", near_web(kZone)) + "}}");
    EXPECT_TRUE(world_.always_goes_to("n3", kWeb));
}

TEST_F(AffinityTest, WhoCannotBeApartWaits) {
    for (const char* node : {"n1", "n2", "n3"}) {
        world_.running(node, "{metadata: {name: " + std::string(node) + ", labels: {app: web}}, spec: {" +
                                 required("podAntiAffinity", near_web(kHost)) + "}}");
    }
    EXPECT_EQ(
        world_.outcome(web(required("podAntiAffinity", near_web(kHost)))),
        "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. no new claims to "
        "deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.");
    EXPECT_EQ(
        world_.outcome(kWeb),
        "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules. no new claims "
        "to deallocate, preemption: 0/3 nodes are available: 3 No preemption victims found for incoming "
        "pod.");
}

TEST_F(AffinityTest, MatchLabelKeysNarrowTheSelector) {
    world_.running("n1", "{metadata: {name: old, labels: {app: web, version: '1'}}}");
    world_.running("n2", "{metadata: {name: new, labels: {app: web, version: '2'}}}");
    const std::string term = required("podAffinity", near_web(kHost) + ", matchLabelKeys: [version]");
    EXPECT_TRUE(
        world_.always_goes_to("n2", "{metadata: {labels: {app: web, version: '2'}}, spec: {" + term + "}}"));
}

TEST_F(AffinityTest, PreferredAffinityDraws) {
    world_.running("n2", kWeb);
    EXPECT_TRUE(world_.always_goes_to("n2", spec(preferred("podAffinity", near_web(kHost)))));
}

TEST_F(AffinityTest, PreferredAntiAffinityPushes) {
    world_.running("n1", kWeb);
    EXPECT_TRUE(world_.always_goes_to("n3", spec(preferred("podAntiAffinity", near_web(kZone)))));
}

TEST_F(AffinityTest, PreferencesOfOthersCount) {
    world_.running("n2", "{metadata: {name: x}, spec: {" + preferred("podAffinity", near_web(kHost)) + "}}");
    EXPECT_TRUE(world_.always_goes_to("n2", kWeb));
}

TEST_F(AffinityTest, PodsThatWentAreForgotten) {
    const PodPointer web = world_.running("n2", kWeb);
    world_.cluster.remove_pod(web->uid);
    EXPECT_FALSE(world_.decide(spec(required("podAffinity", near_web(kHost)))).is_placed());
}

}  // namespace
}  // namespace keelson::scheduling
