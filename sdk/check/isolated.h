// Instances behind keelson-plugin-host, the process that the kernel isolates plugins in.
#pragma once

#include <memory>
#include <string>

#include "options.h"
#include "transport.h"

namespace keelson::check {

// Why plugins cannot be run behind the host process here; empty when they can.
[[nodiscard]] std::string isolation_problem(const Options& options);

// What the host process is told about the plugin.
struct IsolatedPlugin {
    std::string id;
    std::string version;
    std::string directory;        // for its socket
    std::string state_directory;  // of the plugin
};

// A new instance that is not started yet, in a process of its own that ends with this one. Throws
// std::runtime_error. When that process ends by itself the case fails at once, with what was being called.
[[nodiscard]] std::unique_ptr<Transport> make_isolated_transport(const Options& options,
                                                                 const IsolatedPlugin& plugin);

}  // namespace keelson::check
