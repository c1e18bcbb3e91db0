// What the command line asks for.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "manifest.h"

namespace keelson::check {

struct Options {
    std::string plugin;
    std::optional<Manifest> manifest;
    std::string configuration = "{}";
    bool is_configured = false;  // --config was given
    bool is_isolated = false;
    std::string host_program;
    std::string schema_directory;
    std::vector<std::string> only;
    std::uint64_t seed = 0;
    std::chrono::milliseconds timeout{20000};
    bool is_json = false;
};

}  // namespace keelson::check
