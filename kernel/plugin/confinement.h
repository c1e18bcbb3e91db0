// What keelson-plugin-host gives up before it loads a plugin.
#pragma once

#include <string>
#include <vector>

#include "kernel/base/result.h"

namespace keelson::plugin {

struct Confinement {
    std::vector<std::string> cgroups;       // directories to join
    std::vector<std::string> capabilities;  // that stay: "SYS_ADMIN"
    bool seccomp = true;
};

// For the calling process, which has one thread yet. Fails when something cannot be given up: then the plugin
// must not be loaded. Without root's rights there is nothing to give up but what a later exec could gain.
[[nodiscard]] base::Result<void> confine(const Confinement& wanted);

}  // namespace keelson::plugin
