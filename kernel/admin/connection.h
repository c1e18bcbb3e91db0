// One connection from its first byte to its last.
#pragma once

#include <functional>
#include <memory>

#include "kernel/admin/connections.h"
#include "kernel/admin/context.h"
#include "kernel/admin/tls.h"

namespace Poco::Net {
class StreamSocket;
}  // namespace Poco::Net

namespace keelson::admin {

using ServeConnection = std::function<void(const Poco::Net::StreamSocket&)>;

// Block until the connection has ended; never throw.
void serve_tls(Context& context, const std::shared_ptr<Connections>& connections, const TlsContext& tls,
               const Poco::Net::StreamSocket& plain);
// Only for root and the user of this process.
void serve_local(Context& context, const std::shared_ptr<Connections>& connections,
                 const Poco::Net::StreamSocket& socket);

}  // namespace keelson::admin
