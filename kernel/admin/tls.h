// The server's side of TLS.
#pragma once

#include <memory>
#include <optional>

#include "kernel/access/authentication.h"
#include "kernel/admin/admin.h"
#include "kernel/base/result.h"

namespace Poco::Net {
class Context;
class SecureStreamSocket;
}  // namespace Poco::Net

namespace keelson::admin {

using TlsContext = std::shared_ptr<Poco::Net::Context>;

// TLS 1.2 and 1.3 without resumption. Client certificates are asked for; a bad one does not end the
// handshake, so that its owner gets an answer that says what is wrong with it.
[[nodiscard]] base::Result<TlsContext> make_tls_context(const TlsMaterial& material);

// What the client showed in the handshake that has just ended.
[[nodiscard]] std::optional<access::ClientCertificate> shown_certificate(
    const Poco::Net::SecureStreamSocket& socket);

}  // namespace keelson::admin
