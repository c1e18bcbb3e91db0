#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "keelson/error.hpp"

namespace keelson::oci {

void throw_errno(const std::string& what) {
    const int number = errno;
    const std::string text = what + ": " + std::strerror(number);
    switch (number) {
        case ENOSPC:
        case EDQUOT:
            throw Error(Code::exhausted, text + "; remove images or give the disk more room");
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            throw Error(Code::exhausted, text);
        default:
            throw Error(Code::internal, text);
    }
}

int open_beneath(int directory, const char* path, int flags) noexcept {
    open_how how{};
    how.flags = std::uint64_t(flags) | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    return int(::syscall(SYS_openat2, directory, path, &how, sizeof how));
}

Descriptor open_directory(int parent, const std::string& name) {
    Descriptor directory(open_beneath(parent, name.c_str(), O_RDONLY | O_DIRECTORY));
    if (!directory) throw_errno("cannot open the directory " + name + " of the image store");
    return directory;
}

Descriptor ensure_directory(int parent, const std::string& name) {
    if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST)
        throw_errno("cannot make the directory " + name + " of the image store");
    return open_directory(parent, name);
}

std::optional<std::string> read_file(int directory, const std::string& name, std::size_t maximum_bytes) {
    const Descriptor file(open_beneath(directory, name.c_str(), O_RDONLY));
    if (!file && errno == ENOENT) return std::nullopt;
    if (!file) throw_errno("cannot open " + name);
    std::string bytes;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) throw_errno("cannot read " + name);
        if (size == 0) return bytes;
        if (bytes.size() + std::size_t(size) > maximum_bytes)
            throw Error(Code::invalid, name + " is longer than " + std::to_string(maximum_bytes) + " bytes");
        bytes.append(buffer.data(), std::size_t(size));
    }
}

void write_all(int file, const char* data, std::size_t size, const std::string& what) {
    while (size > 0) {
        const ssize_t written = ::write(file, data, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw_errno("cannot write " + what);
        data += written;
        size -= std::size_t(written);
    }
}

namespace {

Descriptor create_file(int directory, const std::string& name) {
    Descriptor file(
        ::openat(directory, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) throw_errno("cannot create " + name);
    return file;
}

void remove_children(int directory);

void remove_entry(int parent, const std::string& name) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR && errno != EPERM) throw_errno("cannot remove " + name);
    {
        const Descriptor directory(
            ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!directory) throw_errno("cannot open " + name + " to remove it");
        remove_children(directory.get());
    }
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
        throw_errno("cannot remove the directory " + name);
}

// As deep as the trees in the store are, which unpacking bounds.
void remove_children(int directory) {
    for (const std::string& name : list_directory(directory)) remove_entry(directory, name);
}

}  // namespace

void write_new_file(int directory, const std::string& name, std::string_view bytes) {
    const Descriptor file = create_file(directory, name);
    write_all(file.get(), bytes.data(), bytes.size(), name);
}

void replace_file(int directory, const std::string& name, int temporary_directory,
                  const std::string& temporary_name, std::string_view bytes) {
    try {
        const Descriptor file = create_file(temporary_directory, temporary_name);
        write_all(file.get(), bytes.data(), bytes.size(), name);
        if (::fdatasync(file.get()) != 0) throw_errno("cannot sync " + name);
        if (::renameat(temporary_directory, temporary_name.c_str(), directory, name.c_str()) != 0)
            throw_errno("cannot rename " + name + " into place");
    } catch (const Error&) {
        ::unlinkat(temporary_directory, temporary_name.c_str(), 0);
        throw;
    }
    sync_directory(directory, name);
}

void sync_directory(int directory, const std::string& what) {
    if (::fsync(directory) != 0) throw_errno("cannot sync the directory of " + what);
}

std::vector<std::string> list_directory(int directory) {
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (copy < 0) throw_errno("cannot open a directory to list it");
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy), ::closedir);
    if (!stream) throw_errno("cannot list a directory");
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get())) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    return names;
}

void remove_tree(int parent, const std::string& name) {
    remove_entry(parent, name);
}

}  // namespace keelson::oci
