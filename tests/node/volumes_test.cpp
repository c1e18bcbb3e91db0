#include "kernel/node/volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>

#include <fstream>

#include "kernel/access/token_issuer.h"
#include "kernel/client/collections.h"
#include "kernel/node/inline_volumes.h"
#include "kernel/node/safe_files.h"
#include "kernel/node/volume_directories.h"
#include "kernel/node/volume_files.h"
#include "kernel/object/time_format.h"
#include "tests/node/fake_runtime.h"
#include "tests/node/node_cluster.h"
#include "tests/node/private_mounts.h"

namespace keelson::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

std::string content(const std::string& path) {
    // Files of volumes are reached through links.
    std::ifstream file(path);
    return file ? std::string(std::istreambuf_iterator<char>(file), {}) : "<none>";
}
struct stat info_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info;
}
mode_t mode_of(const std::string& path) {
    return info_of(path).st_mode & 07777;
}
std::vector<std::string> names_in(const std::string& path) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path))
        names.push_back(entry.path().filename());
    return names;
}
bool is_in_memory(const std::string& path) {
    constexpr long kTmpfsMagic = 0x01021994;
    struct statfs system {};
    return ::statfs(path.c_str(), &system) == 0 && system.f_type == kTmpfsMagic;
}

class VolumeFilesTest : public ::testing::Test {
  protected:
    VolumeFilesTest() { EXPECT_TRUE(base::make_directory(path, 0755)); }
    bool write(const VolumeFiles& files) {
        const auto written = write_volume_files(path, files, std::nullopt, base::system_clock().wall_now());
        EXPECT_TRUE(written) << written.error().message();
        return written && *written;
    }
    std::string data() { return std::filesystem::read_symlink(path + "/..data"); }

    TemporaryDirectory directory;
    std::string path = directory.path() + "/v";
};

TEST_F(VolumeFilesTest, ReplacesAllFilesAtOnce) {
    EXPECT_TRUE(write({{"a", {"1", 0644, {}}}, {"d/e/f", {"2", 0400, {}}}}));
    EXPECT_EQ(content(path + "/a"), "1");
    EXPECT_EQ(content(path + "/d/e/f"), "2");
    EXPECT_EQ(mode_of(path + "/a"), 0644u);
    EXPECT_EQ(mode_of(path + "/d/e/f"), 0400u);
    EXPECT_EQ(std::filesystem::read_symlink(path + "/a"), "..data/a");
    EXPECT_EQ(std::filesystem::read_symlink(path + "/d"), "..data/d");
    const std::string before = data();
    EXPECT_THAT(names_in(path), UnorderedElementsAre("a", "d", "..data", before));
    EXPECT_TRUE(write({{"a", {"changed", 0644, {}}}, {"new", {"3", 0644, {}}}}));
    EXPECT_NE(data(), before);
    EXPECT_EQ(content(path + "/a"), "changed");
    EXPECT_THAT(names_in(path), UnorderedElementsAre("a", "new", "..data", data()));
}

TEST_F(VolumeFilesTest, WritesNothingWhenNothingHasChanged) {
    const VolumeFiles files{{"a", {"1", 0644, {}}}, {"d/e", {"2", 0644, {}}}};
    EXPECT_TRUE(write(files));
    const std::string before = data();
    EXPECT_FALSE(write(files));
    EXPECT_EQ(data(), before);
    // What an interrupted first time has left out is added.
    ASSERT_EQ(::unlink((path + "/a").c_str()), 0);
    EXPECT_FALSE(write(files));
    EXPECT_EQ(content(path + "/a"), "1");
    EXPECT_TRUE(write({{"a", {"1", 0600, {}}}, {"d/e", {"2", 0644, {}}}})) << "another mode";
    EXPECT_TRUE(write({}));
    EXPECT_THAT(names_in(path), UnorderedElementsAre("..data", data()));
}

TEST_F(VolumeFilesTest, RefusesPathsThatLeadElsewhere) {
    for (const char* bad : {"../a", "/a", "a/../../b", "..data", "..x", "a//b", "./a", "", "a/"})
        EXPECT_FALSE(write_volume_files(path, {{bad, {}}}, std::nullopt, base::WallTime())) << bad;
    EXPECT_THAT(names_in(path), IsEmpty());
}

TEST(VolumeDirectoriesTest, ChecksHostPathsByType) {
    const TemporaryDirectory root;
    const std::string directory = root.path() + "/d", file = root.path() + "/f", socket = root.path() + "/s";
    ASSERT_TRUE(base::make_directory(directory));
    ASSERT_TRUE(base::write_file_atomic(file, "x"));
    const base::FileDescriptor listener(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const auto check = [](const std::string& path, const std::string& type) {
        const auto result = prepare_host_path(path, type);
        return result ? std::string() : result.error().message();
    };
    for (const auto& [path, type] :
         std::vector<std::pair<std::string, std::string>>{{directory, ""},
                                                          {file, ""},
                                                          {directory, "Directory"},
                                                          {file, "File"},
                                                          {file, "FileOrCreate"},
                                                          {socket, "Socket"},
                                                          {"/dev/null", "CharDevice"}})
        EXPECT_EQ(check(path, type), "") << path << type;
    EXPECT_EQ(check(file, "Directory"), "hostPath type check failed: " + file + " is not a directory");
    EXPECT_EQ(check(file, "DirectoryOrCreate"),
              "hostPath type check failed: " + file + " is not a directory");
    EXPECT_EQ(check(directory, "File"), "hostPath type check failed: " + directory + " is not a file");
    EXPECT_EQ(check(file, "Socket"), "hostPath type check failed: " + file + " is not a socket file");
    EXPECT_EQ(check(file, "CharDevice"),
              "hostPath type check failed: " + file + " is not a character device");
    EXPECT_EQ(check(file, "BlockDevice"), "hostPath type check failed: " + file + " is not a block device");
    EXPECT_EQ(check(root.path() + "/no", "Directory"),
              "hostPath type check failed: " + root.path() + "/no is not a directory");
    EXPECT_EQ(check(file, "Link"), "Link is an invalid volume type");
    EXPECT_EQ(check(root.path() + "/new/d", "DirectoryOrCreate"), "");
    EXPECT_EQ(mode_of(root.path() + "/new/d"), 0755u);
    EXPECT_EQ(check(root.path() + "/new/f", "FileOrCreate"), "");
    EXPECT_EQ(check(root.path() + "/made", ""), "");
    EXPECT_TRUE(base::exists(root.path() + "/made"));
}

// Gives tokens with numbers.
class NumberedIssuer final : public access::TokenIssuer {
  public:
    explicit NumberedIssuer(base::Clock& clock) : clock_(clock) {}
    [[nodiscard]] bool available() const override { return true; }
    base::Task<base::Result<access::IssuedToken>> issue(access::TokenOrder order) override {
        orders.push_back(order);
        if (failure) co_return *failure;
        const std::int64_t now =
            std::chrono::floor<std::chrono::seconds>(clock_.wall_now().time_since_epoch()).count();
        access::IssuedToken issued{"token-" + std::to_string(orders.size()),
                                   object::format_time({now + order.expiration_seconds, 0})};
        co_return issued;
    }
    base::Task<base::Result<access::IssuerKeys>> keys() override { co_return access::IssuerKeys(); }

    std::optional<base::Status> failure;
    std::vector<access::TokenOrder> orders;

  private:
    base::Clock& clock_;
};

class VolumesTest : public ::testing::Test, public NodeCluster {
  protected:
    VolumesTest() { make_volumes(); }
    ~VolumesTest() override {
        // What a failed test has left; nothing usually.
        const auto mounts = mounts_below(directory.path());
        for (const std::string& path : mounts.value_or(std::vector<std::string>()))
            EXPECT_TRUE(unmount(path));
    }
    void SetUp() override {
        if (const std::string reason = enter_private_mounts(); !reason.empty()) GTEST_SKIP() << reason;
    }
    // As after a restart of the process.
    void make_volumes() {
        volumes = Volumes::make({root, "n1"}, *client, *cache, fakes.drivers, cluster.executor);
    }

    // One pod with the volume "v" that its container mounts.
    client::ObjectPointer pod(const std::string& volume, const std::string& more = "") {
        return pod_of(
            R"({"serviceAccountName":"default","containers":[{"name":"c","volumeMounts":[{"name":"v",
                          "mountPath":"/v"}]}],"volumes":[{"name":"v",)" +
                volume + "}]" + more + "}",
            R"(,"labels":{"app":"x"})");
    }
    base::Result<MountedVolumes> prepare(const client::ObjectPointer& wanted) {
        return run(volumes->prepare(wanted));
    }
    // The path of the volume; or why there is none.
    std::string path_of(const std::string& volume, const std::string& more = "") {
        const auto prepared = prepare(pod(volume, more));
        return prepared ? prepared->at("v").path : prepared.error().message();
    }
    void take_down() {
        const auto done = run(volumes->take_down("u1"));
        EXPECT_TRUE(done) << done.error().message();
        EXPECT_FALSE(base::exists(root + "/pods/u1"));
    }
    void create(std::string_view resource, const std::string& json) {
        const auto made = cluster.create({resource, "default", ""}, json);
        ASSERT_TRUE(made.ok()) << made.error;
        settle();
    }

    TemporaryDirectory directory;
    std::string root = directory.path() + "/node";
    std::string kinds = root + "/pods/u1/volumes/";
    FakeNode fakes;
    std::unique_ptr<Volumes> volumes;
};

TEST_F(VolumesTest, MakesAndRemovesAnEmptyDirectory) {
    const std::string path = path_of(R"("emptyDir":{})");
    EXPECT_EQ(path, kinds + "kubernetes.io~empty-dir/v");
    EXPECT_EQ(mode_of(path), 0777u);
    EXPECT_THAT(run(volumes->known_pods()), ElementsAre("u1"));
    ASSERT_TRUE(base::write_file_atomic(path + "/kept", "x"));
    EXPECT_EQ(path_of(R"("emptyDir":{})"), path);
    EXPECT_TRUE(base::exists(path + "/kept"));
    take_down();
    EXPECT_THAT(run(volumes->known_pods()), IsEmpty());
    take_down();
}

TEST_F(VolumesTest, GivesAnEmptyDirectoryToTheGroup) {
    const std::string path = path_of(R"("emptyDir":{})", R"(,"securityContext":{"fsGroup":4711})");
    EXPECT_EQ(info_of(path).st_gid, 4711u);
    EXPECT_EQ(mode_of(path), 02777u);
    take_down();
}

TEST_F(VolumesTest, KeepsAnEmptyDirectoryInMemory) {
    const std::string path = path_of(R"("emptyDir":{"medium":"Memory","sizeLimit":"1Mi"})",
                                     R"(,"securityContext":{"fsGroup":4711})");
    EXPECT_TRUE(is_in_memory(path));
    EXPECT_EQ(info_of(path).st_gid, 4711u);
    EXPECT_EQ(mode_of(path), 02777u);
    struct statfs system {};
    ASSERT_EQ(::statfs(path.c_str(), &system), 0);
    EXPECT_EQ(system.f_blocks * static_cast<std::uint64_t>(system.f_bsize), 1u << 20);
    EXPECT_EQ(path_of(R"("emptyDir":{"medium":"Memory","sizeLimit":"1Mi"})"), path);
    EXPECT_THAT(*mounts_below(root), ElementsAre(path));
    make_volumes();
    take_down();
    EXPECT_THAT(*mounts_below(root), IsEmpty());
}

TEST_F(VolumesTest, RemovesHostileContentWithoutLeavingIt) {
    const std::string path = path_of(R"("emptyDir":{})");
    const std::string outside = directory.path() + "/outside";
    ASSERT_TRUE(base::make_directory(outside));
    ASSERT_TRUE(base::write_file_atomic(outside + "/kept", "x"));
    ASSERT_EQ(::symlink(outside.c_str(), (path + "/link").c_str()), 0);
    ASSERT_TRUE(base::make_directory(path + "/a/mounted"));
    ASSERT_EQ(::mount(outside.c_str(), (path + "/a/mounted").c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(::mount("tmpfs", (path + "/a/mounted").c_str(), "tmpfs", 0, nullptr), 0);
    // Busy: somebody is in it.
    const base::FileDescriptor inside(::open((path + "/a/mounted").c_str(), O_RDONLY | O_DIRECTORY));
    take_down();
    EXPECT_TRUE(base::exists(outside + "/kept"));
}

TEST_F(VolumesTest, RefusesUidsThatAreNoNames) {
    for (const char* uid : {"", ".", "..", "a/b", "../../etc"})
        EXPECT_FALSE(run(volumes->take_down(uid))) << uid;
}

TEST_F(VolumesTest, ShowsAConfigMapAndFollowsIt) {
    create("v1/configmaps",
           R"({"metadata":{"name":"m"},"data":{"a":"1","b":"2"},"binaryData":{"c":"AAE="}})");
    const std::string volume = R"("configMap":{"name":"m","defaultMode":256})";
    const auto prepared = prepare(pod(volume));
    ASSERT_TRUE(prepared) << prepared.error().message();
    EXPECT_TRUE(prepared->at("v").is_read_only);
    const std::string path = prepared->at("v").path;
    EXPECT_EQ(path, kinds + "kubernetes.io~configmap/v");
    EXPECT_EQ(content(path + "/a"), "1");
    EXPECT_EQ(content(path + "/c"), std::string("\0\1", 2));
    EXPECT_EQ(mode_of(path + "/a"), 0400u);
    ASSERT_TRUE(cluster
                    .patch({"v1/configmaps", "default", "m"}, resource::PatchType::merge,
                           R"({"data":{"a":"changed","b":null}})")
                    .ok());
    settle();
    EXPECT_THAT(changed, ElementsAre("u1"));
    EXPECT_EQ(path_of(volume), path);
    EXPECT_EQ(content(path + "/a"), "changed");
    EXPECT_FALSE(base::exists(path + "/b"));
    take_down();
    changed.clear();
    ASSERT_TRUE(cluster.remove({"v1/configmaps", "default", "m"}).ok());
    settle();
    EXPECT_THAT(changed, IsEmpty()) << "nobody uses it";
}

TEST_F(VolumesTest, ChoosesItemsWithTheirModes) {
    create("v1/secrets", R"({"metadata":{"name":"s"},"data":{"a":"MQ==","b":"Mg=="}})");
    const std::string path =
        path_of(R"("secret":{"secretName":"s","items":[{"key":"a","path":"x/y","mode":288}]})",
                R"(,"securityContext":{"fsGroup":4711})");
    EXPECT_EQ(path, kinds + "kubernetes.io~secret/v");
    EXPECT_EQ(content(path + "/x/y"), "1");
    EXPECT_EQ(mode_of(path + "/x/y"), 0440u);
    EXPECT_EQ(info_of(path + "/x/y").st_gid, 4711u);
    EXPECT_FALSE(base::exists(path + "/b"));
    EXPECT_TRUE(is_in_memory(path)) << "secrets stay off the disk";
    take_down();
}

TEST_F(VolumesTest, SaysWhatIsMissingAsKubernetesDoes) {
    create("v1/configmaps", R"({"metadata":{"name":"m"},"data":{"a":"1"}})");
    create("v1/secrets", R"({"metadata":{"name":"s"},"data":{"a":"MQ=="}})");
    const std::string prefix = "MountVolume.SetUp failed for volume \"v\" : ";
    EXPECT_EQ(path_of(R"("configMap":{"name":"x"})"), prefix + "configmap \"x\" not found");
    EXPECT_EQ(path_of(R"("secret":{"secretName":"x"})"), prefix + "secret \"x\" not found");
    EXPECT_EQ(path_of(R"("configMap":{"name":"m","items":[{"key":"k","path":"p"}]})"),
              prefix + "configmap references non-existent config key: k");
    EXPECT_EQ(path_of(R"("secret":{"secretName":"s","items":[{"key":"k","path":"p"}]})"),
              prefix + "references non-existent secret key: k");
    EXPECT_EQ(path_of(R"("hostPath":{"path":"/dev/null","type":"Directory"})"),
              prefix + "hostPath type check failed: /dev/null is not a directory");
    EXPECT_EQ(path_of(R"("persistentVolumeClaim":{"claimName":"x"})"),
              prefix + "persistentvolumeclaim \"x\" not found");
    EXPECT_EQ(path_of(R"("ephemeral":{"volumeClaimTemplate":{}})"),
              prefix + "persistentvolumeclaim \"web-v\" not found");
    EXPECT_THAT(path_of(R"("image":{"reference":"i"})"), HasSubstr("volumes of images are not served"));
    EXPECT_THAT(path_of(R"("emptyDir":{"medium":"HugePages"})"), HasSubstr("not served"));
    EXPECT_THAT(path_of(R"("projected":{"sources":[{"clusterTrustBundle":{"path":"p"}}]})"),
                HasSubstr("projections of clusterTrustBundle are not served here"));
    take_down();
}

TEST_F(VolumesTest, OptionalObjectsMayBeMissing) {
    const std::string volume = R"("configMap":{"name":"x","optional":true,"items":[{"key":"k","path":"p"}]})";
    const std::string path = path_of(volume);
    EXPECT_FALSE(base::exists(path + "/p"));
    create("v1/configmaps", R"({"metadata":{"name":"x"},"data":{"k":"came"}})");
    EXPECT_EQ(path_of(volume), path);
    EXPECT_EQ(content(path + "/p"), "came");
    take_down();
}

TEST_F(VolumesTest, MakesRoomForMountsWithinFiles) {
    create("v1/configmaps", R"({"metadata":{"name":"m"},"data":{"a":"1"}})");
    const std::string spec = R"({"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/v"},
        {"name":"w","mountPath":"/v/sub/deeper"},{"name":"w","mountPath":"/very"}]}],
        "volumes":[{"name":"v","configMap":{"name":"m"}},{"name":"w","emptyDir":{}}]})";
    const auto prepared = prepare(pod_of(spec));
    ASSERT_TRUE(prepared) << prepared.error().message();
    const std::string path = prepared->at("v").path;
    EXPECT_TRUE(base::exists(path + "/sub/deeper"));
    ASSERT_TRUE(
        cluster.patch({"v1/configmaps", "default", "m"}, resource::PatchType::merge, R"({"data":{"a":"2"}})")
            .ok());
    settle();
    ASSERT_TRUE(prepare(pod_of(spec)));
    EXPECT_EQ(content(path + "/a"), "2");
    EXPECT_TRUE(base::exists(path + "/sub/deeper")) << "something is mounted there";
    EXPECT_FALSE(base::exists(path + "/ery"));
    take_down();
}

TEST_F(VolumesTest, BoundsMemoryByWhatThePodMayUse) {
    const auto prepared =
        prepare(pod_of(R"({"containers":[{"name":"c","volumeMounts":[{"name":"v","mountPath":"/v"}],
        "resources":{"limits":{"memory":"2Mi"}}}],"volumes":[{"name":"v","emptyDir":{"medium":"Memory"}}]})"));
    ASSERT_TRUE(prepared) << prepared.error().message();
    struct statfs system {};
    ASSERT_EQ(::statfs(prepared->at("v").path.c_str(), &system), 0);
    EXPECT_EQ(system.f_blocks * static_cast<std::uint64_t>(system.f_bsize), 2u << 20);
    take_down();
}

TEST_F(VolumesTest, PreparesOnlyWhatIsMounted) {
    const auto prepared = prepare(
        pod_of(R"({"containers":[{"name":"c"}],"volumes":[{"name":"v","configMap":{"name":"none"}}]})"));
    ASSERT_TRUE(prepared) << prepared.error().message();
    EXPECT_THAT(*prepared, IsEmpty());
}

TEST_F(VolumesTest, ShowsFieldsAndResources) {
    ASSERT_TRUE(cluster
                    .create({"v1/nodes", "", ""}, R"({"metadata":{"name":"n1"},
        "status":{"allocatable":{"cpu":"4"}}})")
                    .ok());
    const std::string path = path_of(R"("downwardAPI":{"items":[
        {"path":"labels","fieldRef":{"fieldPath":"metadata.labels"}},
        {"path":"own/name","fieldRef":{"fieldPath":"metadata.name"},"mode":256},
        {"path":"cpu","resourceFieldRef":{"containerName":"c","resource":"limits.cpu"}}]})");
    EXPECT_EQ(path, kinds + "kubernetes.io~downward-api/v");
    EXPECT_EQ(content(path + "/labels"), "app=\"x\"");
    EXPECT_EQ(content(path + "/own/name"), "web");
    EXPECT_EQ(mode_of(path + "/own/name"), 0400u);
    EXPECT_EQ(content(path + "/cpu"), "4");
    take_down();
}

class TokenVolumesTest : public VolumesTest {
  protected:
    void SetUp() override {
        VolumesTest::SetUp();
        cluster.subresources->issue_tokens(issuer, {.audiences = {"https://api"}});
        const auto made = cluster.create({"v1/pods", "default", ""}, resource::pod_json("web"));
        ASSERT_TRUE(made.ok()) << made.error;
        uid = made.text({"metadata", "uid"});
        create("v1/configmaps", R"({"metadata":{"name":"ca"},"data":{"ca.crt":"CA"}})");
    }
    client::ObjectPointer projecting(const std::string& more = "") {
        return object_of(
            R"({"metadata":{"name":"web","namespace":"default","uid":")" + uid +
            R"("},"spec":{"serviceAccountName":"default","containers":[{"name":"c","volumeMounts":
                         [{"name":"v","mountPath":"/v"}]}],"volumes":[{"name":"v","projected":{"defaultMode":420,
                         "sources":[{"serviceAccountToken":{"path":"token","expirationSeconds":3600}},
                         {"configMap":{"name":"ca","items":[{"key":"ca.crt","path":"ca.crt"}]}},
                         {"downwardAPI":{"items":[{"path":"namespace","fieldRef":{"fieldPath":"metadata.namespace"}}]}}
                         ]}}])" +
            more + "}}");
    }
    std::string token() {
        const auto prepared = prepare(projecting());
        return prepared ? content(prepared->at("v").path + "/token") : prepared.error().message();
    }
    NumberedIssuer issuer{cluster.executor.clock()};
    std::string uid;
};

TEST_F(TokenVolumesTest, ProjectsWhatPodsNeedOfTheApi) {
    const auto prepared = prepare(projecting(R"(,"securityContext":{"fsGroup":4711})"));
    ASSERT_TRUE(prepared) << prepared.error().message();
    const std::string path = prepared->at("v").path;
    EXPECT_EQ(content(path + "/token"), "token-1");
    EXPECT_EQ(content(path + "/ca.crt"), "CA");
    EXPECT_EQ(content(path + "/namespace"), "default");
    EXPECT_EQ(mode_of(path + "/token"), 0640u);
    EXPECT_EQ(info_of(path + "/token").st_gid, 4711u);
    EXPECT_TRUE(is_in_memory(path));
    ASSERT_EQ(issuer.orders.size(), 1u);
    EXPECT_EQ(issuer.orders[0].expiration_seconds, 3600);
    ASSERT_TRUE(run(volumes->take_down(uid)));
    EXPECT_THAT(*mounts_below(root), IsEmpty());
}

TEST_F(TokenVolumesTest, TheCommonUserOwnsTheToken) {
    const auto prepared = prepare(projecting(R"(,"securityContext":{"runAsUser":1234})"));
    ASSERT_TRUE(prepared) << prepared.error().message();
    const std::string path = prepared->at("v").path + "/token";
    EXPECT_EQ(mode_of(path), 0600u);
    EXPECT_EQ(info_of(path).st_uid, 1234u);
    ASSERT_TRUE(run(volumes->take_down(uid)));
}

TEST_F(TokenVolumesTest, RenewsTheTokenInTime) {
    EXPECT_EQ(token(), "token-1");
    cluster.executor.advance(std::chrono::seconds(2879));
    EXPECT_EQ(token(), "token-1");
    cluster.executor.advance(std::chrono::seconds(1));
    EXPECT_EQ(token(), "token-2");
    cluster.executor.advance(std::chrono::seconds(2880));
    issuer.failure = base::Status(base::Reason::service_unavailable, "later");
    EXPECT_EQ(token(), "token-2") << "it still holds";
    cluster.executor.advance(std::chrono::seconds(720));
    EXPECT_THAT(token(), HasSubstr("failed to fetch token: failed to generate token: later"));
    ASSERT_TRUE(run(volumes->take_down(uid)));
}

TEST_F(VolumesTest, AsksADriverForAnInlineVolume) {
    const std::string volume =
        R"("csi":{"driver":"d.example","readOnly":true,"volumeAttributes":{"a":"1"},
                  "nodePublishSecretRef":{"name":"s"}})";
    EXPECT_THAT(path_of(volume),
                HasSubstr("driver name d.example not found in the list of registered CSI drivers"));
    fakes.drivers.drivers.insert("d.example");
    EXPECT_THAT(path_of(volume),
                HasSubstr("fetching NodePublishSecretRef default/s failed: secret \"s\" not found"));
    create("v1/secrets", R"({"metadata":{"name":"s"},"data":{"k":"MQ=="}})");
    const std::string path = path_of(volume);
    EXPECT_EQ(path, kinds + "kubernetes.io~csi/v/mount");
    ASSERT_TRUE(fakes.drivers.published.contains(path));
    const PublishRequest request = fakes.drivers.published[path];
    EXPECT_EQ(request.volume_id.size(), 68u);
    EXPECT_TRUE(request.is_read_only);
    EXPECT_EQ(request.staging_path, "");
    EXPECT_THAT(request.secrets, ElementsAre(Pair("k", "1")));
    EXPECT_THAT(request.attributes,
                UnorderedElementsAre(Pair("a", "1"), Pair("csi.storage.k8s.io/pod.name", "web"),
                                     Pair("csi.storage.k8s.io/pod.namespace", "default"),
                                     Pair("csi.storage.k8s.io/pod.uid", "u1"),
                                     Pair("csi.storage.k8s.io/serviceAccount.name", "default"),
                                     Pair("csi.storage.k8s.io/ephemeral", "true")));
    EXPECT_EQ(path_of(volume), path);
    EXPECT_EQ(fakes.log.count("publish"), 1u);
    // A later process undoes what an earlier one has done.
    make_volumes();
    fakes.log.fail("unpublish", base::Status(base::Reason::service_unavailable, "later"));
    EXPECT_FALSE(run(volumes->take_down("u1")));
    EXPECT_TRUE(base::exists(root + "/pods/u1"));
    take_down();
    EXPECT_THAT(fakes.drivers.published, IsEmpty());
}

// A claim and its volume as the control plane leaves them.
class ClaimVolumesTest : public VolumesTest {
  protected:
    void bind(const std::string& source, const std::string& more_spec = "") {
        create("v1/persistentvolumeclaims",
               R"({"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"volumeName":"pv1",
                   "resources":{"requests":{"storage":"1Gi"}}}})");
        const std::string uid_of_claim =
            cluster.get({"v1/persistentvolumeclaims", "default", "data"}).text({"metadata", "uid"});
        const auto made = cluster.create(
            {"v1/persistentvolumes", "", ""},
            R"({"metadata":{"name":"pv1"},"spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"},
                "claimRef":{"namespace":"default","name":"data","uid":")" +
                uid_of_claim + "\"}," + source + more_spec + "}}");
        EXPECT_TRUE(made.ok()) << made.error;
    }
    void set_bound() {
        const auto patched = cluster.patch({"v1/persistentvolumeclaims/status", "default", "data"},
                                           resource::PatchType::merge, R"({"status":{"phase":"Bound"}})");
        EXPECT_TRUE(patched.ok()) << patched.error;
    }
    const std::string claim = R"("persistentVolumeClaim":{"claimName":"data"})";
};

TEST_F(ClaimVolumesTest, AsksTheDriverOfTheBoundVolume) {
    bind(R"("csi":{"driver":"d.example","volumeHandle":"h1","volumeAttributes":{"a":"1"}})",
         R"(,"mountOptions":["noatime"])");
    EXPECT_THAT(path_of(claim), HasSubstr("PVC \"data\" is not bound"));
    set_bound();
    EXPECT_THAT(path_of(claim), HasSubstr("driver name d.example not found"));
    fakes.drivers.drivers.insert("d.example");
    const std::string path = path_of(claim);
    EXPECT_EQ(path, kinds + "kubernetes.io~csi/pv1/mount");
    const PublishRequest request = fakes.drivers.published[path];
    EXPECT_EQ(request.volume_id, "h1");
    EXPECT_EQ(request.access_mode, "ReadWriteOnce");
    EXPECT_THAT(request.mount_options, ElementsAre("noatime"));
    EXPECT_THAT(request.attributes, ElementsAre(Pair("a", "1")));
    // What the pod has it keeps while its claim goes; another pod gets it no more.
    EXPECT_TRUE(cluster.remove({"v1/persistentvolumeclaims", "default", "data"}).ok());
    EXPECT_EQ(path_of(claim), path);
    EXPECT_EQ(fakes.log.count("publish"), 1u);
    make_volumes();
    EXPECT_THAT(path_of(claim), HasSubstr("can't start pod because PVC \"data\" is being deleted"));
    take_down();
    EXPECT_THAT(fakes.drivers.published, IsEmpty());
}

TEST_F(ClaimVolumesTest, ShowsDirectoriesOfTheNode) {
    const std::string shared = directory.path() + "/shared";
    bind(R"("hostPath":{"type":"Directory","path":")" + shared + "\"}");
    set_bound();
    EXPECT_THAT(path_of(claim), HasSubstr("hostPath type check failed"));
    ASSERT_TRUE(base::make_directory(shared));
    EXPECT_EQ(path_of(claim), shared);
    take_down();
    EXPECT_TRUE(base::exists(shared));
}

TEST_F(ClaimVolumesTest, RefusesAVolumeOfAnotherClaim) {
    bind(R"("hostPath":{"path":"/tmp"})");
    set_bound();
    EXPECT_TRUE(cluster
                    .patch({"v1/persistentvolumes", "", "pv1"}, resource::PatchType::merge,
                           R"({"spec":{"claimRef":{"uid":"another"}}})")
                    .ok());
    EXPECT_THAT(path_of(claim), HasSubstr("is bound to another claim"));
    take_down();
}

TEST_F(ClaimVolumesTest, RefusesWhatNoPluginServes) {
    bind(R"("nfs":{"server":"s","path":"/x"})");
    set_bound();
    EXPECT_THAT(path_of(claim), HasSubstr("no volume plugin matched"));
    take_down();
}

}  // namespace
}  // namespace keelson::node
