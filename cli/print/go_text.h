// JSON values as Go programs print them: what the templates of clients rely on.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace keelson::cli::printing {

using Json = nlohmann::json;

// %v: maps as "map[a:1 b:2]", lists as "[1 2]", null as "<nil>".
std::string go_text(const Json& value);
// %#v, as a composite literal of Go.
std::string go_syntax(const Json& value);
// encoding/json: compact, or indented when `indent` is not negative, with <, > and & escaped.
std::string go_json(const Json& value, int indent = -1);
// %q
std::string go_quote(std::string_view text);
// The shortest text that reads back as the same number, with an exponent below 1e-4 and from 1e21 on.
std::string go_real(double value);
// The name of the type that Go decodes such a value into.
std::string go_type(const Json& value);

// Reads "..." and '...' with Go's escapes; false when it is no such literal.
bool go_unquote(std::string_view quoted, std::string& text);
void append_utf8(std::uint32_t code, std::string& text);
// The first character and how many bytes it has; U+FFFD and 1 for what is no UTF-8. The text is not empty.
std::uint32_t first_character(std::string_view text, std::size_t& bytes);

}  // namespace keelson::cli::printing
