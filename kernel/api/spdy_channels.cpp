// Remote commands over SPDY: a stream for each channel, named by its header "streamType".
#include <array>
#include <deque>
#include <memory>
#include <utility>

#include "kernel/api/command_channels.h"
#include "kernel/api/spdy_connection.h"
#include "kernel/api/websocket.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Task;

const std::vector<std::string_view> kProtocols = {"v5.channel.k8s.io", "v4.channel.k8s.io",
                                                  "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"};
constexpr std::array<std::string_view, 5> kStreamTypes = {"stdin", "stdout", "stderr", "error", "resize"};
constexpr auto kCreationTime = std::chrono::seconds(30);
// What a client may send before it has opened all of its streams.
constexpr std::size_t kEarlyLimit = 1 << 20;

class SpdyChannels final : public CommandChannels {
  public:
    SpdyChannels(ByteStream& bytes, const CommandOptions& options, std::string_view protocol)
        : spdy_(bytes), has_status_(protocol.starts_with("v4") || protocol.starts_with("v5")) {
        const bool can_resize = has_status_ || protocol.starts_with("v3");
        wanted_ = {options.input, options.output, options.error, true, options.terminal && can_resize};
    }

    // False: the client has gone, or has not opened them in time.
    Task<bool> await_streams() {
        const auto timer =
            loop().post_after(kCreationTime, [bytes = &spdy_.bytes()] { bytes->end_reading(); });
        bool is_open = true;
        while (is_open && !is_complete()) {
            auto receiving = spdy_.next();
            std::optional<SpdyFrame> frame = co_await receiving;
            is_open = frame.has_value() && early_bytes_ <= kEarlyLimit;
            if (is_open && frame->kind == SpdyKind::syn_stream) {
                auto opening = open_stream(*frame);
                is_open = co_await opening;
            } else if (is_open) {
                keep(std::move(*frame));
            }
        }
        timer->cancel();
        co_return is_open;
    }

    [[nodiscard]] IoLoop& loop() override { return spdy_.bytes().loop(); }

    Task<std::optional<CommandInput>> receive() override {
        while (true) {
            if (!early_.empty()) {
                CommandInput input = std::move(early_.front());
                early_.pop_front();
                co_return input;
            }
            auto receiving = spdy_.next();
            std::optional<SpdyFrame> frame = co_await receiving;
            if (!frame) co_return std::nullopt;
            if (frame->kind == SpdyKind::syn_stream) {
                auto refusing = spdy_.refuse(frame->stream);
                const bool sent = co_await refusing;
                if (!sent) co_return std::nullopt;
            } else if (auto input = understand(std::move(*frame))) {
                co_return input;
            }
        }
    }

    void stop_receiving() override { spdy_.bytes().end_reading(); }
    void on_lost(std::function<void()> callback) override { spdy_.bytes().on_lost(std::move(callback)); }

    Task<bool> send(Channel channel, std::string_view data) override {
        return spdy_.send(stream_of(channel), data);
    }

    Task<void> finish(const CommandOutcome& outcome) override {
        const std::string status = has_status_ ? outcome.json() : outcome.text();
        for (const Channel channel : {Channel::output, Channel::error, Channel::status, Channel::input}) {
            if (stream_of(channel) == 0) continue;
            const std::string_view data = channel == Channel::status ? status : std::string_view();
            auto sending = spdy_.send(stream_of(channel), data, true);
            const bool sent = co_await sending;
            if (!sent) co_return;
        }
        auto leaving = spdy_.go_away();
        co_await leaving;
    }

  private:
    [[nodiscard]] std::uint32_t stream_of(Channel channel) const {
        return streams_[static_cast<std::size_t>(channel)];
    }
    [[nodiscard]] bool is_complete() const {
        for (std::size_t index = 0; index < wanted_.size(); ++index)
            if (wanted_[index] && streams_[index] == 0) return false;
        return true;
    }

    Task<bool> open_stream(const SpdyFrame& frame) {
        const auto type = frame.header("streamtype");
        for (std::size_t index = 0; index < kStreamTypes.size(); ++index) {
            if (type != kStreamTypes[index] || streams_[index] != 0 || frame.stream == 0) continue;
            streams_[index] = frame.stream;
            return spdy_.accept(frame.stream);
        }
        return spdy_.refuse(frame.stream);
    }

    void keep(SpdyFrame frame) {
        early_bytes_ += frame.data.size() + 1;
        if (auto input = understand(std::move(frame))) early_.push_back(std::move(*input));
    }

    [[nodiscard]] std::optional<CommandInput> understand(SpdyFrame frame) const {
        const bool is_end = frame.is_final || frame.kind == SpdyKind::reset;
        if (frame.stream != 0 && frame.stream == stream_of(Channel::input))
            return CommandInput{Channel::input, std::move(frame.data), is_end};
        if (frame.stream != 0 && frame.stream == stream_of(Channel::resize) && !frame.data.empty())
            return CommandInput{Channel::resize, std::move(frame.data), false};
        return std::nullopt;
    }

    SpdyConnection spdy_;
    bool has_status_;
    std::array<bool, 5> wanted_{};
    std::array<std::uint32_t, 5> streams_{};  // by channel; 0: not there
    std::deque<CommandInput> early_;
    std::size_t early_bytes_ = 0;
};

}  // namespace

Task<Result<std::unique_ptr<CommandChannels>>> open_spdy_channels(Exchange& exchange,
                                                                  const CommandOptions& options) {
    const Request& request = exchange.request();
    KEELSON_CO_TRY(const std::string protocol,
                   choose_protocol(listed_values(request, "X-Stream-Protocol-Version"), kProtocols));
    auto upgrading = upgrade_to_spdy(exchange, protocol);
    KEELSON_CO_TRY(ByteStream * bytes, co_await upgrading);
    auto channels = std::make_unique<SpdyChannels>(*bytes, options, protocol);
    auto waiting = channels->await_streams();
    const bool is_open = co_await waiting;
    if (!is_open) channels.reset();
    co_return std::unique_ptr<CommandChannels>(std::move(channels));
}

}  // namespace keelson::api
