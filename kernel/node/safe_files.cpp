#include "kernel/node/safe_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

namespace keelson::node {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;

constexpr int kDeepest = 1024;
constexpr int kAttempts = 1000;

Status failure(std::string_view doing, const std::string& path) {
    return base::system_error(std::string(doing) + " " + path, errno);
}

std::string joined(const std::string& directory, const std::string& name) {
    std::string path = directory;
    path += '/';
    return path += name;
}

// As openat2(2); fails with errno. Renames elsewhere may ask for another try.
int open_resolved(int directory, const char* path, int flags, std::uint64_t resolve) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = resolve;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const auto opened = static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
        if (opened >= 0 || (errno != EAGAIN && errno != EINTR)) return opened;
    }
    return -1;
}

constexpr std::uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
// Plain directories of one file system only.
constexpr std::uint64_t kStrictly = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

struct CloseDirectory {
    void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

// The names in a directory, which may change meanwhile.
Result<std::vector<std::string>> names_in(int directory, const std::string& path) {
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) return failure("opening", path);
    const Directory listing(::fdopendir(copy));
    if (!listing) {
        ::close(copy);
        return failure("reading", path);
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(listing.get())) {
        const std::string_view name(static_cast<const char*>(entry->d_name));
        if (name != "." && name != "..") names.emplace_back(name);
    }
    return names;
}

Result<void> remove_at(int parent, const std::string& name, const std::string& path, int depth) {
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return {};
        return failure("looking at", path);
    }
    if (!S_ISDIR(info.st_mode)) {
        if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
        return failure("removing", path);
    }
    if (depth > kDeepest) return Status(Reason::internal_error, "removing " + path + ": too deep");
    const FileDescriptor directory(
        open_resolved(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, kStrictly));
    if (!directory) return failure("opening for removal", path);
    KEELSON_TRY(const auto names, names_in(directory.get(), path));
    for (const std::string& inner : names)
        KEELSON_TRY_VOID(remove_at(directory.get(), inner, joined(path, inner), depth + 1));
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
    return failure("removing", path);
}

Result<void> give_one(int descriptor, const std::string& path, gid_t group) {
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) return failure("looking at", path);
    if (::fchown(descriptor, static_cast<uid_t>(-1), group) != 0)
        return failure("changing the group of", path);
    // Changing the owner may have cleared special bits.
    const bool is_directory = S_ISDIR(info.st_mode);
    const mode_t least = is_directory ? 02770 : 0660;
    if (::fchmod(descriptor, (info.st_mode & 07777) | least) != 0)
        return failure("changing the mode of", path);
    return {};
}

Result<void> give_at(int parent, const std::string& name, const std::string& path, gid_t group, int depth) {
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? Result<void>() : failure("looking at", path);
    const bool is_directory = S_ISDIR(info.st_mode);
    if (!is_directory && !S_ISREG(info.st_mode)) {
        if (::fchownat(parent, name.c_str(), static_cast<uid_t>(-1), group, AT_SYMLINK_NOFOLLOW) == 0)
            return {};
        return failure("changing the group of", path);
    }
    if (depth > kDeepest)
        return Status(Reason::internal_error, "changing the group of " + path + ": too deep");
    const FileDescriptor entry(
        open_resolved(parent, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW, kStrictly));
    if (!entry) return errno == EXDEV || errno == ENOENT ? Result<void>() : failure("opening", path);
    KEELSON_TRY_VOID(give_one(entry.get(), path, group));
    if (!is_directory) return {};
    KEELSON_TRY(const auto names, names_in(entry.get(), path));
    for (const std::string& inner : names)
        KEELSON_TRY_VOID(give_at(entry.get(), inner, joined(path, inner), group, depth + 1));
    return {};
}

// Of a line of mountinfo: the fifth field, with its octal escapes undone.
std::string mount_point_of(std::string_view line) {
    for (int skipped = 0; skipped < 4; ++skipped) {
        const std::size_t space = line.find(' ');
        if (space == std::string_view::npos) return {};
        line.remove_prefix(space + 1);
    }
    line = line.substr(0, line.find(' '));
    std::string path;
    for (std::size_t at = 0; at < line.size(); ++at) {
        if (line[at] == '\\' && at + 3 < line.size()) {
            path += static_cast<char>((line[at + 1] - '0') * 64 + (line[at + 2] - '0') * 8 +
                                      (line[at + 3] - '0'));
            at += 3;
        } else {
            path += line[at];
        }
    }
    return path;
}

}  // namespace

Result<FileDescriptor> open_beneath(int directory, const std::string& path, int flags) {
    FileDescriptor opened(open_resolved(directory, path.c_str(), flags, kBeneath));
    if (opened) return opened;
    if (errno == EXDEV) return Status(Reason::forbidden, path + " leads out of the volume");
    return failure("opening", path);
}

Result<FileDescriptor> make_beneath(int directory, const std::string& path, mode_t mode) {
    FileDescriptor parent(::openat(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!parent) return failure("opening the directory of", path);
    for (std::size_t begin = 0; begin < path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string name = path.substr(begin, end - begin);
        begin = end + 1;
        if (name.empty() || name == ".") continue;
        auto opened = open_beneath(directory, path.substr(0, end), O_PATH);
        if (!opened && opened.error().reason() == Reason::not_found) {
            if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) return failure("making directory", path);
            const FileDescriptor made(
                open_resolved(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, kStrictly));
            if (!made || ::fchmod(made.get(), mode) != 0) return failure("making directory", path);
            opened = open_beneath(directory, path.substr(0, end), O_PATH);
        }
        if (!opened) return opened;
        parent = std::move(*opened);
    }
    return parent;
}

Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode) {
    std::string temporary = path + ".XXXXXX";
    const FileDescriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!file) return base::system_error("writing " + path, errno);
    Result<void> written = base::write_at(file.get(), content, 0, path);
    if (written && (::fchmod(file.get(), mode) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0))
        written = base::system_error("writing " + path, errno);
    if (!written) ::unlink(temporary.c_str());
    return written;
}

Result<void> remove_tree(const std::string& path) {
    const FileDescriptor parent(
        ::open(base::directory_of(path).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!parent) return errno == ENOENT ? Result<void>() : failure("opening the directory of", path);
    return remove_at(parent.get(), path.substr(path.rfind('/') + 1), path, 0);
}

Result<void> give_to_group(const std::string& path, gid_t group) {
    // The volume itself may be a mount; what is in it must be on its file system.
    KEELSON_TRY(const FileDescriptor root, base::open_file(path, O_RDONLY | O_DIRECTORY));
    KEELSON_TRY_VOID(give_one(root.get(), path, group));
    KEELSON_TRY(const auto names, names_in(root.get(), path));
    for (const std::string& name : names)
        KEELSON_TRY_VOID(give_at(root.get(), name, joined(path, name), group, 1));
    return {};
}

Result<std::vector<std::string>> mounts_below(const std::string& path) {
    // The kernel names mounts without links.
    const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
    if (!real) return errno == ENOENT ? Result<std::vector<std::string>>() : failure("looking at", path);
    const std::string directory(real.get());
    const FileDescriptor file(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
    if (!file) return failure("opening", "/proc/self/mountinfo");
    std::string text;
    char buffer[16 << 10];
    ssize_t got = 0;
    while ((got = ::read(file.get(), buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR))
        if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
    if (got < 0) return failure("reading", "/proc/self/mountinfo");
    std::vector<std::string> found;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        std::string point = mount_point_of(std::string_view(text).substr(begin, end - begin));
        if (point == directory || point.starts_with(directory + "/")) found.push_back(std::move(point));
        begin = end + 1;
    }
    // Later lines are later mounts; a deeper path is mounted within a shallower one.
    std::reverse(found.begin(), found.end());
    std::stable_sort(found.begin(), found.end(), [](const std::string& left, const std::string& right) {
        return left.size() > right.size();
    });
    return found;
}

Result<void> unmount(const std::string& path) {
    // By its directory, so that nobody can put a link into the way; a descriptor of itself would keep it
    // busy.
    const FileDescriptor parent(
        open_resolved(AT_FDCWD, base::directory_of(path).c_str(), O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS));
    if (!parent) return errno == ENOENT ? Result<void>() : failure("opening the directory of", path);
    const std::string point =
        "/proc/self/fd/" + std::to_string(parent.get()) + "/" + path.substr(path.rfind('/') + 1);
    if (::umount2(point.c_str(), UMOUNT_NOFOLLOW) == 0) return {};
    if (errno == EBUSY && ::umount2(point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
    if (errno == EINVAL || errno == ENOENT) return {};
    return failure("unmounting", path);
}

}  // namespace keelson::node
