#include "kernel/control/volume_provisioner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "kernel/control/persistent_volumes.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using resource::Outcome;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kClaims = "v1/persistentvolumeclaims";
constexpr std::string_view kVolumes = "v1/persistentvolumes";
constexpr std::string_view kClasses = "storage.k8s.io/v1/storageclasses";

// A plugin named "disks": one volume of a name, as the contract says.
class Disks final : public VolumeMakers {
  public:
    [[nodiscard]] bool has(const std::string& plugin) const override { return is_there && plugin == "disks"; }
    Task<Result<MadeVolume>> create(std::string, NewVolume wanted) override {
        ++creations;
        last = wanted;
        if (failure) co_return *failure;
        volumes.insert(wanted.name);
        // As when keelsond is killed before it hears the answer.
        if (loses_answers) co_return Status(Reason::service_unavailable, "cut off");
        MadeVolume made;
        made.id = wanted.name;
        made.capacity_bytes = wanted.capacity_bytes;
        made.topology = {{{"kubernetes.io/hostname", "n1"}}};
        co_return made;
    }
    Task<Result<void>> remove(std::string, std::string id) override {
        if (removal_failure) co_return *removal_failure;
        volumes.erase(id);
        co_return base::ok();
    }

    bool is_there = true;
    bool loses_answers = false;
    std::optional<Status> failure;
    std::optional<Status> removal_failure;
    std::set<std::string> volumes;
    int creations = 0;
    NewVolume last;
};

class VolumeProvisionerTest : public ::testing::Test {
  protected:
    VolumeProvisionerTest() {
        plane.add(make_persistent_volume_binder(plane.surroundings));
        plane.add(make_claim_protection_controller(plane.surroundings));
        plane.add(make_volume_protection_controller(plane.surroundings));
        plane.add(make_volume_provisioner(plane.surroundings, disks));
        plane.start();
    }
    void add_class(std::string_view more = {}, std::string_view provisioner = "keelson.dev/disks") {
        plane.create({kClasses, "", ""}, R"({"metadata":{"name":"fast"},"provisioner":")" +
                                             std::string(provisioner) + "\"" + std::string(more) + "}");
    }
    void add_claim(std::string_view more = {}, std::string_view name = "data") {
        plane.create({kClaims, "default", ""},
                     R"({"metadata":{"name":")" + std::string(name) +
                         R"("},"spec":{"storageClassName":"fast","accessModes":["ReadWriteOnce"],)"
                         R"("resources":{"requests":{"storage":"2Gi"}})" +
                         std::string(more) + "}}");
    }
    Outcome claim(std::string_view name = "data") { return plane.get({kClaims, "default", name}); }
    std::string phase() { return claim().text({"status", "phase"}); }
    Outcome its_volume() { return plane.get({kVolumes, "", claim().text({"spec", "volumeName"})}); }
    bool is_there(std::string_view name = "data") {
        plane.settle();
        return plane.cluster.get({kClaims, "default", name}).ok();
    }
    std::vector<std::string> all_volumes() {
        plane.settle();
        return plane.cluster.list({kVolumes, "", ""}).names;
    }
    void select_node(std::string_view node) {
        plane.merge({kClaims, "default", "data"},
                    R"({"metadata":{"annotations":{"volume.kubernetes.io/selected-node":")" +
                        std::string(node) + R"("}}})");
    }

    Disks disks;
    ControlPlane plane;
};

TEST_F(VolumeProvisionerTest, AClaimGetsAVolumeOfItsClass) {
    add_class(R"(,"parameters":{"kind":"ssd","csi.storage.k8s.io/fstype":"xfs"},)"
              R"("mountOptions":["noatime"],"reclaimPolicy":"Delete")");
    add_claim();
    EXPECT_EQ(phase(), "Bound");
    const std::string uid = claim().text({"metadata", "uid"});
    const Outcome volume = its_volume();
    EXPECT_EQ(volume.text({"metadata", "name"}), "pvc-" + uid);
    EXPECT_EQ(volume.text({"spec", "csi", "driver"}), "disks");
    EXPECT_EQ(volume.text({"spec", "csi", "volumeHandle"}), "pvc-" + uid);
    EXPECT_EQ(volume.text({"spec", "csi", "fsType"}), "xfs");
    EXPECT_EQ(volume.text({"spec", "capacity", "storage"}), "2Gi");
    EXPECT_EQ(volume.text({"spec", "persistentVolumeReclaimPolicy"}), "Delete");
    EXPECT_EQ(volume["spec"]["mountOptions"].at(0).to_string(), "noatime");
    EXPECT_EQ(volume.text({"metadata", "annotations", "pv.kubernetes.io/provisioned-by"}),
              "keelson.dev/disks");
    const object::Value term = volume["spec"]
                                   .path({"nodeAffinity", "required", "nodeSelectorTerms"})
                                   .at(0)["matchExpressions"]
                                   .at(0);
    EXPECT_EQ(term["key"].to_string(), "kubernetes.io/hostname");
    EXPECT_EQ(term["values"].at(0).to_string(), "n1");
    EXPECT_EQ(disks.last.parameters, (std::map<std::string, std::string>{{"kind", "ssd"}}));
    EXPECT_EQ(disks.last.capacity_bytes, std::int64_t(2) << 30);
    const auto events = plane.events_about("data");
    EXPECT_THAT(events, Contains(HasSubstr("Provisioning: External provisioner is provisioning volume for "
                                           "claim \"default/data\"")));
    EXPECT_THAT(events, Contains("ProvisioningSucceeded: Successfully provisioned volume pvc-" + uid));
    EXPECT_EQ(claim()["metadata"]["finalizers"].size(), 1U) << "only the one that protects it";
    EXPECT_EQ(disks.creations, 1);

    plane.remove({kClaims, "default", "data"});
    EXPECT_FALSE(is_there());
    EXPECT_THAT(disks.volumes, IsEmpty());
    EXPECT_THAT(all_volumes(), IsEmpty());
}

TEST_F(VolumeProvisionerTest, APluginIsNamedAsItsDriverToo) {
    add_class({}, "disks");
    add_claim();
    EXPECT_EQ(phase(), "Bound");
}

TEST_F(VolumeProvisionerTest, ARetainedVolumeStaysWithItsData) {
    add_class(R"(,"reclaimPolicy":"Retain")");
    add_claim();
    const std::string name = its_volume().text({"metadata", "name"});
    plane.remove({kClaims, "default", "data"});
    EXPECT_EQ(plane.get({kVolumes, "", name}).text({"status", "phase"}), "Released");
    // The object alone goes when somebody deletes it.
    plane.remove({kVolumes, "", name});
    EXPECT_THAT(all_volumes(), IsEmpty());
    EXPECT_THAT(disks.volumes, SizeIs(1));
}

TEST_F(VolumeProvisionerTest, AVolumeThatIsDeletedFirstIsNotLeftBehind) {
    add_class();
    add_claim();
    plane.remove({kVolumes, "", its_volume().text({"metadata", "name"})});
    EXPECT_EQ(phase(), "Bound");
    plane.remove({kClaims, "default", "data"});
    EXPECT_THAT(all_volumes(), IsEmpty());
    EXPECT_THAT(disks.volumes, IsEmpty());
}

TEST_F(VolumeProvisionerTest, AFailureIsToldAndTriedAgain) {
    disks.failure = Status(Reason::service_unavailable, "no room");
    add_class();
    add_claim();
    EXPECT_EQ(phase(), "Pending");
    EXPECT_THAT(
        plane.events_about("data"),
        Contains("ProvisioningFailed: failed to provision volume with StorageClass \"fast\": no room"));
    plane.advance(std::chrono::minutes(2));
    const int tries = disks.creations;
    EXPECT_GT(tries, 3);
    EXPECT_LT(tries, 60) << "pauses grow";
    disks.failure.reset();
    plane.advance(std::chrono::minutes(20));
    EXPECT_EQ(phase(), "Bound");
}

TEST_F(VolumeProvisionerTest, AVolumeWhoseAnswerWasLostIsNotMadeTwice) {
    disks.loses_answers = true;
    add_class();
    add_claim();
    plane.advance(std::chrono::seconds(10));
    disks.loses_answers = false;
    plane.advance(std::chrono::minutes(20));
    EXPECT_EQ(phase(), "Bound");
    EXPECT_GT(disks.creations, 1);
    EXPECT_THAT(disks.volumes, SizeIs(1));
    EXPECT_THAT(all_volumes(), SizeIs(1));
}

TEST_F(VolumeProvisionerTest, AVolumeWhoseClaimWentMeanwhileIsNotLost) {
    disks.loses_answers = true;
    add_class();
    add_claim();
    plane.advance(std::chrono::seconds(10));
    ASSERT_THAT(disks.volumes, SizeIs(1));
    plane.remove({kClaims, "default", "data"});
    EXPECT_TRUE(is_there()) << "nobody would know of its volume";
    disks.loses_answers = false;
    plane.advance(std::chrono::minutes(20));
    EXPECT_FALSE(is_there());
    EXPECT_THAT(disks.volumes, IsEmpty());
    EXPECT_THAT(all_volumes(), IsEmpty());
}

TEST_F(VolumeProvisionerTest, AClaimThatCannotBeServedCanBeDeleted) {
    disks.failure = Status(Reason::bad_request, "no such kind");
    add_class();
    add_claim();
    plane.advance(std::chrono::seconds(10));
    plane.remove({kClaims, "default", "data"});
    plane.advance(std::chrono::minutes(20));
    EXPECT_FALSE(is_there());
}

TEST_F(VolumeProvisionerTest, AVolumeThatCannotBeDeletedIsToldAndTriedAgain) {
    add_class();
    add_claim();
    const std::string name = its_volume().text({"metadata", "name"});
    disks.removal_failure = Status(Reason::internal_error, "it is in use");
    plane.remove({kClaims, "default", "data"});
    EXPECT_EQ(plane.get({kVolumes, "", name}).text({"status", "phase"}), "Released");
    EXPECT_THAT(plane.events_about(name), Contains("VolumeFailedDelete: it is in use"));
    disks.removal_failure.reset();
    plane.advance(std::chrono::minutes(20));
    EXPECT_THAT(all_volumes(), IsEmpty());
    EXPECT_THAT(disks.volumes, IsEmpty());
}

TEST_F(VolumeProvisionerTest, APluginMayComeLater) {
    disks.is_there = false;
    add_class();
    add_claim();
    EXPECT_EQ(phase(), "Pending");
    EXPECT_THAT(plane.events_about("data"), ElementsAre(HasSubstr("ExternalProvisioning: ")));
    disks.is_there = true;
    plane.advance(std::chrono::seconds(10));
    EXPECT_EQ(phase(), "Bound");
}

TEST_F(VolumeProvisionerTest, AVolumeIsMadeWhereThePodIsToRun) {
    plane.create({"v1/nodes", "", ""},
                 R"({"metadata":{"name":"n1","labels":{"kubernetes.io/hostname":"host-1",)"
                 R"("topology.kubernetes.io/zone":"z"}}})");
    add_class(R"(,"volumeBindingMode":"WaitForFirstConsumer")");
    add_claim();
    EXPECT_EQ(disks.creations, 0);
    select_node("n1");
    EXPECT_EQ(phase(), "Bound");
    EXPECT_THAT(disks.last.preferred, ElementsAre(Topology{{"kubernetes.io/hostname", "host-1"},
                                                           {"topology.kubernetes.io/zone", "z"}}));
}

TEST_F(VolumeProvisionerTest, ANodeThatCannotHaveItIsGivenBackToTheScheduler) {
    plane.create({"v1/nodes", "", ""}, R"({"metadata":{"name":"n2"}})");
    add_class(R"(,"volumeBindingMode":"WaitForFirstConsumer")");
    add_claim();
    disks.failure = Status(Reason::method_not_allowed, "on node n1 only");
    select_node("n2");
    EXPECT_FALSE(claim()["metadata"]["annotations"].has("volume.kubernetes.io/selected-node"));
    EXPECT_THAT(plane.events_about("data"), Contains(HasSubstr("on node n1 only")));
}

TEST_F(VolumeProvisionerTest, AllowedTopologiesArePassedOn) {
    add_class(R"(,"allowedTopologies":[{"matchLabelExpressions":[{"key":"zone","values":["a","b"]},)"
              R"({"key":"rack","values":["1"]}]}])");
    add_claim();
    EXPECT_THAT(disks.last.preferred,
                ElementsAre(Topology{{"rack", "1"}, {"zone", "a"}}, Topology{{"rack", "1"}, {"zone", "b"}}));
}

TEST_F(VolumeProvisionerTest, AClaimFromADataSourceIsNotServedAnEmptyVolume) {
    add_class();
    add_claim(R"(,"dataSource":{"kind":"PersistentVolumeClaim","name":"other"})");
    EXPECT_EQ(phase(), "Pending");
    EXPECT_EQ(disks.creations, 0);
    EXPECT_THAT(plane.events_about("data"), Contains(HasSubstr("not made from data sources")));
}

TEST_F(VolumeProvisionerTest, ManyClaimsGetAVolumeEach) {
    add_class();
    for (int index = 0; index < 50; ++index)
        EXPECT_TRUE(plane.cluster
                        .create({kClaims, "default", ""},
                                R"({"metadata":{"name":"c)" + std::to_string(index) +
                                    R"("},"spec":{"storageClassName":"fast","accessModes":["ReadWriteOnce"],)"
                                    R"("resources":{"requests":{"storage":"1Gi"}}}})")
                        .ok());
    plane.settle();
    plane.advance(std::chrono::minutes(1));
    for (int index = 0; index < 50; ++index)
        EXPECT_EQ(claim("c" + std::to_string(index)).text({"status", "phase"}), "Bound");
    EXPECT_THAT(disks.volumes, SizeIs(50));
    EXPECT_THAT(all_volumes(), SizeIs(50));
}

}  // namespace
}  // namespace keelson::control
