// Connections of this server to others: to pods, to what is behind services, to nodes; with TLS or without.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/api/exchange.h"
#include "kernel/api/io_loop.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

struct ssl_ctx_st;

namespace keelson::api {

// Texts in PEM. Without a CA nobody is asked for proof of who he is.
struct ClientTlsMaterial {
    std::string authority;
    std::string certificate;  // what this side shows; empty: nothing
    std::string private_key;
};

// How to speak TLS to a server. Immutable once made; thread-safe.
class ClientTls {
  public:
    static base::Result<std::shared_ptr<const ClientTls>> create(const ClientTlsMaterial& material);
    ~ClientTls();
    ClientTls(const ClientTls&) = delete;
    ClientTls& operator=(const ClientTls&) = delete;

    [[nodiscard]] bool asks_for_proof() const { return asks_for_proof_; }
    [[nodiscard]] ssl_ctx_st* context() const { return context_; }

  private:
    ClientTls(ssl_ctx_st* context, bool asks_for_proof)
        : context_(context), asks_for_proof_(asks_for_proof) {}
    ssl_ctx_st* context_;
    bool asks_for_proof_;
};

struct OutgoingTarget {
    std::string address;  // "10.0.0.1" or "fd00::1"
    std::uint16_t port = 0;
    std::shared_ptr<const ClientTls> tls;  // null: plain
    // Whom the server's certificate has to name as its subject; empty: whoever the CA has signed.
    std::string common_name;
    // Each for the connection and for the handshake.
    base::Duration dial_patience = std::chrono::seconds(30);

    [[nodiscard]] std::string text() const;  // "10.0.0.1:80", "[fd00::1]:80"
};

// Of its loop's thread. One task reads and one writes at a time.
class OutgoingConnection {
  public:
    // Failures are service_unavailable and read like "dial tcp 10.0.0.1:80: connect: connection refused".
    [[nodiscard]] static base::Task<base::Result<std::shared_ptr<OutgoingConnection>>> dial(
        IoLoop& loop, OutgoingTarget target);
    virtual ~OutgoingConnection() = default;

    // Appends what has come, waiting for it, about `limit_bytes` at most; false at the end.
    virtual base::Task<bool> read(std::string& out, std::size_t limit_bytes) = 0;
    // False: nobody reads any more.
    virtual base::Task<bool> write(std::string_view data) = 0;
    // What is being waited for ends with false, everything afterwards too.
    virtual void close() = 0;
};

}  // namespace keelson::api
