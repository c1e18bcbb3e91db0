#include "kernel/api/channel_socket.h"

#include <utility>

#include "kernel/base/base64.h"

namespace keelson::api {

using base::Task;

Task<std::optional<ChannelMessage>> ChannelSocket::receive() {
    while (true) {
        auto receiving = socket_.receive();
        std::optional<WebSocketMessage> message = co_await receiving;
        if (!message) co_return std::nullopt;
        if (message->data.empty()) continue;
        const auto first = static_cast<std::uint8_t>(message->data.front());
        ChannelMessage result;
        result.data = message->data.substr(1);
        if (!is_base64_) {
            result.channel = first;
            co_return result;
        }
        auto decoded = base::base64_decode(result.data);
        if (!decoded || first < '0') continue;
        result.channel = static_cast<std::uint8_t>(first - '0');
        result.data = std::move(*decoded);
        co_return result;
    }
}

Task<bool> ChannelSocket::send(std::uint8_t channel, std::string_view data) {
    std::string message(1, static_cast<char>(is_base64_ ? '0' + channel : channel));
    if (is_base64_)
        message += base::base64_encode(data);
    else
        message += data;
    auto sending = socket_.send(is_base64_ ? WebSocketKind::text : WebSocketKind::binary, message);
    co_return co_await sending;
}

}  // namespace keelson::api
