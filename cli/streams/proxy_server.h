// A server of this machine that passes requests on to the API server, as the user whom the kubeconfig means.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/http.h"
#include "cli/result.h"
#include "cli/streams/proxy_filter.h"

namespace keelson::cli::streams {

struct ProxyWish {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8001;  // 0: any that is free
    std::string unix_socket;    // instead of both
    std::string api_prefix = "/";
    std::string www;  // a directory of files; empty: none
    std::string www_prefix = "/static/";
    bool appends_server_path = false;
    std::optional<ProxyFilter> filter;  // none: all pass
};

// Listens, tells `on_ready` where, and serves until the process ends.
Result<void> serve_proxy(const Server& server, const ProxyWish& wish,
                         const std::function<void(const std::string& where)>& on_ready);

}  // namespace keelson::cli::streams
