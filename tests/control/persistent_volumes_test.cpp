#include "kernel/control/persistent_volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using resource::Outcome;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kClaims = "v1/persistentvolumeclaims";
constexpr std::string_view kVolumes = "v1/persistentvolumes";
constexpr std::string_view kClasses = "storage.k8s.io/v1/storageclasses";
constexpr std::string_view kLateClass =
    R"({"metadata":{"name":"late"},"provisioner":"example.com/disk","volumeBindingMode":"WaitForFirstConsumer"})";

std::string in_quotes(std::string_view text) {
    return "\"" + std::string(text) + "\"";
}

std::string volume_json(std::string_view name, std::string_view size, std::string_view more = {},
                        std::string_view modes = R"(["ReadWriteOnce"])",
                        std::string_view more_metadata = {}) {
    return R"({"metadata":{"name":)" + in_quotes(name) + std::string(more_metadata) +
           R"(},"spec":{"capacity":{"storage":)" + in_quotes(size) + R"(},"accessModes":)" +
           std::string(modes) + R"(,"hostPath":{"path":"/srv/x"})" + std::string(more) + "}}";
}

std::string claim_json(std::string_view name, std::string_view size, std::string_view more = {},
                       std::string_view modes = R"(["ReadWriteOnce"])", std::string_view more_metadata = {}) {
    return R"({"metadata":{"name":)" + in_quotes(name) + std::string(more_metadata) +
           R"(},"spec":{"resources":{"requests":{"storage":)" + in_quotes(size) + R"(}},"accessModes":)" +
           std::string(modes) + std::string(more) + "}}";
}

class PersistentVolumesTest : public ::testing::Test {
  protected:
    void SetUp() override { begin(); }

    void begin() {
        plane.add(make_persistent_volume_binder(plane.surroundings));
        plane.add(make_claim_protection_controller(plane.surroundings));
        plane.add(make_volume_protection_controller(plane.surroundings));
        plane.add(make_ephemeral_volume_controller(plane.surroundings));
        plane.start();
    }

    void add_volume(const std::string& json) { plane.create({kVolumes, "", ""}, json); }
    void add_claim(const std::string& json) { plane.create({kClaims, "default", ""}, json); }
    void add_class(std::string_view json) { plane.create({kClasses, "", ""}, json); }
    Outcome claim(std::string_view name) { return plane.get({kClaims, "default", name}); }
    Outcome volume(std::string_view name) { return plane.get({kVolumes, "", name}); }
    std::string phase_of_claim(std::string_view name) { return claim(name).text({"status", "phase"}); }
    std::string phase_of_volume(std::string_view name) { return volume(name).text({"status", "phase"}); }
    std::string volume_of_claim(std::string_view name) { return claim(name).text({"spec", "volumeName"}); }
    bool is_there(const resource::Target& target) {
        plane.settle();
        return plane.cluster.get(target).ok();
    }

    ControlPlane plane;
};

TEST_F(PersistentVolumesTest, TheSmallestVolumeThatFitsIsBoundFromBothSides) {
    add_volume(volume_json("large", "10Gi"));
    add_volume(volume_json("small", "1Gi"));
    add_volume(volume_json("middle", "5Gi", {}, R"(["ReadWriteOnce","ReadOnlyMany"])"));
    EXPECT_EQ(phase_of_volume("middle"), "Available");
    add_claim(claim_json("data", "2Gi", R"(,"storageClassName":"")"));

    const Outcome bound = claim("data");
    EXPECT_EQ(bound.text({"status", "phase"}), "Bound");
    EXPECT_EQ(bound.text({"spec", "volumeName"}), "middle");
    EXPECT_EQ(bound.text({"status", "capacity", "storage"}), "5Gi");
    EXPECT_EQ(bound["status"]["accessModes"].size(), 2U);
    EXPECT_EQ(bound.text({"metadata", "annotations", "pv.kubernetes.io/bind-completed"}), "yes");
    EXPECT_EQ(bound.text({"metadata", "annotations", "pv.kubernetes.io/bound-by-controller"}), "yes");
    const Outcome its = volume("middle");
    EXPECT_EQ(its.text({"status", "phase"}), "Bound");
    EXPECT_EQ(its.text({"spec", "claimRef", "uid"}), bound.text({"metadata", "uid"}));
    EXPECT_EQ(its.text({"spec", "claimRef", "kind"}), "PersistentVolumeClaim");
    EXPECT_FALSE(its.text({"spec", "claimRef", "resourceVersion"}).empty());
    EXPECT_EQ(its.text({"metadata", "annotations", "pv.kubernetes.io/bound-by-controller"}), "yes");
    EXPECT_EQ(phase_of_volume("small"), "Available");
    EXPECT_EQ(phase_of_volume("large"), "Available");
}

TEST_F(PersistentVolumesTest, WhatDoesNotServeAClaimIsNotBoundToIt) {
    add_volume(volume_json("other-access", "5Gi", {}, R"(["ReadOnlyMany"])"));
    add_volume(volume_json("other-mode", "5Gi", R"(,"volumeMode":"Block")"));
    add_volume(volume_json("other-class", "5Gi", R"(,"storageClassName":"fast")"));
    add_volume(volume_json("too-small", "1023Mi"));
    add_volume(volume_json("other-labels", "5Gi", {}, R"(["ReadWriteOnce"])", R"(,"labels":{"disk":"hdd"})"));
    add_volume(volume_json("kept", "5Gi", R"(,"claimRef":{"namespace":"default","name":"another"})"));
    add_claim(
        claim_json("data", "1Gi", R"(,"storageClassName":"","selector":{"matchLabels":{"disk":"ssd"}})"));
    EXPECT_EQ(phase_of_claim("data"), "Pending");
    EXPECT_THAT(plane.events_about("data"),
                Contains("FailedBinding: no persistent volumes available for this claim and no storage class "
                         "is set"));
    // One that comes later is taken at once.
    add_volume(volume_json("right", "5Gi", {}, R"(["ReadWriteOnce"])", R"(,"labels":{"disk":"ssd"})"));
    EXPECT_EQ(volume_of_claim("data"), "right");
    EXPECT_EQ(phase_of_claim("data"), "Bound");
}

TEST_F(PersistentVolumesTest, AVolumeIsKeptForTheClaimThatItNames) {
    add_volume(volume_json("small", "1Gi"));
    add_volume(volume_json("kept", "9Gi", R"(,"claimRef":{"namespace":"default","name":"data"})"));
    EXPECT_EQ(phase_of_volume("kept"), "Available");
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    EXPECT_EQ(volume_of_claim("data"), "kept");
    EXPECT_EQ(volume("kept").text({"spec", "claimRef", "uid"}), claim("data").text({"metadata", "uid"}));
    // The user has chosen, not the controller.
    EXPECT_FALSE(volume("kept")["metadata"]["annotations"].has("pv.kubernetes.io/bound-by-controller"));
}

TEST_F(PersistentVolumesTest, AClaimThatNamesItsVolumeGetsThatOneOrNone) {
    add_volume(volume_json("small", "1Gi"));
    add_volume(volume_json("named", "9Gi"));
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"","volumeName":"named")"));
    EXPECT_EQ(phase_of_claim("data"), "Bound");
    EXPECT_EQ(phase_of_volume("named"), "Bound");
    EXPECT_FALSE(claim("data")["metadata"]["annotations"].has("pv.kubernetes.io/bound-by-controller"));

    add_claim(claim_json("second", "1Gi", R"(,"storageClassName":"","volumeName":"named")"));
    EXPECT_EQ(phase_of_claim("second"), "Pending");
    EXPECT_THAT(plane.events_about("second"),
                Contains("FailedBinding: volume \"named\" already bound to a different claim."));
    add_claim(claim_json("big", "2Gi", R"(,"storageClassName":"","volumeName":"small")"));
    EXPECT_EQ(phase_of_claim("big"), "Pending");
    EXPECT_THAT(
        plane.events_about("big"),
        Contains("VolumeMismatch: Cannot bind to requested volume \"small\": requested PV is too small"));
    add_claim(claim_json("early", "1Gi", R"(,"storageClassName":"","volumeName":"later")"));
    EXPECT_EQ(phase_of_claim("early"), "Pending");
    add_volume(volume_json("later", "1Gi"));
    EXPECT_EQ(phase_of_claim("early"), "Bound");
}

TEST_F(PersistentVolumesTest, OfTwoClaimsForOneVolumeOneGetsIt) {
    add_volume(volume_json("only", "1Gi"));
    // Both are seen in the same moment.
    for (const std::string_view name : {"a", "b"})
        EXPECT_TRUE(
            plane.cluster
                .create({kClaims, "default", ""}, claim_json(name, "1Gi", R"(,"storageClassName":"")"))
                .ok());
    plane.settle();
    plane.advance(std::chrono::seconds(30));
    const std::vector<std::string> phases = {phase_of_claim("a"), phase_of_claim("b")};
    EXPECT_THAT(phases, testing::UnorderedElementsAre("Bound", "Pending"));
    const std::string_view winner = phases[0] == "Bound" ? "a" : "b";
    const std::string_view loser = phases[0] == "Bound" ? "b" : "a";
    EXPECT_EQ(volume("only").text({"spec", "claimRef", "uid"}), claim(winner).text({"metadata", "uid"}));
    EXPECT_EQ(volume_of_claim(loser), "");
    add_volume(volume_json("next", "1Gi"));
    EXPECT_EQ(volume_of_claim(loser), "next");
}

TEST_F(PersistentVolumesTest, ManyClaimsAndVolumesAllFindEachOther) {
    constexpr int kCount = 60;
    for (int index = 0; index < kCount; ++index) {
        const std::string name = "x" + std::to_string(index);
        const std::string size = std::to_string(1 + index % 7) + "Gi";
        EXPECT_TRUE(plane.cluster
                        .create({kClaims, "default", ""}, claim_json(name, size, R"(,"storageClassName":"")"))
                        .ok());
        EXPECT_TRUE(plane.cluster.create({kVolumes, "", ""}, volume_json(name, "7Gi")).ok());
    }
    plane.settle();
    plane.advance(std::chrono::minutes(1));
    std::vector<std::string> taken;
    for (int index = 0; index < kCount; ++index) {
        const std::string name = "x" + std::to_string(index);
        EXPECT_EQ(phase_of_claim(name), "Bound");
        taken.push_back(volume_of_claim(name));
        EXPECT_EQ(volume(taken.back()).text({"spec", "claimRef", "name"}), name);
    }
    std::ranges::sort(taken);
    EXPECT_EQ(std::ranges::adjacent_find(taken), taken.end()) << "a volume is bound twice";
}

TEST_F(PersistentVolumesTest, AReleasedVolumeIsRetainedUntilSomebodyFreesIt) {
    add_volume(volume_json("v", "1Gi"));
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    ASSERT_EQ(phase_of_claim("data"), "Bound");
    plane.remove({kClaims, "default", "data"});
    EXPECT_FALSE(is_there({kClaims, "default", "data"}));
    EXPECT_EQ(phase_of_volume("v"), "Released");
    // Another claim of that name is another claim.
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    EXPECT_EQ(phase_of_claim("data"), "Pending");
    EXPECT_EQ(phase_of_volume("v"), "Released");
    plane.merge({kVolumes, "", "v"}, R"({"spec":{"claimRef":null}})");
    EXPECT_EQ(phase_of_claim("data"), "Bound");
    EXPECT_EQ(phase_of_volume("v"), "Bound");
}

TEST_F(PersistentVolumesTest, AClaimMadeAgainAtOnceLeavesItsVolumeReleased) {
    add_volume(volume_json("v", "1Gi"));
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    plane.merge({kClaims, "default", "data"}, R"({"metadata":{"finalizers":null}})");
    // No controller runs in between.
    EXPECT_TRUE(plane.cluster.remove({kClaims, "default", "data"}).ok());
    EXPECT_TRUE(
        plane.cluster.create({kClaims, "default", ""}, claim_json("data", "1Gi", R"(,"storageClassName":"")"))
            .ok());
    plane.settle();
    EXPECT_EQ(phase_of_volume("v"), "Released");
    EXPECT_EQ(phase_of_claim("data"), "Pending");
}

TEST_F(PersistentVolumesTest, WhatNobodyHereCanDeleteFails) {
    add_volume(volume_json("v", "1Gi", R"(,"persistentVolumeReclaimPolicy":"Delete")"));
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    plane.remove({kClaims, "default", "data"});
    EXPECT_EQ(phase_of_volume("v"), "Failed");
    EXPECT_THAT(volume("v").text({"status", "message"}), HasSubstr("no deletable volume plugin matched"));
    EXPECT_THAT(plane.events_about("v"), ElementsAre(HasSubstr("VolumeFailedDelete: ")));
}

TEST_F(PersistentVolumesTest, AClaimWhoseVolumeIsGoneIsLost) {
    add_volume(volume_json("v", "1Gi"));
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    plane.remove({kVolumes, "", "v"});
    EXPECT_TRUE(is_there({kVolumes, "", "v"})) << "a bound volume goes before its claim";
    EXPECT_EQ(phase_of_claim("data"), "Bound");
    plane.merge({kVolumes, "", "v"}, R"({"metadata":{"finalizers":null}})");
    EXPECT_EQ(phase_of_claim("data"), "Lost");
    EXPECT_THAT(
        plane.events_about("data"),
        Contains("ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!"));
}

TEST_F(PersistentVolumesTest, AVolumeThatIsDeletedGoesAfterItsClaim) {
    add_volume(volume_json("v", "1Gi"));
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    plane.remove({kVolumes, "", "v"});
    ASSERT_TRUE(is_there({kVolumes, "", "v"}));
    plane.remove({kClaims, "default", "data"});
    EXPECT_FALSE(is_there({kVolumes, "", "v"}));
}

TEST_F(PersistentVolumesTest, AClaimInUseStaysUntilItsPodIsGone) {
    add_volume(volume_json("v", "1Gi"));
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    const std::string uses =
        R"(,"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"data"}}],"nodeName":"n1")";
    plane.create({"v1/pods", "default", ""}, resource::pod_json("p", {}, uses));
    plane.remove({kClaims, "default", "data"});
    plane.advance(std::chrono::minutes(5));
    EXPECT_FALSE(claim("data").text({"metadata", "deletionTimestamp"}).empty());
    EXPECT_EQ(phase_of_volume("v"), "Bound");
    // A pod that has ended is still there.
    plane.set_pod_phase("p", "Succeeded", false);
    EXPECT_TRUE(is_there({kClaims, "default", "data"}));
    resource::DeleteOptions now;
    now.grace_period_seconds = 0;
    plane.remove({"v1/pods", "default", "p"}, now);
    EXPECT_FALSE(is_there({kClaims, "default", "data"}));
    EXPECT_EQ(phase_of_volume("v"), "Released");
}

TEST_F(PersistentVolumesTest, APodWithoutANodeDoesNotKeepAClaim) {
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    plane.create({"v1/pods", "default", ""},
                 resource::pod_json(
                     "p", {}, R"(,"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"data"}}])"));
    plane.remove({kClaims, "default", "data"});
    EXPECT_FALSE(is_there({kClaims, "default", "data"}));
}

TEST_F(PersistentVolumesTest, APodThatGotItsNodeJustNowKeepsItsClaim) {
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"")"));
    plane.settle();
    // No informer has seen either when the controller looks.
    EXPECT_TRUE(plane.cluster
                    .create({"v1/pods", "default", ""},
                            resource::pod_json("p", {},
                                               R"(,"volumes":[{"name":"d","persistentVolumeClaim":)"
                                               R"({"claimName":"data"}}],"nodeName":"n1")"))
                    .ok());
    EXPECT_TRUE(plane.cluster.remove({kClaims, "default", "data"}).ok());
    plane.settle();
    EXPECT_TRUE(is_there({kClaims, "default", "data"}));
}

TEST_F(PersistentVolumesTest, TheYoungestDefaultClassIsGivenAtOnceAndLater) {
    add_claim(claim_json("before", "1Gi"));
    add_claim(claim_json("none", "1Gi", R"(,"storageClassName":"")"));
    EXPECT_FALSE(claim("before")["spec"].has("storageClassName"));
    const std::string mark = R"(,"annotations":{"storageclass.kubernetes.io/is-default-class":"true"}},)"
                             R"("provisioner":"example.com/disk"})";
    add_class(R"({"metadata":{"name":"old")" + mark);
    EXPECT_EQ(claim("before").text({"spec", "storageClassName"}), "old");
    EXPECT_EQ(claim("none").text({"spec", "storageClassName"}), "");
    plane.advance(std::chrono::seconds(2));
    add_class(R"({"metadata":{"name":"a-young")" + mark);
    add_claim(claim_json("after", "1Gi"));
    EXPECT_EQ(claim("after").text({"spec", "storageClassName"}), "a-young");
    EXPECT_EQ(claim("before").text({"spec", "storageClassName"}), "old");
}

TEST_F(PersistentVolumesTest, AClaimWaitsForItsFirstPod) {
    add_class(kLateClass);
    add_volume(volume_json("v", "1Gi", R"(,"storageClassName":"late")"));
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"late")"));
    EXPECT_EQ(phase_of_claim("data"), "Pending");
    EXPECT_EQ(phase_of_volume("v"), "Available");
    EXPECT_THAT(plane.events_about("data"),
                ElementsAre("WaitForFirstConsumer: waiting for first consumer to be created before binding"));
    // As the scheduler chooses a volume.
    plane.merge({kVolumes, "", "v"},
                R"({"spec":{"claimRef":{"apiVersion":"v1","kind":"PersistentVolumeClaim",)"
                R"("namespace":"default","name":"data","uid":)" +
                    in_quotes(claim("data").text({"metadata", "uid"})) + "}}}");
    EXPECT_EQ(phase_of_claim("data"), "Bound");
    EXPECT_EQ(phase_of_volume("v"), "Bound");
}

TEST_F(PersistentVolumesTest, AVolumeIsAskedForWhereTheSchedulerChose) {
    add_class(kLateClass);
    add_claim(claim_json("data", "1Gi", R"(,"storageClassName":"late")"));
    EXPECT_FALSE(claim("data")["metadata"]["annotations"].has("volume.kubernetes.io/storage-provisioner"));
    plane.merge({kClaims, "default", "data"},
                R"({"metadata":{"annotations":{"volume.kubernetes.io/selected-node":"n1"}}})");
    const Outcome asked = claim("data");
    EXPECT_EQ(asked.text({"metadata", "annotations", "volume.kubernetes.io/storage-provisioner"}),
              "example.com/disk");
    EXPECT_EQ(asked.text({"metadata", "annotations", "volume.beta.kubernetes.io/storage-provisioner"}),
              "example.com/disk");
    EXPECT_THAT(plane.events_about("data"),
                Contains(HasSubstr("ExternalProvisioning: Waiting for a volume")));
}

TEST_F(PersistentVolumesTest, AClassThatIsMissingOrMakesNothingIsSaid) {
    add_claim(claim_json("missing", "1Gi", R"(,"storageClassName":"none")"));
    EXPECT_THAT(plane.events_about("missing"),
                Contains("ProvisioningFailed: storageclass.storage.k8s.io \"none\" not found"));
    add_class(R"({"metadata":{"name":"static"},"provisioner":"kubernetes.io/no-provisioner"})");
    add_claim(claim_json("static", "1Gi", R"(,"storageClassName":"static")"));
    EXPECT_THAT(plane.events_about("static"), Contains("ProvisioningFailed: no volume plugin matched"));
    // The class may come later.
    add_class(R"({"metadata":{"name":"none"},"provisioner":"example.com/disk"})");
    EXPECT_THAT(plane.events_about("missing"), Contains(HasSubstr("ExternalProvisioning: ")));
}

TEST_F(PersistentVolumesTest, AnEphemeralVolumeGetsAClaimThatGoesWithItsPod) {
    const std::string uses =
        R"(,"volumes":[{"name":"d","ephemeral":{"volumeClaimTemplate":{"metadata":{"labels":{"a":"b"}},)"
        R"("spec":{"accessModes":["ReadWriteOnce"],"storageClassName":"x",)"
        R"("resources":{"requests":{"storage":"1Gi"}}}}}}])";
    plane.create({"v1/pods", "default", ""}, resource::pod_json("p", {}, uses));
    const Outcome made = claim("p-d");
    EXPECT_EQ(made.text({"metadata", "labels", "a"}), "b");
    EXPECT_EQ(made.text({"spec", "storageClassName"}), "x");
    const object::Value owner = made["metadata"]["ownerReferences"].at(0);
    EXPECT_EQ(owner["kind"].to_string(), "Pod");
    EXPECT_TRUE(owner["controller"].as_boolean());
    EXPECT_EQ(owner["uid"].to_string(), plane.get({"v1/pods", "default", "p"}).text({"metadata", "uid"}));
}

// What a stop between two writes leaves behind; the next start goes on from there.
class StoppedBindingTest : public PersistentVolumesTest {
  protected:
    void SetUp() override {
        // Nobody reconciles yet.
        EXPECT_TRUE(plane.cluster.create({kVolumes, "", ""}, volume_json("v", "2Gi")).ok());
        EXPECT_TRUE(plane.cluster.create({kVolumes, "", ""}, volume_json("tiny", "1Gi")).ok());
        EXPECT_TRUE(
            plane.cluster
                .create({kClaims, "default", ""}, claim_json("data", "1Gi", R"(,"storageClassName":"")"))
                .ok());
    }
    void patch(const resource::Target& target, const std::string& json) {
        const Outcome patched = plane.cluster.patch(target, resource::PatchType::merge, json);
        EXPECT_TRUE(patched.ok()) << patched.error;
    }
    void bind_volume() {
        patch({kVolumes, "", "v"},
              R"({"metadata":{"annotations":{"pv.kubernetes.io/bound-by-controller":"yes"}},)"
              R"("spec":{"claimRef":{"apiVersion":"v1","kind":"PersistentVolumeClaim",)"
              R"("namespace":"default","name":"data","uid":)" +
                  in_quotes(plane.cluster.get({kClaims, "default", "data"}).text({"metadata", "uid"})) +
                  "}}}");
    }
    void set_volume_bound() {
        patch({"v1/persistentvolumes/status", "", "v"}, R"({"status":{"phase":"Bound"}})");
    }
    void bind_claim() {
        patch({kClaims, "default", "data"},
              R"({"metadata":{"annotations":{"pv.kubernetes.io/bind-completed":"yes",)"
              R"("pv.kubernetes.io/bound-by-controller":"yes"}},"spec":{"volumeName":"v"}})");
    }
    void expect_bound() {
        begin();
        plane.settle();
        EXPECT_EQ(phase_of_claim("data"), "Bound");
        EXPECT_EQ(volume_of_claim("data"), "v");
        EXPECT_EQ(claim("data").text({"status", "capacity", "storage"}), "2Gi");
        EXPECT_EQ(claim("data").text({"metadata", "annotations", "pv.kubernetes.io/bind-completed"}), "yes");
        EXPECT_EQ(phase_of_volume("v"), "Bound");
        EXPECT_EQ(phase_of_volume("tiny"), "Available");
    }
};

TEST_F(StoppedBindingTest, IsFinishedAfterTheVolumeWasWritten) {
    bind_volume();
    expect_bound();
}

TEST_F(StoppedBindingTest, IsFinishedAfterTheVolumesPhaseWasWritten) {
    bind_volume();
    set_volume_bound();
    expect_bound();
}

TEST_F(StoppedBindingTest, IsFinishedAfterTheClaimWasWritten) {
    bind_volume();
    set_volume_bound();
    bind_claim();
    expect_bound();
}

TEST_F(StoppedBindingTest, AVolumeThatTookAClaimTooLateIsFreed) {
    bind_volume();
    patch(
        {kClaims, "default", "data"},
        R"({"metadata":{"annotations":{"pv.kubernetes.io/bind-completed":"yes"}},"spec":{"volumeName":"tiny"}})");
    begin();
    plane.settle();
    EXPECT_EQ(phase_of_claim("data"), "Bound");
    EXPECT_EQ(phase_of_volume("tiny"), "Bound");
    EXPECT_EQ(phase_of_volume("v"), "Available");
    EXPECT_FALSE(volume("v")["spec"].has("claimRef"));
}

}  // namespace
}  // namespace keelson::control
