// Remote commands over WebSocket: the first byte of each message names the channel.
#include <memory>
#include <utility>

#include "kernel/api/command_channels.h"
#include "kernel/api/websocket.h"
#include "kernel/base/base64.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Task;

constexpr char kCloseChannel = '\xff';
const std::vector<std::string_view> kProtocols = {"v5.channel.k8s.io", "v4.channel.k8s.io",
                                                  "v4.base64.channel.k8s.io", "channel.k8s.io",
                                                  "base64.channel.k8s.io"};

class WebSocketChannels final : public CommandChannels {
  public:
    WebSocketChannels(ByteStream& bytes, std::string_view protocol)
        : socket_(bytes),
          is_base64_(protocol.find("base64") != std::string_view::npos),
          has_status_(protocol.starts_with("v")),
          can_close_(protocol.starts_with("v5")) {}

    [[nodiscard]] IoLoop& loop() override { return socket_.bytes().loop(); }

    Task<std::optional<CommandInput>> receive() override {
        while (true) {
            auto receiving = socket_.receive();
            std::optional<WebSocketMessage> message = co_await receiving;
            if (!message) co_return std::nullopt;
            if (message->data.empty()) continue;
            if (auto input = understand(message->data)) co_return input;
        }
    }

    void stop_receiving() override { socket_.bytes().end_reading(); }
    void on_lost(std::function<void()> callback) override { socket_.bytes().on_lost(std::move(callback)); }

    Task<bool> send(Channel channel, std::string_view data) override {
        const auto number = static_cast<char>(channel);
        std::string message(1, is_base64_ ? static_cast<char>('0' + number) : number);
        if (is_base64_)
            message += base::base64_encode(data);
        else
            message += data;
        auto sending = socket_.send(is_base64_ ? WebSocketKind::text : WebSocketKind::binary, message);
        co_return co_await sending;
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
    [[nodiscard]] std::optional<CommandInput> understand(const std::string& message) const {
        const char first = message.front();
        if (can_close_ && first == kCloseChannel) {
            if (message.size() < 2 || message[1] != static_cast<char>(Channel::input)) return std::nullopt;
            return CommandInput{Channel::input, {}, true};
        }
        const auto channel = static_cast<Channel>(is_base64_ ? first - '0' : first);
        if (channel != Channel::input && channel != Channel::resize) return std::nullopt;
        CommandInput input;
        input.channel = channel;
        input.data = message.substr(1);
        if (is_base64_) {
            auto decoded = base::base64_decode(input.data);
            if (!decoded) return std::nullopt;
            input.data = std::move(*decoded);
        }
        return input;
    }

    WebSocket socket_;
    bool is_base64_;
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
