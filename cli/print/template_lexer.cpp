#include "cli/print/template_lexer.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "cli/print/go_text.h"

namespace keelson::cli::printing {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr char kNothing = '\0';

bool is_space(char letter) {
    return letter != kNothing && kSpaces.find(letter) != std::string_view::npos;
}

bool is_word(char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' ||
           static_cast<unsigned char>(letter) >= 0x80;
}

std::string named(std::string_view rest) {
    std::size_t bytes = 0;
    const std::uint32_t code = first_character(rest, bytes);
    char number[16];
    std::snprintf(number, sizeof number, "U+%04X", code);
    return std::string(number) + " '" + std::string(rest.substr(0, bytes)) + "'";
}

class Lexer {
  public:
    explicit Lexer(std::string_view input) : input_(input) {}

    std::vector<Token> run() {
        while (!is_over_ && position_ < input_.size()) outside();
        if (!is_over_) add(TokenKind::end, {}, position_);
        return std::move(tokens_);
    }

  private:
    [[nodiscard]] char at(std::size_t offset) const {
        return position_ + offset < input_.size() ? input_[position_ + offset] : kNothing;
    }
    [[nodiscard]] std::string_view rest() const { return input_.substr(position_); }

    void add(TokenKind kind, std::string text, std::size_t position) {
        const auto before = input_.substr(0, position);
        const int line = 1 + static_cast<int>(std::count(before.begin(), before.end(), '\n'));
        tokens_.push_back({kind, position, std::move(text), line});
    }
    void complain(const std::string& message, std::size_t position) {
        add(TokenKind::error, message, position);
        is_over_ = true;
    }

    // Text up to the next action, then the action.
    void outside() {
        const std::size_t begin = position_;
        const std::size_t open = std::min(input_.find("{{", begin), input_.size());
        std::string_view text = input_.substr(begin, open - begin);
        position_ = open;
        const bool trims = at(2) == '-' && is_space(at(3));
        if (open < input_.size() && trims)
            text = text.substr(0, text.find_last_not_of(kSpaces) + 1);  // npos + 1 is 0: all of it
        if (!text.empty()) add(TokenKind::text, std::string(text), begin);
        if (open == input_.size()) return;
        const std::size_t left = position_;
        position_ += trims ? 3 : 2;
        const std::size_t inside = trims ? 1 : 0;
        if (rest().substr(std::min(inside, rest().size())).starts_with("/*")) return comment(inside);
        add(TokenKind::left, "{{", left);
        depth_ = 0;
        action();
    }

    void comment(std::size_t skip) {
        const std::size_t begin = position_;
        position_ += skip;
        const std::size_t end = input_.find("*/", position_ + 2);
        if (end == std::string_view::npos) return complain("unclosed comment", begin);
        position_ = end + 2;
        if (!close_action()) complain("comment ends before closing delimiter", begin);
    }

    // The end of an action, if it is here; skips what it trims.
    bool close_action() {
        const bool trims = is_space(at(0)) && at(1) == '-' && rest().substr(2).starts_with("}}");
        if (!trims && !rest().starts_with("}}")) return false;
        position_ += trims ? 4 : 2;
        if (trims) position_ = std::min(input_.find_first_not_of(kSpaces, position_), input_.size());
        return true;
    }

    void action() {
        while (!is_over_) {
            const std::size_t begin = position_;
            if (close_action()) {
                if (depth_ > 0) return complain("unclosed left paren", begin);
                return add(TokenKind::right, "}}", begin);
            }
            if (position_ >= input_.size()) return complain("unclosed action", begin);
            inside(begin);
        }
    }

    void take(TokenKind kind, std::size_t size) {
        add(kind, std::string(rest().substr(0, size)), position_);
        position_ += size;
    }

    void inside(std::size_t begin) {
        const char letter = at(0);
        if (is_space(letter)) return spaces(begin);
        if (letter == '=') return take(TokenKind::assign, 1);
        if (letter == ':') {
            if (at(1) != '=') return complain("expected :=", begin);
            return take(TokenKind::declare, 2);
        }
        if (letter == '|') return take(TokenKind::pipe, 1);
        if (letter == ',') return take(TokenKind::comma, 1);
        if (letter == '"' || letter == '\'' || letter == '`') return quoted(letter);
        if (letter == '$') return name(TokenKind::variable);
        const bool is_digit = std::isdigit(static_cast<unsigned char>(letter)) != 0;
        const bool is_fraction = std::isdigit(static_cast<unsigned char>(at(1))) != 0;
        if (letter == '.' && !is_fraction) return name(TokenKind::field);
        if (letter == '.' || letter == '+' || letter == '-' || is_digit) return number();
        if (is_word(letter)) return name(TokenKind::word);
        if (letter == '(') {
            ++depth_;
            return take(TokenKind::left_parenthesis, 1);
        }
        if (letter == ')') {
            if (--depth_ < 0) return complain("unexpected right paren", begin);
            return take(TokenKind::right_parenthesis, 1);
        }
        if (letter > ' ' && letter < 127) return take(TokenKind::symbol, 1);
        complain("unrecognized character in action: " + named(rest()), begin);
    }

    void spaces(std::size_t begin) {
        // The last one may belong to a mark that trims.
        std::size_t end = position_;
        while (end < input_.size() && is_space(input_[end])) ++end;
        if (input_.substr(end).starts_with("-}}")) --end;
        position_ = end;
        if (end > begin) add(TokenKind::space, std::string(input_.substr(begin, end - begin)), begin);
    }

    void quoted(char quote) {
        const std::size_t begin = position_++;
        const auto what = quote == '\''  ? "unterminated character constant"
                          : quote == '"' ? "unterminated quoted string"
                                         : "unterminated raw quoted string";
        while (at(0) != quote) {
            if (position_ >= input_.size() || (quote != '`' && at(0) == '\n')) return complain(what, begin);
            if (quote != '`' && at(0) == '\\') ++position_;
            ++position_;
        }
        ++position_;
        add(quote == '\'' ? TokenKind::character : TokenKind::string,
            std::string(input_.substr(begin, position_ - begin)), begin);
    }

    void name(TokenKind kind) {
        std::size_t size = kind == TokenKind::word ? 0 : 1;
        while (is_word(at(size))) ++size;
        const char after = at(size);
        const bool ends = after == kNothing || is_space(after) ||
                          std::string_view(".,|:=()").find(after) != std::string_view::npos ||
                          rest().substr(size).starts_with("}}");
        if (!ends) return complain("bad character " + named(rest().substr(size)), position_);
        take(kind == TokenKind::field && size == 1 ? TokenKind::dot : kind, size);
    }

    void number() {
        std::size_t size = 1;
        const auto goes_on = [&] {
            const char letter = at(size);
            const bool is_sign =
                (letter == '+' || letter == '-') && (at(size - 1) == 'e' || at(size - 1) == 'E');
            return is_word(letter) || letter == '.' || is_sign;
        };
        while (goes_on()) ++size;
        take(TokenKind::number, size);
    }

    std::string_view input_;
    std::size_t position_ = 0;
    std::vector<Token> tokens_;
    int depth_ = 0;
    bool is_over_ = false;
};

}  // namespace

std::vector<Token> tokens_of(std::string_view text) {
    return Lexer(text).run();
}

}  // namespace keelson::cli::printing
