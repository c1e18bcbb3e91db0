// Files of the store, always by descriptor: nothing here follows a symbolic link out of the directory it is
// given. Failures are thrown; no space left is Code::exhausted.
#ifndef KEELSON_OCI_FILES_H
#define KEELSON_OCI_FILES_H

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keelson/call.hpp"

namespace keelson::oci {

// "<what>: <why>", from errno.
[[noreturn]] void throw_errno(const std::string& what);

// Opens a path beneath a directory; no symbolic link is followed at any component. -1 with errno.
[[nodiscard]] int open_beneath(int directory, const char* path, int flags) noexcept;

[[nodiscard]] Descriptor open_directory(int parent, const std::string& name);
// Makes it (0700) if it is not there.
[[nodiscard]] Descriptor ensure_directory(int parent, const std::string& name);

// Nothing when it is not there; more than maximum_bytes is Code::invalid.
[[nodiscard]] std::optional<std::string> read_file(int directory, const std::string& name,
                                                   std::size_t maximum_bytes);
void write_all(int file, const char* data, std::size_t size, const std::string& what);
void write_new_file(int directory, const std::string& name, std::string_view bytes);
// The whole new content or the old one, also after a crash: written to temporary, synced, renamed.
void replace_file(int directory, const std::string& name, int temporary_directory,
                  const std::string& temporary_name, std::string_view bytes);
void sync_directory(int directory, const std::string& what);
// The names in it, without "." and "..".
[[nodiscard]] std::vector<std::string> list_directory(int directory);
// A file or a whole tree; fine when it is not there.
void remove_tree(int parent, const std::string& name);

}  // namespace keelson::oci

#endif
