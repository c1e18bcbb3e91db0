// WebSocket (RFC 6455), the server's side: the handshake, frames, and messages over a stream of bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/api/byte_stream.h"
#include "kernel/api/exchange.h"
#include "kernel/base/result.h"

namespace keelson::api {

[[nodiscard]] bool asks_for_websocket(const Request& request);
// The values of a header that is a list, in order, whether they came in one line or several.
[[nodiscard]] std::vector<std::string> listed_values(const Request& request, std::string_view header);
// The headers of the answer 101; no protocol is named when it is empty. Fails (400) when the handshake is
// broken.
[[nodiscard]] base::Result<std::vector<Header>> websocket_answer(const Request& request,
                                                                 std::string_view protocol);

enum class WebSocketKind : std::uint8_t { text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

struct WebSocketMessage {
    WebSocketKind kind = WebSocketKind::binary;
    std::string data;
};

// Puts frames together to messages. Nothing is kept beyond the limit, whatever is sent.
class WebSocketParser {
  public:
    static constexpr std::size_t limit_bytes = 1 << 20;  // of a message
    static constexpr std::uint16_t protocol_error = 1002;
    static constexpr std::uint16_t too_big = 1009;

    void put(std::string_view bytes) { buffer_ += bytes; }
    // None: more has to be put first, or the peer broke the rules and nothing comes any more.
    [[nodiscard]] std::optional<WebSocketMessage> next();
    // The code to close with when the rules were broken; 0: they were not.
    [[nodiscard]] std::uint16_t failure() const { return failure_; }

  private:
    struct Frame {
        bool is_final = false;
        std::uint8_t opcode = 0;
        std::string data;
    };
    std::optional<Frame> next_frame();
    std::optional<WebSocketMessage> take(Frame frame);
    void fail(std::uint16_t code) { failure_ = code; }

    std::string buffer_;
    std::size_t used_ = 0;  // of the buffer
    std::string message_;   // the fragments so far
    std::optional<WebSocketKind> message_kind_;
    std::uint16_t failure_ = 0;
};

// Appends one unmasked frame with the data as its whole message.
void append_websocket_frame(WebSocketKind kind, std::string_view data, std::string& out);

// Messages both ways. Pings are answered, a close is too.
class WebSocket {
  public:
    explicit WebSocket(ByteStream& bytes) : bytes_(bytes) {}

    [[nodiscard]] ByteStream& bytes() { return bytes_; }
    // The next text or binary message; none when the peer has closed, is gone, or broke the rules.
    base::Task<std::optional<WebSocketMessage>> receive();
    base::Task<bool> send(WebSocketKind kind, std::string_view data);
    // Says goodbye, once.
    base::Task<void> close(std::uint16_t code = 1000);

  private:
    ByteStream& bytes_;
    WebSocketParser parser_;
    bool is_closed_ = false;
};

}  // namespace keelson::api
