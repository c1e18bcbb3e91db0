#include "kernel/base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace keelson::base {
namespace {

Reason reason_of(int error_number) {
    switch (error_number) {
        case ENOENT:
            return Reason::not_found;
        case EEXIST:
            return Reason::already_exists;
        case EACCES:
        case EPERM:
        case ELOOP:
            return Reason::forbidden;
        case ENOSPC:
        case EDQUOT:
            return Reason::service_unavailable;
        default:
            return Reason::internal_error;
    }
}

Status path_error(std::string_view doing, std::string_view path, int error_number) {
    std::string what(doing);
    what += ' ';
    what += path;
    return system_error(what, error_number);
}

Result<void> make_one_directory(const std::string& path, mode_t mode) {
    if (::mkdir(path.c_str(), mode) == 0) return {};
    const int error_number = errno;
    struct stat info {};
    if (error_number == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return path_error("making directory", path, error_number == EEXIST ? ENOTDIR : error_number);
}

}  // namespace

void FileDescriptor::reset() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
}

Status system_error(std::string_view what, int error_number) {
    char buffer[128];
    std::string message(what);
    message += ": ";
    message += ::strerror_r(error_number, buffer, sizeof buffer);
    return {reason_of(error_number), std::move(message)};
}

Result<FileDescriptor> open_file(const std::string& path, int flags, mode_t mode) {
    while (true) {
        const int descriptor = ::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode);
        if (descriptor >= 0) return FileDescriptor(descriptor);
        if (errno != EINTR) return path_error("opening", path, errno);
    }
}

Result<std::uint64_t> file_size(int descriptor, std::string_view path) {
    struct stat info {};
    if (::fstat(descriptor, &info) != 0) return path_error("reading the size of", path, errno);
    return static_cast<std::uint64_t>(info.st_size);
}

Result<void> read_at(int descriptor, void* buffer, std::size_t size, std::uint64_t offset,
                     std::string_view path) {
    auto* to = static_cast<char*>(buffer);
    while (size > 0) {
        const ssize_t count = ::pread(descriptor, to, size, static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return path_error("reading", path, errno);
        if (count == 0) {
            return Status(Reason::internal_error,
                          "reading " + std::string(path) + ": the file ends too early");
        }
        to += count;
        size -= static_cast<std::size_t>(count);
        offset += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<void> write_at(int descriptor, std::string_view content, std::uint64_t offset, std::string_view path) {
    while (!content.empty()) {
        const ssize_t count =
            ::pwrite(descriptor, content.data(), content.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return path_error("writing", path, errno);
        content.remove_prefix(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
    return {};
}

Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) {
    // Follows links: configuration and mounted secrets are commonly reached through them.
    FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return path_error("opening", path, errno);
    std::string content;
    char buffer[16 * 1024];
    while (true) {
        const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return path_error("reading", path, errno);
        if (count == 0) return content;
        if (content.size() + static_cast<std::size_t>(count) > limit_bytes) {
            return Status(Reason::request_entity_too_large, "reading " + path + ": the file is longer than " +
                                                                std::to_string(limit_bytes) + " bytes");
        }
        content.append(buffer, static_cast<std::size_t>(count));
    }
}

Result<void> write_file_atomic(const std::string& path, std::string_view content, mode_t mode) {
    std::string temporary = path + ".XXXXXX";
    FileDescriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!file) return path_error("writing", path, errno);
    auto fail = [&](int error_number) {
        ::unlink(temporary.c_str());
        return path_error("writing", path, error_number);
    };
    if (::fchmod(file.get(), mode) != 0) return fail(errno);
    if (auto written = write_at(file.get(), content, 0, path); !written) {
        ::unlink(temporary.c_str());
        return written;
    }
    if (::fsync(file.get()) != 0) return fail(errno);
    if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(errno);
    return sync_directory(directory_of(path));
}

Result<void> make_directory(const std::string& path, mode_t mode) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        if (path[slash - 1] == '/') continue;
        KEELSON_TRY_VOID(make_one_directory(path.substr(0, slash), mode));
    }
    return make_one_directory(path, mode);
}

bool exists(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0;
}

Result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return path_error("removing", path, errno);
    return {};
}

Result<void> sync_directory(const std::string& path) {
    const FileDescriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return path_error("opening directory", path, errno);
    if (::fsync(directory.get()) != 0) return path_error("syncing directory", path, errno);
    return {};
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

Result<FileLock> FileLock::acquire(const std::string& path) {
    KEELSON_TRY(FileDescriptor file, open_file(path, O_RDWR | O_CREAT, 0600));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return path_error("locking", path, errno);
        char owner[32] = {};
        const ssize_t count = ::pread(file.get(), owner, sizeof owner - 1, 0);
        std::string who =
            count > 0 ? "process " + std::to_string(std::strtol(owner, nullptr, 10)) : "another process";
        return Status(Reason::already_exists, path + " is locked by " + who);
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.get(), 0) != 0) return path_error("writing", path, errno);
    // On a full disk the lock still holds; only the process id is missing from its file.
    (void)!write_at(file.get(), pid, 0, path);
    return FileLock(std::move(file));
}

}  // namespace keelson::base
