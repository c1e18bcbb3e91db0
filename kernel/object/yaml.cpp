#include "kernel/object/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "kernel/object/json.h"
#include "kernel/object/problems.h"
#include "kernel/object/time_format.h"

namespace keelson::object {
namespace {

using base::Reason;
using base::Result;
using base::Status;

constexpr int kDepthLimit = 200;
// Aliases may repeat nodes, but not without bound.
constexpr std::size_t kNodeLimit = 400'000;

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    return std::ranges::find(words, text) != words.end();
}

bool parse_integer(std::string_view text, Value& value) {
    std::string digits;
    for (char c : text)
        if (c != '_') digits += c;
    std::string_view rest = digits;
    bool negative = !rest.empty() && rest[0] == '-';
    if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) rest.remove_prefix(1);
    int radix = 10;
    if (rest.starts_with("0x") || rest.starts_with("0X")) {
        radix = 16;
        rest.remove_prefix(2);
    } else if (rest.starts_with("0b") || rest.starts_with("0B")) {
        radix = 2;
        rest.remove_prefix(2);
    } else if (rest.starts_with("0o") || rest.starts_with("0O")) {
        radix = 8;
        rest.remove_prefix(2);
    } else if (rest.size() > 1 && rest[0] == '0') {
        radix = 8;
        rest.remove_prefix(1);
    }
    std::uint64_t number = 0;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number, radix);
    if (error != std::errc() || end != rest.data() + rest.size() || rest.empty()) return false;
    if (negative ? number > (std::uint64_t{1} << 63) : number > static_cast<std::uint64_t>(INT64_MAX))
        return false;
    value =
        Value::integer(negative ? static_cast<std::int64_t>(~number + 1) : static_cast<std::int64_t>(number));
    return true;
}

bool parse_real(std::string_view text, Value& value) {
    std::string digits;
    for (char c : text)
        if (c != '_') digits += c;
    std::string_view rest = digits;
    if (rest.starts_with('+')) rest.remove_prefix(1);
    bool has_digit = std::ranges::any_of(rest, [](char c) { return c >= '0' && c <= '9'; });
    bool plain = std::ranges::all_of(rest, [](char c) {
        return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
    });
    if (!has_digit || !plain) return false;
    double number = 0;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc() || end != rest.data() + rest.size()) return false;
    value = Value::real(number);
    return true;
}

// A plain scalar by the rules of YAML 1.1 as Kubernetes' library applies them. False: it is a string.
bool resolve_plain(std::string_view text, Value& value) {
    if (text.empty() || is_one_of(text, {"~", "null", "Null", "NULL"})) {
        value = Value::null();
        return true;
    }
    if (is_one_of(text, {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})) {
        value = Value::boolean(true);
        return true;
    }
    if (is_one_of(text, {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})) {
        value = Value::boolean(false);
        return true;
    }
    char c = text[0];
    bool numeric_start = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    return numeric_start && (parse_integer(text, value) || parse_real(text, value));
}

// The length of the UTF-8 character that a text starts with and its code; 0 when it starts with something
// else.
std::size_t decode_character(std::string_view text, std::uint32_t& code) {
    auto byte = static_cast<unsigned char>(text[0]);
    std::size_t length = byte < 0x80   ? 1
                         : byte < 0xc2 ? 0
                         : byte < 0xe0 ? 2
                         : byte < 0xf0 ? 3
                         : byte < 0xf5 ? 4
                                       : 0;
    if (length == 0 || length > text.size()) return 0;
    code = length == 1 ? byte : byte & (0xffu >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xc0) != 0x80) return 0;
        code = code << 6 | (next & 0x3fu);
    }
    constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    bool is_surrogate = code >= 0xd800 && code < 0xe000;
    return code < kLeast[length] || code > 0x10ffff || is_surrogate ? 0 : length;
}

// The input was UTF-8, but yaml-cpp reads the escapes \N and \_ as the single bytes 0x85 and 0xA0.
std::string with_whole_characters(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        std::uint32_t code = 0;
        std::size_t length = decode_character(text, code);
        if (length > 0) {
            out.append(text, 0, length);
        } else {
            auto byte = static_cast<unsigned char>(text[0]);
            out += static_cast<char>(0xc0 | byte >> 6);
            out += static_cast<char>(0x80 | (byte & 0x3f));
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

class Converter {
  public:
    Converter(Arena& arena, std::vector<std::string>* duplicates) : arena_(arena), duplicates_(duplicates) {}

    Result<Value> convert(const YAML::Node& node, int depth) {
        if (depth > kDepthLimit) return Status(Reason::bad_request, "yaml: exceeded max depth");
        if (++nodes_ > kNodeLimit)
            return Status(Reason::bad_request, "yaml: document contains excessive aliasing");
        switch (node.Type()) {
            case YAML::NodeType::Scalar:
                return scalar(node);
            case YAML::NodeType::Sequence:
                return sequence(node, depth);
            case YAML::NodeType::Map:
                return map(node, depth);
            default:
                return Value::null();
        }
    }

  private:
    Value scalar(const YAML::Node& node) {
        const std::string& text = node.Scalar();
        Value value;
        bool plain = node.Tag() == "?" || node.Tag().empty();
        if (plain && resolve_plain(text, value)) return value;
        return Value::string(arena_, with_whole_characters(text));
    }

    Result<Value> sequence(const YAML::Node& node, int depth) {
        Value list = Value::list(arena_, node.size());
        for (const YAML::Node& item : node) {
            KEELSON_TRY(Value value, convert(item, depth + 1));
            list.push_back(arena_, value);
        }
        return list;
    }

    std::string key_text(const YAML::Node& key) {
        // Keys become strings: `1:` and `true:` are "1" and "true".
        Value resolved;
        bool plain = key.Tag() == "?" || key.Tag().empty();
        if (plain && resolve_plain(key.Scalar(), resolved) && !resolved.is_null()) return to_json(resolved);
        return with_whole_characters(key.Scalar());
    }

    Result<Value> map(const YAML::Node& node, int depth) {
        Value result = Value::map(arena_, node.size());
        for (const auto& entry : node) {
            if (!entry.first.IsScalar())
                return Status(Reason::bad_request, "error converting YAML to JSON: invalid map key");
            std::string key = key_text(entry.first);
            if (key == "<<" && entry.first.Tag() == "?") {
                KEELSON_TRY(Value merged, convert(entry.second, depth + 1));
                for (const Member& member : merged.members())
                    if (!result.has(member.name)) result.append(arena_, member.name, member.value);
                continue;
            }
            KEELSON_TRY(Value value, convert(entry.second, depth + 1));
            if (wants_more_problems(duplicates_) && result.has(key))
                add_problem(*duplicates_, "yaml: unmarshal errors:\n  line " +
                                              std::to_string(entry.first.Mark().line + 1) + ": key \"" + key +
                                              "\" already set in map");
            result.set(arena_, arena_.copy(key), value);
        }
        return result;
    }

    Arena& arena_;
    std::vector<std::string>* duplicates_;
    std::size_t nodes_ = 0;
};

// What keeps a text from being YAML: bytes that are no UTF-8, control characters. Empty when nothing does.
std::string_view character_error(std::string_view text) {
    bool at_start = true;
    while (!text.empty()) {
        std::uint32_t code = 0;
        std::size_t length = decode_character(text, code);
        if (length == 0) return "yaml: invalid leading UTF-8 octet";
        bool allowed = code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code <= 0x7e) ||
                       code == 0x85 ||
                       (code >= 0xa0 && code != 0xfffe && code != 0xffff && (code != 0xfeff || at_start));
        if (!allowed) return "yaml: control characters are not allowed";
        text.remove_prefix(length);
        at_start = false;
    }
    return {};
}

// --- writing ---

bool looks_like_base60(std::string_view text) {
    bool colon = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == ':') colon = true;
        bool fine =
            (c >= '0' && c <= '9') || c == ':' || c == '_' || c == '.' || (i == 0 && (c == '-' || c == '+'));
        if (!fine) return false;
    }
    return colon;
}

bool looks_like_time(std::string_view text) {
    if (parse_time(text)) return true;
    auto digits = [&](std::size_t from, std::size_t count) {
        for (std::size_t i = from; i < from + count; ++i)
            if (text[i] < '0' || text[i] > '9') return false;
        return true;
    };
    return text.size() == 10 && digits(0, 4) && text[4] == '-' && digits(5, 2) && text[7] == '-' &&
           digits(8, 2);
}

// The first character of a non-empty text, which is cut off. Bytes that are no UTF-8 stand for themselves.
std::uint32_t take_character(std::string_view& text) {
    std::uint32_t code = 0;
    std::size_t length = decode_character(text, code);
    if (length == 0) code = static_cast<unsigned char>(text.front());
    text.remove_prefix(std::max<std::size_t>(length, 1));
    return code;
}

// What only double quotes can hold: control characters, line breaks of Unicode, byte order marks.
bool needs_escape(std::uint32_t code) {
    return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
           code == 0x2029 || code == 0xfeff || code == 0xfffe || code == 0xffff;
}

bool needs_escapes(std::string_view text) {
    while (!text.empty())
        if (needs_escape(take_character(text))) return true;
    return false;
}

void write_double_quoted(std::string_view text, std::string& out) {
    struct Short {
        std::uint32_t code;
        char letter;
    };
    constexpr Short kShort[] = {{0, '0'},     {7, 'a'},    {8, 'b'},    {9, 't'},      {10, 'n'},
                                {11, 'v'},    {12, 'f'},   {13, 'r'},   {27, 'e'},     {'"', '"'},
                                {'\\', '\\'}, {0x85, 'N'}, {0xa0, '_'}, {0x2028, 'L'}, {0x2029, 'P'}};
    out += '"';
    while (!text.empty()) {
        std::string_view rest = text;
        std::uint32_t code = take_character(rest);
        const Short* known = std::ranges::find(kShort, code, &Short::code);
        if (known != std::end(kShort)) {
            out += '\\';
            out += known->letter;
        } else if (needs_escape(code)) {
            char buffer[8];
            std::snprintf(buffer, sizeof buffer, code <= 0xff ? "\\x%02X" : "\\u%04X", code);
            out += buffer;
        } else {
            out.append(text, 0, text.size() - rest.size());
        }
        text = rest;
    }
    out += '"';
}

bool can_be_plain(std::string_view text) {
    constexpr std::string_view kIndicators = "#,[]{}&*!|>'\"%@`";
    char first = text.front();
    if (kIndicators.find(first) != std::string_view::npos || text.front() == ' ' || text.back() == ' ')
        return false;
    if ((first == '-' || first == '?' || first == ':') && (text.size() == 1 || text[1] == ' ')) return false;
    if (text.starts_with("---") || text.starts_with("...")) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) return false;
        if (text[i] == '#' && i > 0 && text[i - 1] == ' ') return false;
        if (text[i] == '\t') return false;
    }
    return true;
}

void write_literal(std::string_view text, int depth, std::string& out) {
    bool ends_with_break = text.back() == '\n';
    out += '|';
    if (text.front() == ' ' || text.front() == '\n') out += '2';
    if (!ends_with_break) out += '-';
    if (text == "\n" || text.ends_with("\n\n")) out += '+';
    if (ends_with_break) text.remove_suffix(1);
    while (true) {
        std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        out += '\n';
        if (!line.empty()) {
            out.append(static_cast<std::size_t>(depth) * 2, ' ');
            out += line;
        }
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
    }
}

void write_text(std::string_view text, int depth, bool is_key, std::string& out) {
    Value resolved;
    bool ambiguous = text.empty() || resolve_plain(text, resolved) || looks_like_base60(text) ||
                     looks_like_time(text) || is_one_of(text, {"<<", "=", ".inf", "-.inf", ".nan", "+.inf"});
    if (ambiguous || needs_escapes(text)) return write_double_quoted(text, out);
    if (text.find('\n') != std::string_view::npos) {
        if (is_key) return write_double_quoted(text, out);
        return write_literal(text, depth, out);
    }
    if (can_be_plain(text)) {
        out += text;
        return;
    }
    out += '\'';
    for (char c : text) {
        if (c == '\'') out += '\'';
        out += c;
    }
    out += '\'';
}

class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}

    // Writes what follows "key:" or "-"; the line ends with it.
    void value(Value value, int depth, bool in_list) {
        if (value.is_map() && !value.empty()) {
            if (!in_list) out_ += '\n';
            members(value, depth, in_list);
            return;
        }
        if (value.is_list() && !value.empty()) {
            if (!in_list) out_ += '\n';
            items(value, in_list ? depth : depth - 1, in_list);
            return;
        }
        if (!in_list) out_ += ' ';
        if (value.is_string())
            write_text(value.as_string(), depth, false, out_);
        else
            write_json(value, out_);
        out_ += '\n';
    }

    void members(Value map, int depth, bool first_on_line) {
        std::vector<Member> sorted(map.members().begin(), map.members().end());
        std::ranges::sort(sorted, {}, &Member::name);
        for (const Member& member : sorted) {
            if (!std::exchange(first_on_line, false)) indent(depth);
            write_text(member.name, depth, true, out_);
            out_ += ':';
            value(member.value, depth + 1, false);
        }
    }

    void items(Value list, int depth, bool first_on_line) {
        for (Value item : list.items()) {
            if (!std::exchange(first_on_line, false)) indent(depth);
            out_ += "- ";
            value(item, depth + 1, true);
        }
    }

  private:
    void indent(int depth) { out_.append(static_cast<std::size_t>(std::max(depth, 0)) * 2, ' '); }
    std::string& out_;
};

}  // namespace

Result<Value> parse_yaml(std::string_view text, Arena& arena, std::vector<std::string>* duplicates) {
    std::size_t start = text.find_first_not_of(" \t\r\n");
    if (start != std::string_view::npos && text[start] == '{')
        if (auto json = parse_json(text, arena)) return json;
    if (std::string_view problem = character_error(text); !problem.empty())
        return Status(Reason::bad_request, std::string(problem));
    // yaml-cpp recurses over nesting without a limit of its own.
    int nesting = 0, deepest = 0;
    for (char c : text) {
        if (c == '[' || c == '{') deepest = std::max(deepest, ++nesting);
        if (c == ']' || c == '}') nesting = std::max(0, nesting - 1);
    }
    if (deepest > kDepthLimit) return Status(Reason::bad_request, "yaml: exceeded max depth");
    try {
        YAML::Node node = YAML::Load(std::string(text));
        return Converter(arena, duplicates).convert(node, 0);
    } catch (const YAML::Exception& problem) {
        return Status(Reason::bad_request,
                      "yaml: line " + std::to_string(problem.mark.line + 1) + ": " + problem.msg);
    }
}

void write_yaml(Value value, std::string& out) {
    Writer writer(out);
    if (value.is_map() && !value.empty())
        writer.members(value, 0, false);
    else if (value.is_list() && !value.empty())
        writer.items(value, 0, false);
    else
        writer.value(value, 1, true);
}

}  // namespace keelson::object
