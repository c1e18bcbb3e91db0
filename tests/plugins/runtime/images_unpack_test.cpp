// Layers of every kind, most of them hostile: what they become, and that nothing outside is touched.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <random>

#include "digest.h"
#include "images_fixture.h"

namespace keelson::oci {
namespace {

struct stat status_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    return status;
}

bool is_whiteout(const std::string& path) {
    const struct stat status = status_of(path);
    return S_ISCHR(status.st_mode) && status.st_rdev == 0;
}

std::string attribute(const std::string& path, const char* name) {
    std::array<char, 256> value{};
    const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
    return size < 0 ? "(none)" : std::string(value.data(), std::size_t(size));
}

bool is_opaque(const std::string& path) {
    return attribute(path, "trusted.overlay.opaque") == "y";
}

class ImagesUnpack : public ImagesTest {
  protected:
    std::string unpack(const Tar& tar) { return load_layers({tar.bytes()}).at(0); }
};

TEST_F(ImagesUnpack, KeepsOwnersModesTimesAndAttributes) {
    const std::string capability(
        "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
    Tar tar;
    tar.add({.name = "d/", .type = '5', .mode = 01777, .owner = 5, .group = 6, .modified = 1000})
        .add({.name = "d/su", .content = "x", .mode = 04755, .owner = 1234567, .group = 7, .modified = 2000})
        .add({.name = "ping",
              .content = "p",
              .mode = 0755,
              .extended = {{"SCHILY.xattr.security.capability", capability},
                           {"SCHILY.xattr.user.note", "hello"},
                           {"SCHILY.xattr.trusted.overlay.redirect", "/etc"},
                           {"SCHILY.xattr.user.overlay.opaque", "y"}}})
        .add({.name = "l", .type = '2', .link = "/etc/passwd", .owner = 8, .modified = 3000})
        .add({.name = "fifo", .type = '6', .mode = 0600})
        .add({.name = "null", .type = '3', .mode = 0666, .major = 1, .minor = 3})
        .hard_link("same", "d/su");
    const std::string root = unpack(tar);
    const struct stat folder_status = status_of(root + "/d");
    EXPECT_EQ(folder_status.st_mode, S_IFDIR | 01777U);
    EXPECT_EQ(folder_status.st_uid, 5U);
    EXPECT_EQ(folder_status.st_mtime, 1000);
    const struct stat file_status = status_of(root + "/d/su");
    EXPECT_EQ(file_status.st_mode, S_IFREG | 04755U);
    EXPECT_EQ(file_status.st_uid, 1234567U);
    EXPECT_EQ(file_status.st_gid, 7U);
    EXPECT_EQ(file_status.st_mtime, 2000);
    EXPECT_EQ(status_of(root + "/same").st_ino, file_status.st_ino);
    EXPECT_EQ(attribute(root + "/ping", "security.capability"), capability);
    EXPECT_EQ(attribute(root + "/ping", "user.note"), "hello");
    EXPECT_EQ(attribute(root + "/ping", "trusted.overlay.redirect"), "(none)");
    EXPECT_EQ(attribute(root + "/ping", "user.overlay.opaque"), "(none)");
    EXPECT_EQ(status_of(root + "/l").st_uid, 8U);
    EXPECT_EQ(status_of(root + "/l").st_mtime, 3000);
    EXPECT_TRUE(S_ISFIFO(status_of(root + "/fifo").st_mode));
    EXPECT_EQ(status_of(root + "/null").st_rdev, makedev(1, 3));
    EXPECT_EQ(status_of(root + "/null").st_mode, S_IFCHR | 0666U);
    EXPECT_EQ(status_of(settings.directory).st_mode, S_IFDIR | 0700U);
}

TEST_F(ImagesUnpack, TurnsWhiteoutsIntoThoseOfOverlayfs) {
    Tar tar;
    tar.directory("d").file("d/.wh..wh..opq", "").file("d/kept").file(".wh.gone", "").file("a/.wh.b", "");
    tar.file(".wh..wh.plnk", "");
    const std::string root = unpack(tar);
    EXPECT_TRUE(is_opaque(root + "/d"));
    EXPECT_TRUE(is_whiteout(root + "/gone"));
    EXPECT_TRUE(is_whiteout(root + "/a/b"));
    EXPECT_EQ(tree(root), (std::vector<std::string>{"a", "a/b", "d", "d/kept", "gone"}));
}

TEST_F(ImagesUnpack, HidesOnlyWhatIsBelow) {
    Tar tar;
    tar.directory("d").file("d/mine").file(".wh.d", "").file("f", "mine").file(".wh.f", "");
    tar.file(".wh.again", "").directory("again").file(".wh.file", "").file("file", "new");
    const std::string root = unpack(tar);
    EXPECT_TRUE(is_opaque(root + "/d"));
    EXPECT_TRUE(std::filesystem::exists(root + "/d/mine"));
    EXPECT_EQ(read_text(root + "/f"), "mine");
    EXPECT_TRUE(is_opaque(root + "/again"));
    EXPECT_EQ(read_text(root + "/file"), "new");
}

TEST_F(ImagesUnpack, RefusesWhiteoutsOfNoName) {
    expect_refused(Tar().file(".wh...", "").bytes(), "hides no name");
    expect_refused(Tar().file("a/.wh..", "").bytes(), "hides no name");
    expect_refused(Tar().file(".wh.", "").bytes(), "hides no name");
    expect_refused(Tar().directory(".wh.d").bytes(), "named as a whiteout");
}

TEST_F(ImagesUnpack, RefusesToClimbOut) {
    for (const std::string& name : {std::string("../evil"), std::string("a/../../evil"), std::string(".."),
                                    std::string("a/.."), std::string("/../evil")}) {
        expect_refused(Tar().file(name).bytes(), "..");
        expect_refused(Tar().directory(name).bytes(), "..");
        expect_refused(Tar().file("a").hard_link("b", name).bytes(), "..");
        expect_refused(Tar().symbolic_link(name, "x").bytes(), "..");
    }
}

TEST_F(ImagesUnpack, TakesAbsoluteNamesAsBelowTheRoot) {
    Tar tar;
    tar.file("/abs", "1").file("//twice//abs", "2").file("./dot/./abs", "3").hard_link("/link", "/abs");
    const std::string root = unpack(tar);
    EXPECT_EQ(tree(root), (std::vector<std::string>{"abs", "dot", "dot/abs", "link", "twice", "twice/abs"}));
}

TEST_F(ImagesUnpack, WritesThroughNoSymbolicLink) {
    const std::string outside = folder / "outside";
    std::filesystem::create_directory(outside);
    write_text(outside + "/victim", "untouched");
    const std::string up = "../../../../outside";
    for (const std::string& target : {outside, up, std::string("/"), std::string(".")}) {
        expect_refused(Tar().symbolic_link("l", target).file("l/new").bytes(), "symbolic link");
        expect_refused(Tar().symbolic_link("l", target).directory("l/new").bytes(), "symbolic link");
        expect_refused(Tar().symbolic_link("l", target).symbolic_link("l/new", "x").bytes(), "symbolic link");
        expect_refused(Tar().symbolic_link("l", target).file("l/.wh.victim", "").bytes(), "symbolic link");
        expect_refused(Tar().symbolic_link("l", target).file("l/.wh..wh..opq", "").bytes(), "symbolic link");
        expect_refused(Tar().symbolic_link("l", target).hard_link("h", "l/victim").bytes(),
                       "no file of the same");
        expect_refused(Tar().directory("a").symbolic_link("a/l", target).file("a/l/b/c").bytes(),
                       "symbolic link");
    }
    EXPECT_EQ(tree(outside), std::vector<std::string>{"victim"});
    EXPECT_EQ(read_text(outside + "/victim"), "untouched");
}

TEST_F(ImagesUnpack, ReplacesALinkInsteadOfFollowingIt) {
    write_text(folder / "victim", "untouched");
    Tar tar;
    tar.symbolic_link("l", folder / "victim").file("l", "mine", 0600);
    tar.symbolic_link("d", folder.path()).directory("d", 0700).file("d/victim", "inside");
    tar.symbolic_link("h", folder / "victim").hard_link("g", "h").file("g", "new");
    const std::string root = unpack(tar);
    EXPECT_EQ(read_text(folder / "victim"), "untouched");
    EXPECT_EQ(read_text(root + "/l"), "mine");
    EXPECT_TRUE(S_ISDIR(status_of(root + "/d").st_mode));
    EXPECT_TRUE(S_ISLNK(status_of(root + "/h").st_mode));
    EXPECT_EQ(read_text(root + "/g"), "new");
}

TEST_F(ImagesUnpack, LinksOnlyWithinTheLayer) {
    expect_refused(Tar().hard_link("passwd", "/etc/passwd").bytes(), "no file of the same layer");
    expect_refused(Tar().hard_link("a", "a").bytes(), "no file of the same layer");
    expect_refused(Tar().directory("d").hard_link("a", "d").bytes(), "no file of the same layer");
    expect_refused(Tar().hard_link("a", "").bytes(), "no known type");
}

TEST_F(ImagesUnpack, LetsALaterEntryReplaceAnEarlierOne) {
    Tar tar;
    tar.file("f", "old").file("f", "new").directory("d").file("d/x").file("d", "file now");
    tar.file("e", "file").directory("e").file("e/inside").directory("k").file("k/a").directory("k", 0711);
    const std::string root = unpack(tar);
    EXPECT_EQ(read_text(root + "/f"), "new");
    EXPECT_EQ(read_text(root + "/d"), "file now");
    EXPECT_TRUE(std::filesystem::exists(root + "/e/inside"));
    EXPECT_TRUE(std::filesystem::exists(root + "/k/a"));
    EXPECT_EQ(status_of(root + "/k").st_mode, S_IFDIR | 0711U);
}

TEST_F(ImagesUnpack, RefusesImpossiblePaths) {
    std::string deep;
    for (int level = 0; level < 200; ++level) deep += "d/";
    const auto named = [](const std::string& name) {
        return Tar().add({.name = "short", .content = "x", .extended = {{"path", name}}}).bytes();
    };
    expect_refused(named(deep + "f"), "too deep");
    expect_refused(named(std::string(300, 'n')), "longer than 255");
    expect_refused(named(std::string(5000, '/') + "f"), "too long");
    expect_refused(Tar().file("f").file("f/g").bytes(), "no directory");
    expect_refused(Tar().symbolic_link("l", "").bytes(), "impossible name");
}

TEST_F(ImagesUnpack, RefusesOwnersThatMeanSomethingElse) {
    Tar tar;
    tar.add({.name = "f", .content = "x", .extended = {{"uid", "4294967295"}}});
    expect_refused(tar.bytes(), "owner");
}

TEST_F(ImagesUnpack, RefusesHugeSizes) {
    settings.limits.layer_bytes = 1U << 20U;
    expect_refused(Tar().add({.name = "f", .size_field = "77777777777"}).bytes(), "larger than");
    const std::string negative("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", 12);
    expect_refused(Tar().add({.name = "f", .size_field = negative}).bytes(), "");
    Tar many;
    for (int index = 0; index < 3; ++index) many.file(std::to_string(index), std::string(400'000, 'x'));
    expect_refused(many.bytes(), "too large");
}

TEST_F(ImagesUnpack, RefusesTooManyEntries) {
    settings.limits.layer_entries = 10;
    Tar tar;
    for (int index = 0; index < 11; ++index) tar.directory("same");
    expect_refused(tar.bytes(), "more than 10 entries");
}

TEST_F(ImagesUnpack, RefusesBombs) {
    settings.limits.ratio_free_bytes = 1U << 20U;
    open();
    const std::string layer = Tar().file("zeros", std::string(std::size_t(16) << 20U, '\0')).bytes();
    Tar archive;
    archive.file("0.tar", gzip(layer)).file("config.json", config_of({layer}));
    archive.file("manifest.json", R"([{"Config": "config.json", "RepoTags": ["b"], "Layers": ["0.tar"]}])");
    const auto [code, message] = failure([&] { load_bytes(archive.bytes()); });
    EXPECT_EQ(code, Code::invalid);
    EXPECT_NE(message.find("bombs"), std::string::npos) << message;
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
    // The same with the archive around it compressed instead.
    const std::string around = gzip(docker_archive({layer}, "b"));
    EXPECT_NE(failure([&] { load_bytes(around); }).second.find("bombs"), std::string::npos);
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
}

TEST_F(ImagesUnpack, KeepsHolesAsHoles) {
    Tar tar;
    const std::string map = "1\n1048576\n4\n";
    tar.add({.name = "GNUSparseFile.0/sparse",
             .content = map + std::string(512 - map.size(), '\0') + "data",
             .extended = {{"GNU.sparse.major", "1"},
                          {"GNU.sparse.minor", "0"},
                          {"GNU.sparse.name", "sparse"},
                          {"GNU.sparse.realsize", "4194304"}}});
    const std::string root = unpack(tar);
    const struct stat status = status_of(root + "/sparse");
    EXPECT_EQ(status.st_size, 4194304);
    EXPECT_LT(status.st_blocks, 200);
    EXPECT_EQ(read_text(root + "/sparse").substr(1048576, 4), "data");
}

TEST_F(ImagesUnpack, KeepsNamesAsTheyAre) {
    Tar tar;
    tar.add({.name = "x", .content = "1", .extended = {{"path", "gr\xc3\xbc\xc3\x9f"}}}).file("raw\xff\xfe");
    const std::string root = unpack(tar);
    EXPECT_TRUE(std::filesystem::exists(root + "/gr\xc3\xbc\xc3\x9f"));
    EXPECT_TRUE(std::filesystem::exists(root + "/raw\xff\xfe"));
}

TEST_F(ImagesUnpack, TakesALayerThatEndsWithTheLastByteOfItsLastFile) {
    const std::string content(700, 'x');
    const std::string layer = Tar().file("first").file("last", content).unfinished_bytes();
    const std::string cut = layer.substr(0, layer.size() - (1024 - content.size()));
    expect_refused(cut.substr(0, cut.size() - 1), "no whole tar");
    const std::string root = load_layers({cut}).at(0);
    EXPECT_EQ(read_text(root + "/last"), content);
}

TEST_F(ImagesUnpack, RefusesTruncatedLayers) {
    const std::string whole = Tar().file("f", std::string(5000, 'x')).bytes();
    expect_refused(whole.substr(0, 2000), "no whole tar");
    const std::string packed = gzip(whole);
    Tar archive;
    archive.file("0.tar", packed.substr(0, packed.size() / 2)).file("config.json", config_of({whole}));
    archive.file("manifest.json", R"([{"Config": "config.json", "Layers": ["0.tar"]}])");
    EXPECT_EQ(failure([&] { load_bytes(archive.bytes()); }).first, Code::invalid);
    std::string damaged = Tar().file("a").file("b").bytes();
    damaged[1024] ^= 1;
    expect_refused(damaged, "no whole tar");
    expect_refused("this is no tar" + std::string(2000, '?'), "no whole tar");
}

TEST_F(ImagesUnpack, RefusesALayerThatIsNotWhatTheConfigSays) {
    open();
    Tar archive;
    archive.file("0.tar", Tar().file("other").bytes())
        .file("config.json", config_of({Tar().file("said").bytes()}));
    archive.file("manifest.json", R"([{"Config": "config.json", "Layers": ["0.tar"]}])");
    const auto [code, message] = failure([&] { load_bytes(archive.bytes()); });
    EXPECT_EQ(code, Code::invalid);
    EXPECT_NE(message.find("as its config says"), std::string::npos) << message;
    EXPECT_TRUE(tree(settings.directory + "/layers").empty());
}

TEST_F(ImagesUnpack, RefusesABlobThatIsNotWhatItsNameSays) {
    open();
    const std::string archive = Tar()
                                    .file("blobs/sha256/" + std::string(64, 'a'), "{\"not\": \"that\"}")
                                    .file("index.json", "{}")
                                    .bytes();
    EXPECT_NE(failure([&] { load_bytes(archive); }).second.find("other content"), std::string::npos);
    EXPECT_NE(failure([&] { load_bytes("no archive at all"); }).second.find("no whole image archive"),
              std::string::npos);
    EXPECT_NE(failure([&] { load_bytes(Tar().file("a").bytes()); }).second.find("neither"),
              std::string::npos);
}

TEST_F(ImagesUnpack, TakesEmptyAndUnfinishedLayers) {
    const auto layers = load_layers({Tar().bytes(), Tar().file("a").unfinished_bytes(), Tar().bytes()});
    EXPECT_EQ(tree(layers[1]), std::vector<std::string>{"a"});
    EXPECT_TRUE(tree(layers[0]).empty());
    EXPECT_TRUE(tree(layers[2]).empty());
}

TEST_F(ImagesUnpack, MakesDirectoriesThatNobodyDescribedLikeThoseBelow) {
    Tar base;
    base.add({.name = "./", .type = '5', .mode = 0711})
        .add({.name = "home", .type = '5', .mode = 0700, .owner = 42});
    const auto layers = load_layers({base.bytes(), Tar().file("home/new/f").bytes()});
    EXPECT_EQ(status_of(layers[1] + "/home").st_mode, S_IFDIR | 0700U);
    EXPECT_EQ(status_of(layers[1] + "/home").st_uid, 42U);
    EXPECT_EQ(status_of(layers[1]).st_mode, S_IFDIR | 0711U);
    EXPECT_EQ(status_of(layers[1] + "/home/new").st_mode, S_IFDIR | 0755U);
}

// The layers as a container sees them, mounted in a mount namespace of a process of its own; 77 when that
// cannot be.
int look_through_overlay(const std::vector<std::string>& layers, const std::string& place,
                         const std::function<bool(const std::string&)>& is_right) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::string options = "lowerdir=";
        for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer)
            options += (layer == layers.rbegin() ? "" : ":") + *layer;
        if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("keelson-test", place.c_str(), "overlay", MS_RDONLY, options.c_str()) != 0)
            ::_exit(77);
        ::_exit(is_right(place) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(ImagesUnpack, StacksAsOverlayfsShowsIt) {
    const std::string base =
        Tar().directory("d").file("d/a").file("d/b").directory("o").file("o/old").file("gone").bytes();
    const std::string middle = Tar().file("d/.wh.a", "").file(".wh.gone", "").file("new").bytes();
    const std::string top = Tar().directory("o").file("o/.wh..wh..opq", "").file("o/young").bytes();
    const auto layers = load_layers({base, middle, top});
    std::filesystem::create_directory(folder / "merged");
    const int result = look_through_overlay(layers, folder / "merged", [](const std::string& merged) {
        return tree(merged) == std::vector<std::string>{"d", "d/b", "new", "o", "o/young"};
    });
    if (result == 77) GTEST_SKIP() << "mount namespaces and overlayfs are needed";
    EXPECT_EQ(result, 0);
}

TEST_F(ImagesUnpack, SurvivesDamageAnywhere) {
    open();
    Tar layer;
    layer.directory("d")
        .file("d/f", "content")
        .symbolic_link("l", "d")
        .hard_link("h", "d/f")
        .file(".wh.x", "");
    layer.add(
        {.name = "p", .content = "x", .extended = {{"path", "long/er/name"}, {"SCHILY.xattr.user.a", "b"}}});
    const std::string archive = docker_archive({layer.bytes()}, "damaged");
    const std::string packed = gzip(archive);
    std::minstd_rand random(7);
    int refused = 0;
    for (int round = 0; round < 400; ++round) {
        std::string bytes = round % 4 == 0 ? packed : archive;
        for (std::size_t changes = 1 + random() % 4; changes > 0; --changes)
            bytes[random() % bytes.size()] = char(random());
        if (round % 5 == 0) bytes.resize(random() % bytes.size());
        const auto [code, message] = failure([&] {
            for (const auto& image : load_bytes(bytes).images) store->remove(image.image_id);
        });
        EXPECT_TRUE(code == Code(0) || code == Code::invalid) << round << ": " << message;
        refused += code == Code::invalid ? 1 : 0;
    }
    EXPECT_GT(refused, 100);
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
    EXPECT_TRUE(tree(settings.directory + "/layers").empty());
}

}  // namespace
}  // namespace keelson::oci
