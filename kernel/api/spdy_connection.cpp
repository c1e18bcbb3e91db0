#include "kernel/api/spdy_connection.h"

#include <algorithm>

#include "kernel/api/websocket.h"

namespace keelson::api {

using base::Result;
using base::Task;

namespace {

constexpr std::string_view kSpdy = "SPDY/3.1";

}  // namespace

bool asks_for_spdy(const Request& request) {
    const auto lists = [&](std::string_view header, std::string_view value) {
        return std::ranges::any_of(listed_values(request, header),
                                   [&](const std::string& one) { return same_header_name(one, value); });
    };
    return lists("Connection", "upgrade") && lists("Upgrade", kSpdy);
}

Task<Result<ByteStream*>> upgrade_to_spdy(Exchange& exchange, const std::string& protocol) {
    std::vector<Header> headers = {{"Connection", "Upgrade"}, {"Upgrade", std::string(kSpdy)}};
    if (!protocol.empty()) headers.push_back({"X-Stream-Protocol-Version", protocol});
    return exchange.upgrade(std::move(headers));
}

Task<std::optional<SpdyFrame>> SpdyConnection::next() {
    while (true) {
        std::optional<SpdyFrame> frame = parser_.next();
        if (!frame && !parser_.failure().empty()) {
            auto leaving = go_away();
            co_await leaving;
            co_return std::nullopt;
        }
        if (!frame) {
            auto reading = bytes_.read();
            const std::string_view bytes = co_await reading;
            if (bytes.empty()) co_return std::nullopt;
            parser_.put(bytes);
        } else if (frame->kind == SpdyKind::ping) {
            // Those with even ids would be answers to ours, of which there are none.
            if (frame->number % 2 == 0) continue;
            std::string answer;
            SpdyWriter::ping(frame->number, answer);
            auto writing = bytes_.write(answer);
            const bool written = co_await writing;
            if (!written) co_return std::nullopt;
        } else if (frame->kind == SpdyKind::syn_stream || frame->kind == SpdyKind::data ||
                   frame->kind == SpdyKind::reset) {
            last_stream_ = std::max(last_stream_, frame->stream);
            co_return frame;
        }
    }
}

Task<bool> SpdyConnection::accept(std::uint32_t stream) {
    std::string frame;
    writer_.syn_reply(stream, frame);
    auto writing = bytes_.write(frame);
    co_return co_await writing;
}

Task<bool> SpdyConnection::refuse(std::uint32_t stream, std::uint32_t status) {
    std::string frame;
    SpdyWriter::reset(stream, status, frame);
    auto writing = bytes_.write(frame);
    co_return co_await writing;
}

Task<bool> SpdyConnection::send(std::uint32_t stream, std::string_view data, bool is_final) {
    std::string frame;
    frame.reserve(data.size() + 8);
    SpdyWriter::data(stream, data, is_final, frame);
    auto writing = bytes_.write(frame);
    co_return co_await writing;
}

Task<void> SpdyConnection::go_away() {
    std::string frame;
    SpdyWriter::go_away(last_stream_, frame);
    auto writing = bytes_.write(frame);
    (void)co_await writing;
}

}  // namespace keelson::api
