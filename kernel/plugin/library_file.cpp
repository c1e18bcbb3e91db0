#include "kernel/plugin/library_file.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "kernel/base/sha256.h"
#include "kernel/plugin/exports.h"

namespace keelson::plugin {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;

constexpr std::size_t kLibraryLimitBytes = std::size_t{512} << 20;

Result<void> check_owner(int descriptor, const std::string& path, std::uint32_t trusted_user) {
    struct stat about {};
    if (::fstat(descriptor, &about) != 0) return base::system_error(path, errno);
    if (about.st_uid != 0 && about.st_uid != trusted_user)
        return Status(Reason::forbidden, path + " does not belong to root: somebody else could change it");
    // In a sticky directory nobody can replace what belongs to root, and everything on the way is looked at.
    const bool sticky = S_ISDIR(about.st_mode) && (about.st_mode & S_ISVTX) != 0 && about.st_uid == 0;
    if ((about.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky)
        return Status(Reason::forbidden, path + " is writable for group or others: run chmod go-w " + path);
    return base::ok();
}

// Opens `name` below the directory without following a link.
Result<FileDescriptor> step(int directory, const std::string& name, int flags, const std::string& path) {
    FileDescriptor next(::openat(directory, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    if (next) return next;
    if (errno == ELOOP || errno == ENOTDIR) {
        struct stat about {};
        if (::fstatat(directory, name.c_str(), &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(about.st_mode))
            return Status(Reason::forbidden, path + " is a symbolic link: name the file itself");
    }
    return base::system_error(path, errno);
}

Result<std::string> read_all(int descriptor, const std::string& path, std::size_t limit_bytes) {
    std::string content;
    char buffer[64 << 10];
    while (true) {
        const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return base::system_error(path, errno);
        if (count == 0) return content;
        content.append(buffer, static_cast<std::size_t>(count));
        if (content.size() > limit_bytes)
            return Status(Reason::bad_request,
                          path + " is larger than " + std::to_string(limit_bytes) + " bytes");
    }
}

Result<void> write_all(int descriptor, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const ssize_t count = ::write(descriptor, content.data(), content.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return base::system_error(path, errno);
        content.remove_prefix(static_cast<std::size_t>(count));
    }
    return base::ok();
}

}  // namespace

Result<FileDescriptor> open_trusted(const std::string& path, std::uint32_t trusted_user) {
    if (path.empty() || path.front() != '/')
        return Status(Reason::bad_request, "'" + path + "' is not an absolute path");
    FileDescriptor at(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!at) return base::system_error("/", errno);
    KEELSON_TRY_VOID(check_owner(at.get(), "/", trusted_user));
    for (std::size_t start = 1; start < path.size();) {
        const std::size_t end = std::min(path.find('/', start), path.size());
        const std::string name = path.substr(start, end - start);
        const std::string so_far = path.substr(0, end);
        start = end + 1;
        if (name.empty() || name == "." || name == "..")
            return Status(Reason::bad_request, "'" + path + "' is not a plain path");
        const bool last = end == path.size();
        KEELSON_TRY(at, step(at.get(), name, last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY, so_far));
        KEELSON_TRY_VOID(check_owner(at.get(), so_far, trusted_user));
    }
    struct stat about {};
    if (::fstat(at.get(), &about) != 0 || !S_ISREG(about.st_mode))
        return Status(Reason::bad_request, path + " is not a regular file");
    return at;
}

Result<std::string> read_trusted(const std::string& path, std::uint32_t trusted_user,
                                 std::size_t limit_bytes) {
    KEELSON_TRY(const FileDescriptor file, open_trusted(path, trusted_user));
    return read_all(file.get(), path, limit_bytes);
}

std::string sha256_of(std::string_view content) {
    return base::hexadecimal(base::sha256_of(content));
}

Result<PrivateCopy> copy_library(const std::string& path, const std::string& directory,
                                 std::uint32_t trusted_user) {
    KEELSON_TRY(const std::string content, read_trusted(path, trusted_user, kLibraryLimitBytes));
    KEELSON_TRY(const Exports exports, read_exports(content));
    if (!exports.has_entry)
        return Status(Reason::bad_request,
                      path + " is not a Keelson plugin: it does not export keelson_plugin");
    KEELSON_TRY_VOID(base::make_directory(directory, 0700));
    PrivateCopy copy;
    copy.extra_symbols = exports.others;
    copy.sha256 = sha256_of(content);
    std::string name = directory + "/" + path.substr(path.rfind('/') + 1) + ".XXXXXX";
    const FileDescriptor file(::mkostemp(name.data(), O_CLOEXEC));
    if (!file) return base::system_error(name, errno);
    copy.path = name;
    auto written = write_all(file.get(), content, name);
    if (written && ::fchmod(file.get(), 0500) != 0) written = base::system_error(name, errno);
    if (!written) {
        ::unlink(name.c_str());
        return std::move(written).error();
    }
    return copy;
}

}  // namespace keelson::plugin
