#include "kernel/base/base64.h"

#include <array>

namespace keelson::base {
namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> make_values(std::string_view letters) {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::size_t index = 0; index < letters.size(); ++index) {
        values[static_cast<unsigned char>(letters[index])] = static_cast<std::int8_t>(index);
    }
    return values;
}
constexpr auto kStandardValues = make_values(kStandard);
constexpr auto kUrlValues = make_values(kUrl);

Status bad_input(std::size_t offset) {
    return {Reason::bad_request, "illegal base64 data at input byte " + std::to_string(offset)};
}

}  // namespace

std::string base64_encode(std::string_view bytes, Base64 alphabet) {
    const std::string_view letters = alphabet == Base64::standard ? kStandard : kUrl;
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t index = 0;
    auto byte = [&](std::size_t at) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at]));
    };
    for (; index + 3 <= bytes.size(); index += 3) {
        const std::uint32_t word = byte(index) << 16 | byte(index + 1) << 8 | byte(index + 2);
        text += letters[word >> 18];
        text += letters[word >> 12 & 63];
        text += letters[word >> 6 & 63];
        text += letters[word & 63];
    }
    const std::size_t left = bytes.size() - index;
    if (left == 0) return text;
    const std::uint32_t word = byte(index) << 16 | (left == 2 ? byte(index + 1) << 8 : 0);
    text += letters[word >> 18];
    text += letters[word >> 12 & 63];
    if (left == 2) text += letters[word >> 6 & 63];
    if (alphabet == Base64::standard) text.append(3 - left, '=');
    return text;
}

Result<std::string> base64_decode(std::string_view text, Base64 alphabet) {
    const auto& values = alphabet == Base64::standard ? kStandardValues : kUrlValues;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t word = 0;
    int letters = 0;
    int padding = 0;
    for (std::size_t index = 0; index < text.size(); ++index) {
        const char letter = text[index];
        if (letter == '\n' || letter == '\r') continue;
        if (letter == '=') {
            // Padding completes a group of four and only stands at the end.
            if (letters < 2 || letters + ++padding > 4) return bad_input(index);
            continue;
        }
        const int value = values[static_cast<unsigned char>(letter)];
        if (value < 0 || padding > 0) return bad_input(index);
        word = word << 6 | static_cast<std::uint32_t>(value);
        if (++letters == 4) {
            bytes += static_cast<char>(word >> 16);
            bytes += static_cast<char>(word >> 8);
            bytes += static_cast<char>(word);
            word = 0;
            letters = 0;
        }
    }
    const bool complete = letters == 0 || letters + padding == 4 || (alphabet == Base64::url && padding == 0);
    if (letters == 1 || !complete) return bad_input(text.size());
    if (letters == 2) bytes += static_cast<char>(word >> 4);
    if (letters == 3) {
        bytes += static_cast<char>(word >> 10);
        bytes += static_cast<char>(word >> 2);
    }
    return bytes;
}

}  // namespace keelson::base
