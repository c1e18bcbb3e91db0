// Parts of settings that manifests and the operator's configuration share. For translation units that use
// yaml-cpp.
#pragma once

#include "kernel/base/yaml_settings.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::plugin {

// All throw base::yaml::SettingsError.
void read_limits(const YAML::Node& node, Limits& limits);
// A list of {apiVersion, resource, verbs}; without verbs: all of them.
void read_objects(const YAML::Node& node, std::vector<ObjectAccess>& objects);
// One entry of plugins.entries in keelsond's configuration.
[[nodiscard]] PluginSettings read_plugin_settings(const YAML::Node& node);

}  // namespace keelson::plugin
