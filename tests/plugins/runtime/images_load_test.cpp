// Archives: how they are loaded, listed, found, held and removed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "digest.h"
#include "images_fixture.h"
#include "images_server.h"

namespace keelson::oci {
namespace {

using ImagesLoad = ImagesTest;

TEST_F(ImagesLoad, TakesWhatSkopeoMakes) {
    if (!make_busybox()) GTEST_SKIP() << "umoci, skopeo and busybox are needed";
    open();
    ASSERT_EQ(run_program(
                  {"skopeo", "copy", "oci:" + folder / "oci:1", "oci-archive:" + folder / "o.tar:busybox:1"}),
              0);
    ASSERT_EQ(run_program({"skopeo", "copy", "oci:" + folder / "oci:1",
                           "docker-archive:" + folder / "d.tar:busybox:2"}),
              0);
    const auto started = std::chrono::steady_clock::now();
    const auto oci = load_file(folder / "o.tar");
    const auto took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started);
    RecordProperty("oci_archive_ms", std::to_string(took.count()));
    const auto docker = load_file(folder / "d.tar");
    ASSERT_EQ(oci.images.size(), 1U);
    EXPECT_EQ(oci.images[0].names, std::vector<std::string>{"docker.io/library/busybox:1"});
    EXPECT_EQ(docker.images[0].image_id, oci.images[0].image_id);

    const auto listed = store->list().images;
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].names,
              (std::vector<std::string>{"docker.io/library/busybox:1", "docker.io/library/busybox:2"}));
    EXPECT_EQ(listed[0].user, "12:34");
    ASSERT_EQ(listed[0].digests.size(), 1U);
    EXPECT_TRUE(listed[0].digests[0].starts_with("docker.io/library/busybox@sha256:"));

    const auto held = store->hold(oci.images[0].image_id, "c1");
    EXPECT_EQ(held.config.entrypoint, std::vector<std::string>{"/bin/sh"});
    EXPECT_EQ(held.config.working_directory, "/w");
    ASSERT_EQ(held.layers.size(), 1U);
    EXPECT_EQ(read_text(held.layers[0] + "/bin/busybox"), read_text("/bin/busybox"));
    EXPECT_EQ(std::filesystem::read_symlink(held.layers[0] + "/bin/sh"), "busybox");
}

TEST_F(ImagesLoad, ReadsAPipe) {
    open();
    const std::string bytes =
        gzip(docker_archive({Tar().file("a", std::string(300'000, 'q')).bytes()}, "piped:1"));
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    std::thread writer([&] {
        for (std::size_t at = 0; at < bytes.size(); at += 7000)
            static_cast<void>(
                ::write(ends[1], bytes.data() + at, std::min<std::size_t>(7000, bytes.size() - at)));
        ::close(ends[1]);
    });
    const auto loaded = store->load("", ends[0], Call());
    writer.join();
    ::close(ends[0]);
    EXPECT_EQ(loaded.images.at(0).names, std::vector<std::string>{"docker.io/library/piped:1"});
}

TEST_F(ImagesLoad, TakesTheGivenName) {
    open();
    const auto loaded = load_bytes(docker_archive({Tar().file("a").bytes()}, "old:1"), "host:5000/new");
    EXPECT_EQ(loaded.images.at(0).names, std::vector<std::string>{"host:5000/new:latest"});
    EXPECT_FALSE(store->inspect("old:1").image);
    EXPECT_EQ(failure([&] { load_bytes(docker_archive({}, ""), "NO"); }).first, Code::invalid);
}

TEST_F(ImagesLoad, FindsAnImageByAnythingThatNamesIt) {
    open();
    const std::string id =
        load_bytes(docker_archive({Tar().file("a").bytes()}, "tool:1")).images.at(0).image_id;
    for (const std::string& text : {id, id.substr(7), id.substr(0, 20), id.substr(7, 12),
                                    std::string("tool:1"), std::string("docker.io/library/tool:1")})
        EXPECT_EQ(store->inspect(text).image.value_or(images::Image{}).image_id, id) << text;
    EXPECT_FALSE(store->inspect("tool:2").image);
    EXPECT_FALSE(store->inspect("sha256:" + std::string(64, '0')).image);
    EXPECT_EQ(failure([&] { static_cast<void>(store->inspect("NO")); }).first, Code::invalid);
}

TEST_F(ImagesLoad, MovesANameToTheNewerImage) {
    open();
    const auto old = load_bytes(docker_archive({Tar().file("a").bytes()}, "tool:1")).images.at(0).image_id;
    const auto now = load_bytes(docker_archive({Tar().file("b").bytes()}, "tool:1")).images.at(0).image_id;
    EXPECT_EQ(store->inspect("tool:1").image->image_id, now);
    EXPECT_TRUE(store->inspect(old).image->names.empty());
}

TEST_F(ImagesLoad, SharesLayersAndRemovesThoseOfNobody) {
    const std::string base = Tar().file("base").bytes();
    open();
    const auto one =
        load_bytes(docker_archive({base, Tar().file("one").bytes()}, "one")).images.at(0).image_id;
    const auto two =
        load_bytes(docker_archive({base, Tar().file("two").bytes()}, "two")).images.at(0).image_id;
    EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator(settings.directory + "/layers")), 3);
    const auto layers = store->hold(one, "c").layers;
    EXPECT_EQ(failure([&] { store->remove(one); }).first, Code::conflict);
    store->remove(two);
    EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator(settings.directory + "/layers")), 2);
    EXPECT_TRUE(std::filesystem::exists(layers[0] + "/base"));
    store->release(one, "c");
    store->remove(one);
    store->remove(one);
    EXPECT_TRUE(tree(settings.directory + "/layers").empty());
    EXPECT_TRUE(tree(settings.directory + "/blobs/sha256").empty());
    EXPECT_EQ(store->usage().used_bytes, 0);
}

TEST_F(ImagesLoad, StacksTheSameLayerTwice) {
    const std::string same = Tar().directory("d", 0711).file("d/a").bytes();
    const auto layers = load_layers({same, Tar().file("b").bytes(), same});
    ASSERT_EQ(layers.size(), 3U);
    EXPECT_NE(layers[0], layers[2]);
    EXPECT_EQ(tree(layers[0]), tree(layers[2]));
}

TEST_F(ImagesLoad, IsThereAfterARestart) {
    const auto layers = load_layers({Tar().file("a").bytes()});
    const auto before = store->list().images;
    open();
    const auto after = store->list().images;
    ASSERT_EQ(after.size(), 1U);
    EXPECT_EQ(after[0].image_id, before[0].image_id);
    EXPECT_EQ(after[0].names, before[0].names);
    EXPECT_EQ(after[0].size_bytes, before[0].size_bytes);
    EXPECT_EQ(store->hold("test", "c").layers, layers);
    EXPECT_TRUE(warnings.empty());
}

// An OCI layout of everything that the image has, its tag being what index.json leads to.
std::string oci_archive(const FakeImage& image, const std::string& annotations) {
    Tar tar;
    for (const auto& [digest, bytes] : image.blobs) tar.file("blobs/sha256/" + digest.substr(7), bytes);
    for (const auto& [version, bytes] : image.manifests)
        if (version == "1") tar.file("blobs/sha256/" + digest_of(bytes).substr(7), bytes);
    for (const auto& [version, bytes] : image.manifests)
        if (version != "1") tar.file("blobs/sha256/" + version.substr(7), bytes);
    const std::string& top = image.manifests.at("1");
    tar.file("index.json", R"({"schemaVersion": 2, "manifests": [{"digest": ")" + digest_of(top) +
                               R"(", "size": )" + std::to_string(top.size()) + R"(, "annotations": )" +
                               annotations + "}]}");
    return tar.bytes();
}

TEST_F(ImagesLoad, ChoosesFromAnIndexWithinAnArchive) {
    open();
    const FakeImage other({Tar().file("other").bytes()});
    FakeImage image({Tar().file("mine").bytes()});
    image.put_index({&other, &image});
    image.blobs.insert(other.blobs.begin(), other.blobs.end());
    const auto loaded = load_bytes(oci_archive(
        image,
        R"({"io.containerd.image.name": "docker.io/a/b:c", "org.opencontainers.image.ref.name": "c"})"));
    EXPECT_EQ(loaded.images.at(0).names, std::vector<std::string>{"docker.io/a/b:c"});
    EXPECT_TRUE(store->inspect("a/b@" + digest_of(image.manifests.at("1"))).image);
    EXPECT_EQ(tree(store->hold(loaded.images[0].image_id, "c").layers.at(0)),
              std::vector<std::string>{"mine"});
    // The layer of the other machine is not kept.
    EXPECT_EQ(std::ranges::distance(std::filesystem::directory_iterator(settings.directory + "/layers")), 1);
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
}

TEST_F(ImagesLoad, GivesABareTagNoName) {
    open();
    const FakeImage image({Tar().file("a").bytes()});
    const auto loaded = load_bytes(oci_archive(image, R"({"org.opencontainers.image.ref.name": "1"})"));
    EXPECT_TRUE(loaded.images.at(0).names.empty());
    EXPECT_TRUE(store->inspect(loaded.images[0].image_id).image);
}

TEST_F(ImagesLoad, ReadsLayersInZstd) {
    open();
    const std::string layer = Tar().file("f", std::string(100'000, 'z')).bytes();
    const std::string packed = zstd(layer);
    if (packed.empty()) GTEST_SKIP() << "this libarchive writes no zstd";
    Tar archive;
    archive.file("0", packed).file("config.json", config_of({layer}));
    archive.file("manifest.json", R"([{"Config": "config.json", "RepoTags": ["z"], "Layers": ["0"]}])");
    load_bytes(archive.bytes());
    EXPECT_EQ(read_text(store->hold("z", "c").layers.at(0) + "/f"), std::string(100'000, 'z'));
}

TEST_F(ImagesLoad, SaysWhatAnImageWantsOfItsContainers) {
    open();
    load_bytes(docker_archive({}, "scratch", R"({"Entrypoint": ["/e"], "Cmd": ["c", "d"], "Env": ["A=b"],
        "Volumes": {"/v": {}}, "WorkingDir": "/w", "User": "nobody", "StopSignal": "SIGINT"})"));
    const auto held = store->hold("scratch", "c");
    EXPECT_TRUE(held.layers.empty());
    EXPECT_EQ(held.config.entrypoint, std::vector<std::string>{"/e"});
    EXPECT_EQ(held.config.command, (std::vector<std::string>{"c", "d"}));
    EXPECT_EQ(held.config.environment, std::vector<std::string>{"A=b"});
    EXPECT_EQ(held.config.volumes, std::vector<std::string>{"/v"});
    EXPECT_EQ(held.config.user, "nobody");
    EXPECT_EQ(held.config.stop_signal, "SIGINT");
    EXPECT_EQ(failure([&] { static_cast<void>(store->hold("nothing", "c")); }).first, Code::not_found);
    store->release("nothing", "c");
}

}  // namespace
}  // namespace keelson::oci
