#include "kernel/plugin/cgroups.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "kernel/base/files.h"

namespace keelson::plugin {
namespace {

constexpr const char* kRoot = "/sys/fs/cgroup";
constexpr int kKillRounds = 50;
constexpr std::int64_t kCpuPeriodUs = 100'000;
// Half of what everybody else gets when all want to run: a plugin in a loop slows the kernel little.
constexpr const char* kCpuWeight = "50";   // version 2; the default is 100
constexpr const char* kCpuShares = "512";  // version 1; the default is 1024

// False with errno when it cannot be written.
bool write_value(const std::string& path, const std::string& value) {
    const base::FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return file && ::write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

bool make_directory(const std::string& path) {
    return ::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST;
}

std::string cpu_quota_us(const Limits& limits) {
    return std::to_string(std::int64_t{limits.cpu_millis} * kCpuPeriodUs / 1000);
}

// Version 2: one directory; controllers must be switched on from the root down.
bool make_unified(const std::string& name, const Limits& limits, std::string& directory) {
    const std::string parent = std::string(kRoot) + "/keelson";
    if (!write_value(std::string(kRoot) + "/cgroup.subtree_control", "+memory +pids +cpu")) return false;
    if (!make_directory(parent) || !write_value(parent + "/cgroup.subtree_control", "+memory +pids +cpu"))
        return false;
    directory = parent + "/" + name;
    if (!make_directory(directory)) return false;
    write_value(directory + "/memory.max",
                limits.memory_bytes == 0 ? "max" : std::to_string(limits.memory_bytes));
    write_value(directory + "/memory.swap.max", limits.memory_bytes == 0 ? "max" : "0");
    write_value(directory + "/pids.max", limits.processes == 0 ? "max" : std::to_string(limits.processes));
    write_value(directory + "/cpu.weight", kCpuWeight);
    write_value(directory + "/cpu.max",
                limits.cpu_millis == 0 ? "max" : cpu_quota_us(limits) + " " + std::to_string(kCpuPeriodUs));
    return true;
}

// Version 1: a directory in each controller's hierarchy.
bool make_separate(const std::string& controller, const std::string& name, std::string& directory) {
    const std::string hierarchy = std::string(kRoot) + "/" + controller;
    if (!base::exists(hierarchy + "/cgroup.procs")) return false;
    const std::string parent = hierarchy + "/keelson";
    directory = parent + "/" + name;
    return make_directory(parent) && make_directory(directory);
}

void limit_separate(const std::string& controller, const std::string& directory, const Limits& limits) {
    if (controller == "memory") {
        write_value(directory + "/memory.limit_in_bytes",
                    limits.memory_bytes == 0 ? "-1" : std::to_string(limits.memory_bytes));
    } else if (controller == "pids") {
        write_value(directory + "/pids.max",
                    limits.processes == 0 ? "max" : std::to_string(limits.processes));
    } else {
        write_value(directory + "/cpu.shares", kCpuShares);
        write_value(directory + "/cpu.cfs_period_us", std::to_string(kCpuPeriodUs));
        write_value(directory + "/cpu.cfs_quota_us", limits.cpu_millis == 0 ? "-1" : cpu_quota_us(limits));
    }
}

bool kill_once(const std::string& directory) {
    const auto list = base::read_file(directory + "/cgroup.procs", 1 << 20);
    if (!list || list->empty()) return false;
    const char* at = list->data();
    const char* end = at + list->size();
    while (at < end) {
        pid_t process = 0;
        const auto parsed = std::from_chars(at, end, process);
        if (parsed.ec == std::errc() && process > 1) ::kill(process, SIGKILL);
        at = parsed.ptr + 1;
    }
    return true;
}

}  // namespace

PluginCgroup PluginCgroup::make(const std::string& name, const Limits& limits) {
    PluginCgroup group;
    std::string directory;
    if (base::exists(std::string(kRoot) + "/cgroup.controllers")) {
        if (make_unified(name, limits, directory)) {
            group.directories_.push_back(directory);
            return group;
        }
        group.missing_ = std::string("cgroup version 2: ") + std::strerror(errno);
        return group;
    }
    for (const char* controller : {"memory", "pids", "cpu"}) {
        if (make_separate(controller, name, directory)) {
            limit_separate(controller, directory, limits);
            group.directories_.push_back(directory);
        } else {
            group.missing_ += (group.missing_.empty() ? "no cgroup for " : ", ") + std::string(controller);
        }
    }
    return group;
}

void PluginCgroup::kill_all() const {
    if (directories_.empty()) return;
    const std::string& directory = directories_.front();
    if (write_value(directory + "/cgroup.kill", "1")) return;
    // What forks faster than it is killed forks no more.
    for (const std::string& one : directories_)
        if (base::exists(one + "/pids.max")) write_value(one + "/pids.max", "0");
    for (int round = 0; round < kKillRounds && kill_once(directory); ++round) {
    }
}

void PluginCgroup::remove() const {
    for (const std::string& directory : directories_) ::rmdir(directory.c_str());
}

}  // namespace keelson::plugin
