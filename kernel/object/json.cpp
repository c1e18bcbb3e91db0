#include "kernel/object/json.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <unordered_set>

#include "kernel/object/problems.h"

namespace keelson::object {
namespace {

using base::Reason;
using base::Result;
using base::Status;

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Quotes a character as Go's scanner does in its errors.
std::string quote_character(unsigned char c) {
    if (c == '\'') return "'\\''";
    if (c == '"') return "'\"'";
    if (c == '\n') return "'\\n'";
    if (c == '\r') return "'\\r'";
    if (c == '\t') return "'\\t'";
    if (c >= 0x20 && c < 0x7f) return std::string("'") + static_cast<char>(c) + "'";
    constexpr char kHex[] = "0123456789abcdef";
    if (c < 0x80 && c != 0x7f) {
        std::string result = "'\\x";
        return result + kHex[c >> 4] + kHex[c & 15] + "'";
    }
    if (c == 0x7f) return "'\\x7f'";
    // A byte is printed as the code point of the same number.
    if (c < 0xa1 || c == 0xad) {
        std::string result = "'\\u00";
        return result + kHex[c >> 4] + kHex[c & 15] + "'";
    }
    std::string result = "'";
    result += static_cast<char>(0xc0 | (c >> 6));
    result += static_cast<char>(0x80 | (c & 0x3f));
    return result + "'";
}

// The length of the valid UTF-8 sequence at p, or 0.
std::size_t utf8_length(const unsigned char* p, const unsigned char* end) {
    auto continuation = [&](std::size_t i) { return p + i < end && (p[i] & 0xc0) == 0x80; };
    if (p[0] < 0x80) return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) return continuation(1) ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        if (!continuation(1) || !continuation(2)) return 0;
        if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
        if (p[0] == 0xed && p[1] > 0x9f) return 0;
        return 3;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if (!continuation(1) || !continuation(2) || !continuation(3)) return 0;
        if (p[0] == 0xf0 && p[1] < 0x90) return 0;
        if (p[0] == 0xf4 && p[1] > 0x8f) return 0;
        return 4;
    }
    return 0;
}

void append_utf8(std::uint32_t code, std::string& out) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xc0 | (code >> 6));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xe0 | (code >> 12));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    } else {
        out += static_cast<char>(0xf0 | (code >> 18));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
        out += static_cast<char>(0x80 | (code & 0x3f));
    }
}

// Of eight bytes, the high bit of each that a JSON string escapes: control characters, quotes and
// backslashes. Bytes behind the first such one may be marked without cause; one of 0x80 or more never is the
// first.
std::uint64_t special_bits(const char* bytes, std::uint64_t& word) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    std::memcpy(&word, bytes, sizeof word);
    const std::uint64_t quote = word ^ (kOnes * '"'), backslash = word ^ (kOnes * '\\');
    const std::uint64_t low = (word - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes);
    return low & ~word;
}

constexpr std::uint64_t kHighBits = 0x8080808080808080;

// Whether one of eight bytes has to be escaped.
bool has_special(const char* bytes) {
    std::uint64_t word;
    return (special_bits(bytes, word) & kHighBits) != 0;
}

// Whether eight bytes are ASCII and none of them ends or escapes a string.
bool is_plain(const char* bytes) {
    std::uint64_t word;
    return ((special_bits(bytes, word) | word) & kHighBits) == 0;
}

class Parser {
  public:
    Parser(std::string_view text, Arena& arena, std::vector<std::string>* duplicates)
        : next_(text.data()), end_(text.data() + text.size()), arena_(arena), duplicates_(duplicates) {}

    Result<Value> parse() {
        Value value;
        skip_space();
        if (!parse_value(value, 0)) return fail();
        skip_space();
        if (next_ != end_) {
            unexpected("after top-level value");
            return fail();
        }
        return value;
    }

  private:
    Status fail() { return Status(Reason::bad_request, std::move(error_)); }

    void skip_space() {
        while (next_ != end_ && is_space(*next_)) ++next_;
    }

    bool unexpected(std::string_view where) {
        if (next_ == end_)
            error_ = "unexpected end of JSON input";
        else
            error_ = "invalid character " + quote_character(static_cast<unsigned char>(*next_)) + " " +
                     std::string(where);
        return false;
    }

    bool parse_value(Value& out, int depth) {
        if (depth > kJsonDepthLimit) {
            error_ = "exceeded max depth";
            return false;
        }
        if (next_ == end_) return unexpected({});
        switch (*next_) {
            case '{':
                return parse_map(out, depth);
            case '[':
                return parse_list(out, depth);
            case '"': {
                std::string_view text;
                if (!parse_string(text)) return false;
                out = Value::reference(text);
                return true;
            }
            case 't':
                out = Value::boolean(true);
                return parse_literal("true");
            case 'f':
                out = Value::boolean(false);
                return parse_literal("false");
            case 'n':
                out = Value::null();
                return parse_literal("null");
            default:
                if (*next_ == '-' || (*next_ >= '0' && *next_ <= '9')) return parse_number(out);
                return unexpected("looking for beginning of value");
        }
    }

    bool parse_literal(std::string_view word) {
        for (std::size_t i = 0; i < word.size(); ++i, ++next_) {
            if (next_ == end_ || *next_ != word[i])
                return unexpected("in literal " + std::string(word) + " (expecting '" + word[i] + "')");
        }
        return true;
    }

    bool digits(std::string_view where) {
        if (next_ == end_ || *next_ < '0' || *next_ > '9') return unexpected(where);
        while (next_ != end_ && *next_ >= '0' && *next_ <= '9') ++next_;
        return true;
    }

    bool parse_number(Value& out) {
        const char* start = next_;
        bool integral = true;
        if (*next_ == '-') ++next_;
        if (next_ != end_ && *next_ == '0')
            ++next_;
        else if (!digits("in numeric literal"))
            return false;
        if (next_ != end_ && *next_ == '.') {
            integral = false;
            ++next_;
            if (!digits("after decimal point in numeric literal")) return false;
        }
        if (next_ != end_ && (*next_ == 'e' || *next_ == 'E')) {
            integral = false;
            ++next_;
            if (next_ != end_ && (*next_ == '+' || *next_ == '-')) ++next_;
            if (!digits("in exponent of numeric literal")) return false;
        }
        if (integral) {
            std::int64_t integer = 0;
            if (std::from_chars(start, next_, integer).ec == std::errc()) {
                out = Value::integer(integer);
                return true;
            }
        }
        double real = 0;
        if (std::from_chars(start, next_, real).ec != std::errc() || !std::isfinite(real)) {
            error_ = "json: cannot unmarshal number " + std::string(start, next_) +
                     " into Go value of type float64";
            return false;
        }
        out = Value::real(real);
        return true;
    }

    bool parse_string(std::string_view& out) {
        const char* start = ++next_;
        while (true) {
            while (end_ - next_ >= 8 && is_plain(next_)) next_ += 8;
            if (next_ == end_) return unexpected({});
            unsigned char c = static_cast<unsigned char>(*next_);
            if (c == '"') {
                out = {start, static_cast<std::size_t>(next_ - start)};
                ++next_;
                return true;
            }
            if (c == '\\') return parse_escaped_string(start, out);
            if (c < 0x20) return unexpected("in string literal");
            if (c >= 0x80) {
                std::size_t length = utf8_length(reinterpret_cast<const unsigned char*>(next_),
                                                 reinterpret_cast<const unsigned char*>(end_));
                if (length == 0) return parse_escaped_string(start, out);
                next_ += length;
                continue;
            }
            ++next_;
        }
    }

    // The slow path: the string has escapes or invalid UTF-8 and needs a copy.
    bool parse_escaped_string(const char* start, std::string_view& out) {
        std::string text(start, next_);
        while (true) {
            if (next_ == end_) return unexpected({});
            unsigned char c = static_cast<unsigned char>(*next_);
            if (c == '"') {
                ++next_;
                out = arena_.copy(text);
                return true;
            }
            if (c < 0x20) return unexpected("in string literal");
            if (c == '\\') {
                ++next_;
                if (!parse_escape(text)) return false;
                continue;
            }
            std::size_t length = utf8_length(reinterpret_cast<const unsigned char*>(next_),
                                             reinterpret_cast<const unsigned char*>(end_));
            if (length == 0) {
                text += "\xef\xbf\xbd";
                ++next_;
            } else {
                text.append(next_, length);
                next_ += length;
            }
        }
    }

    bool parse_hex4(std::uint32_t& code) {
        code = 0;
        for (int i = 0; i < 4; ++i, ++next_) {
            if (next_ == end_) return unexpected({});
            char c = *next_;
            std::uint32_t digit;
            if (c >= '0' && c <= '9')
                digit = static_cast<std::uint32_t>(c - '0');
            else if (c >= 'a' && c <= 'f')
                digit = static_cast<std::uint32_t>(c - 'a' + 10);
            else if (c >= 'A' && c <= 'F')
                digit = static_cast<std::uint32_t>(c - 'A' + 10);
            else
                return unexpected("in \\u hexadecimal character escape");
            code = code * 16 + digit;
        }
        return true;
    }

    bool parse_escape(std::string& text) {
        if (next_ == end_) return unexpected({});
        switch (*next_) {
            case '"':
            case '\\':
            case '/':
                text += *next_++;
                return true;
            case 'b':
                text += '\b';
                break;
            case 'f':
                text += '\f';
                break;
            case 'n':
                text += '\n';
                break;
            case 'r':
                text += '\r';
                break;
            case 't':
                text += '\t';
                break;
            case 'u':
                ++next_;
                return parse_unicode_escape(text);
            default:
                return unexpected("in string escape code");
        }
        ++next_;
        return true;
    }

    bool parse_unicode_escape(std::string& text) {
        std::uint32_t code;
        if (!parse_hex4(code)) return false;
        if (code >= 0xd800 && code < 0xdc00 && end_ - next_ >= 6 && next_[0] == '\\' && next_[1] == 'u') {
            const char* back = next_;
            next_ += 2;
            std::uint32_t low;
            if (!parse_hex4(low)) return false;
            if (low >= 0xdc00 && low < 0xe000) {
                append_utf8(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), text);
                return true;
            }
            next_ = back;
        }
        append_utf8(code >= 0xd800 && code < 0xe000 ? 0xfffd : code, text);
        return true;
    }

    bool parse_list(Value& out, int depth) {
        out = Value::list(arena_);
        ++next_;
        skip_space();
        if (next_ != end_ && *next_ == ']') {
            ++next_;
            return true;
        }
        std::size_t mark = path_.size();
        for (std::size_t index = 0;; ++index) {
            if (duplicates_) path_ += "[" + std::to_string(index) + "]";
            Value item;
            skip_space();
            if (!parse_value(item, depth + 1)) return false;
            out.push_back(arena_, item);
            if (duplicates_) path_.resize(mark);
            skip_space();
            if (next_ != end_ && *next_ == ',') {
                ++next_;
                continue;
            }
            if (next_ != end_ && *next_ == ']') {
                ++next_;
                return true;
            }
            return unexpected("after array element");
        }
    }

    bool parse_map(Value& out, int depth) {
        constexpr std::size_t kLargeMap = 24;
        out = Value::map(arena_);
        std::unordered_set<std::string_view> names;  // used once the map is too large for a linear look
        ++next_;
        skip_space();
        if (next_ != end_ && *next_ == '}') {
            ++next_;
            return true;
        }
        std::size_t mark = path_.size();
        while (true) {
            skip_space();
            if (next_ == end_ || *next_ != '"')
                return unexpected("looking for beginning of object key string");
            std::string_view name;
            if (!parse_string(name)) return false;
            skip_space();
            if (next_ == end_ || *next_ != ':') return unexpected("after object key");
            ++next_;
            skip_space();
            if (duplicates_) {
                if (mark != 0) path_ += '.';
                path_ += name;
            }
            Value member;
            if (!parse_value(member, depth + 1)) return false;
            if (out.size() == kLargeMap)
                for (const Member& known : out.members()) names.insert(known.name);
            bool known = out.size() < kLargeMap ? out.find(name) != nullptr : !names.insert(name).second;
            if (known) {
                if (wants_more_problems(duplicates_)) add_problem(*duplicates_, path_);
                out.set(arena_, name, member);
            } else {
                out.append(arena_, name, member);
            }
            if (duplicates_) path_.resize(mark);
            skip_space();
            if (next_ != end_ && *next_ == ',') {
                ++next_;
                continue;
            }
            if (next_ != end_ && *next_ == '}') {
                ++next_;
                return true;
            }
            return unexpected("after object key:value pair");
        }
    }

    const char* next_;
    const char* end_;
    Arena& arena_;
    std::vector<std::string>* duplicates_;
    std::string path_;
    std::string error_;
};

void write_pretty(Value value, std::string& out, int indent, int depth) {
    auto new_line = [&](int level) {
        out += '\n';
        out.append(static_cast<std::size_t>(indent * level), ' ');
    };
    if (value.is_map() && !value.empty()) {
        out += '{';
        bool first = true;
        for (const Member& member : value.members()) {
            if (!std::exchange(first, false)) out += ',';
            new_line(depth + 1);
            write_json_string(member.name, out);
            out += ": ";
            write_pretty(member.value, out, indent, depth + 1);
        }
        new_line(depth);
        out += '}';
    } else if (value.is_list() && !value.empty()) {
        out += '[';
        bool first = true;
        for (Value item : value.items()) {
            if (!std::exchange(first, false)) out += ',';
            new_line(depth + 1);
            write_pretty(item, out, indent, depth + 1);
        }
        new_line(depth);
        out += ']';
    } else {
        write_json(value, out);
    }
}

}  // namespace

Result<Value> parse_json(std::string_view text, Arena& arena, std::vector<std::string>* duplicates) {
    return Parser(text, arena, duplicates).parse();
}

Result<Value> parse_json_copy(std::string_view text, Arena& arena, std::vector<std::string>* duplicates) {
    return parse_json(arena.copy(text), arena, duplicates);
}

void write_json_string(std::string_view text, std::string& out) {
    constexpr char kHex[] = "0123456789abcdef";
    out += '"';
    std::size_t plain = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        while (i + 8 <= text.size() && !has_special(text.data() + i)) i += 8;
        if (i == text.size()) break;
        unsigned char c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        out.append(text, plain, i - plain);
        plain = i + 1;
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\f':
                out += "\\f";
                break;
            default:
                out += "\\u00";
                out += kHex[c >> 4];
                out += kHex[c & 15];
        }
    }
    out.append(text, plain, text.size() - plain);
    out += '"';
}

void write_json_real(double value, std::string& out) {
    // No -0: it would be read back as the integer 0.
    if (value == 0) value = 0;
    char buffer[400];
    double size = std::fabs(value);
    bool exponent = size != 0 && (size < 1e-6 || size >= 1e21);
    auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
    auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value, format);
    std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
    if (error != std::errc()) text = "0";
    out += text;
    // Go writes e-7 where C writes e-07.
    if (exponent && text.size() >= 4 && text[text.size() - 4] == 'e' && text[text.size() - 2] == '0')
        out.erase(out.size() - 2, 1);
}

void write_json(Value value, std::string& out) {
    switch (value.kind()) {
        case Kind::absent:
        case Kind::null:
            out += "null";
            return;
        case Kind::boolean:
            out += value.as_boolean() ? "true" : "false";
            return;
        case Kind::integer: {
            char buffer[24];
            auto end = std::to_chars(buffer, buffer + sizeof buffer, value.as_integer()).ptr;
            out.append(buffer, static_cast<std::size_t>(end - buffer));
            return;
        }
        case Kind::real:
            return write_json_real(value.as_real(), out);
        case Kind::string:
            return write_json_string(value.as_string(), out);
        case Kind::list: {
            out += '[';
            bool first = true;
            for (Value item : value.items()) {
                if (!std::exchange(first, false)) out += ',';
                write_json(item, out);
            }
            out += ']';
            return;
        }
        case Kind::map: {
            out += '{';
            bool first = true;
            for (const Member& member : value.members()) {
                if (!std::exchange(first, false)) out += ',';
                write_json_string(member.name, out);
                out += ':';
                write_json(member.value, out);
            }
            out += '}';
            return;
        }
    }
}

std::string to_json(Value value) {
    std::string out;
    write_json(value, out);
    return out;
}

void write_json_pretty(Value value, std::string& out, int indent) {
    write_pretty(value, out, indent, 0);
}

}  // namespace keelson::object
