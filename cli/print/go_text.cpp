#include "cli/print/go_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

namespace keelson::cli::printing {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

std::string hexadecimal(std::uint32_t code, int digits) {
    std::array<char, 16> buffer{};
    const int size = std::snprintf(buffer.data(), buffer.size(), "%0*x", digits, code);
    return {buffer.data(), static_cast<std::size_t>(size)};
}

// encoding/json leaves valid UTF-8 alone but for the line separators of JavaScript.
void append_json_string(std::string_view text, std::string& out) {
    out += '"';
    while (!text.empty()) {
        std::size_t bytes = 0;
        const std::uint32_t code = first_character(text, bytes);
        const bool is_bad = code == kReplacement && bytes == 1;
        if (code == '"' || code == '\\')
            (out += '\\') += static_cast<char>(code);
        else if (code == '\n')
            out += "\\n";
        else if (code == '\r')
            out += "\\r";
        else if (code == '\t')
            out += "\\t";
        else if (code == '\b')
            out += "\\b";
        else if (code == '\f')
            out += "\\f";
        else if (code < 0x20 || code == '<' || code == '>' || code == '&' || code == 0x2028 ||
                 code == 0x2029 || is_bad)
            out += "\\u" + hexadecimal(code, 4);
        else
            out += text.substr(0, bytes);
        text.remove_prefix(bytes);
    }
    out += '"';
}

void append_json_real(double value, std::string& out) {
    const double size = std::fabs(value);
    const bool has_exponent = size != 0 && (size < 1e-6 || size >= 1e21);
    std::array<char, 400> buffer{};
    const auto format = has_exponent ? std::chars_format::scientific : std::chars_format::fixed;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr;
    std::string text(buffer.data(), end);
    // Go writes e-7 where C writes e-07.
    const auto mark = text.find("e-0");
    if (has_exponent && mark != std::string::npos) text.erase(mark + 2, 1);
    out += text;
}

class JsonWriter {
  public:
    JsonWriter(std::string& out, int indent) : out_(out), indent_(indent) {}

    void write(const Json& value, int depth) {
        if (value.is_object())
            write_map(value, depth);
        else if (value.is_array())
            write_list(value, depth);
        else if (value.is_string())
            append_json_string(value.get_ref<const std::string&>(), out_);
        else if (value.is_number_float())
            append_json_real(value.get<double>(), out_);
        else
            out_ += value.dump();
    }

  private:
    void write_map(const Json& value, int depth) {
        out_ += '{';
        const char* separator = "";
        for (const auto& [name, member] : value.items()) {
            out_ += separator;
            separator = ",";
            new_line(depth + 1);
            append_json_string(name, out_);
            out_ += indent_ < 0 ? ":" : ": ";
            write(member, depth + 1);
        }
        if (!value.empty()) new_line(depth);
        out_ += '}';
    }
    void write_list(const Json& value, int depth) {
        out_ += '[';
        const char* separator = "";
        for (const Json& item : value) {
            out_ += separator;
            separator = ",";
            new_line(depth + 1);
            write(item, depth + 1);
        }
        if (!value.empty()) new_line(depth);
        out_ += ']';
    }
    void new_line(int depth) {
        if (indent_ < 0) return;
        out_ += '\n';
        out_.append(static_cast<std::size_t>(indent_) * static_cast<std::size_t>(depth), ' ');
    }

    std::string& out_;
    int indent_;
};

std::string joined(const Json& value, std::string_view separator, std::string (*text_of)(const Json&),
                   std::string (*name_of)(std::string_view)) {
    std::string text;
    std::string_view before;
    for (const auto& [name, member] : value.items()) {
        text += before;
        before = separator;
        if (value.is_object()) text += name_of(name) + ":";
        text += text_of(member);
    }
    return text;
}

std::string as_it_is(std::string_view text) {
    return std::string(text);
}

std::optional<std::uint32_t> escape_code(std::string_view& rest, char quote) {
    const char letter = rest.front();
    rest.remove_prefix(1);
    constexpr std::string_view kNames = "abfnrtv\\";
    constexpr std::string_view kCodes = "\a\b\f\n\r\t\v\\";
    if (letter == quote) return static_cast<unsigned char>(quote);
    if (const auto at = kNames.find(letter); at != std::string_view::npos) return kCodes[at];
    const std::size_t digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    if (digits == 0 || rest.size() < digits) return std::nullopt;
    std::uint32_t code = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + digits, code, 16);
    if (error != std::errc() || end != rest.data() + digits) return std::nullopt;
    rest.remove_prefix(digits);
    return code;
}

}  // namespace

std::uint32_t first_character(std::string_view text, std::size_t& bytes) {
    auto lead = static_cast<unsigned char>(text.front());
    bytes = 1;
    if (lead < 0x80) return lead;
    const std::size_t size = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    if (size == 0 || lead >= 0xF5 || text.size() < size) return kReplacement;
    std::uint32_t code = lead & (0x7Fu >> size);
    for (std::size_t at = 1; at < size; ++at) {
        const auto next = static_cast<unsigned char>(text[at]);
        if ((next & 0xC0) != 0x80) return kReplacement;
        code = (code << 6) | (next & 0x3Fu);
    }
    const bool is_bad = (size == 3 && code < 0x800) || (size == 4 && (code < 0x10000 || code > 0x10FFFF)) ||
                        (code >= 0xD800 && code < 0xE000);
    if (is_bad) return kReplacement;
    bytes = size;
    return code;
}

void append_utf8(std::uint32_t code, std::string& text) {
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = kReplacement;
    const auto tail = [&](int shift) { text += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
    if (code < 0x80) {
        text += static_cast<char>(code);
    } else if (code < 0x800) {
        text += static_cast<char>(0xC0 | (code >> 6));
        tail(0);
    } else if (code < 0x10000) {
        text += static_cast<char>(0xE0 | (code >> 12));
        tail(6);
        tail(0);
    } else {
        text += static_cast<char>(0xF0 | (code >> 18));
        tail(12);
        tail(6);
        tail(0);
    }
}

std::string go_real(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value < 0 ? "-Inf" : "+Inf";
    std::array<char, 400> buffer{};
    const auto write = [&](std::chars_format format) {
        return std::string(buffer.data(),
                           std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr);
    };
    const double size = std::fabs(value);
    const bool has_exponent = size != 0 && (size < 1e-4 || size >= 1e21);
    return write(has_exponent ? std::chars_format::scientific : std::chars_format::fixed);
}

std::string go_type(const Json& value) {
    if (value.is_object()) return "map[string]interface {}";
    if (value.is_array()) return "[]interface {}";
    if (value.is_string()) return "string";
    if (value.is_boolean()) return "bool";
    if (value.is_number_float()) return "float64";
    return value.is_null() ? "<nil>" : "int64";
}

std::string go_text(const Json& value) {
    if (value.is_object()) return "map[" + joined(value, " ", go_text, as_it_is) + "]";
    if (value.is_array()) return "[" + joined(value, " ", go_text, as_it_is) + "]";
    if (value.is_string()) return value.get<std::string>();
    if (value.is_null()) return "<nil>";
    if (!value.is_number_float()) return value.dump();
    // %v of a real has an exponent from 1e21 on and the point before that.
    return go_real(value.get<double>());
}

std::string go_syntax(const Json& value) {
    if (value.is_object()) return go_type(value) + "{" + joined(value, ", ", go_syntax, go_quote) + "}";
    if (value.is_array()) return go_type(value) + "{" + joined(value, ", ", go_syntax, go_quote) + "}";
    if (value.is_string()) return go_quote(value.get_ref<const std::string&>());
    if (value.is_null()) return "interface {}(nil)";
    return go_text(value);
}

std::string go_json(const Json& value, int indent) {
    std::string text;
    JsonWriter(text, indent).write(value, 0);
    return text;
}

std::string go_quote(std::string_view text) {
    std::string quoted = "\"";
    while (!text.empty()) {
        std::size_t bytes = 0;
        const std::uint32_t code = first_character(text, bytes);
        constexpr std::string_view kCodes = "\a\b\f\n\r\t\v";
        constexpr std::string_view kNames = "abfnrtv";
        const auto named = code < 0x20 ? kCodes.find(static_cast<char>(code)) : std::string_view::npos;
        if (code == '"' || code == '\\')
            (quoted += '\\') += static_cast<char>(code);
        else if (named != std::string_view::npos)
            (quoted += '\\') += kNames[named];
        else if (code < 0x20 || code == 0x7F)
            quoted += "\\x" + hexadecimal(code, 2);
        else if (code == kReplacement && bytes == 1)
            quoted += "\\x" + hexadecimal(static_cast<unsigned char>(text.front()), 2);
        else
            quoted += text.substr(0, bytes);
        text.remove_prefix(bytes);
    }
    return quoted + "\"";
}

bool go_unquote(std::string_view quoted, std::string& text) {
    text.clear();
    if (quoted.size() < 2 || quoted.front() != quoted.back()) return false;
    const char quote = quoted.front();
    std::string_view rest = quoted.substr(1, quoted.size() - 2);
    if (quote == '`') {
        text = rest;
        return rest.find('`') == std::string_view::npos;
    }
    if (quote != '"' && quote != '\'') return false;
    while (!rest.empty()) {
        const char letter = rest.front();
        rest.remove_prefix(1);
        if (letter == quote || letter == '\n') return false;
        if (letter != '\\') {
            text += letter;
            continue;
        }
        if (rest.empty()) return false;
        const bool is_byte = rest.front() == 'x';
        const auto code = escape_code(rest, quote);
        if (!code) return false;
        if (is_byte)
            text += static_cast<char>(*code);
        else
            append_utf8(*code, text);
    }
    return true;
}

}  // namespace keelson::cli::printing
