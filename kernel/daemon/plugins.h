// Which plugins keelsond runs: what the operator lists, and Keelson's own where the operator says nothing.
#pragma once

#include <string>
#include <vector>

#include "kernel/daemon/config.h"
#include "kernel/plugin/plugin_host.h"

namespace keelson::daemon {

// Plugins that come with Keelson lie in <prefix>/lib/keelson/plugins, seen from the running program. They run
// when they are listed or needed; of what is dropped into DIR/plugins (or plugins.directory) everything runs.
[[nodiscard]] std::string own_plugin_directory();

// The operator's entries, with manifests of Keelson's own plugins filled in; then those that authentication
// needs and nobody has listed: x509, serviceaccount, and token when there is a token file.
// `former_proxies` stay besides the proxy that is wanted, until they have been cleared.
[[nodiscard]] std::vector<plugin::PluginSettings> wanted_plugins(
    const Config& config, const std::vector<std::string>& former_proxies = {});
// Whether there is a plugin of that name, Keelson's own or one that the operator lists.
[[nodiscard]] bool is_available(const Config& config, const std::string& name);

[[nodiscard]] plugin::HostSettings plugin_host_settings(const Config& config,
                                                        const std::string& data_directory);

}  // namespace keelson::daemon
