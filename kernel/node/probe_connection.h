// A connection of a probe: TCP, with TLS that trusts everybody when asked, everything by one deadline.
// Blocks.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/base/files.h"
#include "kernel/base/result.h"

namespace keelson::node {

using Deadline = std::chrono::steady_clock::time_point;

// "10.0.0.1:80", "[fd00::1]:80".
[[nodiscard]] std::string join_host_port(const std::string& host, std::uint16_t port);

// Failures have Reason::timeout when the deadline was over, and the words of Go's net package.
class ProbeConnection {
  public:
    // "dial tcp 10.0.0.1:80: connect: connection refused", "dial tcp 10.0.0.1:80: i/o timeout".
    [[nodiscard]] static base::Result<ProbeConnection> open(const std::string& host, std::uint16_t port,
                                                            Deadline deadline);
    // Whatever certificate the server shows. `name`: what is asked for; an address asks for nothing.
    [[nodiscard]] base::Result<void> start_tls(const std::string& name);
    [[nodiscard]] base::Result<void> write(std::string_view bytes);
    // What is there, waiting for some; zero at the end.
    [[nodiscard]] base::Result<std::size_t> read(char* buffer, std::size_t size);

  private:
    struct FreeTls {
        void operator()(SSL* tls) const { SSL_free(tls); }
    };
    ProbeConnection(base::FileDescriptor socket, Deadline deadline)
        : socket_(std::move(socket)), deadline_(deadline) {}
    [[nodiscard]] base::Result<void> wait(short events);
    [[nodiscard]] base::Result<void> wait_for_tls(int result, std::string_view doing);

    base::FileDescriptor socket_;
    Deadline deadline_;
    std::unique_ptr<SSL, FreeTls> tls_;
};

}  // namespace keelson::node
