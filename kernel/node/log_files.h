// The files of one container's log: the one that is written, and the earlier ones beside it, whose names end
// in the time at which they were renamed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/base/result.h"

namespace keelson::node {

// All that are there, the oldest first; compressed ones are not. Blocks.
[[nodiscard]] std::vector<std::string> log_files(const std::string& path);

// One line of a log: "2026-01-02T03:04:05.000000000Z stdout F text".
struct LogLine {
    std::string_view time;
    std::string_view stream;  // "stdout", "stderr"
    bool is_partial = false;  // the text goes on in the next line
    std::string_view text;    // without the end of the line
};
// False when it is no such line.
[[nodiscard]] bool parse_log_line(std::string_view text, LogLine& line);

}  // namespace keelson::node
