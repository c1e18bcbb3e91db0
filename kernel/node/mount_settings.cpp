#include "kernel/node/mount_settings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "kernel/base/log.h"
#include "kernel/node/pod_references.h"
#include "kernel/node/safe_files.h"
#include "kernel/node/variable_expansion.h"
#include "kernel/object/names.h"

namespace keelson::node {
namespace {

namespace core_v1 = api_types::core_v1;

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;

constexpr int kStackedMounts = 16;

Result<std::string> expanded_sub_path(core_v1::VolumeMount mount, const Environment& environment) {
    if (mount.sub_path_expr().empty()) return std::string(mount.sub_path());
    std::set<std::string> missing;
    std::string path =
        expand_variables(mount.sub_path_expr(), [&](std::string_view name) -> std::optional<std::string> {
            const auto found = environment.find(std::string(name));
            if (found != environment.end() && !found->second.empty()) return found->second;
            missing.emplace(name);
            return std::string();
        });
    if (missing.empty()) return path;
    return Status(Reason::bad_request, fmt::format("missing value for {}", fmt::join(missing, ", ")));
}

Result<std::string> checked_sub_path(core_v1::VolumeMount mount, const Environment& environment) {
    KEELSON_TRY(std::string path, expanded_sub_path(mount, environment));
    if (path.starts_with('/'))
        return Status(Reason::bad_request, "error SubPath `" + path + "` must not be an absolute path");
    for (const std::string_view part : object::split(path, '/'))
        if (part == "..")
            return Status(Reason::bad_request,
                          "unable to provision SubPath `" + path + "`: must not contain '..'");
    return path;
}

std::string propagation_of(core_v1::VolumeMount mount) {
    if (mount.mount_propagation() == "Bidirectional") return "bidirectional";
    return mount.mount_propagation() == "HostToContainer" ? "hostToContainer" : "private";
}

Result<PlannedMount> plan_one(const ContainerSurroundings& surroundings, core_v1::VolumeMount mount,
                              std::size_t index, const Environment& environment) {
    const std::string name(mount.name());
    const auto volume = surroundings.volumes.find(name);
    if (volume == surroundings.volumes.end())
        return Status(Reason::not_found,
                      fmt::format("cannot find volume \"{}\" to mount into container \"{}\"", name,
                                  surroundings.container_name));
    if (mount.recursive_read_only() == "Enabled")
        return Status(Reason::bad_request,
                      fmt::format("volume mount \"{}\": recursive read-only mounts are not supported by the "
                                  "runtime, use recursiveReadOnly: IfPossible",
                                  name));
    PlannedMount planned;
    KEELSON_TRY(planned.sub_path, checked_sub_path(mount, environment));
    planned.mount.source = volume->second.path;
    planned.mount.path = mount.mount_path().starts_with('/') ? std::string(mount.mount_path())
                                                             : "/" + std::string(mount.mount_path());
    planned.mount.is_read_only = mount.read_only() || volume->second.is_read_only;
    planned.mount.propagation = propagation_of(mount);
    if (planned.sub_path.empty()) return planned;
    planned.bind_point = fmt::format("{}/volume-subpaths/{}/{}/{}", surroundings.pod_directory, name,
                                     surroundings.container_name, index);
    planned.failure = fmt::format("failed to prepare subPath for volumeMount \"{}\" of container \"{}\"",
                                  name, surroundings.container_name);
    return planned;
}

// A file of the pod at its usual place, unless the pod mounts something there.
void add_file(MountPlan& plan, const std::string& source, std::string_view path) {
    for (const PlannedMount& planned : plan.mounts)
        if (planned.mount.path == path) return;
    PlannedMount file;
    file.mount.source = source;
    file.mount.path = path;
    plan.mounts.push_back(std::move(file));
}

Result<FileDescriptor> open_sub_path(const PlannedMount& planned) {
    // The volume itself may be a link that the node's owner has made; nothing below it is trusted.
    const FileDescriptor volume(::open(planned.mount.source.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (!volume || ::fstat(volume.get(), &info) != 0)
        return base::system_error("opening " + planned.mount.source, errno);
    return make_beneath(volume.get(), planned.sub_path, info.st_mode & 07777);
}

bool is_same_file(const struct stat& left, const struct stat& right) {
    return left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

// What a bind needs to stand on: an empty directory or file.
Result<void> make_bind_point(const std::string& path, bool is_directory) {
    KEELSON_TRY_VOID(base::make_directory(base::directory_of(path), 0750));
    if (is_directory) return base::make_directory(path, 0750);
    KEELSON_TRY(const FileDescriptor file, base::open_file(path, O_WRONLY | O_CREAT, 0640));
    return {};
}

Result<void> bind_sub_path(const PlannedMount& planned) {
    KEELSON_TRY(const FileDescriptor source, open_sub_path(planned));
    struct stat wanted {
    }, present{};
    if (::fstat(source.get(), &wanted) != 0) return base::system_error("looking at a subPath", errno);
    for (int attempt = 0; ::lstat(planned.bind_point.c_str(), &present) == 0; ++attempt) {
        // From an earlier start of the container.
        if (is_same_file(wanted, present)) return {};
        KEELSON_TRY(const auto mounts, mounts_below(planned.bind_point));
        if (mounts.empty() || attempt == kStackedMounts) break;
        KEELSON_TRY_VOID(unmount(mounts.front()));
    }
    KEELSON_TRY_VOID(remove_tree(planned.bind_point));
    KEELSON_TRY_VOID(make_bind_point(planned.bind_point, S_ISDIR(wanted.st_mode)));
    const std::string from = "/proc/self/fd/" + std::to_string(source.get());
    if (::mount(from.c_str(), planned.bind_point.c_str(), nullptr, MS_BIND, nullptr) != 0)
        return base::system_error("binding to " + planned.bind_point, errno);
    return {};
}

// Anyone in the container may write it, whoever it runs as.
Result<void> make_termination_log(const std::string& path) {
    KEELSON_TRY_VOID(base::make_directory(base::directory_of(path), 0750));
    KEELSON_TRY(const FileDescriptor file, base::open_file(path, O_WRONLY | O_CREAT, 0666));
    if (::fchmod(file.get(), 0666) != 0) return base::system_error("changing the mode of " + path, errno);
    return {};
}

}  // namespace

Result<MountPlan> plan_mounts(const ContainerSurroundings& surroundings, const Environment& environment) {
    const core_v1::Pod pod(surroundings.pod->root());
    const core_v1::Container container = find_container(pod, surroundings.container_name);
    MountPlan plan;
    for (std::size_t index = 0; index < container.volume_mounts().size(); ++index) {
        KEELSON_TRY(PlannedMount planned,
                    plan_one(surroundings, container.volume_mounts()[index], index, environment));
        plan.mounts.push_back(std::move(planned));
    }
    const std::string& directory = surroundings.pod_directory;
    add_file(plan, directory + "/etc-hosts", "/etc/hosts");
    add_file(plan, directory + "/resolv.conf", "/etc/resolv.conf");
    add_file(plan, directory + "/hostname", "/etc/hostname");
    if (!container.termination_message_path().empty()) {
        plan.termination_log =
            termination_log_path(directory, surroundings.container_name, surroundings.attempt);
        add_file(plan, plan.termination_log, container.termination_message_path());
    }
    return plan;
}

Result<std::vector<Mount>> make_mounts(const MountPlan& plan) {
    std::vector<Mount> mounts;
    for (const PlannedMount& planned : plan.mounts) {
        mounts.push_back(planned.mount);
        if (planned.bind_point.empty()) continue;
        if (const auto bound = bind_sub_path(planned); !bound) {
            base::log_warning("a subPath cannot be mounted",
                              {{"path", planned.bind_point}, {"error", bound.error()}});
            return Status(bound.error().reason(), planned.failure);
        }
        mounts.back().source = planned.bind_point;
    }
    if (!plan.termination_log.empty()) KEELSON_TRY_VOID(make_termination_log(plan.termination_log));
    return mounts;
}

std::string termination_log_path(const std::string& pod_directory, const std::string& container_name,
                                 std::int32_t attempt) {
    return fmt::format("{}/containers/{}/{}", pod_directory, container_name, attempt);
}

}  // namespace keelson::node
