#include "kernel/control/stateful_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kSets = "apps/v1/statefulsets";
constexpr std::string_view kRevisions = "apps/v1/controllerrevisions";
constexpr std::string_view kClaims = "v1/persistentvolumeclaims";
constexpr std::string_view kWithClaim =
    R"("volumeClaimTemplates":[{"metadata":{"name":"v"},"spec":{"accessModes":["ReadWriteOnce"],
       "resources":{"requests":{"storage":"1Gi"}}}}],)";

std::string stateful_set(int replicas, std::string_view more_spec = {}) {
    return R"({"metadata":{"name":"s"},"spec":{"serviceName":"h","replicas":)" + std::to_string(replicas) +
           R"(,"selector":{"matchLabels":{"app":"x"}},)" + std::string(more_spec) +
           R"("template":{"metadata":{"labels":{"app":"x"}},"spec":{"automountServiceAccountToken":false,
           "containers":[{"name":"c","image":"app:1"}]}}}})";
}

std::string image_patch(std::string_view image) {
    return R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":")" + std::string(image) +
           R"("}]}}}})";
}

class StatefulSetTest : public ::testing::Test {
  protected:
    StatefulSetTest() {
        plane.add(make_stateful_set_controller(plane.surroundings));
        plane.start();
    }
    void create(int replicas, std::string_view more_spec = {}) {
        plane.create({kSets, "default", ""}, stateful_set(replicas, more_spec));
    }
    // Lets every pod that comes become ready.
    void run() {
        for (int round = 0; round < 30; ++round) plane.run_pods();
    }
    void merge(std::string_view json) { plane.merge({kSets, "default", "s"}, json); }
    std::vector<std::string> pods() { return plane.names("v1/pods"); }
    std::int64_t status(std::string_view field) {
        return plane.get({kSets, "default", "s"})["status"][field].as_integer();
    }
    std::string status_text(std::string_view field) {
        return plane.get({kSets, "default", "s"}).text({"status", field});
    }
    std::string image(std::string_view pod) {
        return plane.get({"v1/pods", "default", pod})["spec"]["containers"].at(0)["image"].to_string();
    }
    // Bound pods stay for a while when they are deleted.
    void bind(std::string_view pod) {
        plane.create({"v1/pods/binding", "default", pod}, R"({"target":{"kind":"Node","name":"n1"}})");
    }
    void end(std::string_view pod) {
        resource::DeleteOptions options;
        options.grace_period_seconds = 0;
        plane.remove({"v1/pods", "default", pod}, options);
    }

    ControlPlane plane;
};

TEST_F(StatefulSetTest, MakesOnePodAfterTheOtherIsReady) {
    create(3);
    EXPECT_THAT(pods(), ElementsAre("s-0"));
    plane.run_pods();
    EXPECT_THAT(pods(), ElementsAre("s-0", "s-1"));
    run();
    EXPECT_THAT(pods(), ElementsAre("s-0", "s-1", "s-2"));
    for (const std::string_view field :
         {"replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"})
        EXPECT_EQ(status(field), 3) << field;
    EXPECT_EQ(status("observedGeneration"), 1);
    EXPECT_EQ(status_text("currentRevision"), status_text("updateRevision"));
    EXPECT_THAT(plane.events_about("s"),
                ElementsAre("SuccessfulCreate: Create Pod s-0 in StatefulSet s successful",
                            "SuccessfulCreate: Create Pod s-1 in StatefulSet s successful",
                            "SuccessfulCreate: Create Pod s-2 in StatefulSet s successful"));
}

TEST_F(StatefulSetTest, StopsAtAPodThatIsNotReady) {
    create(3);
    plane.advance(std::chrono::minutes(10));
    EXPECT_THAT(pods(), ElementsAre("s-0"));
    EXPECT_EQ(status("replicas"), 1);
    EXPECT_EQ(status("readyReplicas"), 0);
}

TEST_F(StatefulSetTest, GivesEachPodAnIdentity) {
    create(1);
    const auto pod = plane.get({"v1/pods", "default", "s-0"});
    EXPECT_EQ(pod.text({"spec", "hostname"}), "s-0");
    EXPECT_EQ(pod.text({"spec", "subdomain"}), "h");
    const auto labels = pod["metadata"]["labels"];
    EXPECT_EQ(labels["statefulset.kubernetes.io/pod-name"].as_string(), "s-0");
    EXPECT_EQ(labels["apps.kubernetes.io/pod-index"].as_string(), "0");
    EXPECT_EQ(labels["controller-revision-hash"].to_string(), status_text("updateRevision"));
    EXPECT_EQ(pod["metadata"]["ownerReferences"].at(0)["name"].as_string(), "s");
}

TEST_F(StatefulSetTest, KeepsTheTemplateInARevisionNamedAsKubernetesNamesIt) {
    create(1);
    EXPECT_THAT(plane.names(kRevisions), ElementsAre("s-5fff6b6974"));
    const auto revision = plane.get({kRevisions, "default", "s-5fff6b6974"});
    EXPECT_EQ(revision["revision"].as_integer(), 1);
    EXPECT_EQ(revision["metadata"]["labels"]["controller.kubernetes.io/hash"].as_string(), "5fff6b6974");
    const auto templ = revision["data"]["spec"]["template"];
    EXPECT_EQ(templ["$patch"].as_string(), "replace");
    EXPECT_EQ(templ["spec"]["containers"].at(0)["image"].as_string(), "app:1");
}

TEST_F(StatefulSetTest, MakesAllPodsAtOnceWhenOrderDoesNotMatter) {
    create(3, R"("podManagementPolicy":"Parallel",)");
    EXPECT_THAT(pods(), ElementsAre("s-0", "s-1", "s-2"));
    merge(R"({"spec":{"replicas":0}})");
    EXPECT_THAT(pods(), IsEmpty());
}

TEST_F(StatefulSetTest, CountsFromTheStartOrdinal) {
    create(2, R"("ordinals":{"start":5},)");
    run();
    EXPECT_THAT(pods(), ElementsAre("s-5", "s-6"));
    merge(R"({"spec":{"ordinals":{"start":6}}})");
    run();
    EXPECT_THAT(pods(), ElementsAre("s-6", "s-7"));
}

TEST_F(StatefulSetTest, TakesTheHighestAwayFirstAndWaitsUntilItIsGone) {
    create(3);
    run();
    for (const std::string& pod : pods()) bind(pod);
    merge(R"({"spec":{"replicas":1}})");
    const auto deleted_at = [&](std::string_view pod) {
        return plane.get({"v1/pods", "default", pod}).text({"metadata", "deletionTimestamp"});
    };
    EXPECT_NE(deleted_at("s-2"), "");
    EXPECT_EQ(deleted_at("s-1"), "");
    end("s-2");
    EXPECT_NE(deleted_at("s-1"), "");
    end("s-1");
    EXPECT_THAT(pods(), ElementsAre("s-0"));
    EXPECT_THAT(plane.events_about("s"),
                Contains("SuccessfulDelete: Delete Pod s-2 in StatefulSet s successful"));
}

TEST_F(StatefulSetTest, ScalesDownOnlyWhileTheOthersAreWell) {
    create(3);
    run();
    plane.set_pod_phase("s-0", "Running", false);
    merge(R"({"spec":{"replicas":1}})");
    EXPECT_THAT(pods(), ElementsAre("s-0", "s-1", "s-2"));
    plane.set_pod_phase("s-0", "Running", true);
    EXPECT_THAT(pods(), ElementsAre("s-0"));
}

TEST_F(StatefulSetTest, NeverHasTwoPodsOfOneName) {
    create(1);
    run();
    bind("s-0");
    const std::string uid = plane.get({"v1/pods", "default", "s-0"}).text({"metadata", "uid"});
    plane.remove({"v1/pods", "default", "s-0"});
    plane.advance(std::chrono::hours(1));
    EXPECT_EQ(plane.get({"v1/pods", "default", "s-0"}).text({"metadata", "uid"}), uid);
    end("s-0");
    EXPECT_NE(plane.get({"v1/pods", "default", "s-0"}).text({"metadata", "uid"}), uid);
}

TEST_F(StatefulSetTest, ReplacesAPodThatFailed) {
    create(2);
    run();
    const std::string uid = plane.get({"v1/pods", "default", "s-1"}).text({"metadata", "uid"});
    plane.set_pod_phase("s-1", "Failed", false);
    run();
    EXPECT_NE(plane.get({"v1/pods", "default", "s-1"}).text({"metadata", "uid"}), uid);
    EXPECT_EQ(status("readyReplicas"), 2);
}

TEST_F(StatefulSetTest, UpdatesFromTheHighestOrdinalDownOneAfterTheOther) {
    create(3);
    run();
    merge(image_patch("app:2"));
    EXPECT_EQ(image("s-2"), "app:2");
    EXPECT_EQ(image("s-1"), "app:1");
    EXPECT_EQ(status("updatedReplicas"), 1);
    EXPECT_EQ(status("currentReplicas"), 2);
    EXPECT_NE(status_text("currentRevision"), status_text("updateRevision"));
    plane.run_pods();
    EXPECT_EQ(image("s-1"), "app:2");
    EXPECT_EQ(image("s-0"), "app:1");
    run();
    EXPECT_EQ(image("s-0"), "app:2");
    EXPECT_EQ(status("updatedReplicas"), 3);
    EXPECT_EQ(status("currentReplicas"), 3);
    EXPECT_EQ(status_text("currentRevision"), status_text("updateRevision"));
    EXPECT_THAT(plane.names(kRevisions), SizeIs(2));
}

TEST_F(StatefulSetTest, LeavesPodsBelowThePartitionAlone) {
    create(3, R"("updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":2}},)");
    run();
    merge(image_patch("app:2"));
    run();
    EXPECT_EQ(image("s-2"), "app:2");
    EXPECT_EQ(image("s-1"), "app:1");
    // One that is made anew comes back as it was.
    plane.remove({"v1/pods", "default", "s-0"});
    run();
    EXPECT_EQ(image("s-0"), "app:1");
    merge(R"({"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}})");
    run();
    EXPECT_EQ(image("s-0"), "app:2");
    EXPECT_EQ(image("s-1"), "app:2");
}

TEST_F(StatefulSetTest, UpdatesOnDeletionOnlyWhenToldSo) {
    create(2, R"("updateStrategy":{"type":"OnDelete"},)");
    run();
    merge(image_patch("app:2"));
    run();
    EXPECT_EQ(image("s-0"), "app:1");
    plane.remove({"v1/pods", "default", "s-0"});
    run();
    EXPECT_EQ(image("s-0"), "app:2");
    EXPECT_EQ(image("s-1"), "app:1");
}

TEST_F(StatefulSetTest, GoesBackToAnEarlierRevision) {
    create(1);
    run();
    const std::string first = status_text("updateRevision");
    merge(image_patch("app:2"));
    run();
    merge(image_patch("app:1"));
    run();
    EXPECT_EQ(image("s-0"), "app:1");
    EXPECT_EQ(status_text("updateRevision"), first);
    EXPECT_EQ(plane.get({kRevisions, "default", first})["revision"].as_integer(), 3);
    EXPECT_THAT(plane.names(kRevisions), SizeIs(2));
}

TEST_F(StatefulSetTest, KeepsNoMoreRevisionsThanItsHistoryMayHave) {
    create(1, R"("revisionHistoryLimit":1,)");
    run();
    for (const std::string_view image : {"app:2", "app:3", "app:4"}) {
        merge(image_patch(image));
        run();
    }
    EXPECT_THAT(plane.names(kRevisions), SizeIs(2));
}

TEST_F(StatefulSetTest, CountsACollisionWhenTheNameOfARevisionIsTaken) {
    plane.create({kRevisions, "default", ""},
                 R"({"metadata":{"name":"s-5fff6b6974"},"revision":1,"data":{"other":true}})");
    create(1);
    run();
    EXPECT_EQ(status("collisionCount"), 1);
    EXPECT_THAT(plane.names(kRevisions), SizeIs(2));
    EXPECT_THAT(status_text("updateRevision"), AllOf(StartsWith("s-"), Not("s-5fff6b6974")));
    EXPECT_THAT(pods(), ElementsAre("s-0"));
}

TEST_F(StatefulSetTest, WaitsUntilAReadyPodHasBeenReadyLongEnough) {
    create(2, R"("minReadySeconds":30,)");
    plane.run_pods();
    EXPECT_THAT(pods(), ElementsAre("s-0"));
    EXPECT_EQ(status("readyReplicas"), 1);
    EXPECT_EQ(status("availableReplicas"), 0);
    plane.advance(std::chrono::seconds(31));
    EXPECT_THAT(pods(), ElementsAre("s-0", "s-1"));
    EXPECT_EQ(status("availableReplicas"), 1);
}

TEST_F(StatefulSetTest, MakesTheClaimsOfAPodFirst) {
    create(1, kWithClaim);
    EXPECT_THAT(plane.names(kClaims), ElementsAre("v-s-0"));
    const auto claim = plane.get({kClaims, "default", "v-s-0"});
    EXPECT_EQ(claim["metadata"]["labels"]["app"].as_string(), "x");
    EXPECT_TRUE(claim["metadata"]["ownerReferences"].empty());
    const auto object = plane.get({"v1/pods", "default", "s-0"});
    const auto volume = object["spec"]["volumes"].at(0);
    EXPECT_EQ(volume["name"].as_string(), "v");
    EXPECT_EQ(volume["persistentVolumeClaim"]["claimName"].as_string(), "v-s-0");
    EXPECT_THAT(plane.events_about("s"),
                ElementsAre("SuccessfulCreate: Create Claim v-s-0 Pod s-0 in StatefulSet s success",
                            "SuccessfulCreate: Create Pod s-0 in StatefulSet s successful"));
}

TEST_F(StatefulSetTest, KeepsTheClaimsOfPodsThatAreScaledAway) {
    create(2, kWithClaim);
    run();
    merge(R"({"spec":{"replicas":1}})");
    EXPECT_THAT(pods(), ElementsAre("s-0"));
    EXPECT_THAT(plane.names(kClaims), ElementsAre("v-s-0", "v-s-1"));
}

TEST_F(StatefulSetTest, MakesAClaimAnewWhileItsPodWaits) {
    create(1, kWithClaim);
    // Nothing protects claims here.
    plane.merge({kClaims, "default", "v-s-0"}, R"({"metadata":{"finalizers":null}})");
    plane.remove({kClaims, "default", "v-s-0"});
    EXPECT_THAT(plane.names(kClaims), ElementsAre("v-s-0"));
}

TEST_F(StatefulSetTest, OwnsTheClaimsThatAreToGoWithIt) {
    create(2,
           std::string(kWithClaim) +
               R"("persistentVolumeClaimRetentionPolicy":{"whenDeleted":"Delete","whenScaled":"Delete"},)");
    run();
    const auto owner_kind = [&](std::string_view claim) {
        return plane.get({kClaims, "default", claim})["metadata"]["ownerReferences"]
            .at(0)["kind"]
            .to_string();
    };
    EXPECT_EQ(owner_kind("v-s-0"), "StatefulSet");
    EXPECT_EQ(owner_kind("v-s-1"), "StatefulSet");
    merge(R"({"spec":{"replicas":1}})");
    EXPECT_THAT(pods(), ElementsAre("s-0"));
    EXPECT_EQ(owner_kind("v-s-0"), "StatefulSet");
    EXPECT_EQ(owner_kind("v-s-1"), "Pod");
    // The collector is to take the claim of the pod that is gone before there is another of its name.
    merge(R"({"spec":{"replicas":2}})");
    EXPECT_THAT(pods(), ElementsAre("s-0"));
    plane.merge({kClaims, "default", "v-s-1"}, R"({"metadata":{"finalizers":null}})");
    plane.remove({kClaims, "default", "v-s-1"});
    EXPECT_THAT(pods(), ElementsAre("s-0", "s-1"));
}

TEST_F(StatefulSetTest, AdoptsOnlyPodsThatAreNamedAsItsOwn) {
    plane.create({"v1/pods", "default", ""}, resource::pod_json("other", R"(,"labels":{"app":"x"})"));
    plane.create({"v1/pods", "default", ""}, resource::pod_json("s-0", R"(,"labels":{"app":"x"})"));
    create(1);
    EXPECT_TRUE(plane.get({"v1/pods", "default", "other"})["metadata"]["ownerReferences"].empty());
    EXPECT_EQ(plane.get({"v1/pods", "default", "s-0"})["metadata"]["ownerReferences"].size(), 1U);
}

TEST_F(StatefulSetTest, TellsWhyAPodCannotBeMade) {
    // The label with a pod's name cannot be longer.
    const std::string name(62, 's');
    std::string json = stateful_set(1);
    json.replace(json.find("\"s\""), 3, "\"" + name + "\"");
    plane.create({kSets, "default", ""}, json);
    EXPECT_THAT(pods(), IsEmpty());
    EXPECT_THAT(plane.events_about(name),
                Contains(AllOf(StartsWith("FailedCreate: Create Pod " + name + "-0 in StatefulSet " + name +
                                          " failed error: "),
                               HasSubstr("must be no more than 63 characters"))));
}

TEST_F(StatefulSetTest, MakesManyPodsInBursts) {
    create(700, R"("podManagementPolicy":"Parallel",)");
    EXPECT_THAT(pods(), SizeIs(700));
    EXPECT_EQ(status("replicas"), 700);
    merge(R"({"spec":{"replicas":3}})");
    EXPECT_THAT(pods(), ElementsAre("s-0", "s-1", "s-2"));
}

TEST_F(StatefulSetTest, TakesUpItsPodsAndItsHistoryAfterItWasOrphaned) {
    create(1);
    run();
    resource::DeleteOptions options;
    options.propagation_policy = "Orphan";
    plane.remove({kSets, "default", "s"}, options);
    for (const std::string_view kind : {kRevisions, std::string_view("v1/pods")})
        for (const std::string& name : plane.names(kind))
            plane.merge({kind, "default", name}, R"({"metadata":{"ownerReferences":null}})");
    plane.merge({kSets, "default", "s"}, R"({"metadata":{"finalizers":null}})");
    const std::string uid = plane.get({"v1/pods", "default", "s-0"}).text({"metadata", "uid"});
    create(1);
    run();
    EXPECT_EQ(plane.get({"v1/pods", "default", "s-0"}).text({"metadata", "uid"}), uid);
    EXPECT_THAT(plane.names(kRevisions), SizeIs(1));
    EXPECT_EQ(plane.get({kRevisions, "default", plane.names(kRevisions).at(0)})["metadata"]["ownerReferences"]
                  .size(),
              1U);
}

TEST_F(StatefulSetTest, WritesNothingWhenNothingIsToBeDone) {
    create(3, kWithClaim);
    run();
    const auto before = plane.cluster.store->current();
    plane.advance(std::chrono::minutes(10));
    EXPECT_EQ(plane.cluster.store->current(), before);
}

}  // namespace
}  // namespace keelson::control
