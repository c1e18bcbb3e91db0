// Files of plugins, read so that nobody but root can have written them, and nobody can change them
// afterwards. All calls block.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/base/result.h"

namespace keelson::plugin {

// Opens a regular file for reading. Every component of the absolute path must belong to root or to
// `trusted_user`, must not be writable for group or others (but a sticky directory like /tmp), and must not
// be a symbolic link; a failure names the component.
[[nodiscard]] base::Result<base::FileDescriptor> open_trusted(const std::string& path,
                                                              std::uint32_t trusted_user);
[[nodiscard]] base::Result<std::string> read_trusted(const std::string& path, std::uint32_t trusted_user,
                                                     std::size_t limit_bytes);

// In hexadecimal.
[[nodiscard]] std::string sha256_of(std::string_view content);

struct PrivateCopy {
    std::string path;
    std::string sha256;  // of the copy
    // What it exports besides keelson_plugin.
    std::vector<std::string> extra_symbols;
};
// Copies the library into `directory` (made when missing, mode 0700) under a name that has not been there
// before. Fails unless it is an ELF shared object for this machine that exports keelson_plugin.
[[nodiscard]] base::Result<PrivateCopy> copy_library(const std::string& path, const std::string& directory,
                                                     std::uint32_t trusted_user);

}  // namespace keelson::plugin
