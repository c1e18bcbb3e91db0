// Runtime, images, pod network and volume drivers as plugins have them. Whoever has the capability when a
// call is made is asked; the runtime may be named, so that several can be loaded.
#pragma once

#include <memory>
#include <string>

#include "kernel/node/runtime.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::node {

// The plugin host must outlive what these return. `plugin` empty: the first that has the capability.
[[nodiscard]] std::unique_ptr<Runtime> make_plugin_runtime(plugin::PluginHost& plugins, std::string plugin);
[[nodiscard]] std::unique_ptr<Images> make_plugin_images(plugin::PluginHost& plugins, std::string plugin);
[[nodiscard]] std::unique_ptr<PodNetwork> make_plugin_pod_network(plugin::PluginHost& plugins,
                                                                  std::string plugin);
// A driver is the volume plugin of that name.
[[nodiscard]] std::unique_ptr<VolumeDrivers> make_plugin_volume_drivers(plugin::PluginHost& plugins);

}  // namespace keelson::node
