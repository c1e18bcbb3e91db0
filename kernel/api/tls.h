// TLS settings of the server: certificate, key, client CAs. Internal to the room and its tests; no OpenSSL
// headers.
#pragma once

#include <memory>
#include <string>

#include "kernel/api/exchange.h"
#include "kernel/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace keelson::api {

// Texts in PEM. Held only while a context is made of them.
struct TlsMaterial {
    std::string certificate_chain;  // the server's certificate first
    std::string private_key;
    std::string client_ca;  // certificates that may sign client certificates; empty: none are accepted
};

// TLS 1.2 and 1.3, ALPN http/1.1, tickets for resumption, client certificates asked for but not required. A
// bad client certificate does not end the handshake: the request is answered with 401, as Kubernetes does.
// Immutable once made; thread-safe.
class TlsContext {
  public:
    static base::Result<std::shared_ptr<const TlsContext>> create(const TlsMaterial& material);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    // A new server session on a connected, non-blocking socket; null when out of memory. Free with
    // free_session.
    [[nodiscard]] ssl_st* new_session(int fd) const;
    static void free_session(ssl_st* session);

  private:
    explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
    ssl_ctx_st* context_;
};

// What the client showed; null without a certificate. Call after the handshake.
[[nodiscard]] std::shared_ptr<const PeerCertificate> peer_certificate(ssl_st* session);

}  // namespace keelson::api
