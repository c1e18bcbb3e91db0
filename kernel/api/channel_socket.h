// A WebSocket with channels, as Kubernetes has it: the first byte of each message names one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/api/websocket.h"

namespace keelson::api {

struct ChannelMessage {
    std::uint8_t channel = 0;
    std::string data;
};

class ChannelSocket {
  public:
    // With Base64 messages are text: the channel a character from '0' on, and the data encoded.
    ChannelSocket(ByteStream& bytes, bool is_base64) : socket_(bytes), is_base64_(is_base64) {}

    [[nodiscard]] ByteStream& bytes() { return socket_.bytes(); }
    // The next message that names a channel and can be decoded; none when the peer has closed or is gone.
    base::Task<std::optional<ChannelMessage>> receive();
    // False: the peer is gone.
    base::Task<bool> send(std::uint8_t channel, std::string_view data);
    base::Task<void> close() { return socket_.close(); }

  private:
    WebSocket socket_;
    bool is_base64_;
};

}  // namespace keelson::api
