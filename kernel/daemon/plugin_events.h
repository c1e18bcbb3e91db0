// What plugins have to say about Kubernetes objects (the host service `event`) becomes Events of the API,
// with the plugin as their source.
#pragma once

#include <memory>
#include <string>

#include "kernel/base/ids.h"
#include "kernel/client/client.h"

namespace keelson::daemon {

class PluginEvents {
  public:
    // Events are written in the background; the client must outlive this. `node_name` is where they come
    // from.
    [[nodiscard]] static std::unique_ptr<PluginEvents> start(client::Client& client,
                                                             base::RandomSource& random,
                                                             std::string node_name);
    // Writes what was taken, then ends.
    virtual ~PluginEvents() = default;

    // Any thread. What is no event (sdk/include/keelson/host.h) is logged and forgotten.
    virtual void take(const std::string& plugin, const std::string& event_json) = 0;
};

}  // namespace keelson::daemon
