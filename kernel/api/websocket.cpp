#include "kernel/api/websocket.h"

#include <openssl/sha.h>

#include <algorithm>

#include "kernel/base/base64.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::uint8_t kFinal = 0x80;
constexpr std::uint8_t kReserved = 0x70;
constexpr std::uint8_t kMasked = 0x80;
constexpr std::size_t kLongestControl = 125;
// What has been used of the buffer is dropped when this much has come together.
constexpr std::size_t kCompactFrom = 64 << 10;

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool lists(const Request& request, std::string_view header, std::string_view value) {
    return std::ranges::any_of(listed_values(request, header),
                               [&](const std::string& one) { return same_header_name(one, value); });
}

std::string accept_key(std::string_view key) {
    const std::string text = std::string(key) + std::string(kGuid);
    std::string digest(SHA_DIGEST_LENGTH, '\0');
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
    return base::base64_encode(digest);
}

std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
    return value;
}

bool is_control(std::uint8_t opcode) {
    return (opcode & 0x08) != 0;
}

}  // namespace

bool asks_for_websocket(const Request& request) {
    return lists(request, "Connection", "upgrade") && lists(request, "Upgrade", "websocket");
}

std::vector<std::string> listed_values(const Request& request, std::string_view header) {
    std::vector<std::string> values;
    for (std::string_view line : request.header_values(header)) {
        while (true) {
            const std::size_t comma = line.find(',');
            if (const std::string_view value = trimmed(line.substr(0, comma)); !value.empty())
                values.emplace_back(value);
            if (comma == std::string_view::npos) break;
            line.remove_prefix(comma + 1);
        }
    }
    return values;
}

Result<std::vector<Header>> websocket_answer(const Request& request, std::string_view protocol) {
    const auto key = base::base64_decode(request.header("Sec-WebSocket-Key"));
    if (request.header("Sec-WebSocket-Version") != "13")
        return Status(Reason::bad_request, "missing or bad WebSocket Version");
    if (!key || key->size() != 16) return Status(Reason::bad_request, "missing or bad WebSocket-Key");
    std::vector<Header> headers = {
        {"Upgrade", "websocket"},
        {"Connection", "Upgrade"},
        {"Sec-WebSocket-Accept", accept_key(request.header("Sec-WebSocket-Key"))},
    };
    if (!protocol.empty()) headers.push_back({"Sec-WebSocket-Protocol", std::string(protocol)});
    return headers;
}

std::optional<WebSocketMessage> WebSocketParser::next() {
    while (failure_ == 0) {
        std::optional<Frame> frame = next_frame();
        if (!frame) return std::nullopt;
        if (auto message = take(std::move(*frame))) return message;
    }
    return std::nullopt;
}

std::optional<WebSocketParser::Frame> WebSocketParser::next_frame() {
    const std::string_view bytes = std::string_view(buffer_).substr(used_);
    if (bytes.size() < 2) return std::nullopt;
    const auto first = static_cast<std::uint8_t>(bytes[0]);
    const auto second = static_cast<std::uint8_t>(bytes[1]);
    const std::uint8_t opcode = first & 0x0f;
    std::uint64_t length = second & 0x7f;
    const std::size_t length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    // Nothing of what is forbidden needs the rest of the frame to be known.
    const bool is_bad_control = is_control(opcode) && (length > kLongestControl || (first & kFinal) == 0);
    if ((first & kReserved) != 0 || (second & kMasked) == 0 || is_bad_control) {
        fail(protocol_error);
        return std::nullopt;
    }
    std::size_t at = 2 + length_bytes;
    if (bytes.size() < at) return std::nullopt;
    if (length_bytes > 0) length = big_endian(bytes.substr(2, length_bytes));
    if (length > limit_bytes) {
        fail(too_big);
        return std::nullopt;
    }
    if (bytes.size() < at + 4 + length) return std::nullopt;
    const std::string_view mask = bytes.substr(at, 4);
    at += 4;
    Frame frame{(first & kFinal) != 0, opcode, std::string(bytes.substr(at, length))};
    for (std::size_t index = 0; index < frame.data.size(); ++index)
        frame.data[index] = static_cast<char>(frame.data[index] ^ mask[index % 4]);
    used_ += at + length;
    if (used_ == buffer_.size() || used_ > kCompactFrom) {
        buffer_.erase(0, used_);
        used_ = 0;
    }
    return frame;
}

std::optional<WebSocketMessage> WebSocketParser::take(Frame frame) {
    if (is_control(frame.opcode)) {
        if (frame.opcode > 10) {
            fail(protocol_error);
            return std::nullopt;
        }
        return WebSocketMessage{static_cast<WebSocketKind>(frame.opcode), std::move(frame.data)};
    }
    // The first frame of a message says its kind, the others are "continuation".
    const bool continues = frame.opcode == 0;
    if (frame.opcode > 2 || continues != message_kind_.has_value()) {
        fail(protocol_error);
        return std::nullopt;
    }
    if (message_.size() + frame.data.size() > limit_bytes) {
        fail(too_big);
        return std::nullopt;
    }
    if (!continues) message_kind_ = static_cast<WebSocketKind>(frame.opcode);
    if (message_.empty())
        message_ = std::move(frame.data);
    else
        message_ += frame.data;
    if (!frame.is_final) return std::nullopt;
    WebSocketMessage message{*message_kind_, std::exchange(message_, {})};
    message_kind_.reset();
    return message;
}

void append_websocket_frame(WebSocketKind kind, std::string_view data, std::string& out) {
    out += static_cast<char>(kFinal | static_cast<std::uint8_t>(kind));
    const std::uint64_t length = data.size();
    const int length_bytes = length <= 125 ? 0 : length <= 0xffff ? 2 : 8;
    out += static_cast<char>(length_bytes == 0 ? length : length_bytes == 2 ? 126 : 127);
    for (int index = length_bytes - 1; index >= 0; --index) out += static_cast<char>(length >> (8 * index));
    out += data;
}

Task<std::optional<WebSocketMessage>> WebSocket::receive() {
    while (!is_closed_) {
        std::optional<WebSocketMessage> message = parser_.next();
        if (!message && parser_.failure() != 0) {
            auto closing = close(parser_.failure());
            co_await closing;
            break;
        }
        if (!message) {
            auto reading = bytes_.read();
            const std::string_view bytes = co_await reading;
            if (bytes.empty()) break;
            parser_.put(bytes);
        } else if (message->kind == WebSocketKind::close) {
            auto closing = close();
            co_await closing;
        } else if (message->kind == WebSocketKind::ping) {
            auto answering = send(WebSocketKind::pong, message->data);
            const bool sent = co_await answering;
            if (!sent) break;
        } else if (message->kind != WebSocketKind::pong) {
            co_return message;
        }
    }
    co_return std::nullopt;
}

Task<bool> WebSocket::send(WebSocketKind kind, std::string_view data) {
    if (is_closed_) co_return false;
    std::string frame;
    frame.reserve(data.size() + 10);
    append_websocket_frame(kind, data, frame);
    auto writing = bytes_.write(frame);
    co_return co_await writing;
}

Task<void> WebSocket::close(std::uint16_t code) {
    if (is_closed_) co_return;
    is_closed_ = true;
    const char reason[] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    std::string frame;
    append_websocket_frame(WebSocketKind::close, std::string_view(reason, sizeof reason), frame);
    auto writing = bytes_.write(frame);
    (void)co_await writing;
}

}  // namespace keelson::api
