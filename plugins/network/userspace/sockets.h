// Sockets as this plugin needs them. Failures throw with the system's reason, or give an error number.
#ifndef KEELSON_USERSPACE_SOCKETS_H
#define KEELSON_USERSPACE_SOCKETS_H

#include <sys/socket.h>

#include "keelson/call.hpp"
#include "routes.h"

namespace keelson::userspace {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_storage);

    SocketAddress() = default;
    explicit SocketAddress(const End& end);
    [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    [[nodiscard]] End end() const;
};

// On all addresses of one family. port 0: whichever. With is_shared others may listen at the same port, and
// each gets a share of the connections.
Descriptor listen_tcp(int family, std::uint16_t port, bool is_shared);
// On all addresses of one family at any port; says with each datagram which address it came to.
Descriptor bind_udp(int family);
std::uint16_t port_of(const Descriptor& socket);

// Where the client has wanted to go before the kernel has sent it here.
std::optional<End> original_destination(int socket, int family);
// Begins to connect; an error number when that has failed already.
int begin_connecting(const End& end, int type, Descriptor& socket);
int error_of(const Descriptor& socket);
// The other side gets a reset.
void reset_on_close(const Descriptor& socket);

}  // namespace keelson::userspace

#endif
