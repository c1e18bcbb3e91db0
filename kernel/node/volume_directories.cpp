#include "kernel/node/volume_directories.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "kernel/base/files.h"
#include "kernel/node/safe_files.h"

namespace keelson::node {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;

constexpr mode_t kParentMode = 0750;

Status failure(std::string_view doing, const std::string& path) {
    return base::system_error(std::string(doing) + " " + path, errno);
}

// "<directory>/..<name>": no volume has such a name.
std::string unfinished(const std::string& path) {
    return base::directory_of(path) + "/.." + path.substr(path.rfind('/') + 1);
}

bool is_directory(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<void> mount_memory(const std::string& path, const std::string& options) {
    constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV;
    // Older kernels may not promise that the memory is never swapped out.
    for (const std::string& all : {options + ",noswap", options})
        if (::mount("tmpfs", path.c_str(), "tmpfs", kFlags, all.c_str()) == 0)
            return {};
        else if (errno != EINVAL)
            break;
    return failure("mounting a tmpfs on", path);
}

Result<void> make_file(const std::string& path) {
    KEELSON_TRY_VOID(base::make_directory(base::directory_of(path), 0755));
    KEELSON_TRY(const FileDescriptor file, base::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0644));
    return {};
}

// What a type asks for: {"is not a directory"} and the bits of its mode.
struct HostPathType {
    std::string_view name;
    mode_t format;
    std::string_view complaint;
    bool is_made = false;
};
constexpr HostPathType kTypes[] = {
    {"Directory", S_IFDIR, "is not a directory"},
    {"DirectoryOrCreate", S_IFDIR, "is not a directory", true},
    {"File", S_IFREG, "is not a file"},
    {"FileOrCreate", S_IFREG, "is not a file", true},
    {"Socket", S_IFSOCK, "is not a socket file"},
    {"CharDevice", S_IFCHR, "is not a character device"},
    {"BlockDevice", S_IFBLK, "is not a block device"},
};

}  // namespace

Result<void> make_empty_directory(const std::string& path, std::optional<gid_t> group) {
    if (is_directory(path)) return {};
    KEELSON_TRY_VOID(base::make_directory(base::directory_of(path), kParentMode));
    // Whole or not at all, also when the process is killed on the way.
    const std::string making = unfinished(path);
    KEELSON_TRY_VOID(remove_tree(making));
    KEELSON_TRY_VOID(base::make_directory(making, 0700));
    if (group && ::chown(making.c_str(), static_cast<uid_t>(-1), *group) != 0)
        return failure("changing the group of", making);
    if (::chmod(making.c_str(), group ? 02777 : 0777) != 0) return failure("changing the mode of", making);
    if (::rename(making.c_str(), path.c_str()) != 0) return failure("making directory", path);
    return {};
}

Result<void> make_memory_directory(const std::string& path, const MemoryDirectory& wanted) {
    KEELSON_TRY_VOID(base::make_directory(base::directory_of(path), kParentMode));
    KEELSON_TRY_VOID(base::make_directory(path, 0700));
    KEELSON_TRY(const auto mounts, mounts_below(path));
    if (!mounts.empty()) return {};
    std::string options = fmt::format("mode={:o}", wanted.mode | (wanted.group ? 02000u : 0u));
    if (wanted.group) options += fmt::format(",gid={}", *wanted.group);
    if (wanted.size_bytes) options += fmt::format(",size={}", *wanted.size_bytes);
    return mount_memory(path, options);
}

Result<void> prepare_host_path(const std::string& path, const std::string& type) {
    struct stat info {};
    bool is_there = ::stat(path.c_str(), &info) == 0;
    if (!is_there && errno != ENOENT && errno != ENOTDIR) return failure("looking at", path);
    // As container runtimes do with what is not there.
    if (type.empty()) return is_there ? Result<void>() : base::make_directory(path, 0755);
    for (const HostPathType& known : kTypes) {
        if (known.name != type) continue;
        if (!is_there && known.is_made) {
            auto made = known.format == S_IFDIR ? base::make_directory(path, 0755) : make_file(path);
            if (!made) return made;
            is_there = ::stat(path.c_str(), &info) == 0;
        }
        if (is_there && (info.st_mode & S_IFMT) == known.format) return {};
        return Status(Reason::bad_request,
                      fmt::format("hostPath type check failed: {} {}", path, known.complaint));
    }
    return Status(Reason::bad_request, type + " is an invalid volume type");
}

}  // namespace keelson::node
