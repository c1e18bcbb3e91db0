#include "kernel/object/selector.h"

#include <algorithm>
#include <charconv>

#include "kernel/object/names.h"

namespace keelson::object {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using Operator = LabelRequirement::Operator;

enum class Token : std::uint8_t {
    end,
    identifier,
    comma,
    open,
    close,
    equals,
    double_equals,
    not_equals,
    bang,
    greater,
    less,
    in,
    not_in,
    gt,
    lt
};

struct Lexeme {
    Token token;
    std::string text;
};

bool is_special(char c) {
    return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::vector<Lexeme> tokenize(std::string_view text) {
    std::vector<Lexeme> out;
    std::size_t i = 0;
    while (i < text.size()) {
        char c = text[i];
        if (is_blank(c)) {
            ++i;
            continue;
        }
        if (!is_special(c)) {
            std::size_t start = i;
            while (i < text.size() && !is_special(text[i]) && !is_blank(text[i])) ++i;
            std::string word(text.substr(start, i - start));
            Token token = word == "in" ? Token::in : word == "notin" ? Token::not_in : Token::identifier;
            out.push_back({token, std::move(word)});
            continue;
        }
        std::string_view two = text.substr(i, 2);
        if (two == "==" || two == "!=") {
            out.push_back({two == "==" ? Token::double_equals : Token::not_equals, std::string(two)});
            i += 2;
            continue;
        }
        Token token = c == '='   ? Token::equals
                      : c == '!' ? Token::bang
                      : c == '(' ? Token::open
                      : c == ')' ? Token::close
                      : c == ',' ? Token::comma
                      : c == '>' ? Token::greater
                                 : Token::less;
        out.push_back({token, std::string(1, c)});
        ++i;
    }
    out.push_back({Token::end, ""});
    return out;
}

class SelectorParser {
  public:
    explicit SelectorParser(std::string_view text) : tokens_(tokenize(text)) {}

    Result<std::vector<LabelRequirement>> parse() {
        std::vector<LabelRequirement> requirements;
        while (true) {
            const Lexeme& next = peek();
            if (next.token == Token::end) return requirements;
            if (next.token != Token::identifier && next.token != Token::bang && !is_word(next.token))
                return error("found '" + next.text + "', expected: !, identifier, or 'end of string'");
            auto requirement = parse_requirement();
            if (!requirement)
                return std::move(requirement).error().with_context("unable to parse requirement: ");
            requirements.push_back(std::move(*requirement));
            Lexeme separator = take();
            if (separator.token == Token::end) return requirements;
            if (separator.token != Token::comma)
                return error("found '" + separator.text + "', expected: ',' or 'end of string'");
            const Lexeme& after = peek();
            if (after.token != Token::identifier && after.token != Token::bang && !is_word(after.token))
                return error("found '" + after.text + "', expected: identifier after ','");
        }
    }

  private:
    static Status error(std::string message) { return Status(Reason::bad_request, std::move(message)); }
    static bool is_word(Token token) { return token == Token::in || token == Token::not_in; }
    const Lexeme& peek() const { return tokens_[at_]; }
    Lexeme take() { return tokens_[at_].token == Token::end ? tokens_[at_] : tokens_[at_++]; }

    Result<LabelRequirement> parse_requirement() {
        LabelRequirement requirement;
        bool negated = peek().token == Token::bang;
        if (negated) take();
        Lexeme key = take();
        if (key.token != Token::identifier && !is_word(key.token))
            return error("found '" + key.text + "', expected: identifier");
        requirement.key = key.text;
        if (auto problems = is_qualified_name(key.text); !problems.empty()) {
            std::string joined;
            for (const std::string& problem : problems) joined += (joined.empty() ? "" : "; ") + problem;
            return error("key: Invalid value: \"" + key.text + "\": " + joined);
        }
        const Lexeme& next = peek();
        if (negated || next.token == Token::end || next.token == Token::comma) {
            requirement.op = negated ? Operator::does_not_exist : Operator::exists;
            return requirement;
        }
        Lexeme op = take();
        switch (op.token) {
            case Token::in:
            case Token::not_in:
                requirement.op = op.token == Token::in ? Operator::in : Operator::not_in;
                KEELSON_TRY_VOID(parse_values(requirement.values));
                break;
            case Token::equals:
            case Token::double_equals:
            case Token::not_equals:
            case Token::greater:
            case Token::less:
                requirement.op = op.token == Token::not_equals ? Operator::not_equals
                                 : op.token == Token::greater  ? Operator::greater_than
                                 : op.token == Token::less     ? Operator::less_than
                                                               : Operator::equals;
                KEELSON_TRY_VOID(parse_exact_value(requirement.values));
                break;
            default:
                return error("found '" + op.text + "', expected: in, notin, =, ==, !=, gt, lt");
        }
        return check(std::move(requirement));
    }

    Result<void> parse_values(std::vector<std::string>& values) {
        Lexeme open = take();
        if (open.token != Token::open) return error("found '" + open.text + "' expected: '('");
        bool value_expected = true;
        while (true) {
            Lexeme next = take();
            if (next.token == Token::identifier || is_word(next.token)) {
                if (!value_expected) return error("found '" + next.text + "', expected: ',' or ')'");
                values.push_back(next.text);
                value_expected = false;
            } else if (next.token == Token::comma) {
                if (value_expected) values.emplace_back();
                value_expected = true;
            } else if (next.token == Token::close) {
                if (value_expected) values.emplace_back();
                break;
            } else {
                return error("found '" + next.text + "', expected: ',', ')' or identifier");
            }
        }
        std::sort(values.begin(), values.end());
        values.erase(std::unique(values.begin(), values.end()), values.end());
        return base::ok();
    }

    Result<void> parse_exact_value(std::vector<std::string>& values) {
        const Lexeme& next = peek();
        if (next.token == Token::end || next.token == Token::comma) {
            values.emplace_back();
            return base::ok();
        }
        Lexeme value = take();
        if (value.token != Token::identifier && !is_word(value.token))
            return error("found '" + value.text + "', expected: identifier");
        values.push_back(value.text);
        return base::ok();
    }

    static Result<LabelRequirement> check(LabelRequirement requirement) {
        std::size_t index = 0;
        for (const std::string& value : requirement.values) {
            if (requirement.op == Operator::greater_than || requirement.op == Operator::less_than) {
                std::int64_t number;
                auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), number);
                if (problem != std::errc() || end != value.data() + value.size())
                    return error("values[" + std::to_string(index) + "]: Invalid value: \"" + value +
                                 "\": for 'Gt', 'Lt' operators, the value must be an integer");
            }
            if (auto problems = is_label_value(value); !problems.empty())
                return error("values[" + std::to_string(index) + "][" + requirement.key +
                             "]: Invalid value: \"" + value + "\": " + problems.front());
            ++index;
        }
        return requirement;
    }

    std::vector<Lexeme> tokens_;
    std::size_t at_ = 0;
};

bool satisfies(const LabelRequirement& requirement, Value labels) {
    Value label = labels[requirement.key];
    auto listed = [&] {
        return std::binary_search(requirement.values.begin(), requirement.values.end(), label.as_string());
    };
    switch (requirement.op) {
        case Operator::equals:
        case Operator::in:
            return !label.is_absent() && listed();
        case Operator::not_equals:
        case Operator::not_in:
            return label.is_absent() || !listed();
        case Operator::exists:
            return !label.is_absent();
        case Operator::does_not_exist:
            return label.is_absent();
        case Operator::greater_than:
        case Operator::less_than: {
            if (label.is_absent()) return false;
            std::int64_t have, want;
            std::string_view text = label.as_string(), bound = requirement.values.front();
            auto read = [](std::string_view s, std::int64_t& number) {
                auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), number);
                return error == std::errc() && end == s.data() + s.size();
            };
            if (!read(text, have) || !read(bound, want)) return false;
            return requirement.op == Operator::greater_than ? have > want : have < want;
        }
    }
    return false;
}

}  // namespace

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
    LabelSelector selector;
    KEELSON_TRY(selector.requirements_, SelectorParser(text).parse());
    std::stable_sort(selector.requirements_.begin(), selector.requirements_.end(),
                     [](const LabelRequirement& a, const LabelRequirement& b) { return a.key < b.key; });
    return selector;
}

LabelSelector LabelSelector::from_labels(Value labels) {
    LabelSelector selector;
    for (const Member& label : labels.members())
        selector.requirements_.push_back(
            {std::string(label.name), Operator::equals, {label.value.to_string()}});
    std::sort(selector.requirements_.begin(), selector.requirements_.end(),
              [](const LabelRequirement& a, const LabelRequirement& b) { return a.key < b.key; });
    return selector;
}

Result<LabelSelector> LabelSelector::from_object(Value object) {
    LabelSelector selector = from_labels(object["matchLabels"]);
    selector.nothing_ = object.is_unset();
    for (Value expression : object["matchExpressions"].items()) {
        LabelRequirement requirement;
        requirement.key = expression["key"].to_string();
        std::string_view op = expression["operator"].as_string();
        if (op == "In")
            requirement.op = Operator::in;
        else if (op == "NotIn")
            requirement.op = Operator::not_in;
        else if (op == "Exists")
            requirement.op = Operator::exists;
        else if (op == "DoesNotExist")
            requirement.op = Operator::does_not_exist;
        else
            return Status(Reason::bad_request,
                          "\"" + std::string(op) + "\" is not a valid label selector operator");
        for (Value value : expression["values"].items()) requirement.values.push_back(value.to_string());
        std::sort(requirement.values.begin(), requirement.values.end());
        selector.requirements_.push_back(std::move(requirement));
    }
    std::stable_sort(selector.requirements_.begin(), selector.requirements_.end(),
                     [](const LabelRequirement& a, const LabelRequirement& b) { return a.key < b.key; });
    return selector;
}

bool LabelSelector::matches(Value labels) const {
    if (nothing_) return false;
    return std::all_of(requirements_.begin(), requirements_.end(),
                       [&](const LabelRequirement& requirement) { return satisfies(requirement, labels); });
}

std::string LabelSelector::to_string() const {
    std::string out;
    for (const LabelRequirement& requirement : requirements_) {
        if (!out.empty()) out += ',';
        auto list = [&] {
            std::string text = "(";
            for (const std::string& value : requirement.values) text += (text.size() > 1 ? "," : "") + value;
            return text + ")";
        };
        switch (requirement.op) {
            case Operator::equals:
                out += requirement.key + "=" + requirement.values[0];
                break;
            case Operator::not_equals:
                out += requirement.key + "!=" + requirement.values[0];
                break;
            case Operator::in:
                out += requirement.key + " in " + list();
                break;
            case Operator::not_in:
                out += requirement.key + " notin " + list();
                break;
            case Operator::exists:
                out += requirement.key;
                break;
            case Operator::does_not_exist:
                out += "!" + requirement.key;
                break;
            case Operator::greater_than:
                out += requirement.key + ">" + requirement.values[0];
                break;
            case Operator::less_than:
                out += requirement.key + "<" + requirement.values[0];
                break;
        }
    }
    return out;
}

namespace {

// Undoes the escapes of a field selector's value: \\ \, \=.
Result<std::string> unescape_field_value(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            if (text[i] == ',' || text[i] == '=')
                return Status(Reason::bad_request, "invalid field selector: unescaped character in value: " +
                                                       std::string(1, text[i]));
            out += text[i];
            continue;
        }
        if (++i == text.size())
            return Status(Reason::bad_request, "invalid field selector: invalid escape sequence: \\");
        if (text[i] != '\\' && text[i] != ',' && text[i] != '=')
            return Status(Reason::bad_request,
                          "invalid field selector: invalid escape sequence: \\" + std::string(1, text[i]));
        out += text[i];
    }
    return out;
}

}  // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
    FieldSelector selector;
    std::vector<std::string_view> terms;
    std::size_t start = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == ',') {
            terms.push_back(text.substr(start, i - start));
            start = i + 1;
        }
    }
    terms.push_back(text.substr(std::min(start, text.size())));
    for (std::string_view term : terms) {
        if (term.empty()) continue;
        std::size_t at = std::string_view::npos, length = 0;
        bool negated = false;
        for (std::size_t i = 0; i < term.size() && length == 0; ++i) {
            if (term[i] == '\\') {
                ++i;
                continue;
            }
            std::string_view rest = term.substr(i);
            if (rest.starts_with("!=") || rest.starts_with("=="))
                length = 2;
            else if (rest.starts_with("="))
                length = 1;
            negated = rest.starts_with("!=");
            at = i;
        }
        if (length == 0)
            return Status(Reason::bad_request, "invalid selector: '" + std::string(text) +
                                                   "'; can't understand '" + std::string(term) + "'");
        KEELSON_TRY(std::string value, unescape_field_value(term.substr(at + length)));
        selector.requirements_.push_back({std::string(term.substr(0, at)), std::move(value), negated});
    }
    return selector;
}

bool FieldSelector::matches(const std::function<std::string(std::string_view)>& field_value) const {
    return std::all_of(requirements_.begin(), requirements_.end(), [&](const FieldRequirement& requirement) {
        return (field_value(requirement.path) == requirement.value) != requirement.negated;
    });
}

const std::string* FieldSelector::required(std::string_view path) const {
    for (const FieldRequirement& requirement : requirements_)
        if (!requirement.negated && requirement.path == path) return &requirement.value;
    return nullptr;
}

}  // namespace keelson::object
