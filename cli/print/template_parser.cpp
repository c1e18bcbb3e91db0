#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

#include "cli/print/go_text.h"
#include "cli/print/template_lexer.h"
#include "cli/print/template_tree.h"

namespace keelson::cli::printing {
namespace {

constexpr int kDeepestNesting = 200;

// A fault of the template's text; does not leave this file.
struct Fault {
    std::string message;
    int line;
};

std::string shown(const Token& token) {
    if (token.kind == TokenKind::end) return "EOF";
    if (token.kind == TokenKind::error) return token.text;
    const bool is_keyword =
        token.kind == TokenKind::word &&
        (token.text == "if" || token.text == "end" || token.text == "else" || token.text == "range" ||
         token.text == "with" || token.text == "template" || token.text == "define" ||
         token.text == "block" || token.text == "break" || token.text == "continue" || token.text == "nil");
    if (is_keyword) return "<" + token.text + ">";
    constexpr std::size_t kLongest = 10;
    if (token.text.size() > kLongest) return go_quote(token.text.substr(0, kLongest)) + "...";
    return go_quote(token.text);
}

class Parser {
  public:
    explicit Parser(std::string_view text) : tokens_(tokens_of(text)) { tree_.text = text; }

    TemplateTree parse() {
        TreeNode main;
        while (peek().kind != TokenKind::end) {
            if (peek().kind == TokenKind::left && word_after_left() == "define")
                define();
            else
                take_item(main, {});
        }
        tree_.templates[std::string(kMainTemplate)] = std::move(main);
        return std::move(tree_);
    }

  private:
    // Ends of a list.
    enum class Stop : std::uint8_t { none, end, otherwise };

    const Token& peek() {
        const Token& token = tokens_[at_];
        if (token.kind == TokenKind::error) complain(token.text, token.line);
        return token;
    }
    const Token& take() {
        const Token& token = peek();
        if (at_ + 1 < tokens_.size()) ++at_;
        return token;
    }
    const Token& peek_word() {
        while (peek().kind == TokenKind::space) ++at_;
        return peek();
    }
    const Token& take_word() {
        peek_word();
        return take();
    }
    [[noreturn]] void complain(const std::string& message, int line) { throw Fault{message, line}; }
    [[noreturn]] void unexpected(const Token& token, const std::string& context) {
        complain("unexpected " + shown(token) + " in " + context, token.line);
    }
    const Token& expect(TokenKind kind, const std::string& context) {
        const Token& token = take_word();
        if (token.kind != kind) unexpected(token, context);
        return token;
    }

    std::string word_after_left() {
        std::size_t at = at_ + 1;
        while (at < tokens_.size() && tokens_[at].kind == TokenKind::space) ++at;
        return at < tokens_.size() && tokens_[at].kind == TokenKind::word ? tokens_[at].text : std::string();
    }

    // One text or action at the end of the list; tells when it was the list's end.
    Stop take_item(TreeNode& list, const char* context) {
        const Token& token = take();
        if (token.kind == TokenKind::text) {
            list.children.push_back({TreeKind::text, token.position, token.text});
            return Stop::none;
        }
        if (token.kind == TokenKind::end) complain("unexpected EOF", token.line);
        if (token.kind != TokenKind::left) unexpected(token, context == nullptr ? "input" : context);
        return take_action(list, context != nullptr);
    }

    Stop take_action(TreeNode& list, bool is_inner) {
        const Token& token = peek_word();
        const std::string word = token.kind == TokenKind::word ? token.text : std::string();
        const std::size_t position = token.position;
        if (word == "if") return branch(list, TreeKind::branch_if, "if");
        if (word == "with") return branch(list, TreeKind::branch_with, "with");
        if (word == "range") return branch(list, TreeKind::branch_range, "range");
        if (word == "template") return template_call(list);
        if (word == "block") return block(list);
        if (word == "end" || word == "else") {
            if (!is_inner) complain("unexpected {{" + word + "}}", token.line);
            take();
            if (word == "end") expect(TokenKind::right, "end");
            return word == "end" ? Stop::end : Stop::otherwise;
        }
        if (word == "break" || word == "continue") {
            if (range_depth_ == 0) complain("{{" + word + "}} outside {{range}}", token.line);
            take();
            expect(TokenKind::right, "{{" + word + "}}");
            list.children.push_back({word == "break" ? TreeKind::leave : TreeKind::next, position});
            return Stop::none;
        }
        if (word == "define") unexpected(token, "{{define}}");
        TreeNode action{TreeKind::action, position};
        action.children.push_back(pipeline("command", TokenKind::right));
        list.children.push_back(std::move(action));
        return Stop::none;
    }

    // Until {{end}} or {{else}}.
    Stop take_list(TreeNode& list, const char* context) {
        if (++depth_ > kDeepestNesting) complain("the template is nested too deeply", peek().line);
        list.position = peek().position;
        Stop stop = Stop::none;
        while (stop == Stop::none) stop = take_item(list, context);
        --depth_;
        return stop;
    }

    Stop branch(TreeNode& list, TreeKind kind, const char* name) {
        const std::size_t variables = variables_.size();
        const Token& token = take();
        TreeNode node{kind, token.position};
        node.children.push_back(pipeline(name, TokenKind::right));
        if (kind == TreeKind::branch_range) ++range_depth_;
        node.children.emplace_back();
        const Stop stop = take_list(node.children.back(), name);
        if (kind == TreeKind::branch_range) --range_depth_;
        if (stop == Stop::otherwise) otherwise(node, kind, name);
        list.children.push_back(std::move(node));
        variables_.resize(variables);
        return Stop::none;
    }

    // What follows {{else.
    void otherwise(TreeNode& node, TreeKind kind, const char* name) {
        node.children.emplace_back();
        TreeNode& list = node.children.back();
        const Token& token = peek_word();
        if (token.kind == TokenKind::word && token.text == name && kind != TreeKind::branch_range) {
            branch(list, kind, name);
            return;
        }
        expect(TokenKind::right, "else");
        if (take_list(list, name) == Stop::otherwise) complain("expected end; found {{else}}", token.line);
    }

    std::string template_name(const std::string& context) {
        const Token& token = take_word();
        std::string name;
        if (token.kind != TokenKind::string || !go_unquote(token.text, name)) unexpected(token, context);
        return name;
    }

    Stop template_call(TreeNode& list) {
        take();
        const std::size_t position = peek_word().position;
        TreeNode node{TreeKind::call, position, template_name("template clause")};
        if (peek_word().kind != TokenKind::right)
            node.children.push_back(pipeline("template clause", TokenKind::right));
        else
            take();
        list.children.push_back(std::move(node));
        return Stop::none;
    }

    void add_template(const std::string& name, const char* context) {
        const auto variables = std::exchange(variables_, {"$"});
        const int ranges = std::exchange(range_depth_, 0);
        TreeNode body;
        if (take_list(body, context) == Stop::otherwise) complain("unexpected {{else}}", peek().line);
        variables_ = variables;
        range_depth_ = ranges;
        tree_.templates[name] = std::move(body);
    }

    void define() {
        take();
        take_word();
        const std::string name = template_name("define clause");
        expect(TokenKind::right, "define clause");
        add_template(name, "define clause");
    }

    Stop block(TreeNode& list) {
        take();
        const std::size_t position = peek_word().position;
        TreeNode node{TreeKind::call, position, template_name("block clause")};
        node.children.push_back(pipeline("block clause", TokenKind::right));
        add_template(node.text, "block clause");
        list.children.push_back(std::move(node));
        return Stop::none;
    }

    // What is declared at the beginning of a pipeline.
    void declarations(TreeNode& pipe, const std::string& context) {
        while (peek_word().kind == TokenKind::variable) {
            std::size_t after = at_ + 1;
            while (tokens_[after].kind == TokenKind::space) ++after;
            const TokenKind next = tokens_[after].kind;
            const bool sets = next == TokenKind::declare || next == TokenKind::assign;
            const bool is_first_of_two = next == TokenKind::comma && context == "range" && pipe.names.empty();
            if (!sets && !is_first_of_two) return;
            const Token& variable = take();
            take_word();
            pipe.names.push_back(variable.text);
            pipe.assigns = next == TokenKind::assign;
            if (pipe.assigns) require_variable(variable);
            if (sets) return;
        }
    }

    void require_variable(const Token& token) {
        for (const std::string& known : variables_)
            if (known == token.text) return;
        complain("undefined variable " + go_quote(token.text), token.line);
    }

    TreeNode pipeline(const std::string& context, TokenKind end) {
        if (++depth_ > kDeepestNesting) complain("the template is nested too deeply", peek().line);
        TreeNode pipe{TreeKind::pipeline, peek_word().position};
        declarations(pipe, context);
        while (true) {
            const Token& token = peek_word();
            if (token.kind == end) break;
            if (token.kind == TokenKind::right || token.kind == TokenKind::right_parenthesis ||
                token.kind == TokenKind::pipe || token.kind == TokenKind::end ||
                token.kind == TokenKind::symbol)
                unexpected(token, context);
            pipe.children.push_back(command());
        }
        if (pipe.children.empty()) complain("missing value for " + context, peek().line);
        take();
        // Only now are they known: not in their own values.
        if (!pipe.assigns)
            for (const std::string& name : pipe.names) variables_.push_back(name);
        --depth_;
        return pipe;
    }

    TreeNode command() {
        TreeNode node{TreeKind::command, peek_word().position};
        while (true) {
            peek_word();
            if (auto found = operand()) node.children.push_back(std::move(*found));
            const Token& token = peek();
            if (token.kind == TokenKind::space) continue;
            if (token.kind == TokenKind::pipe) {
                take();
                break;
            }
            if (token.kind == TokenKind::right || token.kind == TokenKind::right_parenthesis) break;
            unexpected(token, "operand");
        }
        if (node.children.empty()) complain("empty command", peek().line);
        return node;
    }

    std::optional<TreeNode> operand() {
        std::optional<TreeNode> node = term();
        if (!node || peek().kind != TokenKind::field) return node;
        const std::size_t position = peek().position;
        const Token& first = peek();
        const bool has_fields = node->kind == TreeKind::field || node->kind == TreeKind::variable;
        const bool is_literal = node->kind == TreeKind::boolean || node->kind == TreeKind::string ||
                                node->kind == TreeKind::integer || node->kind == TreeKind::real ||
                                node->kind == TreeKind::nil || node->kind == TreeKind::dot;
        if (is_literal) complain("unexpected . after term " + go_quote(source_of(*node)), first.line);
        if (!has_fields) {
            TreeNode chain{TreeKind::chain, position};
            chain.children.push_back(std::move(*node));
            node = std::move(chain);
        } else {
            node->position = position;
        }
        while (peek().kind == TokenKind::field) node->names.push_back(take().text.substr(1));
        return node;
    }

    std::optional<TreeNode> term() {
        const Token& token = peek();
        switch (token.kind) {
            case TokenKind::word:
                return word(take());
            case TokenKind::dot:
                take();
                return TreeNode{TreeKind::dot, token.position};
            case TokenKind::variable: {
                require_variable(token);
                TreeNode node{TreeKind::variable, token.position};
                node.names.push_back(take().text);
                return node;
            }
            case TokenKind::field: {
                TreeNode node{TreeKind::field, token.position};
                node.names.push_back(take().text.substr(1));
                return node;
            }
            case TokenKind::number:
            case TokenKind::character:
                return number(take());
            case TokenKind::left_parenthesis:
                take();
                return pipeline("parenthesized pipeline", TokenKind::right_parenthesis);
            case TokenKind::string:
                return string(take());
            default:
                return std::nullopt;
        }
    }

    TreeNode word(const Token& token) {
        if (token.text == "true" || token.text == "false") {
            TreeNode node{TreeKind::boolean, token.position};
            node.source = token.text;
            node.integer = token.text == "true" ? 1 : 0;
            return node;
        }
        if (token.text == "nil") return TreeNode{TreeKind::nil, token.position};
        if (!is_template_function(token.text))
            complain("function " + go_quote(token.text) + " not defined", token.line);
        return TreeNode{TreeKind::function, token.position, token.text};
    }

    TreeNode string(const Token& token) {
        TreeNode node{TreeKind::string, token.position};
        node.source = token.text;
        if (!go_unquote(token.text, node.text)) complain("invalid syntax", token.line);
        return node;
    }

    TreeNode number(const Token& token) {
        TreeNode node{TreeKind::integer, token.position};
        node.source = token.text;
        if (token.kind == TokenKind::character) {
            std::string text;
            std::size_t bytes = 0;
            if (!go_unquote(token.text, text) || text.empty())
                complain("malformed character constant: " + token.text, token.line);
            node.integer = first_character(text, bytes);
            return node;
        }
        std::string digits = token.text;
        std::erase(digits, '_');
        char* end = nullptr;
        errno = 0;
        const char* first = digits.c_str();
        node.integer = std::strtoll(first, &end, 0);
        if (*end == '\0' && errno == 0) return node;
        node.kind = TreeKind::real;
        node.real = std::strtod(first, &end);
        if (*end != '\0') complain("bad number syntax: " + go_quote(token.text), token.line);
        return node;
    }

    std::vector<Token> tokens_;
    std::size_t at_ = 0;
    TemplateTree tree_;
    std::vector<std::string> variables_{"$"};
    int depth_ = 0;
    int range_depth_ = 0;
};

std::string dotted(const std::vector<std::string>& names, std::size_t from) {
    std::string text;
    for (std::size_t i = from; i < names.size(); ++i) text += "." + names[i];
    return text;
}

std::string joined_sources(const TreeNode& node, std::string_view separator) {
    std::string text;
    for (const TreeNode& child : node.children) {
        if (!text.empty()) text += separator;
        const bool is_group = node.kind == TreeKind::command && child.kind == TreeKind::pipeline;
        text += is_group ? "(" + source_of(child) + ")" : source_of(child);
    }
    return text;
}

}  // namespace

std::string source_of(const TreeNode& node) {
    switch (node.kind) {
        case TreeKind::pipeline: {
            std::string names;
            for (const std::string& name : node.names) names += (names.empty() ? "" : ", ") + name;
            if (!names.empty()) names += node.assigns ? " = " : " := ";
            return names + joined_sources(node, " | ");
        }
        case TreeKind::command:
            return joined_sources(node, " ");
        case TreeKind::dot:
            return ".";
        case TreeKind::nil:
            return "nil";
        case TreeKind::field:
            return dotted(node.names, 0);
        case TreeKind::variable:
            return node.names.front() + dotted(node.names, 1);
        case TreeKind::chain:
            return "(" + joined_sources(node, " ") + ")" + dotted(node.names, 0);
        case TreeKind::function:
            return node.text;
        case TreeKind::call:
            return "{{template " + go_quote(node.text) +
                   (node.children.empty() ? "" : " " + joined_sources(node, " ")) + "}}";
        default:
            return node.source;
    }
}

Result<TemplateTree> parse_template(std::string_view text) {
    try {
        return Parser(text).parse();
    } catch (const Fault& fault) {
        return fail("template: " + std::string(kMainTemplate) + ":" + std::to_string(fault.line) + ": " +
                    fault.message);
    }
}

}  // namespace keelson::cli::printing
