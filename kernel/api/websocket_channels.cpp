// Remote commands over WebSocket: the first byte of each message names the channel.
#include <memory>
#include <utility>

#include "kernel/api/channel_socket.h"
#include "kernel/api/command_channels.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Task;

constexpr std::uint8_t kCloseChannel = 0xff;
const std::vector<std::string_view> kProtocols = {"v5.channel.k8s.io", "v4.channel.k8s.io",
                                                  "v4.base64.channel.k8s.io", "channel.k8s.io",
                                                  "base64.channel.k8s.io"};

class WebSocketChannels final : public CommandChannels {
  public:
    WebSocketChannels(ByteStream& bytes, std::string_view protocol)
        : socket_(bytes, protocol.find("base64") != std::string_view::npos),
          has_status_(protocol.starts_with("v")),
          can_close_(protocol.starts_with("v5")) {}

    [[nodiscard]] IoLoop& loop() override { return socket_.bytes().loop(); }

    Task<std::optional<CommandInput>> receive() override {
        while (true) {
            auto receiving = socket_.receive();
            std::optional<ChannelMessage> message = co_await receiving;
            if (!message) co_return std::nullopt;
            if (auto input = understand(std::move(*message))) co_return input;
        }
    }

    void stop_receiving() override { socket_.bytes().end_reading(); }
    void on_lost(std::function<void()> callback) override { socket_.bytes().on_lost(std::move(callback)); }

    Task<bool> send(Channel channel, std::string_view data) override {
        return socket_.send(static_cast<std::uint8_t>(channel), data);
    }

    Task<void> finish(const CommandOutcome& outcome) override {
        const std::string text = has_status_ ? outcome.json() : outcome.text();
        if (!text.empty()) {
            auto sending = send(Channel::status, text);
            (void)co_await sending;
        }
        auto closing = socket_.close();
        co_await closing;
    }

  private:
    // None: nothing that is known, or a channel that clients have nothing to say on.
    [[nodiscard]] std::optional<CommandInput> understand(ChannelMessage message) const {
        if (can_close_ && message.channel == kCloseChannel) {
            if (message.data.empty() || message.data[0] != static_cast<char>(Channel::input))
                return std::nullopt;
            return CommandInput{Channel::input, {}, true};
        }
        const auto channel = static_cast<Channel>(message.channel);
        if (channel != Channel::input && channel != Channel::resize) return std::nullopt;
        return CommandInput{channel, std::move(message.data), false};
    }

    ChannelSocket socket_;
    bool has_status_;
    bool can_close_;
};

}  // namespace

Task<Result<std::unique_ptr<CommandChannels>>> open_websocket_channels(Exchange& exchange,
                                                                       const CommandOptions& options) {
    const Request& request = exchange.request();
    KEELSON_CO_TRY(const std::string protocol,
                   choose_protocol(listed_values(request, "Sec-WebSocket-Protocol"), kProtocols));
    KEELSON_CO_TRY(std::vector<Header> headers, websocket_answer(request, protocol));
    auto upgrading = exchange.upgrade(std::move(headers));
    KEELSON_CO_TRY(ByteStream * bytes, co_await upgrading);
    std::unique_ptr<CommandChannels> channels = std::make_unique<WebSocketChannels>(*bytes, protocol);
    // Clients wait for a first message to know that they have been heard.
    const Channel first = options.output ? Channel::output : options.error ? Channel::error : Channel::status;
    auto greeting = channels->send(first, {});
    const bool is_there = co_await greeting;
    if (!is_there) channels.reset();
    co_return channels;
}

}  // namespace keelson::api
