// The files of configMap, secret, downwardAPI and projected volumes: replaced all at once, as Kubernetes
// does.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>

#include "kernel/base/clock.h"
#include "kernel/base/result.h"

namespace keelson::node {

struct VolumeFile {
    std::string content;
    mode_t mode = 0644;
    std::optional<uid_t> owner;
    bool operator==(const VolumeFile&) const = default;
};

// By relative path: "token", "etc/app.conf".
using VolumeFiles = std::map<std::string, VolumeFile>;

// Makes the directory of a volume have exactly these files: each first component of a path is a link to
// ..data/<component>, and ..data one to a directory with a time stamp for its name, which is renamed over the
// old one when everything is written. Writes nothing when all is as wanted; true: something was written. With
// a group everything belongs to it, and it may read everything. Blocks.
[[nodiscard]] base::Result<bool> write_volume_files(const std::string& directory, const VolumeFiles& files,
                                                    std::optional<gid_t> group, base::WallTime now);

}  // namespace keelson::node
