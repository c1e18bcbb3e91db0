// File work in trees that a pod can write to: by descriptors, never out of the tree, never through a link
// that the pod may have planted. All calls block.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/base/result.h"

namespace keelson::node {

// Opens a relative path beneath a directory. Links that lead somewhere beneath it are followed, those that
// lead out are refused (Reason::forbidden), magic links as well.
[[nodiscard]] base::Result<base::FileDescriptor> open_beneath(int directory, const std::string& path,
                                                              int flags);
// The same, making the directories that are missing with exactly this mode; an existing last part may be
// anything. Gives an O_PATH descriptor.
[[nodiscard]] base::Result<base::FileDescriptor> make_beneath(int directory, const std::string& path,
                                                              mode_t mode);

// Puts a file with this content in place of the one that is there, if any. Readers and a crash of this
// process see the old one or the new one. Does not wait for the disk: for what is made anew after a power
// cut.
[[nodiscard]] base::Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode);

// Removes a directory or file and everything in it. Links are removed, not followed; a mount in it is a
// failure and keeps what is mounted. Nothing there is fine.
[[nodiscard]] base::Result<void> remove_tree(const std::string& path);

// Gives everything in the tree to a group (directories get the setgid bit, what the owner may read and write
// the group may as well); links themselves only, other file systems not at all.
[[nodiscard]] base::Result<void> give_to_group(const std::string& path, gid_t group);

// Where something is mounted at or below a path, the deepest and the latest first, without links in them.
[[nodiscard]] base::Result<std::vector<std::string>> mounts_below(const std::string& path);
// Unmounts what mounts_below() has named; what is busy is detached at once and unmounted by the kernel when
// it is free. Not mounted is fine.
[[nodiscard]] base::Result<void> unmount(const std::string& path);

}  // namespace keelson::node
