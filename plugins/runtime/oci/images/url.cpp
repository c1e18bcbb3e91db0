#include "url.h"

#include <algorithm>

#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

[[noreturn]] void refuse(const std::string& text, const std::string& reason) {
    throw Error(Code::invalid,
                "\"" + text.substr(0, 300) + "\" is not an address that can be asked: " + reason);
}

bool is_printable(char letter) {
    return letter > ' ' && letter < '\x7f';
}

}  // namespace

std::string Url::authority() const {
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return port == (uses_tls ? "443" : "80") ? name : name + ":" + port;
}

Url parse_url(const std::string& text) {
    Url url;
    std::string_view rest = text;
    if (!std::ranges::all_of(text, is_printable)) refuse(text, "there is a character in it that cannot be");
    if (rest.starts_with("https://")) {
        rest.remove_prefix(8);
    } else if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
        url.uses_tls = false;
    } else {
        refuse(text, "it must begin with https:// or http://");
    }
    rest = rest.substr(0, rest.find('#'));
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view server = rest.substr(0, end);
    if (end < rest.size()) url.target = (rest[end] == '?' ? "/" : "") + std::string(rest.substr(end));
    if (server.find('@') != std::string_view::npos) refuse(text, "it must not have a user name in it");
    const std::size_t bracket = server.rfind(']');
    const std::size_t colon = server.find(':', bracket == std::string_view::npos ? 0 : bracket);
    url.port = colon == std::string_view::npos ? (url.uses_tls ? "443" : "80") : server.substr(colon + 1);
    server = server.substr(0, colon);
    if (server.starts_with('[') && server.ends_with(']')) server = server.substr(1, server.size() - 2);
    url.host = server;
    if (url.host.empty() || url.port.empty() || url.port.size() > 5 ||
        url.port.find_first_not_of("0123456789") != std::string::npos)
        refuse(text, "it needs a host and, after a colon, a port");
    return url;
}

Url resolve_url(const Url& base, const std::string& location) {
    if (location.find("://") < location.find_first_of("/?")) return parse_url(location);
    if (location.starts_with("//")) return parse_url((base.uses_tls ? "https:" : "http:") + location);
    Url root = base;
    root.target.clear();
    if (location.starts_with('/')) return parse_url(root.text() + location);
    const std::string folder = base.target.substr(0, base.target.find('?'));
    return parse_url(root.text() + folder.substr(0, folder.rfind('/') + 1) + location);
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string encoded;
    for (const char letter : text) {
        if (plain.find(letter) != std::string_view::npos) {
            encoded += letter;
            continue;
        }
        const auto byte = static_cast<unsigned char>(letter);
        encoded.append("%").append(1, digits[byte >> 4U]).append(1, digits[byte & 15U]);
    }
    return encoded;
}

}  // namespace keelson::oci
