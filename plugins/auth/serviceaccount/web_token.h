// JSON web tokens in compact form (RFC 7515): three base64url parts with dots between them.
#ifndef KEELSON_WEB_TOKEN_H
#define KEELSON_WEB_TOKEN_H

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

std::string encode_base64url(std::string_view bytes);
// Without padding, without anything that is not of the alphabet; else nothing.
std::optional<std::string> decode_base64url(std::string_view text);

struct WebToken {
    nlohmann::json header;
    nlohmann::json payload;
    std::string signature;
    std::string_view signed_text;  // a part of the token that was read
};

// Nothing when it is not such a token: three parts, the first two of them JSON objects, at most 16 KiB. The
// signature has not been looked at.
std::optional<WebToken> read_web_token(std::string_view token);

#endif
