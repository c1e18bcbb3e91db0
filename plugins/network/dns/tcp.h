// Connections that questions come in by (RFC 7766): several under way on each, answers in whatever order they
// are ready. In the thread of the loop only.
#ifndef KEELSON_DNS_TCP_H
#define KEELSON_DNS_TCP_H

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>

#include "endpoint.h"
#include "loop.h"
#include "responder.h"

namespace keelson::name_server {

struct TcpLimits {
    std::size_t connections = 256;  // of all listeners; the one that was quiet for longest makes room
    std::chrono::milliseconds idle{10'000};
};

Descriptor bind_tcp(const Endpoint& endpoint);

class TcpConnections {
  public:
    TcpConnections(Loop& loop, Responder& responder, const TcpLimits& limits);
    ~TcpConnections();
    TcpConnections(const TcpConnections&) = delete;
    TcpConnections& operator=(const TcpConnections&) = delete;

    void accept_from(int listener);

  private:
    struct Connection;
    using Connections = std::list<std::shared_ptr<Connection>>;  // the one that was quiet for longest first

    void add(Descriptor socket);
    void serve(const std::shared_ptr<Connection>& connection, std::uint32_t events);
    bool read(Connection& connection);
    void answer_all(const std::shared_ptr<Connection>& connection);
    bool answer_some(const std::shared_ptr<Connection>& connection);
    bool flush(Connection& connection);
    void deliver(const std::shared_ptr<Connection>& connection, const std::string& message);
    void close(Connection& connection);
    void touch(Connection& connection);
    bool tick(Loop::Clock::time_point now);

    Loop& loop_;
    Responder& responder_;
    TcpLimits limits_;
    Connections connections_;
    // Answers that come later must not reach what is gone.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class TcpListener {
  public:
    TcpListener(Loop& loop, TcpConnections& connections, Descriptor socket)
        : loop_(loop), connections_(connections), socket_(std::move(socket)) {}

    // Connections that come while it does not serve wait in its socket, as from the beginning.
    void set_serving(bool is_serving);
    [[nodiscard]] int descriptor() const { return socket_.get(); }

  private:
    Loop& loop_;
    TcpConnections& connections_;
    Descriptor socket_;
    Watch watch_;
};

}  // namespace keelson::name_server

#endif
