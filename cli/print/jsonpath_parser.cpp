#include "cli/print/jsonpath_parser.h"

#include <cctype>
#include <charconv>
#include <cstdio>

#include "cli/print/go_text.h"

namespace keelson::cli::printing {
namespace {

constexpr int kDeepestNesting = 50;
constexpr char kEnd = '\0';

bool is_terminator(char letter) {
    return letter == kEnd || std::string_view(".,[]$@{} \t\r\n").find(letter) != std::string_view::npos;
}

bool is_word(char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' ||
           static_cast<unsigned char>(letter) >= 0x80;
}

std::string_view trim_spaces(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

PathNode text_node(PathKind kind, std::string_view text) {
    PathNode node;
    node.kind = kind;
    node.text = text;
    return node;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::string named_character(std::string_view rest) {
    std::size_t bytes = 0;
    const std::uint32_t code = first_character(rest, bytes);
    char number[16];
    std::snprintf(number, sizeof number, "U+%04X", code);
    return std::string(number) + " '" + std::string(rest.substr(0, bytes)) + "'";
}

class Parser {
  public:
    Parser(std::string_view input, int depth) : input_(input), depth_(depth) {}

    Result<PathNode> parse() {
        PathNode root;
        if (depth_ > kDeepestNesting) return fail("the expression is nested too deeply");
        while (position_ < input_.size()) {
            const std::size_t brace = std::min(input_.find('{', position_), input_.size());
            if (brace > position_)
                root.children.push_back(
                    text_node(PathKind::text, input_.substr(position_, brace - position_)));
            position_ = brace;
            if (position_ == input_.size()) break;
            ++position_;
            root.children.emplace_back();
            if (auto done = parse_action(root.children.back().children); !done)
                return tl::unexpected(done.error());
        }
        return root;
    }

  private:
    using Nodes = std::vector<PathNode>;

    [[nodiscard]] char peek() const { return position_ < input_.size() ? input_[position_] : kEnd; }
    [[nodiscard]] std::string_view rest() const { return input_.substr(position_); }

    // Up to the closing brace.
    Result<void> parse_action(Nodes& nodes) {
        while (true) {
            const char letter = peek();
            if (letter == '}') {
                ++position_;
                return {};
            }
            Result<void> done;
            if (rest().starts_with("[?("))
                done = parse_filter(nodes);
            else if (rest().starts_with(".."))
                done = parse_recursive(nodes);
            else
                done = parse_part(nodes, letter);
            if (!done) return done;
        }
    }

    Result<void> parse_part(Nodes& nodes, char letter) {
        if (letter == kEnd || letter == '\n' || letter == '\r') return fail("unclosed action");
        if (letter == ' ' || letter == '@' || letter == '$') {
            ++position_;
            return {};
        }
        if (letter == '[') return parse_array(nodes);
        if (letter == '"' || letter == '\'') return parse_quote(nodes, letter);
        if (letter == '.') return parse_field(nodes);
        if (letter == '+' || letter == '-' || std::isdigit(static_cast<unsigned char>(letter)) != 0)
            return parse_number(nodes);
        if (is_word(letter)) return parse_identifier(nodes);
        return fail("unrecognized character in action: " + named_character(rest()));
    }

    Result<void> parse_identifier(Nodes& nodes) {
        const std::size_t begin = position_;
        while (!is_terminator(peek())) ++position_;
        const std::string_view word = input_.substr(begin, position_ - begin);
        if (word == "true" || word == "false") {
            nodes.push_back(text_node(PathKind::boolean, {}));
            nodes.back().boolean = word == "true";
        } else {
            nodes.push_back(text_node(PathKind::identifier, word));
        }
        return {};
    }

    Result<void> parse_recursive(Nodes& nodes) {
        if (!nodes.empty() && nodes.back().kind == PathKind::recursive)
            return fail("invalid multiple recursive descent");
        nodes.push_back(text_node(PathKind::recursive, {}));
        position_ += 2;
        if (!is_word(peek())) return {};
        // The dot of the field was one of the two.
        --position_;
        return parse_field(nodes);
    }

    Result<void> parse_number(Nodes& nodes) {
        const std::size_t begin = position_;
        if (peek() == '+' || peek() == '-') ++position_;
        while (peek() == '.' || std::isdigit(static_cast<unsigned char>(peek())) != 0) ++position_;
        const std::string text(input_.substr(begin, position_ - begin));
        if (const auto number = whole_number(text)) {
            nodes.push_back(text_node(PathKind::integer, {}));
            nodes.back().integer = *number;
            return {};
        }
        double real = 0;
        const char* first = text.data() + (text.starts_with('+') ? 1 : 0);
        const auto [end, error] = std::from_chars(first, text.data() + text.size(), real);
        if (error != std::errc() || end != text.data() + text.size())
            return fail("cannot parse number " + text);
        nodes.push_back(text_node(PathKind::real, {}));
        nodes.back().real = real;
        return {};
    }

    Result<void> parse_field(Nodes& nodes) {
        const std::size_t begin = ++position_;
        while (!is_terminator(peek())) {
            if (peek() == '\\' && position_ + 1 < input_.size()) ++position_;
            ++position_;
        }
        std::string name(input_.substr(begin, position_ - begin));
        if (name == "*") {
            nodes.push_back(text_node(PathKind::wildcard, {}));
            return {};
        }
        std::erase(name, '\\');
        nodes.push_back(text_node(PathKind::field, name));
        return {};
    }

    Result<void> parse_quote(Nodes& nodes, char quote) {
        const std::size_t begin = position_++;
        while (true) {
            const char letter = peek();
            if (letter == kEnd || letter == '\n') return fail("unterminated quoted string");
            ++position_;
            if (letter == quote && input_[position_ - 2] != '\\') break;
        }
        const std::string_view quoted = input_.substr(begin, position_ - begin);
        std::string text;
        if (!go_unquote(quoted, text))
            return fail("unquote string " + std::string(quoted) + " error invalid syntax");
        nodes.push_back(text_node(PathKind::text, text));
        return {};
    }

    // The nodes of one {...}.
    Result<Nodes> parse_inner(const std::string& text) {
        auto parsed = Parser(text, depth_ + 1).parse();
        if (!parsed) return tl::unexpected(parsed.error());
        if (parsed->children.empty()) return Nodes();
        return std::move(parsed->children.front().children);
    }

    Result<void> parse_array(Nodes& nodes) {
        const std::size_t begin = position_ + 1;
        do {
            ++position_;
            if (peek() == kEnd || peek() == '\n') return fail("unterminated array");
        } while (peek() != ']');
        std::string_view text = input_.substr(begin, position_ - begin);
        ++position_;
        if (text == "*") text = ":";
        if (text.find(',') != std::string_view::npos) return parse_union(nodes, text);
        if (text.size() >= 2 && text.front() == '\'' && text.find('\'', 1) == text.size() - 1) {
            auto key = parse_inner("{." + std::string(text.substr(1, text.size() - 2)) + "}");
            if (!key) return tl::unexpected(key.error());
            for (PathNode& node : *key) nodes.push_back(std::move(node));
            return {};
        }
        return parse_slice(nodes, text);
    }

    Result<void> parse_union(Nodes& nodes, std::string_view text) {
        PathNode all = text_node(PathKind::unions, {});
        while (true) {
            const std::size_t comma = std::min(text.find(','), text.size());
            auto one = parse_inner("{[" + std::string(trim_spaces(text.substr(0, comma))) + "]}");
            if (!one) return tl::unexpected(one.error());
            all.children.emplace_back().children = std::move(*one);
            if (comma == text.size()) break;
            text.remove_prefix(comma + 1);
        }
        nodes.push_back(std::move(all));
        return {};
    }

    Result<void> parse_slice(Nodes& nodes, std::string_view text) {
        const auto bad = [&] { return fail("invalid array index " + std::string(text)); };
        std::optional<std::int64_t> values[3];
        int count = 0;
        for (std::string_view left = text; count < 3; ++count) {
            const std::size_t colon = std::min(left.find(':'), left.size());
            const std::string_view digits = left.substr(0, colon);
            if (digits.find('+') != std::string_view::npos) return bad();
            if (!digits.empty() && !(values[count] = whole_number(digits))) return bad();
            if (colon == left.size()) break;
            left.remove_prefix(colon + 1);
            if (count == 2) return bad();
        }
        PathNode node = text_node(PathKind::slice, {});
        node.slice = {.begin = values[0], .end = values[1], .step = values[2]};
        if (count == 0) {
            node.slice.end = values[0].value_or(0) + 1;
            node.slice.derived = true;
        }
        nodes.push_back(std::move(node));
        return {};
    }

    // The text of a filter, with the parenthesis that ends it outside of quotes.
    Result<std::string_view> filter_text() {
        position_ += 3;
        const std::size_t begin = position_;
        char quote = kEnd;
        for (;; ++position_) {
            const char letter = peek();
            if (letter == kEnd || letter == '\n') return fail("unterminated filter");
            if (quote == kEnd && (letter == '"' || letter == '\''))
                quote = letter;
            else if (letter == quote && input_[position_ - 1] != '\\')
                quote = kEnd;
            else if (letter == ')' && quote == kEnd)
                break;
        }
        const std::string_view text = input_.substr(begin, position_ - begin);
        ++position_;
        if (peek() != ']') return fail("unclosed array expect ]");
        ++position_;
        return text;
    }

    Result<void> parse_filter(Nodes& nodes) {
        const auto text = filter_text();
        if (!text) return tl::unexpected(text.error());
        constexpr std::string_view kOperators = "!<>=";
        PathNode filter = text_node(PathKind::filter, "exists");
        std::size_t begin = text->find_first_of(kOperators);
        std::size_t end =
            begin == std::string_view::npos ? begin : text->find_first_not_of(kOperators, begin);
        if (begin == 0 || end == std::string_view::npos) begin = end = text->size();
        if (begin != end) filter.text = text->substr(begin, end - begin);
        for (const std::string_view side : {text->substr(0, begin), text->substr(end)}) {
            auto parsed = parse_inner("{" + std::string(side) + "}");
            if (!parsed) return tl::unexpected(parsed.error());
            filter.children.emplace_back().children = std::move(*parsed);
        }
        nodes.push_back(std::move(filter));
        return {};
    }

    std::string_view input_;
    std::size_t position_ = 0;
    int depth_;
};

}  // namespace

Result<PathNode> parse_jsonpath(std::string_view text) {
    return Parser(text, 0).parse();
}

}  // namespace keelson::cli::printing
