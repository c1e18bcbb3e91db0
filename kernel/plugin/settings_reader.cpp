#include "kernel/plugin/settings_reader.h"

#include "kernel/plugin/yaml_json.h"

namespace keelson::plugin {

using base::yaml::fail;
using base::yaml::flag_into;
using base::yaml::read_object;
using base::yaml::text_into;

PluginSettings read_plugin_settings(const YAML::Node& node) {
    PluginSettings settings;
    read_object(node, "an entry of 'plugins.entries'",
                {{"name", text_into(settings.name)},
                 {"manifest", text_into(settings.manifest_path)},
                 {"enabled", flag_into(settings.enabled)},
                 {"sha256", text_into(settings.sha256)},
                 {"isolation",
                  [&](const YAML::Node& value, const std::string& key) {
                      const auto text = base::yaml::scalar<std::string>(value, key, "process or in-process");
                      if (text != "process" && text != "in-process")
                          fail(value, "'isolation' must be process or in-process");
                      settings.isolation = text == "process" ? Isolation::process : Isolation::in_process;
                  }},
                 {"config",
                  [&](const YAML::Node& value, const std::string&) {
                      if (!value.IsMap()) fail(value, "'config' must be an object");
                      settings.config = to_json(value, settings.config_lines);
                  }},
                 {"objects", [&](const YAML::Node& value,
                                 const std::string&) { read_objects(value, settings.objects); }},
                 {"limits", [&](const YAML::Node& value, const std::string&) {
                      settings.limits.emplace();
                      read_limits(value, *settings.limits);
                  }}});
    if (settings.name.empty()) fail(node, "an entry of 'plugins.entries' needs a 'name'");
    return settings;
}

}  // namespace keelson::plugin
