#include "web_token.h"

#include <cstdint>

namespace {

using Json = nlohmann::json;

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t maximum_token_bytes = 16 << 10;

int value_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    if (c == '_') return 63;
    return -1;
}

// Discarded when it is no object.
Json read_object(std::string_view part) {
    const auto text = decode_base64url(part);
    if (!text) return Json(Json::value_t::discarded);
    Json document = Json::parse(*text, nullptr, false);
    return document.is_object() ? document : Json(Json::value_t::discarded);
}

}  // namespace

std::string encode_base64url(std::string_view bytes) {
    std::string text;
    std::uint32_t buffer = 0;
    int bits = 0;
    for (const char c : bytes) {
        buffer = buffer << 8 | static_cast<unsigned char>(c);
        for (bits += 8; bits >= 6; bits -= 6) text += alphabet[buffer >> (bits - 6) & 63];
    }
    if (bits > 0) text += alphabet[buffer << (6 - bits) & 63];
    return text;
}

std::optional<std::string> decode_base64url(std::string_view text) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string bytes;
    std::uint32_t buffer = 0;
    int bits = 0;
    for (const char c : text) {
        const int value = value_of(c);
        if (value < 0) return std::nullopt;
        buffer = buffer << 6 | std::uint32_t(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += char(buffer >> bits & 255);
        }
    }
    // What is left over must be zero, so that each text has one form.
    if ((buffer & ((1u << bits) - 1)) != 0) return std::nullopt;
    return bytes;
}

std::optional<WebToken> read_web_token(std::string_view token) {
    if (token.size() > maximum_token_bytes) return std::nullopt;
    const auto first = token.find('.');
    const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
        return std::nullopt;
    WebToken result;
    result.header = read_object(token.substr(0, first));
    result.payload = read_object(token.substr(first + 1, second - first - 1));
    auto signature = decode_base64url(token.substr(second + 1));
    if (result.header.is_discarded() || result.payload.is_discarded() || !signature) return std::nullopt;
    result.signature = std::move(*signature);
    result.signed_text = token.substr(0, second);
    return result;
}
