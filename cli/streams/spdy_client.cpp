#include "cli/streams/spdy_client.h"

namespace keelson::cli::streams {
namespace {

constexpr std::size_t kHeadBytes = 8;
constexpr std::uint32_t kControl = 0x80030000;  // version 3
constexpr std::uint32_t kSynStream = 1;
constexpr std::uint32_t kReset = 3;
constexpr std::uint32_t kPing = 6;
constexpr std::uint32_t kCancel = 5;
constexpr std::uint32_t kStreamMask = 0x7fffffff;
constexpr std::uint32_t kLengthMask = 0xffffff;
constexpr std::uint32_t kFinal = 1u << 24;
constexpr std::size_t kLargestData = 1u << 20;

void append_number(std::string& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

void append_text(std::string& out, std::string_view text) {
    append_number(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

// A block of deflate that holds the text as it is (RFC 1951, 3.2.4).
void append_stored(std::string& out, std::string_view text) {
    const auto size = static_cast<std::uint16_t>(text.size());
    out += '\0';
    for (const auto number : {size, static_cast<std::uint16_t>(~size)}) {
        out += static_cast<char>(number & 0xFF);
        out += static_cast<char>(number >> 8);
    }
    out += text;
}

}  // namespace

// One compressed text for the connection's life. It refers to no dictionary, which its reader allows.
std::string SpdyClient::compressed(const SpdyHeaders& headers) {
    std::string text;
    append_number(text, static_cast<std::uint32_t>(headers.size()));
    for (const auto& [name, value] : headers) {
        append_text(text, name);
        append_text(text, value);
    }
    std::string out;
    if (!has_headers_) out += std::string("\x78\x01", 2);
    has_headers_ = true;
    append_stored(out, text);
    // Readers hand out what they have when they meet an empty block.
    append_stored(out, {});
    return out;
}

std::uint32_t SpdyClient::open(const SpdyHeaders& headers) {
    const std::uint32_t stream = next_stream_;
    next_stream_ += 2;
    const std::string block = compressed(headers);
    std::string frame;
    append_number(frame, kControl | kSynStream);
    append_number(frame, static_cast<std::uint32_t>(10 + block.size()));
    append_number(frame, stream);
    append_number(frame, 0);
    frame += std::string(2, '\0');
    socket_.send(frame + block);
    return stream;
}

void SpdyClient::send(std::uint32_t stream, std::string_view data, bool is_final) {
    do {
        const std::string_view piece = data.substr(0, kLargestData);
        data.remove_prefix(piece.size());
        std::string frame;
        append_number(frame, stream);
        append_number(frame,
                      (is_final && data.empty() ? kFinal : 0) | static_cast<std::uint32_t>(piece.size()));
        socket_.send(frame.append(piece));
    } while (!data.empty());
}

void SpdyClient::reset(std::uint32_t stream) {
    std::string frame;
    append_number(frame, kControl | kReset);
    append_number(frame, 8);
    append_number(frame, stream);
    append_number(frame, kCancel);
    socket_.send(frame);
}

bool SpdyClient::take_frame(std::vector<SpdyEvent>& events) {
    if (in_.size() < kHeadBytes) return false;
    const std::uint32_t first = number_at(in_, 0);
    const std::uint32_t second = number_at(in_, 4);
    const std::size_t size = kHeadBytes + (second & kLengthMask);
    if (in_.size() < size) return false;
    SpdyEvent event;
    event.is_final = (second & kFinal) != 0;
    const std::uint32_t kind = first & 0xFFFF;
    const bool is_control = (first & ~kStreamMask) != 0;
    if (!is_control) {
        event.kind = SpdyEvent::Kind::data;
        event.stream = first & kStreamMask;
        event.data = in_.substr(kHeadBytes, size - kHeadBytes);
    } else if (kind == kPing && size >= kHeadBytes + 4) {
        socket_.send(std::string_view(in_).substr(0, size));
    } else if (size >= kHeadBytes + 4) {
        event.kind = kind == kReset ? SpdyEvent::Kind::reset : SpdyEvent::Kind::other;
        event.stream = number_at(in_, kHeadBytes) & kStreamMask;
    }
    in_.erase(0, size);
    events.push_back(std::move(event));
    return true;
}

Result<std::vector<SpdyEvent>> SpdyClient::receive() {
    if (auto done = socket_.receive(); !done) return pass_on(done);
    std::vector<SpdyEvent> events;
    while (auto message = socket_.next()) {
        in_ += *message;
        while (take_frame(events)) {
        }
    }
    return events;
}

}  // namespace keelson::cli::streams
