// Files, with Results. A failure names the path and what the system said; its reason is not_found (ENOENT),
// already_exists (EEXIST), forbidden (EACCES, EPERM, ELOOP), service_unavailable (ENOSPC, EDQUOT) or
// internal_error. All calls block: use them at start-up or inside run_blocking.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "kernel/base/result.h"

namespace keelson::base {

// Owns a file descriptor. Movable; -1 is none.
class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
    FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        if (this != &other) {
            reset();
            descriptor_ = std::exchange(other.descriptor_, -1);
        }
        return *this;
    }
    ~FileDescriptor() { reset(); }

    [[nodiscard]] int get() const { return descriptor_; }
    [[nodiscard]] explicit operator bool() const { return descriptor_ >= 0; }
    [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }
    void reset();

  private:
    int descriptor_ = -1;
};

// The Status for a failed system call: "<what>: <text of error_number>".
[[nodiscard]] Status system_error(std::string_view what, int error_number);

// The whole file; fails when it is longer than limit_bytes.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit_bytes = 64u << 20);
// Writes a temporary file beside the path, syncs it, renames it over the path and syncs the directory:
// readers and crashes see the old content or the new, never a mixture.
[[nodiscard]] Result<void> write_file_atomic(const std::string& path, std::string_view content,
                                             mode_t mode = 0600);
// Makes a directory and its missing parents; an existing directory is left as it is.
[[nodiscard]] Result<void> make_directory(const std::string& path, mode_t mode = 0700);
// True when something is at the path, a dangling symbolic link included.
[[nodiscard]] bool exists(const std::string& path);
// Removes a file; one that is not there is fine.
[[nodiscard]] Result<void> remove_file(const std::string& path);
// Makes renames and removals inside a directory durable.
[[nodiscard]] Result<void> sync_directory(const std::string& path);
// open(2) that does not follow a symbolic link in the last component and does not leak into child processes.
[[nodiscard]] Result<FileDescriptor> open_file(const std::string& path, int flags, mode_t mode = 0600);
[[nodiscard]] Result<std::uint64_t> file_size(int descriptor, std::string_view path);
// Whole reads and writes at an offset, past interruptions and short counts. A read past the end fails.
[[nodiscard]] Result<void> read_at(int descriptor, void* buffer, std::size_t size, std::uint64_t offset,
                                   std::string_view path);
[[nodiscard]] Result<void> write_at(int descriptor, std::string_view content, std::uint64_t offset,
                                    std::string_view path);
// The directory part of a path ("." when there is none).
[[nodiscard]] std::string directory_of(const std::string& path);

// A lock that one process holds as long as the object lives, and that the kernel releases when the process
// dies. The file holds the owner's process id.
class FileLock {
  public:
    FileLock() = default;
    // Fails with Reason::already_exists, naming the owning process, when another process (or this one) holds
    // it.
    [[nodiscard]] static Result<FileLock> acquire(const std::string& path);

  private:
    explicit FileLock(FileDescriptor descriptor) : descriptor_(std::move(descriptor)) {}
    FileDescriptor descriptor_;
};

}  // namespace keelson::base
