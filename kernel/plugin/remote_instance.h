// A plugin in a process of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/plugin/cgroups.h"
#include "kernel/plugin/instance.h"
#include "kernel/plugin/manifest.h"
#include "kernel/plugin/protocol.h"

namespace keelson::plugin {

struct LaunchSettings {
    std::string program;        // keelson-plugin-host
    std::string run_directory;  // for sockets; exists
    std::string name;
    std::string library;
    std::string id;
    std::string version;
    std::string sha256;
    std::string state_directory;
    std::string node_name;
    Limits limits;
    Privileges privileges;
    std::uint32_t orphan_grace_seconds = 600;
    bool checks_documents = false;
};

class RemoteInstance : public Instance {
  public:
    // How it got here, as the process itself says.
    [[nodiscard]] virtual const Hello& hello() const = 0;
    // Called once, on the executor, when the process has gone without having been asked to.
    virtual void on_lost(std::function<void(std::string why)> callback) = 0;
    // Asks the process to stop the plugin and to end, and ends it when it does not. Blocks up to some
    // seconds.
    virtual void leave() = 0;
    // Lets it run on for another kernel.
    virtual void detach() = 0;
};

// Both block. Failures: it cannot be started, does not introduce itself in time, or could not load the
// library.
[[nodiscard]] base::Result<std::shared_ptr<RemoteInstance>> launch_instance(const LaunchSettings& settings,
                                                                            HostServices services,
                                                                            base::Executor& executor);
// Those of that name that run already, most likely of an earlier kernel. Sockets without a process are
// removed.
[[nodiscard]] std::vector<std::shared_ptr<RemoteInstance>> find_instances(const LaunchSettings& settings,
                                                                          const HostServices& services,
                                                                          base::Executor& executor);

}  // namespace keelson::plugin
