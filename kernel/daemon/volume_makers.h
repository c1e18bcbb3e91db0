// The volume plugins of this process as the controllers ask them.
#pragma once

#include <memory>

#include "kernel/control/volume_provisioner.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::daemon {

// The host outlives it.
[[nodiscard]] std::unique_ptr<control::VolumeMakers> make_plugin_volume_makers(plugin::PluginHost& plugins);

}  // namespace keelson::daemon
