#include "kernel/api/spdy_frames.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "kernel/api/spdy_dictionary.h"

namespace keelson::api {
namespace {

constexpr std::size_t kHeadBytes = 8;
constexpr std::uint16_t kVersion = 3;
constexpr std::uint8_t kFinal = 1;
constexpr std::uint32_t kStreamMask = 0x7fffffff;
constexpr std::size_t kCompactFrom = 64 << 10;

std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t size = 4) {
    std::uint32_t value = 0;
    for (std::size_t index = 0; index < size; ++index)
        value = value << 8 | static_cast<std::uint8_t>(bytes[at + index]);
    return value;
}

void append_number(std::string& out, std::uint32_t value, int size = 4) {
    for (int index = size - 1; index >= 0; --index) out += static_cast<char>(value >> (8 * index));
}

void append_control(std::string& out, SpdyKind kind, std::uint8_t flags, std::size_t length) {
    append_number(out, 0x8000 | kVersion, 2);
    append_number(out, static_cast<std::uint16_t>(kind), 2);
    append_number(out, flags, 1);
    append_number(out, static_cast<std::uint32_t>(length), 3);
}

void append_stored(std::string& out, std::string_view text) {
    out += '\0';
    const auto length = static_cast<std::uint16_t>(text.size());
    for (const std::uint16_t number : {length, static_cast<std::uint16_t>(~length)}) {
        out += static_cast<char>(number & 0xff);
        out += static_cast<char>(number >> 8);
    }
    out += text;
}

char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : byte;
}

// A length and as many bytes.
bool take_text(std::string_view& bytes, std::string& text) {
    if (bytes.size() < 4) return false;
    const std::size_t length = number_at(bytes, 0);
    bytes.remove_prefix(4);
    if (length > bytes.size()) return false;
    text = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return true;
}

}  // namespace

std::string_view SpdyFrame::header(std::string_view name) const {
    for (const Header& one : headers)
        if (same_header_name(one.name, name)) return one.value;
    return {};
}

// All headers of one direction are one compressed text.
class SpdyParser::Inflater {
  public:
    Inflater() {
        if (inflateInit(&stream_) != Z_OK) std::abort();
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    // False: it is no such text, or longer than the limit.
    bool add(std::string_view compressed, std::size_t limit_bytes, std::string& out) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
        stream_.avail_in = static_cast<uInt>(compressed.size());
        std::array<char, 4096> block;
        while (true) {
            stream_.next_out = reinterpret_cast<Bytef*>(block.data());
            stream_.avail_out = block.size();
            const int result = inflate(&stream_, Z_SYNC_FLUSH);
            out.append(block.data(), block.size() - stream_.avail_out);
            if (out.size() > limit_bytes) return false;
            if (result == Z_NEED_DICT) {
                if (!know_dictionary()) return false;
            } else if (result == Z_BUF_ERROR || (result == Z_OK && stream_.avail_out > 0)) {
                return stream_.avail_in == 0;
            } else if (result != Z_OK) {
                return false;
            }
        }
    }

  private:
    bool know_dictionary() {
        const std::string& text = spdy_dictionary();
        return inflateSetDictionary(&stream_, reinterpret_cast<const Bytef*>(text.data()),
                                    static_cast<uInt>(text.size())) == Z_OK;
    }
    z_stream stream_{};
};

SpdyParser::SpdyParser() = default;
SpdyParser::~SpdyParser() = default;

void SpdyParser::put(std::string_view bytes) {
    if (failure_.empty()) buffer_ += bytes;
}

bool SpdyParser::fail(std::string reason) {
    failure_ = std::move(reason);
    std::string().swap(buffer_);
    used_ = 0;
    return false;
}

void SpdyParser::consume(std::size_t bytes) {
    used_ += bytes;
    if (used_ < buffer_.size() && used_ < kCompactFrom) return;
    buffer_.erase(0, used_);
    used_ = 0;
}

std::optional<SpdyFrame> SpdyParser::next() {
    while (failure_.empty()) {
        if (in_data_) return next_data();
        if (buffer_.size() - used_ < kHeadBytes) return std::nullopt;
        const std::string_view head = std::string_view(buffer_).substr(used_, kHeadBytes);
        if ((static_cast<std::uint8_t>(head[0]) & 0x80) != 0) return next_control();
        data_frame_ = {};
        data_frame_.stream = number_at(head, 0) & kStreamMask;
        data_frame_.is_final = (static_cast<std::uint8_t>(head[4]) & kFinal) != 0;
        data_left_ = number_at(head, 5, 3);
        in_data_ = true;
        consume(kHeadBytes);
    }
    return std::nullopt;
}

std::optional<SpdyFrame> SpdyParser::next_data() {
    const std::size_t size = std::min<std::size_t>(data_left_, buffer_.size() - used_);
    if (size == 0 && data_left_ > 0) return std::nullopt;
    SpdyFrame frame = data_frame_;
    frame.data = buffer_.substr(used_, size);
    consume(size);
    data_left_ -= static_cast<std::uint32_t>(size);
    in_data_ = data_left_ > 0;
    frame.is_final = frame.is_final && !in_data_;
    return frame;
}

std::optional<SpdyFrame> SpdyParser::next_control() {
    const std::string_view bytes = std::string_view(buffer_).substr(used_);
    const std::size_t length = number_at(bytes, 5, 3);
    if ((number_at(bytes, 0, 2) & 0x7fff) != kVersion)
        fail("a frame of another version of SPDY");
    else if (length > control_limit_bytes)
        fail("a control frame is too long");
    if (!failure_.empty() || bytes.size() < kHeadBytes + length) return std::nullopt;
    SpdyFrame frame;
    frame.kind = static_cast<SpdyKind>(number_at(bytes, 2, 2));
    frame.is_final = (static_cast<std::uint8_t>(bytes[4]) & kFinal) != 0;
    const bool is_good = read_control(bytes.substr(kHeadBytes, length), frame);
    if (!is_good) return std::nullopt;
    consume(kHeadBytes + length);
    return frame;
}

bool SpdyParser::read_control(std::string_view payload, SpdyFrame& frame) {
    const auto has = [&](std::size_t bytes) {
        return payload.size() >= bytes || fail("a control frame is too short");
    };
    switch (frame.kind) {
        case SpdyKind::syn_stream:
            if (!has(10)) return false;
            frame.stream = number_at(payload, 0) & kStreamMask;
            return read_headers(payload.substr(10), frame);
        case SpdyKind::syn_reply:
        case SpdyKind::headers:
            if (!has(4)) return false;
            frame.stream = number_at(payload, 0) & kStreamMask;
            return read_headers(payload.substr(4), frame);
        case SpdyKind::reset:
        case SpdyKind::window_update:
            if (!has(8)) return false;
            frame.stream = number_at(payload, 0) & kStreamMask;
            frame.number = number_at(payload, 4);
            return true;
        case SpdyKind::ping:
            if (!has(4)) return false;
            frame.number = number_at(payload, 0);
            return true;
        default:
            return true;
    }
}

bool SpdyParser::read_headers(std::string_view compressed, SpdyFrame& frame) {
    if (!inflater_) inflater_ = std::make_unique<Inflater>();
    std::string text;
    if (!inflater_->add(compressed, headers_limit_bytes, text)) return fail("headers cannot be decompressed");
    std::string_view bytes = text;
    if (bytes.size() < 4) return fail("headers are incomplete");
    std::uint32_t count = number_at(bytes, 0);
    bytes.remove_prefix(4);
    for (; count > 0; --count) {
        Header header;
        if (!take_text(bytes, header.name) || !take_text(bytes, header.value))
            return fail("headers are incomplete");
        std::ranges::transform(header.name, header.name.begin(), lower);
        frame.headers.push_back(std::move(header));
    }
    return true;
}

void SpdyWriter::data(std::uint32_t stream, std::string_view bytes, bool is_final, std::string& out) {
    append_number(out, stream);
    append_number(out, is_final ? kFinal : 0, 1);
    append_number(out, static_cast<std::uint32_t>(bytes.size()), 3);
    out += bytes;
}

void SpdyWriter::reset(std::uint32_t stream, std::uint32_t status, std::string& out) {
    append_control(out, SpdyKind::reset, 0, 8);
    append_number(out, stream);
    append_number(out, status);
}

void SpdyWriter::ping(std::uint32_t id, std::string& out) {
    append_control(out, SpdyKind::ping, 0, 4);
    append_number(out, id);
}

void SpdyWriter::go_away(std::uint32_t last_stream, std::string& out) {
    append_control(out, SpdyKind::go_away, 0, 8);
    append_number(out, last_stream);
    append_number(out, 0);
}

void SpdyWriter::syn_stream(std::uint32_t stream, const std::vector<Header>& headers, std::string& out) {
    std::string block;
    append_headers(headers, block);
    append_control(out, SpdyKind::syn_stream, 0, 10 + block.size());
    append_number(out, stream);
    append_number(out, 0);
    append_number(out, 0, 2);
    out += block;
}

void SpdyWriter::syn_reply(std::uint32_t stream, std::string& out) {
    std::string block;
    append_headers({}, block);
    append_control(out, SpdyKind::syn_reply, 0, 4 + block.size());
    append_number(out, stream);
    out += block;
}

// A zlib stream with the dictionary named, of stored blocks (RFC 1950, RFC 1951 3.2.4).
void SpdyWriter::append_headers(const std::vector<Header>& headers, std::string& out) {
    std::string text;
    append_number(text, static_cast<std::uint32_t>(headers.size()));
    for (const Header& header : headers) {
        append_number(text, static_cast<std::uint32_t>(header.name.size()));
        std::ranges::transform(header.name, std::back_inserter(text), lower);
        append_number(text, static_cast<std::uint32_t>(header.value.size()));
        text += header.value;
    }
    if (!std::exchange(has_begun_, true)) {
        append_number(out, 0x78bb, 2);
        append_number(out, spdy_dictionary_id);
    }
    append_stored(out, text);
    // Go hands out what it has decompressed when it meets an empty block.
    append_stored(out, {});
}

}  // namespace keelson::api
