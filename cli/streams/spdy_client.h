// The client's side of SPDY/3.1 as port forwarding needs it, its frames inside of WebSocket messages: streams
// that the client opens. Windows are not kept, as servers do not keep them either.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/streams/websocket.h"

namespace keelson::cli::streams {

using SpdyHeaders = std::vector<std::pair<std::string, std::string>>;  // names in lower case

struct SpdyEvent {
    enum class Kind : std::uint8_t { data, reset, other };
    Kind kind = Kind::other;
    std::uint32_t stream = 0;
    std::string data;
    bool is_final = false;
};

class SpdyClient {
  public:
    explicit SpdyClient(WebSocket socket) : socket_(std::move(socket)) {}

    [[nodiscard]] WebSocket& socket() { return socket_; }

    // The id of the new stream.
    std::uint32_t open(const SpdyHeaders& headers);
    void send(std::uint32_t stream, std::string_view data, bool is_final);
    void reset(std::uint32_t stream);

    // What has come since; pings are answered. Reads the socket.
    Result<std::vector<SpdyEvent>> receive();

  private:
    bool take_frame(std::vector<SpdyEvent>& events);
    std::string compressed(const SpdyHeaders& headers);

    WebSocket socket_;
    std::string in_;
    std::uint32_t next_stream_ = 1;
    bool has_headers_ = false;
};

}  // namespace keelson::cli::streams
