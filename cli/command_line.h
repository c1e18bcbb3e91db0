// What the user typed, as something to do.
#pragma once

#include <functional>

#include "cli/result.h"

namespace keelson::cli {

using Command = std::function<Result<void>()>;

// A Failure with exit_usage names what is known. Help and version are commands too.
Result<Command> parse_command_line(int count, const char* const* arguments);

}  // namespace keelson::cli
