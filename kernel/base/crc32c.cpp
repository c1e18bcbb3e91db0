#include "kernel/base/crc32c.h"

#include <array>
#include <cstring>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace keelson::base {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t index = 0; index < 256; ++index) {
        std::uint32_t value = index;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
        table[index] = value;
    }
    return table;
}
constexpr auto kTable = make_table();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(std::string_view bytes,
                                                                      std::uint32_t seed) {
    const char* from = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t crc = ~seed;
    for (; left >= 8; left -= 8, from += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, from, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    auto rest = static_cast<std::uint32_t>(crc);
    for (; left > 0; --left, ++from) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(*from));
    return ~rest;
}
#endif

}  // namespace

namespace detail {
std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t seed) {
    std::uint32_t crc = ~seed;
    for (const char letter : bytes)
        crc = kTable[(crc ^ static_cast<unsigned char>(letter)) & 0xff] ^ (crc >> 8);
    return ~crc;
}
}  // namespace detail

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
#if defined(__x86_64__)
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    if (has_instruction) return crc32c_by_instruction(bytes, seed);
#endif
    return detail::crc32c_by_table(bytes, seed);
}

}  // namespace keelson::base
