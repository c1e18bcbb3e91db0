// A part of a YAML file as JSON, with where it stood. For translation units that use yaml-cpp.
#pragma once

#include <map>
#include <string>

#include "kernel/base/yaml_settings.h"

namespace keelson::plugin {

// JSON pointer ("/disks/0/size") to line, from 1.
using Lines = std::map<std::string, int>;

// Throws base::yaml::SettingsError when it is nested too deeply or an alias blows it up. Plain scalars become
// numbers, booleans and null as JSON writes them.
[[nodiscard]] std::string to_json(const YAML::Node& node, Lines& lines);

}  // namespace keelson::plugin
