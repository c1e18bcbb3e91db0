// What keelson-plugin-host says of itself when somebody has connected. Travels as JSON in a hello frame.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sdk/host_protocol/outcome.h"

namespace keelson::host_protocol {

struct Hello {
    std::uint32_t protocol = 0;
    int process_id = 0;
    std::string id;
    std::string version;
    std::string sha256;
    std::string failure;   // why it cannot serve the plugin; empty: it can
    std::string methods;   // MethodSet::encode()
    bool started = false;  // start has succeeded, stop has not been called
    std::string config;    // what it was started with
    std::string node_name;
};
[[nodiscard]] std::string encode(const Hello& hello);
[[nodiscard]] Result<Hello> decode_hello(std::string_view text);

}  // namespace keelson::host_protocol
