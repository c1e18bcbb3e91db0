#include "chance.h"

#include <cstdio>

namespace {

// FNV-1a.
std::uint64_t hash(std::uint64_t state, std::string_view text) {
    for (const char character : text) state = (state ^ static_cast<unsigned char>(character)) * 0x100000001b3;
    return (state ^ 0xff) * 0x100000001b3;  // where one text ends and the next begins matters
}

// The last step of SplitMix64: one changed bit changes half of the result.
std::uint64_t mix(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

constexpr std::uint64_t hash_start = 0xcbf29ce484222325;

}  // namespace

std::uint64_t Chance::draw(std::string_view purpose, std::string_view subject, std::int64_t number) const {
    const std::uint64_t named = hash(hash(hash_start, purpose), subject);
    return mix(mix(named ^ mix(seed_)) ^ static_cast<std::uint64_t>(number));
}

bool Chance::happens(double probability, std::string_view purpose, std::string_view subject,
                     std::int64_t number) const {
    constexpr int mantissa_bits = 53;
    const auto drawn = draw(purpose, subject, number) >> (64 - mantissa_bits);
    return double(drawn) < probability * double(std::uint64_t(1) << mantissa_bits);
}

std::string digest_of(std::string_view text) {
    std::string digits;
    std::uint64_t state = hash(hash_start, text);
    for (int word = 0; word < 4; ++word) {
        char part[17];
        state = mix(state);
        std::snprintf(part, sizeof part, "%016llx", static_cast<unsigned long long>(state));
        digits += part;
    }
    return digits;
}
