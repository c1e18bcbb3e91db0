// The inside of keelson-plugin-host: one plugin, one kernel at a time that talks to it over a Unix socket.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernel/base/result.h"

namespace keelson::plugin {

struct HostServerSettings {
    int listener = -1;  // a listening Unix stream socket
    std::string name;
    std::string library;
    std::string id;
    std::string version;
    std::string sha256;
    std::string state_directory;
    std::uint32_t concurrent_calls = 16;
    std::uint32_t orphan_grace_seconds = 600;  // 0: for ever
};

// What the host says of itself when a kernel has connected. Travels as JSON.
struct Hello {
    std::uint32_t protocol = 0;
    int process_id = 0;
    std::string id;
    std::string version;
    std::string sha256;
    std::string failure;   // why the library could not be loaded; empty: it was
    std::string methods;   // MethodSet::encode()
    bool started = false;  // start has succeeded, stop has not been called
    std::string config;    // what it was started with
};
[[nodiscard]] std::string encode(const Hello& hello);
[[nodiscard]] base::Result<Hello> decode_hello(std::string_view text);

// Serves until it is told to leave, or nobody has come for too long. The exit code.
int serve_plugin(HostServerSettings settings);

}  // namespace keelson::plugin
