// What the kit needs to know of a plugin's manifest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace keelson::check {

struct Manifest {
    std::string id;
    std::string version;
    // 0: it does not say.
    std::uint32_t abi_minimum = 0;
    std::uint32_t abi_maximum = 0;
    std::vector<std::string> capabilities;
    int concurrent_calls = 16;
    std::vector<std::string> privileges;  // capabilities that it keeps when isolated: "SYS_ADMIN"
    bool seccomp = true;
};

// Throws std::runtime_error that says what is wrong with the file.
[[nodiscard]] Manifest read_manifest(const std::string& path);

}  // namespace keelson::check
