// The client over HTTPS. One thread of its own does the waiting for sockets; connections are kept and used
// again.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "kernel/client/client.h"

namespace keelson::client {

struct HttpSettings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6443;
    // PEM; the server must show a certificate for `host` that one of them has signed.
    std::string ca_certificates;
    // false: whoever answers is taken for the server; for what is checked in another way.
    bool checks_server = true;
    // Who is asking: a client certificate or a token.
    std::string certificate;  // PEM
    std::string private_key;  // PEM
    std::string token;
    std::chrono::milliseconds timeout{30'000};  // of one request, and of the start of a watch
    std::size_t most_connections = 64;          // in use at once, watches apart; further requests wait
};

// Fails when the certificates or the key cannot be read. Connects when it is first used; a server that cannot
// be reached fails a call with Reason::service_unavailable. The destructor ends what is under way.
[[nodiscard]] base::Result<std::unique_ptr<Client>> make_http_client(HttpSettings settings);

}  // namespace keelson::client
