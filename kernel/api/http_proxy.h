// Passes a request on to another HTTP server and its answer back, piece by piece; what is upgraded is passed
// on both ways until one side has had enough.
#pragma once

#include <functional>
#include <string>

#include "kernel/api/exchange.h"
#include "kernel/api/outgoing.h"

namespace keelson::api {

struct ProxyTarget {
    OutgoingTarget server;
    std::string path;  // as in a request line: escaped, with its query
    // Answers when the server cannot be reached, or says what nobody understands.
    std::function<void(Exchange& exchange, const std::string& why)> refuse = refuse_service;

    // 503, in Kubernetes' words.
    static void refuse_service(Exchange& exchange, const std::string& why);
};

// Credentials of this API server's clients are not passed on. Connections are HTTP/1.1, of one request each.
[[nodiscard]] base::Task<void> proxy_http(Exchange& exchange, ProxyTarget target);

// The body of the answer to a GET; fails for answers other than 200, longer ones than the limit, and when it
// takes too long. On that loop.
[[nodiscard]] base::Task<base::Result<std::string>> fetch_http(IoLoop& loop, OutgoingTarget target,
                                                               std::string path, std::size_t limit_bytes,
                                                               base::Duration patience);

}  // namespace keelson::api
