// One running copy of a plugin, wherever it runs.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kernel/base/executor.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/plugin/local_plugin.h"
#include "kernel/plugin/protocol.h"

namespace keelson::plugin {

struct InstanceCall {
    MethodId method;
    std::string request;
    std::chrono::milliseconds timeout{60'000};
    std::vector<int> descriptors;  // borrowed until the task has ended
    std::string traceparent;
};

// Thread-safe.
class Instance {
  public:
    virtual ~Instance() = default;
    [[nodiscard]] virtual const MethodSet& methods() const = 0;
    // Of an isolated one; else 0.
    [[nodiscard]] virtual int process_id() const { return 0; }
    // A failure: the plugin has gone or did not answer in time. What the plugin itself says is an Outcome.
    [[nodiscard]] virtual base::Task<base::Result<Outcome>> call(InstanceCall call) = 0;
    // Ends an isolated one at once, whatever it does; others cannot be.
    virtual void kill(const std::string& /*why*/) {}
};

// `services` are called from any thread until the instance has gone.
[[nodiscard]] base::Result<std::shared_ptr<Instance>> make_local_instance(const std::string& library,
                                                                          std::string_view id,
                                                                          std::string_view version,
                                                                          HostServices services,
                                                                          base::Executor& executor);

}  // namespace keelson::plugin
