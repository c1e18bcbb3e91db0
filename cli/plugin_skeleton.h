// The first files of a vendor's plugin.
#pragma once

#include <string>

#include "cli/commands.h"
#include "cli/result.h"

namespace keelson::cli {

struct PluginSkeleton {
    std::string name;       // "my-disk": of the plugin, its files and its directory
    std::string kind;       // of a manifest: "volume", "network", ...
    std::string vendor;     // "com.example": what its id begins with
    std::string directory;  // where its own is made
};

// Makes DIRECTORY/NAME with a class, a manifest, a CMakeLists.txt and a README; it builds as it is. A
// directory that is there already is left alone, and is a failure.
Result<void> make_plugin_skeleton(const Settings& settings, const PluginSkeleton& wanted);

}  // namespace keelson::cli
