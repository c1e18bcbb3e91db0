#include "kernel/control/garbage_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/control/deployment.h"
#include "kernel/control/namespace.h"
#include "kernel/control/namespace_defaults.h"
#include "kernel/control/replica_set.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::string_view kMaps = "v1/configmaps";

class GarbageTest : public ::testing::Test {
  protected:
    GarbageTest() {
        plane.add(make_garbage_collector(plane.surroundings));
        plane.start();
    }
    std::string make(std::string_view name, std::string_view more_metadata = {},
                     std::string_view namespace_name = "default") {
        return plane
            .create({kMaps, namespace_name, ""},
                    R"({"metadata":{"name":")" + std::string(name) + "\"" + std::string(more_metadata) + "}}")
            .text({"metadata", "uid"});
    }
    static std::string owned_by(std::string_view name, std::string_view uid, bool blocks = false) {
        return R"(,"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":")" + std::string(name) +
               R"(","uid":")" + std::string(uid) + R"(","blockOwnerDeletion":)" +
               (blocks ? "true" : "false") + "}]";
    }
    std::vector<std::string> maps() { return plane.names(kMaps); }
    void remove(std::string_view name, std::string_view policy) {
        plane.remove({kMaps, "default", name}, {.propagation_policy = std::string(policy)});
    }

    ControlPlane plane;
};

TEST_F(GarbageTest, WhatLosesItsLastOwnerGoes) {
    const std::string uid = make("owner");
    const std::string child = make("child", owned_by("owner", uid));
    make("grandchild", owned_by("child", child));
    make("other");
    remove("owner", "Background");
    EXPECT_THAT(maps(), ElementsAre("other"));
}

TEST_F(GarbageTest, WhatIsMadeWithAnOwnerThatNeverWasGoes) {
    make("child", owned_by("owner", "00000000-0000-0000-0000-000000000001"));
    EXPECT_THAT(maps(), IsEmpty());
}

TEST_F(GarbageTest, AnotherObjectOfTheOwnersNameIsNotTheOwner) {
    make("owner");
    make("child", owned_by("owner", "00000000-0000-0000-0000-000000000001"));
    EXPECT_THAT(maps(), ElementsAre("owner"));
}

TEST_F(GarbageTest, OneOwnerOfTwoIsEnoughToStay) {
    const std::string first = make("first");
    const std::string second = make("second");
    make("child", R"(,"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"first","uid":")" +
                      first + R"("},{"apiVersion":"v1","kind":"ConfigMap","name":"second","uid":")" + second +
                      R"("}])");
    remove("first", "Background");
    EXPECT_THAT(maps(), ElementsAre("child", "second"));
    const auto object = plane.get({kMaps, "default", "child"});
    const auto references = object["metadata"]["ownerReferences"];
    ASSERT_EQ(references.size(), 1u);
    EXPECT_EQ(references.at(0)["name"].as_string(), "second");
}

TEST_F(GarbageTest, AnOwnerDeletedInTheForegroundWaitsForWhatBlocksIt) {
    const std::string uid = make("owner");
    make("child", R"(,"finalizers":["example.com/hold"])" + owned_by("owner", uid, true));
    remove("owner", "Foreground");
    EXPECT_THAT(maps(), ElementsAre("child", "owner"));
    EXPECT_FALSE(plane.get({kMaps, "default", "child"}).text({"metadata", "deletionTimestamp"}).empty());
    plane.merge({kMaps, "default", "child"}, R"({"metadata":{"finalizers":null}})");
    EXPECT_THAT(maps(), IsEmpty());
}

TEST_F(GarbageTest, AnOwnerDeletedInTheForegroundDoesNotWaitForWhatDoesNotBlockIt) {
    const std::string uid = make("owner");
    make("child", R"(,"finalizers":["example.com/hold"])" + owned_by("owner", uid, false));
    remove("owner", "Foreground");
    EXPECT_THAT(maps(), ElementsAre("child"));
}

TEST_F(GarbageTest, ForegroundDeletionGoesDownTheWholeTree) {
    const std::string uid = make("owner");
    const std::string child = make("child", owned_by("owner", uid, true));
    make("grandchild", R"(,"finalizers":["example.com/hold"])" + owned_by("child", child, true));
    remove("owner", "Foreground");
    EXPECT_THAT(maps(), ElementsAre("child", "grandchild", "owner"));
    plane.merge({kMaps, "default", "grandchild"}, R"({"metadata":{"finalizers":null}})");
    EXPECT_THAT(maps(), IsEmpty());
}

TEST_F(GarbageTest, OrphansLoseTheReferenceAndStay) {
    const std::string uid = make("owner");
    make("child", owned_by("owner", uid));
    remove("owner", "Orphan");
    EXPECT_THAT(maps(), ElementsAre("child"));
    EXPECT_TRUE(plane.get({kMaps, "default", "child"})["metadata"]["ownerReferences"].empty());
}

TEST_F(GarbageTest, AnOwnerInAnotherNamespaceOwnsNothing) {
    plane.create({"v1/namespaces", "", ""}, R"({"metadata":{"name":"elsewhere"}})");
    const std::string uid = make("owner", "", "elsewhere");
    make("child", owned_by("owner", uid));
    EXPECT_THAT(maps(), IsEmpty());
    EXPECT_THAT(plane.events_about("child"), Contains(HasSubstr("does not exist in namespace \"default\"")));
}

TEST_F(GarbageTest, AKindThatNobodyKnowsIsTakenToBeThere) {
    make("child",
         R"(,"ownerReferences":[{"apiVersion":"example.com/v1","kind":"Widget","name":"w","uid":"u"}])");
    EXPECT_THAT(maps(), ElementsAre("child"));
}

TEST(GarbageOfWorkloads, ADeletedDeploymentTakesItsPodsWithIt) {
    ControlPlane plane;
    plane.add(make_deployment_controller(plane.surroundings));
    plane.add(make_replica_set_controller(plane.surroundings));
    plane.add(make_garbage_collector(plane.surroundings));
    plane.start();
    for (const std::string policy : {"Background", "Foreground"}) {
        plane.create(
            {"apps/v1/deployments", "default", ""},
            R"({"metadata":{"name":"web"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"x"}},)"
            R"("template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[)"
            R"({"name":"c","image":"i"}]}}}})");
        plane.run_pods();
        EXPECT_THAT(plane.names("v1/pods"), SizeIs(3));
        plane.remove({"apps/v1/deployments", "default", "web"}, {.propagation_policy = policy});
        EXPECT_THAT(plane.names("apps/v1/deployments"), IsEmpty()) << policy;
        EXPECT_THAT(plane.names("apps/v1/replicasets"), IsEmpty()) << policy;
        EXPECT_THAT(plane.names("v1/pods"), IsEmpty()) << policy;
    }
}

class NamespaceTest : public ::testing::Test {
  protected:
    NamespaceTest() {
        plane.add(make_service_account_controller(plane.surroundings));
        plane.add(make_root_certificate_controller(plane.surroundings, "PEM"));
        plane.add(make_namespace_controller(plane.surroundings));
        plane.start();
        plane.create({"v1/namespaces", "", ""}, R"({"metadata":{"name":"n"}})");
    }
    std::string condition(std::string_view type) {
        const auto outcome = plane.get({"v1/namespaces", "", "n"});
        for (const auto item : outcome["status"]["conditions"].items())
            if (item["type"].as_string() == type)
                return item["status"].to_string() + ": " + item["message"].to_string();
        return "";
    }

    ControlPlane plane;
};

TEST_F(NamespaceTest, EveryNamespaceGetsAnAccountAndTheCertificates) {
    EXPECT_THAT(plane.names("v1/serviceaccounts", "n"), ElementsAre("default"));
    EXPECT_EQ(plane.get({kMaps, "n", "kube-root-ca.crt"}).text({"data", "ca.crt"}), "PEM");
}

TEST_F(NamespaceTest, WhatItGetsComesBackWhenItIsDeletedOrChanged) {
    plane.remove({"v1/serviceaccounts", "n", "default"});
    EXPECT_THAT(plane.names("v1/serviceaccounts", "n"), ElementsAre("default"));
    plane.merge({kMaps, "n", "kube-root-ca.crt"}, R"({"data":{"ca.crt":"other"}})");
    EXPECT_EQ(plane.get({kMaps, "n", "kube-root-ca.crt"}).text({"data", "ca.crt"}), "PEM");
}

TEST_F(NamespaceTest, GoesWithAllItsContent) {
    plane.create({kMaps, "n", ""}, R"({"metadata":{"name":"c"}})");
    plane.create({"v1/pods", "n", ""}, resource::pod_json("p"));
    plane.remove({"v1/namespaces", "", "n"});
    EXPECT_THAT(plane.names("v1/namespaces", ""), Not(Contains("n")));
    EXPECT_THAT(plane.names(kMaps, "n"), IsEmpty());
}

TEST_F(NamespaceTest, GoesWithItsEvents) {
    plane.create({"v1/namespaces", "", ""}, R"({"metadata":{"name":"told"}})");
    plane.create({"v1/events", "told", ""},
                 R"({"metadata":{"name":"e","namespace":"told"},"involvedObject":{"namespace":"told"},)"
                 R"("reason":"r","message":"m","type":"Normal"})");
    plane.remove({"v1/namespaces", "", "told"});
    plane.advance(std::chrono::seconds(5));
    EXPECT_THAT(plane.names("v1/events", "told"), IsEmpty());
}

TEST_F(NamespaceTest, SaysWhatKeepsIt) {
    plane.create({kMaps, "n", ""}, R"({"metadata":{"name":"c","finalizers":["example.com/hold"]}})");
    plane.remove({"v1/namespaces", "", "n"});
    EXPECT_EQ(condition("NamespaceContentRemaining"),
              "True: Some resources are remaining: configmaps. has 1 resource instances");
    EXPECT_EQ(condition("NamespaceFinalizersRemaining"),
              "True: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource "
              "instances");
    plane.merge({kMaps, "n", "c"}, R"({"metadata":{"finalizers":null}})");
    EXPECT_THAT(plane.names("v1/namespaces", ""), Not(Contains("n")));
}

TEST_F(NamespaceTest, KeepsWhatPodsNeedUntilThePodsAreGone) {
    plane.create({kMaps, "n", ""}, R"({"metadata":{"name":"c"}})");
    plane.create({"v1/pods", "n", ""}, resource::pod_json("p", R"(,"finalizers":["example.com/hold"])"));
    plane.remove({"v1/namespaces", "", "n"});
    EXPECT_THAT(plane.names(kMaps, "n"), Contains("c"));
    plane.merge({"v1/pods", "n", "p"}, R"({"metadata":{"finalizers":null}})");
    EXPECT_THAT(plane.names("v1/namespaces", ""), Not(Contains("n")));
}

}  // namespace
}  // namespace keelson::control
