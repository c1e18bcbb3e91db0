// Where requests come in: a TLS port and a Unix socket, each with its threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "kernel/admin/admin.h"
#include "kernel/admin/connection.h"

namespace keelson::admin {

struct Listening {
    std::string address;
    std::uint16_t port = 0;
    std::string socket_path;  // when given: instead of address and port
    int threads = 1;
    int waiting = 1;
};

class Transport {
  public:
    // Every connection is given to `serve` on a thread of its own.
    static base::Result<std::unique_ptr<Transport>> open(const Listening& where, ServeConnection serve);
    ~Transport();

    [[nodiscard]] std::uint16_t port() const;  // 0 for a Unix socket
    // Takes no more connections; those that wait are closed.
    void stop_accepting();
    // Blocks until every thread has ended.
    void join();

  private:
    struct Impl;
    explicit Transport(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace keelson::admin
