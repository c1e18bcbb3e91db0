// HTTP probes: one GET over HTTP/1.1, redirects within the host followed.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernel/node/probe.h"
#include "kernel/node/probe_connection.h"

namespace keelson::node {

struct HttpProbe {
    bool is_secure = false;
    std::string host;
    std::uint16_t port = 0;
    std::string path;  // with its query; may lack the slash at its beginning
    std::vector<std::pair<std::string, std::string>> headers;
    std::string user_agent;
};

// Blocks until the deadline at most.
[[nodiscard]] ProbeResult ask_over_http(const HttpProbe& probe, Deadline deadline);

}  // namespace keelson::node
