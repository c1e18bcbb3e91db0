// One plugin as the rest of the kernel sees it: a name that stays while what is behind it crashes, restarts,
// and is swapped for other versions.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/base/files.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"
#include "kernel/plugin/manifest.h"

namespace keelson::plugin {

enum class State : std::uint8_t {
    disabled,  // by the operator
    waiting,   // for a plugin that it requires
    starting,  // being loaded, or swapped
    ready,
    unhealthy,   // answers, but says or shows that it is not well
    restarting,  // has crashed; comes back after a while
    failed,      // cannot be loaded or started; tried again after a while
};
[[nodiscard]] std::string_view state_text(State state);

// What happened in one method since the plugin was added.
struct MethodStatistics {
    std::string capability;
    std::string method;
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;  // of the call itself or with an error status
    double seconds = 0;          // in all
};

struct RetiredGeneration {
    std::uint64_t number = 0;
    std::string version;
    bool is_loaded = false;  // code that ran in this process stays in it
};

struct Info {
    std::string name;
    std::string id;
    std::string kind;
    std::string version;
    std::string description;
    std::string manifest_path;
    std::string sha256;  // of the running library
    State state = State::starting;
    std::string reason;  // why it is not ready, or what it waits for
    Isolation isolation = Isolation::process;
    int process_id = 0;            // of an isolated one that runs
    std::uint64_t generation = 0;  // counts loads
    std::uint64_t restarts = 0;    // after crashes
    std::uint32_t calls_in_flight = 0;
    std::vector<std::string> capabilities;       // that the running instance has
    std::vector<ObjectAccess> objects_accepted;  // of what its manifest asks for
    std::vector<ObjectAccess> objects_waiting;   // for the operator's acceptance
    std::vector<MethodStatistics> methods;
    std::vector<RetiredGeneration> retired;
    base::WallTime since{};  // of the state
};

struct CallOptions {
    std::chrono::milliseconds timeout{0};  // 0: the plugin's own limit, which no call exceeds
    std::vector<int> descriptors;          // borrowed until the call's task has ended
    std::string traceparent;
};

struct Reply {
    std::string body;  // a JSON document
    std::vector<base::FileDescriptor> descriptors;
};

// Thread-safe.
class Plugin {
  public:
    virtual ~Plugin() = default;

    [[nodiscard]] virtual const std::string& name() const = 0;
    [[nodiscard]] virtual Info info() const = 0;
    // Whether the running instance has the capability, and this method of it.
    [[nodiscard]] virtual bool has(std::string_view capability, std::string_view method = {}) const = 0;

    // Calls a method. Waits while the plugin is being swapped, and for a free place when too many calls are
    // under way. Failures: what the plugin answered; service_unavailable (may be tried again) when it is not
    // there or ended during the call; timeout; method_not_allowed when it has no such method; internal_error
    // when its answer is not what the contract says. In-process calls of short capabilities run on the
    // calling thread, other in-process calls on the pool for blocking work.
    [[nodiscard]] virtual base::Task<base::Result<Reply>> call(std::string_view capability,
                                                               std::string_view method, std::string request,
                                                               CallOptions options) = 0;

    base::Task<base::Result<Reply>> call(std::string_view capability, std::string_view method,
                                         std::string request) {
        return call(capability, method, std::move(request), CallOptions());
    }
};

}  // namespace keelson::plugin
