// A file of fixed tokens in Kubernetes' format: lines of token,user,uid[,"group1,group2"], fields in double
// quotes may hold commas, "" is a quote in them, blank lines are skipped. A first column sha256:<hex> stands
// for a token that the file does not hold itself.
#ifndef KEELSON_TOKEN_FILE_H
#define KEELSON_TOKEN_FILE_H

#include <array>
#include <string>
#include <string_view>
#include <vector>

using Digest = std::array<unsigned char, 32>;

struct TokenUser {
    std::string name;
    std::string uid;
    std::vector<std::string> groups;
};

struct TokenEntry {
    Digest digest;  // SHA-256 of the token
    TokenUser user;
};

Digest sha256(std::string_view text);

// Throws keelson::Error naming the line; no token appears in the message.
std::vector<TokenEntry> parse_token_file(std::string_view text);

#endif
