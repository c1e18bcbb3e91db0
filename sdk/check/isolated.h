// Instances behind keelson-plugin-host, the process that the kernel isolates plugins in.
#pragma once

#include <memory>
#include <string>

#include "options.h"
#include "transport.h"

namespace keelson::check {

// Why plugins cannot be run behind the host process here; empty when they can.
[[nodiscard]] std::string isolation_problem(const Options& options);

// A new instance that is not started yet. Throws std::runtime_error.
[[nodiscard]] std::unique_ptr<Transport> make_isolated_transport(const Options& options);

}  // namespace keelson::check
