#include "sockets.h"

#include <arpa/inet.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>

namespace keelson::userspace {
namespace {

constexpr int backlog = 4096;

[[noreturn]] void fail(const char* doing) {
    const Code code =
        errno == EMFILE || errno == ENFILE || errno == ENOMEM ? Code::exhausted : Code::internal;
    throw Error(code, std::string("cannot ") + doing + ": " + std::strerror(errno));
}

void set_option(const Descriptor& socket, int level, int option, int value = 1) {
    if (::setsockopt(socket.get(), level, option, &value, sizeof value) != 0) fail("set a socket's option");
}

Descriptor make(int family, int type) {
    Descriptor socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) fail("open a socket");
    if (family == AF_INET6) set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY);
    return socket;
}

void bind_to(const Descriptor& socket, int family, std::uint16_t port) {
    SocketAddress address(End{Address{.family = family}, port});
    if (::bind(socket.get(), address.get(), address.size) != 0) fail("bind a socket");
}

}  // namespace

SocketAddress::SocketAddress(const End& end) {
    if (end.address.family == AF_INET) {
        auto& four = reinterpret_cast<sockaddr_in&>(storage);
        four.sin_family = AF_INET;
        four.sin_port = htons(end.port);
        std::memcpy(&four.sin_addr, end.address.bytes.data(), sizeof four.sin_addr);
        size = sizeof four;
    } else {
        auto& six = reinterpret_cast<sockaddr_in6&>(storage);
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(end.port);
        std::memcpy(&six.sin6_addr, end.address.bytes.data(), sizeof six.sin6_addr);
        size = sizeof six;
    }
}

End SocketAddress::end() const {
    End end;
    end.address.family = storage.ss_family == AF_INET6 ? AF_INET6 : AF_INET;
    if (end.address.family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(storage);
        end.port = ntohs(four.sin_port);
        std::memcpy(end.address.bytes.data(), &four.sin_addr, sizeof four.sin_addr);
    } else {
        const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
        end.port = ntohs(six.sin6_port);
        std::memcpy(end.address.bytes.data(), &six.sin6_addr, sizeof six.sin6_addr);
    }
    return end;
}

Descriptor listen_tcp(int family, std::uint16_t port, bool is_shared) {
    Descriptor socket = make(family, SOCK_STREAM);
    set_option(socket, SOL_SOCKET, SO_REUSEADDR);
    if (is_shared) set_option(socket, SOL_SOCKET, SO_REUSEPORT);
    // Accepted ones have it from here.
    set_option(socket, IPPROTO_TCP, TCP_NODELAY);
    bind_to(socket, family, port);
    if (::listen(socket.get(), backlog) != 0) fail("listen");
    return socket;
}

Descriptor bind_udp(int family) {
    Descriptor socket = make(family, SOCK_DGRAM);
    if (family == AF_INET)
        set_option(socket, IPPROTO_IP, IP_PKTINFO);
    else
        set_option(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO);
    bind_to(socket, family, 0);
    return socket;
}

std::uint16_t port_of(const Descriptor& socket) {
    SocketAddress address;
    if (::getsockname(socket.get(), address.get(), &address.size) != 0) fail("ask for a socket's port");
    return address.end().port;
}

std::optional<End> original_destination(int socket, int family) {
    SocketAddress address;
    const int level = family == AF_INET ? int(SOL_IP) : int(SOL_IPV6);
    const int option = family == AF_INET ? int(SO_ORIGINAL_DST) : int(IP6T_SO_ORIGINAL_DST);
    address.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (::getsockopt(socket, level, option, address.get(), &address.size) != 0) return std::nullopt;
    return address.end();
}

int begin_connecting(const End& end, int type, Descriptor& socket) {
    socket = Descriptor(::socket(end.address.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return errno;
    const int on = 1;
    if (type == SOCK_STREAM) ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    SocketAddress address(end);
    if (::connect(socket.get(), address.get(), address.size) == 0 || errno == EINPROGRESS) return 0;
    return errno;
}

int error_of(const Descriptor& socket) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

void reset_on_close(const Descriptor& socket) {
    const linger now{1, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace keelson::userspace
