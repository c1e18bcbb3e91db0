// Trees of files as tar streams: from this machine, and from others, who are not trusted.
#pragma once

#include <string>
#include <vector>

#include "cli/result.h"

namespace keelson::cli::streams {

// Writes the file or directory `source` to the descriptor; it is called `name` in the archive.
Result<void> pack(int descriptor, const std::string& source, const std::string& name);

struct Unpacked {
    std::size_t files = 0;              // and directories
    std::vector<std::string> warnings;  // about what was left out
};

// Reads an archive from the descriptor to its end. The names of all members begin with `prefix`, and `target`
// takes its place. Nothing is written outside of the target, through no link either: links are left out, as
// are names with "..".
Result<Unpacked> unpack(int descriptor, const std::string& prefix, const std::string& target);

}  // namespace keelson::cli::streams
