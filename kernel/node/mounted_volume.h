// Where a volume is on the node.
#pragma once

#include <map>
#include <string>

namespace keelson::node {

struct MountedVolume {
    std::string path;
    bool is_read_only = false;  // whatever the container asks for
    // SELinux labels and block devices are not served.
};
// By the volume's name in the pod.
using MountedVolumes = std::map<std::string, MountedVolume>;

}  // namespace keelson::node
