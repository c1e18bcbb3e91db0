// One UDP socket that questions come in by, many at a time. In the thread of the loop only.
#ifndef KEELSON_DNS_UDP_H
#define KEELSON_DNS_UDP_H

#include <memory>

#include "endpoint.h"
#include "loop.h"
#include "responder.h"

namespace keelson::name_server {

// Bound, with room for bursts; throws with what to do about it.
Descriptor bind_udp(const Endpoint& endpoint);

class UdpListener {
  public:
    UdpListener(Loop& loop, Responder& responder, Descriptor socket);
    ~UdpListener();
    UdpListener(const UdpListener&) = delete;
    UdpListener& operator=(const UdpListener&) = delete;

    // Questions that come while it does not serve wait in its socket, as from the beginning.
    void set_serving(bool is_serving);
    [[nodiscard]] int descriptor() const;

  private:
    struct Batch;
    struct Socket;
    bool serve_batch();
    [[nodiscard]] Deliver later(std::size_t slot) const;
    void send_batch(std::size_t count);

    Loop& loop_;
    Responder& responder_;
    std::shared_ptr<Socket> socket_;
    std::unique_ptr<Batch> batch_;
    Watch watch_;
};

}  // namespace keelson::name_server

#endif
