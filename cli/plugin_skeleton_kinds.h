// What a new plugin of each kind begins with. In the texts @NAME@, @CLASS@ and @ID@ stand for the plugin's
// own.
#pragma once

#include <map>
#include <string>

namespace keelson::cli {

struct SkeletonKind {
    const char* source;        // C++17 that builds and keeps the promises of its capabilities
    const char* capabilities;  // as the manifest lists them
    const char* schema;        // of the configuration, for the manifest
    const char* note;          // for the README; may be empty
};

// By the kinds of manifests: all that the SDK has.
const std::map<std::string, SkeletonKind>& skeleton_kinds();

}  // namespace keelson::cli
