// One load of a plugin's library: the files, checked and copied, and the instance that came of them.
#pragma once

#include <memory>
#include <string>

#include "kernel/base/executor.h"
#include "kernel/base/pause.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/plugin/instance.h"
#include "kernel/plugin/plugin_host.h"
#include "kernel/plugin/remote_instance.h"

namespace keelson::plugin {

// What a manifest and the operator say together, checked: everything that a load needs.
struct Plan {
    Manifest manifest;
    std::string manifest_path;
    std::string library_path;
    std::string manifest_sha256;
    std::string expected_sha256;  // empty: any
    std::string config;           // normalized JSON
    Isolation isolation = Isolation::process;
    Limits limits;
};

// Blocks. Reads and checks the manifest, the operator's settings against it, and the configuration against
// its schema.
[[nodiscard]] base::Result<Plan> make_plan(const PluginSettings& settings, const std::string& manifest_path,
                                           std::uint32_t trusted_user);

struct Generation {
    Generation() = default;
    Generation(const Generation&) = delete;
    Generation& operator=(const Generation&) = delete;
    ~Generation();  // removes the private copy

    std::uint64_t number = 0;
    Plan plan;
    std::string library_copy;
    std::string sha256;
    std::shared_ptr<Instance> instance;
    std::shared_ptr<RemoteInstance> remote;  // the same, when it is isolated
    std::shared_ptr<ObjectsBroker> objects;  // what it may read; null: none are offered
    bool is_started = false;                 // found running
    // Between two health checks; stopped when nobody is to look at it any more.
    std::shared_ptr<base::Pause> watching = std::make_shared<base::Pause>();
};

struct LoadEnvironment {
    const HostSettings& settings;
    base::Executor& executor;
};

// What the plan's plugin may read of the API; null when the settings have no source.
[[nodiscard]] std::shared_ptr<ObjectsBroker> make_broker(const LoadEnvironment& environment, const Plan& plan,
                                                         std::vector<ObjectAccess> accepted);

// Blocks. The library is copied, checked and loaded, an instance made but not started. `may_adopt`: an
// isolated one of an earlier kernel that runs with the same library and configuration is taken instead;
// others of that name are ended.
[[nodiscard]] base::Result<std::shared_ptr<Generation>> load_generation(const LoadEnvironment& environment,
                                                                        const Plan& plan,
                                                                        HostServices services,
                                                                        bool may_adopt);
// Blocks. Another instance of the same private copy, which the new generation takes over.
[[nodiscard]] base::Result<std::shared_ptr<Generation>> renew_generation(const LoadEnvironment& environment,
                                                                         Generation& old,
                                                                         HostServices services);

}  // namespace keelson::plugin
