// Small files, directories and trees, for root and against paths that lead elsewhere.
#ifndef KEELSON_OCI_SMALL_FILES_H
#define KEELSON_OCI_SMALL_FILES_H

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "keelson/call.hpp"

namespace keelson::oci {

// Code::internal, or what errno stands for: "doing this: No such file or directory".
[[nodiscard]] Error system_error(const std::string& doing, int error = errno);

// At most `most` bytes; nothing when it cannot be read or is larger.
[[nodiscard]] std::optional<std::string> read_file(const std::string& path, std::size_t most = 1 << 20);
[[nodiscard]] std::optional<std::string> read_file(int file, std::size_t most = 1 << 20);
// The old content or the new one, also when this process ends meanwhile.
void replace_file(const std::string& path, const std::string& text);
// Into a file that is there, such as one of a cgroup; false with errno.
bool write_value(const std::string& path, const std::string& value);
// With its parents; those that it makes have that mode.
void make_directories(const std::string& path, unsigned mode = 0700);
[[nodiscard]] bool exists(const std::string& path);
[[nodiscard]] std::string join(const std::string& directory, const std::string& name);
// Names, without the dots; none when it cannot be read.
[[nodiscard]] std::vector<std::string> list_directory(const std::string& path);
// Links are removed, never followed, and other file systems are left alone. False with errno when something
// is left.
bool remove_tree(const std::string& path);

}  // namespace keelson::oci

#endif
