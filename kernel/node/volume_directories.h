// The directories behind emptyDir and hostPath volumes, and the memory that holds files that must not reach a
// disk. All calls block.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "kernel/base/result.h"

namespace keelson::node {

// A directory that everybody may write; with a group it belongs to that. One that is there is left as it is.
[[nodiscard]] base::Result<void> make_empty_directory(const std::string& path, std::optional<gid_t> group);

struct MemoryDirectory {
    mode_t mode = 0777;
    std::optional<gid_t> group;
    std::optional<std::int64_t> size_bytes;  // none: as the system has it
};
// The same in memory (tmpfs). One that is mounted is left as it is.
[[nodiscard]] base::Result<void> make_memory_directory(const std::string& path,
                                                       const MemoryDirectory& wanted);

// Checks, and for some types makes, what a hostPath volume names: "", "Directory", "DirectoryOrCreate",
// "File", "FileOrCreate", "Socket", "CharDevice", "BlockDevice". Failures in Kubernetes' words.
[[nodiscard]] base::Result<void> prepare_host_path(const std::string& path, const std::string& type);

}  // namespace keelson::node
