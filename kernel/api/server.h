// The HTTPS server: accepts connections, speaks TLS and HTTP/1.1, hands every request to one Handler as an
// Exchange.
//
// A few I/O threads (two by default) own the connections; all of one connection, its handler's task included,
// runs on one of them, so nothing about a connection is locked. Everything is bounded, see ServerLimits.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kernel/api/exchange.h"
#include "kernel/api/tls.h"
#include "kernel/base/executor.h"
#include "kernel/base/result.h"

namespace keelson::api {

struct ServerLimits {
    std::size_t body_bytes = std::size_t{3} << 20;     // 413 above, as kube-apiserver's limit
    std::size_t header_bytes = std::size_t{64} << 10;  // 431 above
    // Of all requests being received or served; 429 above.
    std::size_t buffered_bodies_bytes = std::size_t{192} << 20;
    std::size_t connections = 5000;  // at the limit the longest idle one makes room; with none idle: 429
    std::size_t gzip_from_bytes = std::size_t{128} << 10;
    base::Duration handshake_timeout = std::chrono::seconds(10);
    base::Duration header_timeout =
        std::chrono::seconds(10);  // from a request's first byte to its last header
    base::Duration body_timeout = std::chrono::seconds(60);
    base::Duration idle_timeout = std::chrono::seconds(90);   // between requests
    base::Duration write_timeout = std::chrono::seconds(60);  // without the client taking a byte
};

struct ServerOptions {
    int threads = 2;
    ServerLimits limits;
};

// A bound and listening socket; nobody is accepted until a Server starts on it.
class Listener {
  public:
    // "::" listens on IPv4 too (and on IPv4 alone where there is no IPv6); port 0 picks a free one. Failures
    // say which address and why ("address already in use").
    static base::Result<Listener> open(const std::string& address, std::uint16_t port);
    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&& other) noexcept;
    ~Listener();
    [[nodiscard]] std::uint16_t port() const { return port_; }
    int release();

  private:
    Listener(int fd, std::uint16_t port) : fd_(fd), port_(port) {}
    int fd_;
    std::uint16_t port_;
};

struct ServerStatistics {
    std::size_t connections = 0;
    std::uint64_t accepted = 0;
    std::uint64_t refused = 0;  // for want of room
    std::uint64_t evicted = 0;  // idle ones that made room
    std::uint64_t requests = 0;
    std::uint64_t handshake_failures = 0;
    std::size_t buffered_body_bytes = 0;
};

class Server {
  public:
    // `background` runs blocking work and must outlive the server; the handler is called from the I/O
    // threads.
    Server(Listener listener, std::shared_ptr<const TlsContext> tls, ServerOptions options,
           base::Executor& background, Handler handler);
    ~Server();  // stops without waiting for answers

    void start();
    [[nodiscard]] std::uint16_t port() const;
    // For connections accepted from now on. Thread-safe.
    void set_tls(std::shared_ptr<const TlsContext> tls);
    // Accepts no more, lets whole answers finish, tells streams to end (Exchange::on_close), cuts off what is
    // left after `drain`. Blocks; never call it on an I/O thread. Returns how many connections were cut off.
    std::size_t stop(base::Duration drain);
    [[nodiscard]] ServerStatistics statistics() const;  // thread-safe

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace keelson::api
