#include "cli/streams/websocket.h"

#include <openssl/rand.h>

#include <array>
#include <utility>

namespace keelson::cli::streams {
namespace {

constexpr unsigned char kContinuation = 0x0;
constexpr unsigned char kText = 0x1;
constexpr unsigned char kBinary = 0x2;
constexpr unsigned char kClose = 0x8;
constexpr unsigned char kPing = 0x9;
constexpr unsigned char kFinal = 0x80;
constexpr unsigned char kMasked = 0x80;
constexpr std::size_t kLongestMessage = 64u << 20;
constexpr std::size_t kCompactFrom = 64u << 10;

std::uint64_t number_at(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

struct Head {
    unsigned char kind = 0;
    bool is_final = false;
    std::size_t size = 0;       // of the head itself
    std::uint64_t payload = 0;  // bytes after it
};

std::optional<Head> head_of(std::string_view in) {
    if (in.size() < 2) return std::nullopt;
    Head head;
    const auto first = static_cast<unsigned char>(in[0]);
    const auto second = static_cast<unsigned char>(in[1]);
    head.kind = first & 0x0F;
    head.is_final = (first & kFinal) != 0;
    const std::uint64_t length = second & 0x7Fu;
    const std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    const std::size_t mask = (second & kMasked) != 0 ? 4 : 0;
    head.size = 2 + more + mask;
    if (in.size() < head.size) return std::nullopt;
    head.payload = more == 0 ? length : number_at(in, 2, more);
    return head;
}

}  // namespace

void WebSocket::append_frame(unsigned char kind, std::string_view payload) {
    std::string frame(1, static_cast<char>(kFinal | kind));
    const std::size_t more = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
    const std::size_t length = more == 0 ? payload.size() : more == 2 ? 126 : 127;
    frame += static_cast<char>(kMasked | length);
    for (std::size_t i = more; i-- > 0;) frame += static_cast<char>(payload.size() >> (8 * i));
    std::array<unsigned char, 4> mask{};
    RAND_bytes(mask.data(), static_cast<int>(mask.size()));
    frame.append(reinterpret_cast<const char*>(mask.data()), mask.size());
    const std::size_t begin = frame.size();
    frame += payload;
    for (std::size_t i = 0; i < payload.size(); ++i)
        frame[begin + i] = static_cast<char>(static_cast<unsigned char>(frame[begin + i]) ^ mask[i % 4]);
    duplex_->queue(frame);
}

void WebSocket::send(std::string_view message) {
    append_frame(kBinary, message);
}

void WebSocket::close() {
    if (!std::exchange(is_closed_, true)) append_frame(kClose, std::string_view("\x03\xe8", 2));
}

Result<void> WebSocket::receive() {
    const auto goes_on = duplex_->receive(in_);
    if (!goes_on) return pass_on(goes_on);
    if (!*goes_on) is_over_ = true;
    return {};
}

// One frame off the front; false when it is not all there.
bool WebSocket::take_frame() {
    const std::string_view in = std::string_view(in_).substr(used_);
    const auto head = head_of(in);
    if (!head) return false;
    if (head->payload > kLongestMessage || message_.size() > kLongestMessage) {
        is_over_ = true;
        return false;
    }
    if (in.size() < head->size + head->payload) return false;
    const std::string payload(in.substr(head->size, head->payload));
    used_ += head->size + head->payload;
    if (used_ == in_.size() || used_ > kCompactFrom) {
        in_.erase(0, used_);
        used_ = 0;
    }
    if (head->kind == kPing) {
        append_frame(0xA, payload);
    } else if (head->kind == kClose) {
        is_over_ = true;
        close();
    } else if (head->kind == kContinuation || head->kind == kText || head->kind == kBinary) {
        message_ += payload;
        if (head->is_final) {
            ready_ = std::exchange(message_, {});
            has_ready_ = true;
        }
    }
    return true;
}

std::optional<std::string> WebSocket::next() {
    while (!has_ready_ && take_frame()) {
    }
    if (!std::exchange(has_ready_, false)) return std::nullopt;
    return std::exchange(ready_, {});
}

}  // namespace keelson::cli::streams
