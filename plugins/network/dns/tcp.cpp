#include "tcp.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "keelson/error.hpp"

namespace keelson::name_server {
namespace {

constexpr std::size_t maximum_waiting = 128;  // questions of one connection that others are asked about
constexpr std::size_t maximum_unsent = std::size_t(256) << 10;
constexpr std::size_t read_bytes = 16384;
constexpr int backlog = 128;
constexpr int accepts_in_a_row = 64;

}  // namespace

struct TcpConnections::Connection {
    Descriptor socket;
    Watch watch;
    std::string received;
    std::string unsent;
    std::size_t waiting = 0;
    bool has_ended = false;  // the client says nothing more
    bool is_open = true;
    std::uint32_t watched = EPOLLIN;
    Loop::Clock::time_point active;
    Connections::iterator place;

    // A client that does not take its answers gets no new ones.
    [[nodiscard]] bool is_full() const {
        return waiting >= maximum_waiting || unsent.size() >= maximum_unsent;
    }
};

Descriptor bind_tcp(const Endpoint& endpoint) {
    Descriptor socket(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    // Connections that have just ended do not keep the address from a new instance.
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (endpoint.family() == AF_INET6) ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (!socket || ::bind(socket.get(), endpoint.get(), endpoint.size) != 0 ||
        ::listen(socket.get(), backlog) != 0)
        throw Error(Code::unavailable,
                    "cannot listen on tcp " + endpoint.text() + ": " + std::strerror(errno), "listen");
    return socket;
}

void TcpListener::set_serving(bool is_serving) {
    watch_.reset();
    if (!is_serving) return;
    watch_ = Watch(loop_, socket_.get(), EPOLLIN,
                   [this](std::uint32_t) { connections_.accept_from(socket_.get()); });
}

TcpConnections::TcpConnections(Loop& loop, Responder& responder, const TcpLimits& limits)
    : loop_(loop), responder_(responder), limits_(limits) {
    loop_.on_tick([this](Loop::Clock::time_point now) { return tick(now); });
}

TcpConnections::~TcpConnections() {
    *alive_ = false;
    while (!connections_.empty()) close(*connections_.front());
}

void TcpConnections::accept_from(int listener) {
    for (int i = 0; i < accepts_in_a_row; ++i) {
        Descriptor socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket && (errno == EINTR || errno == ECONNABORTED)) continue;
        // Without descriptors left the one that was quiet for longest gives its own.
        if (!socket && (errno == EMFILE || errno == ENFILE) && !connections_.empty()) {
            close(*connections_.front());
            continue;
        }
        if (!socket) return;
        if (connections_.size() >= limits_.connections) close(*connections_.front());
        add(std::move(socket));
    }
}

void TcpConnections::add(Descriptor socket) {
    auto connection = std::make_shared<Connection>();
    connection->socket = std::move(socket);
    connection->active = Loop::Clock::now();
    connection->place = connections_.insert(connections_.end(), connection);
    connection->watch = Watch(loop_, connection->socket.get(), EPOLLIN,
                              [this, weak = std::weak_ptr<Connection>(connection)](std::uint32_t events) {
                                  if (const auto open = weak.lock()) serve(open, events);
                              });
    loop_.wake_ticks();
}

void TcpConnections::touch(Connection& connection) {
    connection.active = Loop::Clock::now();
    connections_.splice(connections_.end(), connections_, connection.place);
}

void TcpConnections::close(Connection& connection) {
    if (!connection.is_open) return;
    connection.is_open = false;
    connection.watch.reset();
    connection.socket = Descriptor();
    connections_.erase(connection.place);
}

void TcpConnections::serve(const std::shared_ptr<Connection>& connection, std::uint32_t events) {
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) return close(*connection);
    if ((events & EPOLLIN) != 0 && !connection->is_full() && !connection->has_ended && !read(*connection))
        return close(*connection);
    answer_all(connection);
}

// False when the connection is broken.
bool TcpConnections::read(Connection& connection) {
    std::array<char, read_bytes> buffer{};
    const ssize_t size = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    connection.has_ended = size == 0;
    connection.received.append(buffer.data(), std::size_t(size));
    return true;
}

// Answers what is complete, and sends as much as the client takes, which may make room for more answers.
void TcpConnections::answer_all(const std::shared_ptr<Connection>& connection) {
    bool goes_on = true;
    while (goes_on) {
        goes_on = answer_some(connection);
        if (!flush(*connection)) return close(*connection);
    }
}

// Whether there was a question.
bool TcpConnections::answer_some(const std::shared_ptr<Connection>& connection) {
    Connection& client = *connection;
    std::size_t at = 0;
    while (!client.is_full() && client.received.size() - at >= 2) {
        const std::size_t size = read_16(client.received.data() + at);
        if (client.received.size() - at - 2 < size) break;
        const std::size_t start = client.unsent.size();
        client.unsent.append(2, '\0');
        const auto step = responder_.respond(
            Bytes(client.received).substr(at + 2, size), maximum_message, client.unsent, [&]() -> Deliver {
                return [this, alive = alive_, connection](const std::string& message) {
                    if (*alive) deliver(connection, message);
                };
            });
        at += 2 + size;
        if (step == Responder::Step::later) ++client.waiting;
        if (step == Responder::Step::answered) {
            const std::size_t length = client.unsent.size() - start - 2;
            client.unsent[start] = char(length >> 8);
            client.unsent[start + 1] = char(length);
            touch(client);
        } else {
            client.unsent.resize(start);
        }
    }
    client.received.erase(0, at);
    return at != 0;
}

// False when the connection is over.
bool TcpConnections::flush(Connection& connection) {
    while (!connection.unsent.empty()) {
        const ssize_t sent =
            ::send(connection.socket.get(), connection.unsent.data(), connection.unsent.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) return false;
        if (sent < 0) break;
        connection.unsent.erase(0, std::size_t(sent));
    }
    if (connection.has_ended && connection.unsent.empty() && connection.waiting == 0) return false;
    std::uint32_t wanted = 0;
    if (!connection.unsent.empty()) wanted |= EPOLLOUT;
    if (!connection.is_full() && !connection.has_ended) wanted |= EPOLLIN;
    if (wanted != connection.watched) {
        connection.watched = wanted;
        connection.watch.change(wanted);
    }
    return true;
}

void TcpConnections::deliver(const std::shared_ptr<Connection>& connection, const std::string& message) {
    if (!connection->is_open) return;
    --connection->waiting;
    connection->unsent += char(message.size() >> 8);
    connection->unsent += char(message.size());
    connection->unsent += message;
    touch(*connection);
    answer_all(connection);
}

bool TcpConnections::tick(Loop::Clock::time_point now) {
    while (!connections_.empty() && now - connections_.front()->active >= limits_.idle)
        close(*connections_.front());
    return !connections_.empty();
}

}  // namespace keelson::name_server
