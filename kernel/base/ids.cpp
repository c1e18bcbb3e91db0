#include "kernel/base/ids.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace keelson::base {
namespace {

class SystemRandom final : public RandomSource {
  public:
    void fill(void* buffer, std::size_t size) override {
        auto* to = static_cast<char*>(buffer);
        while (size > 0) {
            const ssize_t count = ::getrandom(to, size, 0);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) std::abort();  // cannot happen on a kernel that has the call
            to += count;
            size -= static_cast<std::size_t>(count);
        }
    }
};

}  // namespace

std::uint64_t RandomSource::below(std::uint64_t bound) {
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    while (true) {
        const std::uint64_t value = next();
        if (value < limit) return value % bound;
    }
}

RandomSource& system_random() {
    static SystemRandom random;
    return random;
}

void SeededRandom::fill(void* buffer, std::size_t size) {
    auto* to = static_cast<char*>(buffer);
    std::lock_guard lock(mutex_);
    while (size > 0) {
        const std::uint64_t value = engine_();
        const std::size_t count = size < sizeof value ? size : sizeof value;
        std::memcpy(to, &value, count);
        to += count;
        size -= count;
    }
}

std::string make_uuid(RandomSource& random) {
    std::array<unsigned char, 16> bytes{};
    random.fill(bytes.data(), bytes.size());
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(36);
    for (std::size_t index = 0; index < bytes.size(); ++index) {
        if (index == 4 || index == 6 || index == 8 || index == 10) text += '-';
        text += kDigits[bytes[index] >> 4];
        text += kDigits[bytes[index] & 0x0f];
    }
    return text;
}

std::string make_random_suffix(std::size_t length, RandomSource& random) {
    constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
    std::string text;
    text.reserve(length);
    while (text.size() < length) text += kAlphabet[random.below(kAlphabet.size())];
    return text;
}

}  // namespace keelson::base
