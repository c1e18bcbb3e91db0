// The words of Go's text/template.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::cli::printing {

enum class TokenKind : std::uint8_t {
    error,  // its text is the message
    end,
    text,
    left,
    right,
    space,
    pipe,
    declare,
    assign,
    comma,
    left_parenthesis,
    right_parenthesis,
    dot,
    field,
    variable,
    word,  // functions and keywords
    number,
    character,
    string,
    symbol,  // any other of ASCII
};

struct Token {
    TokenKind kind = TokenKind::end;
    std::size_t position = 0;
    std::string text;
    int line = 1;
};

// Ends with a token of kind end or error.
std::vector<Token> tokens_of(std::string_view text);

}  // namespace keelson::cli::printing
