// What survives: crashes, damage, full disks.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include "images_fixture.h"

namespace keelson::oci {
namespace {

namespace fs = std::filesystem;

class ImagesDurability : public ImagesTest {
  protected:
    std::string layer_of(const std::string& name) {
        const auto held = store->hold(name, "look");
        store->release(name, "look");
        return held.layers.at(0);
    }
    std::string load(const std::string& name, const std::string& content) {
        return load_bytes(docker_archive({Tar().file("f", content).bytes()}, name)).images.at(0).image_id;
    }
    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> all;
        for (const auto& image : store->list().images) all.insert(image.names.begin(), image.names.end());
        return all;
    }
    // The action's answer as an exit code, in a process of its own; -1 when it was killed.
    static int in_child(const std::function<int()>& action) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(action());
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
};

TEST_F(ImagesDurability, DropsOnlyTheDamagedImages) {
    open();
    load("whole", "1");
    load("rootless", "2");
    load("undescribed", "3");
    const std::string id = load("unconfigured", "4");
    fs::remove_all(layer_of("rootless"));
    fs::remove(fs::path(layer_of("undescribed")).parent_path() / "layer.json");
    write_text(settings.directory + "/blobs/sha256/" + id.substr(7), "{}");
    open();
    EXPECT_EQ(names(), std::set<std::string>{"docker.io/library/whole:latest"});
    ASSERT_EQ(warnings.size(), 3U);
    for (const std::string& warning : warnings)
        EXPECT_NE(warning.find("must be pulled again"), std::string::npos) << warning;
    EXPECT_EQ(std::ranges::distance(fs::directory_iterator(settings.directory + "/layers")), 1);
    EXPECT_EQ(std::ranges::distance(fs::directory_iterator(settings.directory + "/blobs/sha256")), 1);
    load("rootless", "2");
    EXPECT_EQ(read_text(layer_of("rootless") + "/f"), "2");
}

TEST_F(ImagesDurability, StartsEmptyWhenItsTableIsDamaged) {
    open();
    load("a", "1");
    write_text(settings.directory + "/images.json", "{\"version\": 1, \"images\": [{");
    open();
    EXPECT_TRUE(store->list().images.empty());
    EXPECT_EQ(warnings.size(), 1U);
    EXPECT_TRUE(tree(settings.directory + "/layers").empty());
    store.reset();
    write_text(settings.directory + "/images.json", "{\"version\": 99}");
    EXPECT_EQ(failure([&] { open(); }).first, Code::unsupported);
}

TEST_F(ImagesDurability, SweepsWhatACrashLeft) {
    open();
    load("a", "1");
    store.reset();
    fs::create_directories(settings.directory + "/tmp/layer-1/root/deep/er");
    write_text(settings.directory + "/tmp/images.json", "half");
    fs::create_directories(settings.directory + "/layers/" + std::string(64, 'a') + "/root");
    write_text(settings.directory + "/blobs/sha256/" + std::string(64, 'b'), "x");
    open();
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
    EXPECT_EQ(std::ranges::distance(fs::directory_iterator(settings.directory + "/layers")), 1);
    EXPECT_EQ(std::ranges::distance(fs::directory_iterator(settings.directory + "/blobs/sha256")), 1);
    EXPECT_TRUE(warnings.empty());
}

TEST_F(ImagesDurability, IsOpenInOneProcessOnly) {
    open();
    const int code =
        in_child([&] { return int(failure([&] { static_cast<void>(make_image_store(settings)); }).first); });
    EXPECT_EQ(code, int(Code::unavailable));
}

TEST_F(ImagesDurability, LeavesNothingBehindOnAFullDisk) {
    const int result = in_child([&] {
        fs::create_directory(settings.directory);
        if (::unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("keelson-test", settings.directory.c_str(), "tmpfs", 0, "size=2m") != 0)
            return 77;
        open();
        const std::string kept = load("kept", "1");
        const auto before = tree(settings.directory);
        const auto [code, message] = failure([&] { load("large", std::string(std::size_t(4) << 20U, 'x')); });
        if (code != Code::exhausted || message.find("No space left") == std::string::npos) return 1;
        if (tree(settings.directory) != before) return 2;
        if (store->list().images.size() != 1) return 3;
        load("small", "2");
        if (store->list().images.size() != 2) return 4;
        // Without any room at all an image can still be removed, and gives its room back.
        const Descriptor filler(
            ::open((settings.directory + "/filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        const std::string piece(4096, 'x');
        while (::write(filler.get(), piece.data(), piece.size()) > 0) {
        }
        if (failure([&] { load("more", "3"); }).first != Code::exhausted) return 5;
        store->remove(kept);
        if (store->list().images.size() != 1) return 6;
        open();
        return store->list().images.size() == 1 ? 0 : 7;
    });
    if (result == 77) GTEST_SKIP() << "mount namespaces and tmpfs are needed";
    EXPECT_EQ(result, 0);
}

TEST_F(ImagesDurability, StaysWholeUnderManyThreads) {
    open();
    const std::string base = Tar().file("base", std::string(50'000, 'b')).bytes();
    const auto work = [&](unsigned seed) {
        std::minstd_rand random(seed);
        const std::string holder = "c" + std::to_string(seed);
        for (int round = 0; round < 40; ++round) {
            const std::string name = "i" + std::to_string(random() % 4);
            const auto [code, message] = failure([&] {
                const auto id =
                    load_bytes(docker_archive({base, Tar().file(name).bytes()}, name)).images.at(0).image_id;
                const auto layers = store->hold(id, holder).layers;
                EXPECT_EQ(read_text(layers.at(0) + "/base").size(), 50'000U);
                EXPECT_EQ(read_text(layers.at(1) + "/" + name), "x");
                store->release(id, holder);
                store->remove(id);
            });
            // Somebody else removed it before it was held, or holds it.
            EXPECT_TRUE(code == Code(0) || code == Code::not_found || code == Code::conflict) << message;
        }
    };
    {
        std::vector<std::jthread> threads;
        for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(work, seed);
    }
    for (const auto& image : store->list().images) store->remove(image.image_id);
    EXPECT_TRUE(tree(settings.directory + "/layers").empty());
    EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
    EXPECT_TRUE(tree(settings.directory + "/blobs/sha256").empty());
    EXPECT_EQ(store->usage().used_bytes, 0);
}

// Loads image after image, and removes every third, saying so each time.
[[noreturn]] void work_until_killed(const std::function<void(int)>& load,
                                    const std::function<void(int)>& remove, int report) {
    for (int index = 0;; ++index) {
        load(index);
        static_cast<void>(::write(report, "+", 1));
        if (index % 3 != 2) continue;
        remove(index - 1);
        static_cast<void>(::write(report, "-", 1));
    }
}

TEST_F(ImagesDurability, LosesNothingWhenItIsKilled) {
    constexpr int rounds = 12;
    std::minstd_rand random(20260101);
    for (int round = 0; round < rounds; ++round) {
        fs::remove_all(settings.directory);
        const auto name = [&](int index) {
            return "r" + std::to_string(round) + "-" + std::to_string(index);
        };
        const auto content = [](int index) { return std::to_string(index) + std::string(20'000, 'x'); };
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            open();
            work_until_killed([&](int index) { load(name(index), content(index)); },
                              [&](int index) { store->remove(name(index)); }, ends[1]);
        }
        ::close(ends[1]);
        // It is killed so many reports and microseconds later.
        char report = 0;
        int loaded = 0;
        int removed = 0;
        const int reports = 1 + int(random() % 8);
        for (int count = 0; count < reports && ::read(ends[0], &report, 1) == 1; ++count)
            ++(report == '+' ? loaded : removed);
        ::usleep(random() % 4000);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        while (::read(ends[0], &report, 1) == 1) ++(report == '+' ? loaded : removed);
        ::close(ends[0]);

        open();
        EXPECT_TRUE(warnings.empty()) << warnings.front();
        EXPECT_TRUE(tree(settings.directory + "/tmp").empty());
        for (int index = 0; index < loaded; ++index) {
            const bool is_removed = index % 3 == 1 && index / 3 < removed;
            const bool may_be_removed = index % 3 == 1 && index / 3 == removed && index + 1 < loaded;
            const bool is_there = store->inspect(name(index)).image.has_value();
            EXPECT_TRUE(may_be_removed || is_there == !is_removed) << name(index);
            EXPECT_TRUE(!is_there || read_text(layer_of(name(index)) + "/f") == content(index))
                << name(index);
        }
        EXPECT_EQ(std::ranges::distance(fs::directory_iterator(settings.directory + "/layers")),
                  std::ptrdiff_t(store->list().images.size()));
        store.reset();
    }
}

}  // namespace
}  // namespace keelson::oci
