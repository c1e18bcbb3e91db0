#include "kernel/node/probe_connection.h"

#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernel/object/addresses.h"
#include "kernel/object/names.h"

namespace keelson::node {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;

// As Go prints them.
std::string text_of(int error_number) {
    char buffer[128];
    return object::lower_case(::strerror_r(error_number, buffer, sizeof buffer));
}

Status timed_out(const std::string& doing) {
    return {Reason::timeout, doing + ": i/o timeout"};
}

Result<void> wait_for(int socket, short events, Deadline deadline) {
    while (true) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        if (left <= 0) return timed_out("waiting");
        pollfd poll{socket, events, 0};
        const int ready = ::poll(&poll, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return Status(Reason::internal_error, text_of(errno));
    }
}

Result<FileDescriptor> connect_to(const addrinfo& address, const std::string& dialing, Deadline deadline) {
    FileDescriptor connecting(
        ::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol));
    if (!connecting) return Status(Reason::internal_error, dialing + ": socket: " + text_of(errno));
    // Many short connections shall not leave many ports waiting.
    const linger brief{1, 1};
    (void)::setsockopt(connecting.get(), SOL_SOCKET, SO_LINGER, &brief, sizeof brief);
    if (::connect(connecting.get(), address.ai_addr, address.ai_addrlen) == 0) return connecting;
    if (errno != EINPROGRESS)
        return Status(Reason::service_unavailable, dialing + ": connect: " + text_of(errno));
    if (const auto waited = wait_for(connecting.get(), POLLOUT, deadline); !waited) return timed_out(dialing);
    int error_number = 0;
    socklen_t size = sizeof error_number;
    (void)::getsockopt(connecting.get(), SOL_SOCKET, SO_ERROR, &error_number, &size);
    if (error_number == 0) return connecting;
    return Status(Reason::service_unavailable, dialing + ": connect: " + text_of(error_number));
}

// One context for all: it holds no secrets and trusts everybody.
SSL_CTX* shared_context() {
    static SSL_CTX* const context = [] {
        SSL_CTX* made = SSL_CTX_new(TLS_client_method());
        if (made) SSL_CTX_set_verify(made, SSL_VERIFY_NONE, nullptr);
        return made;
    }();
    return context;
}

}  // namespace

std::string join_host_port(const std::string& host, std::uint16_t port) {
    const bool needs_brackets = host.find(':') != std::string::npos;
    return (needs_brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ProbeConnection> ProbeConnection::open(const std::string& host, std::uint16_t port,
                                              Deadline deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (failed != 0) return Status(Reason::not_found, "dial tcp: lookup " + host + ": no such host");
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
    const std::string dialing = "dial tcp " + join_host_port(host, port);
    Result<FileDescriptor> connected = timed_out(dialing);
    for (const addrinfo* address = found; address; address = address->ai_next) {
        connected = connect_to(*address, dialing, deadline);
        if (connected) return ProbeConnection(std::move(*connected), deadline);
    }
    return connected.error();
}

Result<void> ProbeConnection::wait(short events) {
    return wait_for(socket_.get(), events, deadline_);
}

// After a call of the library that did not end: waits for what it needs.
Result<void> ProbeConnection::wait_for_tls(int result, std::string_view doing) {
    switch (SSL_get_error(tls_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return wait(POLLIN);
        case SSL_ERROR_WANT_WRITE:
            return wait(POLLOUT);
        default: {
            char buffer[256];
            const unsigned long code = ERR_get_error();
            if (code == 0) return Status(Reason::service_unavailable, "EOF");
            ERR_error_string_n(code, buffer, sizeof buffer);
            return Status(Reason::service_unavailable,
                          "tls: " + std::string(doing) + ": " + static_cast<const char*>(buffer));
        }
    }
}

Result<void> ProbeConnection::start_tls(const std::string& name) {
    tls_.reset(shared_context() ? SSL_new(shared_context()) : nullptr);
    if (!tls_ || SSL_set_fd(tls_.get(), socket_.get()) != 1)
        return Status(Reason::internal_error, "tls: no session can be made");
    if (!object::IpAddress::parse(name)) (void)SSL_set_tlsext_host_name(tls_.get(), name.c_str());
    while (true) {
        ERR_clear_error();
        const int result = SSL_connect(tls_.get());
        if (result == 1) return {};
        KEELSON_TRY_VOID(wait_for_tls(result, "handshake"));
    }
}

Result<void> ProbeConnection::write(std::string_view bytes) {
    while (!bytes.empty()) {
        ssize_t sent = 0;
        if (tls_) {
            ERR_clear_error();
            sent = SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
            if (sent <= 0) KEELSON_TRY_VOID(wait_for_tls(static_cast<int>(sent), "write"));
        } else {
            sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) KEELSON_TRY_VOID(wait(POLLOUT));
            if (sent < 0 && errno != EAGAIN && errno != EINTR)
                return Status(Reason::service_unavailable, "write tcp: write: " + text_of(errno));
        }
        if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

Result<std::size_t> ProbeConnection::read(char* buffer, std::size_t size) {
    while (true) {
        ssize_t got = 0;
        if (tls_) {
            ERR_clear_error();
            got = SSL_read(tls_.get(), buffer, static_cast<int>(size));
            if (got > 0) return static_cast<std::size_t>(got);
            const int error = SSL_get_error(tls_.get(), static_cast<int>(got));
            // Many servers end without saying goodbye.
            if (error == SSL_ERROR_ZERO_RETURN || error == SSL_ERROR_SYSCALL ||
                (error == SSL_ERROR_SSL &&
                 ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING))
                return std::size_t{0};
            KEELSON_TRY_VOID(wait_for_tls(static_cast<int>(got), "read"));
            continue;
        }
        got = ::recv(socket_.get(), buffer, size, 0);
        if (got >= 0) return static_cast<std::size_t>(got);
        if (errno == EAGAIN) KEELSON_TRY_VOID(wait(POLLIN));
        if (errno != EAGAIN && errno != EINTR)
            return Status(Reason::service_unavailable, "read tcp: read: " + text_of(errno));
    }
}

}  // namespace keelson::node
