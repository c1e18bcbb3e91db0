#include "cgroups.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string_view>
#include <thread>

#include "files.h"

namespace keelson::oci {
namespace {

constexpr int killing_rounds = 500;
constexpr std::chrono::milliseconds killing_pause(10);
constexpr const char* unified_controllers[] = {"+cpu", "+memory", "+pids", "+io", "+cpuset", "+hugetlb"};
constexpr std::int64_t default_period_us = 100'000;

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::stringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

std::int64_t read_number(const std::string& path) {
    const auto text = read_file(path, 4096);
    return text ? std::strtoll(text->c_str(), nullptr, 10) : 0;
}

// The number after a name, as in memory.stat.
std::int64_t read_named(const std::string& path, std::string_view name) {
    const std::string text = read_file(path, 65'536).value_or("");
    std::stringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ')
            return std::strtoll(line.c_str() + name.size(), nullptr, 10);
    return 0;
}

bool signal_processes(const std::string& directory) {
    std::stringstream list(read_file(directory + "/cgroup.procs").value_or(""));
    bool found = false;
    for (long process = 0; list >> process;)
        found = (process > 1 && ::kill(pid_t(process), SIGKILL) == 0) || found;
    return found;
}

// Groups are directories below; their files are not to be removed.
bool kill_tree(const std::string& directory) {
    bool found = signal_processes(directory);
    for (const std::string& name : list_directory(directory)) {
        struct stat about {};
        const std::string path = join(directory, name);
        if (::lstat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) found = kill_tree(path) || found;
    }
    return found;
}

bool remove_groups(const std::string& directory) {
    if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) return true;
    for (const std::string& name : list_directory(directory)) {
        struct stat about {};
        const std::string path = join(directory, name);
        if (::lstat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode)) remove_groups(path);
    }
    return ::rmdir(directory.c_str()) == 0 || errno == ENOENT;
}

// The kernel's weight for what is said in shares.
std::int64_t weight_of(std::int64_t shares) {
    shares = std::clamp<std::int64_t>(shares, 2, 262'144);
    return 1 + (shares - 2) * 9999 / 262'142;
}

void make_group(const std::string& root, const std::string& path, bool enable) {
    std::string directory = root;
    for (const std::string& part : split(path, '/')) {
        if (enable)
            for (const char* controller : unified_controllers)
                write_value(directory + "/cgroup.subtree_control", controller);
        directory += "/" + part;
        if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
            throw system_error("making the cgroup " + directory);
    }
}

}  // namespace

Cgroups::Cgroups() {
    std::stringstream mounts(read_file("/proc/self/mountinfo", 16 << 20).value_or(""));
    std::string unified_root;
    for (std::string line; std::getline(mounts, line);) {
        const std::size_t dash = line.find(" - ");
        const auto before = split(line.substr(0, dash), ' ');
        const auto after = split(dash == std::string::npos ? "" : line.substr(dash + 3), ' ');
        if (before.size() < 5 || after.size() < 3) continue;
        if (after[0] == "cgroup2" && unified_root.empty()) unified_root = before[4];
        if (after[0] == "cgroup") hierarchies_.push_back({before[4], split(after[2], ',')});
    }
    if (hierarchies_.empty() && !unified_root.empty()) {
        is_unified_ = true;
        hierarchies_.push_back({unified_root, {}});
    }
    if (root_of("pids").empty() || root_of("memory").empty())
        throw Error(Code::unsupported,
                    "no cgroups are mounted that bound memory and processes; mount cgroup2 on "
                    "/sys/fs/cgroup");
}

const std::string& Cgroups::root_of(const char* controller) const {
    static const std::string none;
    for (const Hierarchy& hierarchy : hierarchies_)
        if (is_unified_ ||
            std::ranges::find(hierarchy.controllers, controller) != hierarchy.controllers.end())
            return hierarchy.root;
    return none;
}

std::vector<std::string> Cgroups::accounting(const std::string& path) const {
    std::vector<std::string> directories;
    for (const char* controller : {"pids", "memory", "cpu", "cpuacct"}) {
        const std::string& root = root_of(controller);
        if (root.empty()) continue;
        std::string directory = join(root, path);
        if (std::ranges::find(directories, directory) == directories.end())
            directories.push_back(std::move(directory));
    }
    return directories;
}

std::vector<std::string> Cgroups::all(const std::string& path) const {
    std::vector<std::string> directories = accounting(path);
    for (const Hierarchy& hierarchy : hierarchies_) {
        std::string directory = join(hierarchy.root, path);
        if (std::ranges::find(directories, directory) == directories.end())
            directories.push_back(std::move(directory));
    }
    return directories;
}

void Cgroups::make(const std::string& path) const {
    for (const std::string& directory : accounting(path))
        make_group(directory.substr(0, directory.size() - path.size() - 1), path, is_unified_);
}

std::string Cgroups::kills_file(const std::string& path) const {
    return root_of("memory") + "/" + path + (is_unified_ ? "/memory.events" : "/memory.oom_control");
}

void Cgroups::limit(const std::string& path, const runtime::Resources& resources) const {
    const auto write = [&](const char* controller, const char* name, const std::string& value) {
        const std::string file = root_of(controller) + "/" + path + "/" + name;
        if (!write_value(file, value)) throw system_error("writing " + value + " to " + file);
    };
    const auto number = [](std::int64_t value, const char* without) {
        return value > 0 ? std::to_string(value) : std::string(without);
    };
    const char* without = is_unified_ ? "max" : "-1";
    if (resources.memory_limit_bytes)
        write("memory", is_unified_ ? "memory.max" : "memory.limit_in_bytes",
              number(*resources.memory_limit_bytes, without));
    if (resources.process_limit) write("pids", "pids.max", number(*resources.process_limit, "max"));
    if (resources.cpu_shares && is_unified_)
        write("cpu", "cpu.weight", std::to_string(weight_of(*resources.cpu_shares)));
    if (resources.cpu_shares && !is_unified_)
        write("cpu", "cpu.shares", std::to_string(std::max<std::int64_t>(2, *resources.cpu_shares)));
    if (!resources.cpu_quota_microseconds) return;
    const std::string period = std::to_string(resources.cpu_period_microseconds.value_or(default_period_us));
    const std::string quota = number(*resources.cpu_quota_microseconds, without);
    if (is_unified_) return write("cpu", "cpu.max", quota + " " + period);
    write("cpu", "cpu.cfs_period_us", period);
    write("cpu", "cpu.cfs_quota_us", quota);
}

Consumption Cgroups::consumption(const std::string& path) const {
    const std::string memory = root_of("memory") + "/" + path;
    Consumption used;
    used.processes = read_number(root_of("pids") + "/" + path + "/pids.current");
    std::int64_t inactive = 0;
    if (is_unified_) {
        used.cpu_ns = read_named(memory + "/cpu.stat", "usage_usec") * 1000;
        used.memory_bytes = read_number(memory + "/memory.current");
        inactive = read_named(memory + "/memory.stat", "inactive_file");
    } else {
        used.cpu_ns = read_number(root_of("cpuacct") + "/" + path + "/cpuacct.usage");
        used.memory_bytes = read_number(memory + "/memory.usage_in_bytes");
        inactive = read_named(memory + "/memory.stat", "total_inactive_file");
    }
    used.working_set_bytes = std::max<std::int64_t>(0, used.memory_bytes - inactive);
    return used;
}

bool Cgroups::destroy(const std::string& path) const {
    const std::vector<std::string> directories = all(path);
    for (int round = 0; round < killing_rounds; ++round) {
        bool good = true;
        for (const std::string& directory : directories) good = remove_groups(directory) && good;
        if (good) return true;
        for (const std::string& directory : directories) kill_tree(directory);
        std::this_thread::sleep_for(killing_pause);
    }
    return false;
}

void Cgroups::remove_if_empty(const std::string& path) const {
    for (const std::string& directory : all(path)) ::rmdir(directory.c_str());
}

}  // namespace keelson::oci
