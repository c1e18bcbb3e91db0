#include "specification.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "capabilities.h"
#include "devices.h"
#include "files.h"
#include "seccomp.h"

namespace keelson::oci {
namespace {

constexpr const char* default_path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::int64_t default_period_us = 100'000;
constexpr const char* masked[] = {"/proc/asound",
                                  "/proc/acpi",
                                  "/proc/kcore",
                                  "/proc/keys",
                                  "/proc/latency_stats",
                                  "/proc/timer_list",
                                  "/proc/timer_stats",
                                  "/proc/sched_debug",
                                  "/proc/scsi",
                                  "/sys/firmware",
                                  "/sys/devices/virtual/powercap"};
constexpr const char* read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                     "/proc/sysrq-trigger"};

// --- the process ---

std::vector<std::string> words(const runtime::CreateContainer& request, const ImageConfig& image) {
    std::vector<std::string> words = request.command.empty() ? image.entrypoint : request.command;
    const bool takes_image_args = request.args.empty() && request.command.empty();
    const std::vector<std::string>& args = takes_image_args ? image.command : request.args;
    words.insert(words.end(), args.begin(), args.end());
    if (words.empty())
        throw Error(Code::invalid, "neither the container nor its image says what to run", "command");
    return words;
}

// Later ones win, in the place of the first.
class Environment {
  public:
    void set(const std::string& assignment) {
        const std::string name = assignment.substr(0, assignment.find('='));
        const auto [found, is_new] = places_.emplace(name, list_.size());
        if (is_new) {
            list_.push_back(assignment);
        } else {
            list_[found->second] = assignment;
        }
    }
    [[nodiscard]] const std::vector<std::string>& list() const { return list_; }

  private:
    std::vector<std::string> list_;
    std::map<std::string, std::size_t> places_;
};

std::string hostname_of(const runtime::RunSandbox& sandbox) {
    if (!sandbox.hostname.empty()) return sandbox.hostname;
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    return name;
}

Json environment(const runtime::CreateContainer& request, const ImageConfig& image, const User& user,
                 const Surroundings& around) {
    Environment all;
    all.set(default_path);
    all.set("HOSTNAME=" + hostname_of(around.sandbox));
    if (request.tty) all.set("TERM=xterm");
    for (const std::string& assignment : image.environment) all.set(assignment);
    for (const runtime::Variable& variable : request.environment) {
        if (variable.name.empty() || variable.name.find('=') != std::string::npos)
            throw Error(Code::invalid, "'" + variable.name + "' is no name of a variable", "environment");
        all.set(variable.name + "=" + variable.value);
    }
    Json list = all.list();
    const auto is_home = [](const std::string& one) { return one.starts_with("HOME="); };
    if (std::ranges::none_of(all.list(), is_home)) list.push_back("HOME=" + user.home);
    return list;
}

// Who may not lower it keeps what it has: a container that starts is worth more than one that dies later.
std::int64_t oom_score(std::int64_t wanted) {
    if (own_capabilities().contains("CAP_SYS_RESOURCE")) return wanted;
    const std::string own = read_file("/proc/self/oom_score_adj").value_or("0");
    return std::max(wanted, std::int64_t(std::strtoll(own.c_str(), nullptr, 10)));
}

Json process(const runtime::CreateContainer& request, const ImageConfig& image, const User& user,
             const Surroundings& around) {
    const Json capabilities = capabilities_for(request.security);
    std::string directory =
        request.working_directory.empty() ? image.working_directory : request.working_directory;
    if (directory.empty()) directory = "/";
    if (directory.front() != '/')
        throw Error(Code::invalid, "the working directory must begin with /", "workingDirectory");
    Json process = {{"terminal", request.tty},
                    {"user", {{"uid", user.user}, {"gid", user.group}, {"additionalGids", user.groups}}},
                    {"args", words(request, image)},
                    {"env", environment(request, image, user, around)},
                    {"cwd", directory},
                    {"capabilities",
                     {{"bounding", capabilities}, {"effective", capabilities}, {"permitted", capabilities}}},
                    {"noNewPrivileges", request.security.no_new_privileges}};
    if (request.resources.oom_score_adjustment)
        process["oomScoreAdj"] = oom_score(*request.resources.oom_score_adjustment);
    return process;
}

// --- mounts ---

Json mount(const char* path, const char* type, const char* source, const Json& options) {
    return {{"destination", path}, {"type", type}, {"source", source}, {"options", options}};
}

Json own_mounts(const runtime::CreateContainer& request, const Surroundings& around) {
    const char* writable = request.security.privileged ? "rw" : "ro";
    const std::string shared = around.shared_memory.empty() ? "/dev/shm" : around.shared_memory;
    Json mounts = Json::array(
        {mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
         mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
         mount("/dev/pts", "devpts", "devpts",
               {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
         mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
         mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", writable}),
         mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", writable}),
         mount("/dev/shm", "bind", shared.c_str(), {"rbind", "nosuid", "noexec", "nodev", "rw"})});
    if (!around.hostname_file.empty())
        mounts.push_back(mount("/etc/hostname", "bind", around.hostname_file.c_str(),
                               {"rbind", "rprivate", request.security.read_only_root ? "ro" : "rw"}));
    return mounts;
}

const char* propagation_option(const std::string& propagation) {
    if (propagation == "bidirectional") return "rshared";
    if (propagation == "hostToContainer") return "rslave";
    if (propagation == "private" || propagation.empty()) return "rprivate";
    throw Error(Code::invalid, "there is no propagation '" + propagation + "'", "mounts.propagation");
}

Json mounts(const runtime::CreateContainer& request, const Surroundings& around) {
    Json all = own_mounts(request, around);
    for (const runtime::Mount& wanted : request.mounts) {
        if (wanted.path.empty() || wanted.path.front() != '/' || wanted.source.empty())
            throw Error(Code::invalid, "a mount needs a source, and a path that begins with /", "mounts");
        std::erase_if(all.get_ref<Json::array_t&>(),
                      [&](const Json& own) { return own["destination"] == wanted.path; });
        all.push_back(
            mount(wanted.path.c_str(), "bind", wanted.source.c_str(),
                  {"rbind", propagation_option(wanted.propagation), wanted.read_only ? "ro" : "rw"}));
    }
    return all;
}

std::string root_propagation(const runtime::CreateContainer& request) {
    std::string propagation = "rprivate";
    for (const runtime::Mount& mount : request.mounts) {
        if (mount.propagation == "bidirectional") return "rshared";
        if (mount.propagation == "hostToContainer") propagation = "rslave";
    }
    return propagation;
}

// --- the rest ---

Json namespaces(const runtime::CreateContainer& request, const Surroundings& around) {
    const std::string directory = "/proc/" + std::to_string(around.shim) + "/ns/";
    Json list = Json::array({{{"type", "mount"}}});
    const auto join = [&](const char* type, const std::string& path) {
        list.push_back({{"type", type}, {"path", path}});
    };
    if (around.sandbox.namespaces.network != "host") {
        join("network", directory + "net");
        join("uts", directory + "uts");
    }
    if (around.sandbox.namespaces.ipc != "host") join("ipc", directory + "ipc");
    if (around.processes_of > 0) {
        join("pid", "/proc/" + std::to_string(around.processes_of) + "/ns/pid");
    } else if (around.sandbox.namespaces.pid != "host") {
        list.push_back({{"type", "pid"}});
    }
    if (!request.security.privileged) list.push_back({{"type", "cgroup"}});
    return list;
}

Json seccomp(const runtime::Security& security) {
    if (security.privileged || !security.seccomp || security.seccomp->type == "Unconfined") return {};
    if (security.seccomp->type == "RuntimeDefault") return default_seccomp(capabilities_for(security));
    if (security.seccomp->type != "Localhost")
        throw Error(Code::invalid, "there is no kind of profile '" + security.seccomp->type + "'",
                    "security.seccomp.type");
    const auto text = read_file(security.seccomp->path);
    if (!text)
        throw Error(Code::invalid, "the seccomp profile " + security.seccomp->path + " cannot be read",
                    "security.seccomp.path");
    Json profile = Json::parse(*text, nullptr, false);
    if (!profile.is_object())
        throw Error(Code::invalid, "the seccomp profile " + security.seccomp->path + " is not a JSON object",
                    "security.seccomp.path");
    return profile;
}

Json linux_part(const runtime::CreateContainer& request, const Surroundings& around) {
    const runtime::Security& security = request.security;
    Json part = {{"cgroupsPath", "/" + around.cgroup},
                 {"namespaces", namespaces(request, around)},
                 {"resources", specify_resources(request.resources)},
                 {"rootfsPropagation", root_propagation(request)}};
    specify_devices(request, part);
    if (Json profile = seccomp(security); !profile.is_null()) part["seccomp"] = std::move(profile);
    if (security.masked_paths) {
        part["maskedPaths"] = *security.masked_paths;
    } else if (!security.privileged) {
        part["maskedPaths"] = masked;
    }
    if (security.read_only_paths) {
        part["readonlyPaths"] = *security.read_only_paths;
    } else if (!security.privileged) {
        part["readonlyPaths"] = read_only;
    }
    return part;
}

}  // namespace

Json specify_resources(const runtime::Resources& resources) {
    Json cpu = Json::object();
    Json memory = Json::object();
    Json result = Json::object();
    if (resources.cpu_shares) cpu["shares"] = *resources.cpu_shares;
    if (resources.cpu_quota_microseconds) {
        cpu["quota"] = *resources.cpu_quota_microseconds;
        cpu["period"] = resources.cpu_period_microseconds.value_or(default_period_us);
    }
    if (resources.memory_limit_bytes) memory["limit"] = *resources.memory_limit_bytes;
    if (resources.memory_swap_limit_bytes) memory["swap"] = *resources.memory_swap_limit_bytes;
    if (!cpu.empty()) result["cpu"] = std::move(cpu);
    if (!memory.empty()) result["memory"] = std::move(memory);
    if (resources.process_limit) result["pids"] = {{"limit", *resources.process_limit}};
    return result;
}

Json specify(const runtime::CreateContainer& request, const ImageConfig& image, const User& user,
             const Surroundings& around) {
    return {{"ociVersion", "1.0.2"},
            {"process", process(request, image, user, around)},
            {"root", {{"path", around.root}, {"readonly", request.security.read_only_root}}},
            {"mounts", mounts(request, around)},
            {"linux", linux_part(request, around)}};
}

Json specify_execution(const Json& specification, const std::vector<std::string>& command, bool terminal) {
    Json process = specification.at("process");
    process["args"] = command;
    process["terminal"] = terminal;
    if (terminal) process["env"].push_back("TERM=xterm");
    return process;
}

}  // namespace keelson::oci
