#include "tests/plugins/runtime/oci/oci_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace keelson::testing {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds patience(30);

std::int64_t now_us(clockid_t clock) {
    timespec now{};
    ::clock_gettime(clock, &now);
    return std::int64_t(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
}

std::vector<std::string> cgroup_roots() {
    std::vector<std::string> roots;
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);) {
        std::stringstream words(line);
        std::string path;
        for (int word = 0; word < 5; ++word) words >> path;
        if (line.find(" - cgroup") != std::string::npos) roots.push_back(path);
    }
    return roots;
}

void remove_groups(const fs::path& directory) {
    std::error_code ignored;
    if (!fs::is_directory(directory, ignored)) return;
    std::vector<fs::path> below;
    for (const auto& entry : fs::directory_iterator(directory, ignored))
        if (entry.is_directory(ignored)) below.push_back(entry.path());
    for (const fs::path& path : below) remove_groups(path);
    std::ifstream processes(directory / "cgroup.procs");
    for (pid_t process = 0; processes >> process;) ::kill(process, SIGKILL);
    eventually([&] { return ::rmdir(directory.c_str()) == 0 || errno == ENOENT; });
}

}  // namespace

bool eventually(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return true;
}

std::int64_t memory_kb(pid_t process, const std::string& name) {
    std::ifstream sizes("/proc/" + std::to_string(process) + "/smaps_rollup");
    for (std::string line; std::getline(sizes, line);)
        if (line.starts_with(name + ":")) return std::stoll(line.substr(name.size() + 1));
    return 0;
}

std::string read_all(int descriptor) {
    std::string text;
    char piece[65'536];
    for (;;) {
        const ssize_t got = ::read(descriptor, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return text;
        text.append(piece, std::size_t(got));
    }
}

std::string file_text(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// --- the instance ---

Oci::Oci(const std::string& state_directory, const Json& config) {
    plugin::HostServices services;
    services.state_directory = state_directory;
    services.log = [this](int, std::string_view line) {
        const std::lock_guard lock(mutex_);
        log_.emplace_back(line);
    };
    services.metric = [](int, std::string_view, double, std::string_view) {};
    services.event = [](std::string_view) {};
    services.reconcile = [this](std::string_view key) {
        const std::lock_guard lock(mutex_);
        reconciled_.emplace_back(key);
        noted_.notify_all();
    };
    services.monotonic_us = [] { return now_us(CLOCK_MONOTONIC); };
    services.unix_us = [] { return now_us(CLOCK_REALTIME); };
    auto loaded = plugin::load_plugin(OCI_LIBRARY, "dev.keelson.oci", OCI_VERSION, services);
    if (!loaded) throw std::runtime_error(loaded.error().message());
    plugin_ = std::move(*loaded);
    started = invoke(plugin::kStart, config);
}

Oci::~Oci() {
    invoke(plugin::kStop, Json::object());
}

OciAnswer Oci::call(const std::string& method, const Json& request) {
    return invoke(plugin::find_method("keelson.runtime/0", method).value(), request);
}

OciAnswer Oci::invoke(plugin::MethodId method, const Json& request) {
    const std::string text = request.dump();
    plugin::Invocation invocation;
    invocation.method = method;
    invocation.request = text;
    plugin::Outcome outcome = plugin_->invoke(invocation);
    return {outcome.code, Json::parse(outcome.body), std::move(outcome.descriptors)};
}

bool Oci::wait_for_reconcile(const std::string& key) {
    std::unique_lock lock(mutex_);
    const bool came = noted_.wait_for(
        lock, patience, [&] { return std::ranges::find(reconciled_, key) != reconciled_.end(); });
    reconciled_.clear();
    return came;
}

std::vector<std::string> Oci::reconciled() {
    const std::lock_guard lock(mutex_);
    return reconciled_;
}

std::vector<std::string> Oci::log() {
    const std::lock_guard lock(mutex_);
    return log_;
}

std::string make_oci_directory() {
    std::string path =
        (std::getenv("KEELSON_VM") != nullptr ? "/run" : OCI_DIRECTORY) + std::string("/oci-XXXXXX");
    if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("no directory for a test: " + path);
    return path;
}

// --- the test ---

OciTest::OciTest() {
    root_ = make_oci_directory();
    number_ = root_.substr(root_.rfind('-') + 1);
}

void OciTest::SetUp() {
    if (const std::string why = missing_for_oci(); !why.empty()) GTEST_SKIP() << why;
    make_image("box", Json::object());
    start();
    ASSERT_TRUE(oci().started.ok()) << oci().started.message();
}

void OciTest::TearDown() {
    if (oci_ && oci_->started.ok()) {
        const Json sandboxes = oci_->call("list_sandboxes", Json::object()).document["sandboxes"];
        for (const Json& sandbox : sandboxes) {
            const OciAnswer removed = oci_->call("remove_sandbox", {{"sandboxId", sandbox["sandboxId"]}});
            EXPECT_TRUE(removed.ok()) << removed.message();
        }
    }
    stop();
    EXPECT_THAT(leftovers(), ::testing::IsEmpty());
}

OciTest::~OciTest() {
    remove_test_cgroup(cgroup());
    std::error_code ignored;
    fs::remove_all(root_, ignored);
}

Oci& OciTest::start(const Json& config) {
    oci_.reset();
    fs::create_directories(state_directory());
    oci_ = std::make_unique<Oci>(state_directory(), config);
    return *oci_;
}

std::string missing_for_oci() {
    if (::getuid() != 0) return "needs root";
    if (::access("/bin/busybox", X_OK) != 0) return "needs busybox-static";
    if (::access("/usr/bin/crun", X_OK) != 0) return "needs crun";
    return "";
}

void remove_test_cgroup(const std::string& path) {
    for (const std::string& root : cgroup_roots()) remove_groups(root + "/" + path);
}

void make_test_image(const std::string& state_directory, const std::string& name, const Json& config) {
    const std::string image = state_directory + "/data/images/" + name;
    for (const char* directory : {"/0/bin", "/0/proc", "/0/dev", "/0/sys", "/0/tmp", "/1/etc"})
        fs::create_directories(image + directory);
    fs::copy_file("/bin/busybox", image + "/0/bin/busybox");
    for (const char* tool :
         {"sh",   "cat",      "echo",    "id",       "env", "sleep", "true",   "ls",  "mount",
          "tr",   "ln",       "touch",   "hostname", "dd",  "tty",   "stty",   "nc",  "ps",
          "kill", "grep",     "printf",  "head",     "seq", "mkdir", "umount", "pwd", "wc",
          "tail", "readlink", "unshare", "test",     "yes", "stat"})
        fs::create_symlink("busybox", image + "/0/bin/" + tool);
    std::ofstream(image + "/1/etc/passwd")
        << "root:x:0:0::/root:/bin/sh\nweb:x:1234:5678::/home/web:/bin/sh\n";
    std::ofstream(image + "/1/etc/group") << "root:x:0:\nweb:x:5678:\nlogs:x:77:web,other\n";
    std::ofstream(image + "/config.json") << config;
}

Json OciTest::sandbox_request(const std::string& name, const Json& more) const {
    Json request = {
        {"sandboxId", "s-" + name},
        {"pod", {{"name", name}, {"namespace", "default"}, {"uid", "uid-" + name}}},
        {"hostname", name},
        {"logDirectory", root_ + "/logs/" + name},
        {"cgroupParent", cgroup() + "/pod-" + name},
        {"namespaces", {{"network", "pod"}, {"pid", "container"}, {"ipc", "pod"}, {"user", "host"}}}};
    request.merge_patch(more);
    return request;
}

Json OciTest::container_request(const std::string& pod, const std::string& script, const Json& more,
                                const std::string& name) const {
    Json request = {{"sandboxId", "s-" + pod},
                    {"containerId", id_of(pod, name)},
                    {"name", name},
                    {"attempt", 0},
                    {"imageId", "sha256:box"},
                    {"command", {"/bin/sh", "-c", script}},
                    {"args", Json::array()},
                    {"environment", Json::array()},
                    {"mounts", Json::array()},
                    {"resources", Json::object()},
                    {"security", Json::object()},
                    {"logPath", name + ".log"},
                    {"tty", false},
                    {"stdin", false}};
    request.merge_patch(more);
    return request;
}

OciAnswer OciTest::run(const std::string& pod, const std::string& script, const Json& more) {
    if (OciAnswer answer = oci().call("run_sandbox", sandbox_request(pod)); !answer.ok()) return answer;
    if (OciAnswer answer = oci().call("create_container", container_request(pod, script, more)); !answer.ok())
        return answer;
    return oci().call("start_container", {{"containerId", id_of(pod)}});
}

Json OciTest::container(const std::string& pod, const std::string& name) {
    const Json list = oci().call("list_containers", {{"sandboxId", "s-" + pod}}).document["containers"];
    for (const Json& one : list)
        if (one["containerId"] == id_of(pod, name)) return one;
    return Json::object();
}

Json OciTest::wait_for_state(const std::string& pod, const std::string& state, const std::string& name) {
    eventually([&] { return container(pod, name).value("state", "absent") == state; });
    return container(pod, name);
}

std::string OciTest::output_of(const std::string& pod, const std::string& script, const Json& more) {
    const OciAnswer started = run(pod, script, more);
    EXPECT_TRUE(started.ok()) << started.message();
    EXPECT_EQ(wait_for_state(pod, "exited").value("state", "absent"), "exited");
    std::stringstream lines(log_text(pod));
    std::string output;
    for (std::string line; std::getline(lines, line);) {
        const std::size_t tag = line.find(" F ");
        output += (tag == std::string::npos ? line : line.substr(tag + 3)) + "\n";
    }
    EXPECT_TRUE(remove_pod(pod).ok());
    return output;
}

OciAnswer OciTest::stop_container(const std::string& pod, int grace_seconds) {
    return oci().call("stop_container", {{"containerId", id_of(pod)}, {"graceSeconds", grace_seconds}});
}

OciAnswer OciTest::remove_pod(const std::string& pod) {
    return oci().call("remove_sandbox", {{"sandboxId", "s-" + pod}});
}

std::pair<std::string, int> OciTest::execute(const std::string& pod,
                                             const std::vector<std::string>& command) {
    const OciAnswer answer = oci().call("exec", {{"containerId", id_of(pod)},
                                                 {"command", command},
                                                 {"tty", false},
                                                 {"stdin", false},
                                                 {"stdout", true},
                                                 {"stderr", false}});
    if (!answer.ok()) return {answer.message(), -1};
    const std::string output = read_all(answer.descriptors.at(0).get());
    const Json result = Json::parse(read_all(answer.descriptors.at(1).get()), nullptr, false);
    return {output, result.is_object() ? result.value("exitCode", -1) : -1};
}

std::string OciTest::log_text(const std::string& pod, const std::string& name) const {
    return file_text(log_path(pod, name));
}

std::vector<pid_t> OciTest::shims() const {
    std::vector<pid_t> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const std::string where = fs::read_symlink(entry.path() / "cwd", ignored).string();
        if (where.starts_with(state_directory() + "/sandboxes"))
            found.push_back(std::stoi(entry.path().filename().string()));
    }
    return found;
}

std::vector<std::string> OciTest::leftovers() const {
    std::vector<std::string> left;
    for (const std::string& root : cgroup_roots()) {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(root + "/" + cgroup(), ignored))
            if (entry.is_directory(ignored)) left.push_back("cgroup " + entry.path().string());
    }
    std::ifstream mounts("/proc/self/mountinfo");
    for (std::string line; std::getline(mounts, line);)
        if (line.find(root_) != std::string::npos) left.push_back("mount " + line);
    for (const char* directory : {"/sandboxes", "/containers", "/program", "/data/containers"}) {
        std::error_code ignored;
        for (const auto& entry : fs::directory_iterator(state_directory() + directory, ignored))
            left.push_back("directory " + entry.path().string());
    }
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const std::string where = entry.path().string() + "/cwd";
        if (fs::read_symlink(where, ignored).string().starts_with(root_)) left.push_back("process " + where);
    }
    return left;
}

}  // namespace keelson::testing
