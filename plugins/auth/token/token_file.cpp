#include "token_file.h"

#include <openssl/sha.h>

#include <optional>

#include "keelson/error.hpp"

namespace {

constexpr std::string_view digest_prefix = "sha256:";

std::string_view trim(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

// A field in double quotes, taken off the front; false when its end is missing.
bool take_quoted(std::string_view& line, std::string& field) {
    line.remove_prefix(1);
    for (;;) {
        const auto quote = line.find('"');
        if (quote == std::string_view::npos) return false;
        field += line.substr(0, quote);
        line.remove_prefix(quote + 1);
        if (line.empty() || line.front() != '"') break;
        field += '"';
        line.remove_prefix(1);
    }
    line = trim(line);
    return line.empty() || line.front() == ',';
}

std::optional<std::vector<std::string>> split(std::string_view line) {
    std::vector<std::string> fields;
    for (;;) {
        std::string field;
        line = trim(line);
        if (!line.empty() && line.front() == '"') {
            if (!take_quoted(line, field)) return std::nullopt;
        } else {
            const auto comma = line.find(',');
            field = trim(line.substr(0, comma));
            line.remove_prefix(comma == std::string_view::npos ? line.size() : comma);
        }
        fields.push_back(std::move(field));
        if (line.empty()) return fields;
        line.remove_prefix(1);
    }
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::optional<Digest> read_digest(std::string_view hex) {
    Digest digest;
    if (hex.size() != 2 * digest.size()) return std::nullopt;
    for (std::size_t i = 0; i < digest.size(); ++i) {
        const int high = hex_digit(hex[2 * i]);
        const int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        digest[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return digest;
}

[[noreturn]] void refuse(int line, const char* problem) {
    throw keelson::Error(keelson::Code::invalid, "line " + std::to_string(line) + ": " + problem);
}

TokenEntry entry_of(const std::vector<std::string>& fields, int line) {
    if (fields.size() < 3) refuse(line, "must be token,user,uid[,\"group1,group2\"]");
    if (fields[0].empty()) refuse(line, "the token is empty");
    if (fields[1].empty()) refuse(line, "the user is empty");
    TokenEntry entry{{}, {fields[1], fields[2], {}}};
    const std::string_view token = fields[0];
    if (token.substr(0, digest_prefix.size()) == digest_prefix) {
        const auto digest = read_digest(token.substr(digest_prefix.size()));
        if (!digest) refuse(line, "sha256: must be followed by 64 hexadecimal digits");
        entry.digest = *digest;
    } else {
        entry.digest = sha256(token);
    }
    if (fields.size() >= 4) {
        for (std::string& group : split(fields[3]).value_or(std::vector<std::string>())) {
            if (!group.empty()) entry.user.groups.push_back(std::move(group));
        }
    }
    return entry;
}

}  // namespace

Digest sha256(std::string_view text) {
    Digest digest;
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    return digest;
}

std::vector<TokenEntry> parse_token_file(std::string_view text) {
    std::vector<TokenEntry> entries;
    for (int number = 1; !text.empty(); ++number) {
        const auto end = text.find('\n');
        const std::string_view line = trim(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        if (line.empty()) continue;
        const auto fields = split(line);
        if (!fields) refuse(number, "a quoted field does not end");
        entries.push_back(entry_of(*fields, number));
    }
    return entries;
}
