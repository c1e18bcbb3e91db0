// Passes a request on to another HTTP server and its answer back, piece by piece.
#pragma once

#include <string>

#include "kernel/api/exchange.h"

namespace keelson::api {

struct ProxyTarget {
    std::string address;  // "10.0.0.1" or "fd00::1"
    std::uint16_t port = 0;
    std::string path;  // as in a request line: escaped, with its query
};

// Credentials of this API server's clients are not passed on. Connections are plain HTTP/1.1, of one request
// each, and are not upgraded. A server that cannot be reached is answered with 503 in Kubernetes' words.
[[nodiscard]] base::Task<void> proxy_http(Exchange& exchange, ProxyTarget target);

}  // namespace keelson::api
