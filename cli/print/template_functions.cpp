#include "cli/print/template_functions.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/print/template_tree.h"
#include "kernel/base/base64.h"

namespace keelson::cli::printing {
namespace {

using Answer = Result<TemplateValue>;

struct Function {
    std::string_view name;
    std::size_t least;
    std::size_t most;  // 0: any number
    Answer (*call)(const TemplateValues& arguments);
};

bool is_nothing(const TemplateValue& value) {
    return !value || value->is_null();
}

Answer text(std::string value) {
    return make_value(Json(std::move(value)));
}

// fmt.Sprint: spaces only between two that are no strings.
std::string printed(const TemplateValues& values, bool with_spaces) {
    std::string out;
    bool was_string = true;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const bool is_string = values[i] && values[i]->is_string();
        if (i > 0 && (with_spaces || (!is_string && !was_string))) out += ' ';
        was_string = is_string;
        out += values[i] ? go_text(*values[i]) : "<nil>";
    }
    return out;
}

Answer print_values(const TemplateValues& values) {
    return text(printed(values, false));
}
Answer print_line(const TemplateValues& values) {
    return text(printed(values, true) + "\n");
}
Answer print_format(const TemplateValues& values) {
    if (is_nothing(values[0]) || !values[0]->is_string())
        return fail("wrong type for value; expected string; got " +
                    (is_nothing(values[0]) ? "<nil>" : go_type(*values[0])));
    return text(go_format(values[0]->get_ref<const std::string&>(),
                          TemplateValues(values.begin() + 1, values.end())));
}

std::string escaped_html(std::string_view plain) {
    std::string out;
    for (const char letter : plain) {
        switch (letter) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&#34;";
                break;
            case '\'':
                out += "&#39;";
                break;
            case '\0':
                out += "\uFFFD";
                break;
            default:
                out += letter;
        }
    }
    return out;
}

std::string escaped_javascript(std::string_view plain) {
    std::string out;
    for (const char letter : plain) {
        const auto code = static_cast<unsigned char>(letter);
        if (letter == '\\' || letter == '\'' || letter == '"') {
            (out += '\\') += letter;
        } else if (code < 0x20 || letter == '<' || letter == '>' || letter == '&' || letter == '=') {
            char number[8];
            std::snprintf(number, sizeof number, "\\u%04X", code);
            out += number;
        } else {
            out += letter;
        }
    }
    return out;
}

std::string escaped_query(std::string_view plain) {
    std::string out;
    for (const char letter : plain) {
        const auto code = static_cast<unsigned char>(letter);
        const bool is_plain = code < 0x80 && (std::isalnum(code) != 0 || letter == '-' || letter == '_' ||
                                              letter == '.' || letter == '~');
        if (is_plain) {
            out += letter;
        } else if (letter == ' ') {
            out += '+';
        } else {
            char number[4];
            std::snprintf(number, sizeof number, "%%%02X", code);
            out += number;
        }
    }
    return out;
}

template <std::string (*escape)(std::string_view)>
Answer escaped(const TemplateValues& values) {
    return text(escape(printed(values, false)));
}

Answer length(const TemplateValues& values) {
    if (is_nothing(values[0])) return fail("reflect: call of reflect.Value.Type on zero Value");
    const Json& value = *values[0];
    if (value.is_string())
        return make_value(Json(static_cast<std::int64_t>(value.get_ref<const std::string&>().size())));
    if (!value.is_structured())
        return fail("len of type " + (value.is_number_integer() ? "int" : go_type(value)));
    return make_value(Json(static_cast<std::int64_t>(value.size())));
}

Answer index_of(const TemplateValues& values) {
    if (is_nothing(values[0])) return fail("index of untyped nil");
    TemplateValue at = values[0];
    for (std::size_t i = 1; i < values.size(); ++i) {
        if (is_nothing(at)) return fail("index of nil pointer");
        const TemplateValue& key = values[i];
        if (at->is_object()) {
            if (is_nothing(key) || !key->is_string())
                return fail("value has type " +
                            (is_nothing(key)            ? "nil"
                             : key->is_number_integer() ? "int"
                                                        : go_type(*key)) +
                            "; should be string");
            const auto member = at->find(key->get_ref<const std::string&>());
            at = member == at->end() ? nullptr : TemplateValue(at, &*member);
        } else if (at->is_array() || at->is_string()) {
            if (is_nothing(key)) return fail("cannot index slice/array with nil");
            if (!key->is_number_integer()) return fail("cannot index slice/array with type " + go_type(*key));
            const auto number = key->get<std::int64_t>();
            const std::size_t size = at->is_array() ? at->size() : at->get_ref<const std::string&>().size();
            if (number < 0 || static_cast<std::size_t>(number) >= size)
                return fail("index out of range: " + std::to_string(number));
            const auto place = static_cast<std::size_t>(number);
            at = at->is_array() ? TemplateValue(at, &(*at)[place])
                                : make_value(Json(static_cast<std::int64_t>(
                                      static_cast<unsigned char>(at->get_ref<const std::string&>()[place]))));
        } else {
            return fail("can't index item of type " + (at->is_number_integer() ? "int" : go_type(*at)));
        }
    }
    return at;
}

Answer slice_of(const TemplateValues& values) {
    if (is_nothing(values[0])) return fail("slice of untyped nil");
    const Json& value = *values[0];
    if (!value.is_string() && !value.is_array()) return fail("can't slice item of type " + go_type(value));
    const bool is_text = value.is_string();
    const std::size_t size = is_text ? value.get_ref<const std::string&>().size() : value.size();
    std::array<std::size_t, 2> bounds{0, size};
    if (is_text && values.size() == 4) return fail("cannot 3-index slice a string");
    for (std::size_t i = 1; i < values.size() && i < 3; ++i) {
        if (is_nothing(values[i]) || !values[i]->is_number_integer())
            return fail("cannot index slice/array with type " +
                        (is_nothing(values[i]) ? "nil" : go_type(*values[i])));
        const auto number = values[i]->get<std::int64_t>();
        if (number < 0 || static_cast<std::size_t>(number) > size)
            return fail("index out of range: " + std::to_string(number));
        bounds[i - 1] = static_cast<std::size_t>(number);
    }
    if (bounds[0] > bounds[1])
        return fail("invalid slice index: " + std::to_string(bounds[0]) + " > " + std::to_string(bounds[1]));
    if (is_text) return text(value.get_ref<const std::string&>().substr(bounds[0], bounds[1] - bounds[0]));
    Json part = Json::array();
    for (std::size_t i = bounds[0]; i < bounds[1]; ++i) part.push_back(value[i]);
    return make_value(std::move(part));
}

int basic_kind(const TemplateValue& value) {
    if (is_nothing(value)) return 0;
    if (value->is_boolean()) return 1;
    if (value->is_number_integer()) return 2;
    if (value->is_number_float()) return 3;
    return value->is_string() ? 4 : 5;
}

Result<bool> equal(const TemplateValue& left, const TemplateValue& right) {
    for (const TemplateValue& value : {left, right})
        if (basic_kind(value) == 5)
            return fail("non-comparable type " + go_text(*value) + ": " + go_type(*value));
    if (is_nothing(left) || is_nothing(right)) return is_nothing(left) && is_nothing(right);
    if (basic_kind(left) != basic_kind(right)) return fail("incompatible types for comparison");
    return *left == *right;
}

Result<bool> less(const TemplateValue& left, const TemplateValue& right) {
    for (const TemplateValue& value : {left, right})
        if (basic_kind(value) == 0 || basic_kind(value) == 5) return fail("invalid type for comparison");
    if (basic_kind(left) != basic_kind(right)) return fail("incompatible types for comparison");
    if (left->is_boolean()) return fail("invalid type for comparison");
    return *left < *right;
}

Answer truth(const Result<bool>& value) {
    if (!value) return tl::unexpected(value.error());
    return make_value(Json(*value));
}

Answer is_equal(const TemplateValues& values) {
    if (values.size() < 2) return fail("missing argument for comparison");
    for (std::size_t i = 1; i < values.size(); ++i) {
        const auto same = equal(values[0], values[i]);
        if (!same || *same) return truth(same);
    }
    return truth(false);
}
Answer is_unequal(const TemplateValues& values) {
    const auto same = equal(values[0], values[1]);
    return same ? truth(!*same) : truth(same);
}
Answer is_less(const TemplateValues& values) {
    return truth(less(values[0], values[1]));
}
Answer is_at_least(const TemplateValues& values) {
    const auto smaller = less(values[0], values[1]);
    return smaller ? truth(!*smaller) : truth(smaller);
}
Answer is_at_most(const TemplateValues& values) {
    const auto smaller = less(values[0], values[1]);
    if (!smaller || *smaller) return truth(smaller);
    return truth(equal(values[0], values[1]));
}
Answer is_greater(const TemplateValues& values) {
    const Answer most = is_at_most(values);
    return most ? truth(!is_true(*most)) : most;
}

Answer negated(const TemplateValues& values) {
    return truth(!is_true(values[0]));
}

Answer decoded(const TemplateValues& values) {
    if (is_nothing(values[0]) || !values[0]->is_string())
        return fail("wrong type for value; expected string; got " +
                    (is_nothing(values[0]) ? "<nil>" : go_type(*values[0])));
    const auto bytes = base::base64_decode(values[0]->get_ref<const std::string&>());
    if (!bytes) return fail("base64 decode failed: " + bytes.error().message());
    return text(*bytes);
}

// kubectl's own: whether such a member is there.
Answer exists(const TemplateValues& values) {
    if (is_nothing(values[0])) return truth(false);
    const Answer found = index_of(values);
    return truth(found && !is_nothing(*found));
}

Answer unused(const TemplateValues&) {
    return fail("it is evaluated where it stands");
}

constexpr Function kFunctions[] = {
    {"and", 1, 0, unused},
    {"base64decode", 1, 1, decoded},
    {"eq", 1, 0, is_equal},
    {"exists", 1, 0, exists},
    {"ge", 2, 2, is_at_least},
    {"gt", 2, 2, is_greater},
    {"html", 0, 0, escaped<escaped_html>},
    {"index", 1, 0, index_of},
    {"js", 0, 0, escaped<escaped_javascript>},
    {"le", 2, 2, is_at_most},
    {"len", 1, 1, length},
    {"lt", 2, 2, is_less},
    {"ne", 2, 2, is_unequal},
    {"not", 1, 1, negated},
    {"or", 1, 0, unused},
    {"print", 0, 0, print_values},
    {"printf", 1, 0, print_format},
    {"println", 0, 0, print_line},
    {"slice", 1, 0, slice_of},
    {"urlquery", 0, 0, escaped<escaped_query>},
};

const Function* find(std::string_view name) {
    for (const Function& function : kFunctions)
        if (function.name == name) return &function;
    return nullptr;
}

}  // namespace

bool is_template_function(std::string_view name) {
    return find(name) != nullptr;
}

TemplateValue make_value(Json value) {
    return std::make_shared<const Json>(std::move(value));
}

bool is_true(const TemplateValue& value) {
    if (is_nothing(value)) return false;
    if (value->is_boolean()) return value->get<bool>();
    if (value->is_number()) return value->get<double>() != 0;
    if (value->is_string()) return !value->get_ref<const std::string&>().empty();
    return !value->empty();
}

Result<TemplateValue> call_template_function(std::string_view name, const TemplateValues& arguments) {
    const Function* function = find(name);
    if (function == nullptr) return fail(go_quote(name) + " is not a defined function");
    const std::string got = " got " + std::to_string(arguments.size());
    if (arguments.size() < function->least && function->most != function->least)
        return fail("wrong number of args for " + std::string(name) + ": want at least " +
                    std::to_string(function->least) + got);
    if (function->most != 0 && arguments.size() != function->most)
        return fail("wrong number of args for " + std::string(name) + ": want " +
                    std::to_string(function->most) + got);
    return function->call(arguments);
}

}  // namespace keelson::cli::printing
