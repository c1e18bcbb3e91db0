// What a directory takes of the disk.
#pragma once

#include <cstdint>
#include <string>

namespace keelson::node {

// Bytes of all below the path, links not followed; what vanishes meanwhile or cannot be read counts nothing.
// Blocks; a bound on the number of files keeps it short, and the sum is then too small.
[[nodiscard]] std::int64_t directory_bytes(const std::string& path);

}  // namespace keelson::node
