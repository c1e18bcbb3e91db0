// A plugin's code in this process: loads it, makes one instance, calls its methods. Used by the kernel for
// in-process plugins and by keelson-plugin-host for isolated ones. Everything here blocks as long as the
// plugin does.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/base/result.h"
#include "kernel/plugin/objects_service.h"
#include "kernel/plugin/outcome.h"
#include "kernel/plugin/protocol.h"

namespace keelson::plugin {

// What a plugin may ask of its host, behind the C table. Called from any thread.
struct HostServices {
    std::string state_directory;
    std::string node_name;
    std::function<void(int level, std::string_view message)> log;
    std::function<void(int kind, std::string_view name, double value, std::string_view labels_json)> metric;
    std::function<void(std::string_view event_json)> event;
    std::function<void(std::string_view key)> reconcile;
    std::function<std::int64_t()> monotonic_us;
    std::function<std::int64_t()> unix_us;
    std::shared_ptr<ObjectsService> objects;  // null: this host does not offer keelson.host.objects
};

// One call as it reaches the plugin.
struct Invocation {
    MethodId method;
    std::string_view request;
    std::int64_t deadline_us = 0;
    const std::int32_t* cancelled = nullptr;
    std::vector<int> descriptors;  // stay the caller's
    const char* traceparent = "";
};

class LocalPlugin {
  public:
    virtual ~LocalPlugin() = default;  // destroys the instance; the code stays loaded
    [[nodiscard]] virtual const MethodSet& methods() const = 0;
    // kStart and kStop never beside others; all else from any thread.
    virtual Outcome invoke(const Invocation& invocation) = 0;
};

// Loads the library (a private copy) and makes an instance of it. Fails when it is not what the manifest
// says: another id, another version, no common ABI.
[[nodiscard]] base::Result<std::unique_ptr<LocalPlugin>> load_plugin(const std::string& library_path,
                                                                     std::string_view id,
                                                                     std::string_view version,
                                                                     HostServices services);

}  // namespace keelson::plugin
