// The network's sinks over plugins.
#pragma once

#include <memory>
#include <string>

#include "kernel/network/sinks.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::network {

// By the plugin's name, which may come and go; the host outlives both.
[[nodiscard]] std::unique_ptr<ServiceProxy> make_plugin_proxy(plugin::PluginHost& plugins, std::string name);
[[nodiscard]] std::unique_ptr<Dns> make_plugin_dns(plugin::PluginHost& plugins, std::string name);

}  // namespace keelson::network
