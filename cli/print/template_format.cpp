// printf as Go's fmt has it.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/print/template_functions.h"

namespace keelson::cli::printing {
namespace {

constexpr int kWidest = 1000;

struct Verb {
    bool plus = false, minus = false, sharp = false, space = false, zero = false;
    std::optional<int> width, precision;
    char letter = 0;
};

std::size_t width_of(std::string_view text) {
    std::size_t count = 0;
    for (const char letter : text)
        if ((static_cast<unsigned char>(letter) & 0xC0) != 0x80) ++count;
    return count;
}

std::string padded(std::string text, const Verb& verb, bool is_number = false) {
    const auto width = static_cast<std::size_t>(verb.width.value_or(0));
    const std::size_t has = width_of(text);
    if (has >= width) return text;
    const std::size_t missing = width - has;
    if (verb.minus) return text + std::string(missing, ' ');
    if (!verb.zero) return std::string(missing, ' ') + text;
    const std::size_t sign = is_number && (text.starts_with('-') || text.starts_with('+')) ? 1 : 0;
    return text.substr(0, sign) + std::string(missing, '0') + text.substr(sign);
}

std::string type_name(const Json& value) {
    return value.is_number_integer() ? "int" : go_type(value);
}

std::string bad_verb(const Verb& verb, const TemplateValue& value) {
    const std::string mark = std::string("%!") + verb.letter + "(";
    if (!value || value->is_null()) return mark + "<nil>)";
    return mark + type_name(*value) + "=" + go_text(*value) + ")";
}

std::string with_sign(std::string text, const Verb& verb) {
    if (text.starts_with('-')) return text;
    return (verb.plus ? "+" : verb.space ? " " : "") + text;
}

std::string integer(std::int64_t number, const Verb& verb, int base, bool is_upper = false) {
    char buffer[72];
    std::string digits(buffer, std::to_chars(buffer, buffer + sizeof buffer, number, base).ptr);
    if (is_upper)
        for (char& digit : digits) digit = static_cast<char>(digit >= 'a' ? digit - 'a' + 'A' : digit);
    return padded(with_sign(std::move(digits), verb), verb, true);
}

std::string real(double number, const Verb& verb) {
    const char form[] = {'%', '.', '*', verb.letter == 'F' ? 'f' : verb.letter, 0};
    std::string text;
    if (verb.letter == 'v' || ((verb.letter == 'g' || verb.letter == 'G') && !verb.precision)) {
        text = go_real(number);
    } else {
        char buffer[1400];
        const int size = std::snprintf(buffer, sizeof buffer, form, verb.precision.value_or(6), number);
        text.assign(buffer, static_cast<std::size_t>(size));
    }
    return padded(with_sign(std::move(text), verb), verb, true);
}

std::string hexadecimal(std::string_view text, bool is_upper) {
    std::string digits;
    const char* const letters = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (const char letter : text) {
        digits += letters[static_cast<unsigned char>(letter) >> 4];
        digits += letters[static_cast<unsigned char>(letter) & 15];
    }
    return digits;
}

std::string format_string(const std::string& text, const Verb& verb, const TemplateValue& value) {
    std::string_view part = text;
    if (verb.precision) {
        std::size_t end = 0;
        for (int left = *verb.precision; left > 0 && end < part.size(); --left) {
            std::size_t bytes = 0;
            first_character(part.substr(end), bytes);
            end += bytes;
        }
        part = part.substr(0, end);
    }
    switch (verb.letter) {
        case 'v':
            return padded(verb.sharp ? go_quote(part) : std::string(part), verb);
        case 's':
            return padded(std::string(part), verb);
        case 'q':
            return padded(go_quote(part), verb);
        case 'x':
        case 'X':
            return padded(hexadecimal(part, verb.letter == 'X'), verb);
        default:
            return padded(bad_verb(verb, value), verb);
    }
}

std::string format_integer(std::int64_t number, const Verb& verb, const TemplateValue& value) {
    std::string text;
    switch (verb.letter) {
        case 'v':
        case 'd':
            return integer(number, verb, 10);
        case 'b':
            return integer(number, verb, 2);
        case 'o':
            return integer(number, verb, 8);
        case 'x':
        case 'X':
            return integer(number, verb, 16, verb.letter == 'X');
        case 'c':
        case 'q':
            append_utf8(static_cast<std::uint32_t>(number), text);
            return padded(verb.letter == 'q' ? "'" + text + "'" : text, verb);
        default:
            return padded(bad_verb(verb, value), verb);
    }
}

// %q and %s reach into maps and lists.
std::string inner(const Json& value, const Verb& verb);

std::string format_structure(const Json& value, const Verb& verb) {
    if (verb.letter == 'v') return padded(verb.sharp ? go_syntax(value) : go_text(value), verb);
    std::string text = value.is_object() ? "map[" : "[";
    const char* separator = "";
    for (const auto& [name, member] : value.items()) {
        text += separator;
        separator = " ";
        if (value.is_object()) text += inner(Json(name), verb) + ":";
        text += inner(member, verb);
    }
    return text + "]";
}

std::string format_value(const Verb& verb, const TemplateValue& value) {
    if (verb.letter == 'T') return padded(value && !value->is_null() ? type_name(*value) : "<nil>", verb);
    if (!value || value->is_null()) return padded(verb.letter == 'v' ? "<nil>" : bad_verb(verb, value), verb);
    if (value->is_string()) return format_string(value->get_ref<const std::string&>(), verb, value);
    if (value->is_number_integer()) return format_integer(value->get<std::int64_t>(), verb, value);
    if (value->is_number_float()) {
        const bool is_known = std::string_view("vgGeEfF").find(verb.letter) != std::string_view::npos;
        return is_known ? real(value->get<double>(), verb) : padded(bad_verb(verb, value), verb);
    }
    if (value->is_boolean())
        return padded(verb.letter == 'v' || verb.letter == 't' ? value->dump() : bad_verb(verb, value), verb);
    return format_structure(*value, verb);
}

std::string inner(const Json& value, const Verb& verb) {
    return format_value(verb, make_value(value));
}

class Formatter {
  public:
    Formatter(std::string_view format, const TemplateValues& arguments)
        : format_(format), arguments_(arguments) {}

    std::string run() {
        while (at_ < format_.size()) {
            const std::size_t percent = std::min(format_.find('%', at_), format_.size());
            out_ += format_.substr(at_, percent - at_);
            at_ = percent;
            if (at_ < format_.size()) verb();
        }
        extra();
        return std::move(out_);
    }

  private:
    void verb() {
        ++at_;
        Verb verb;
        for (; at_ < format_.size(); ++at_) {
            const char flag = format_[at_];
            if (flag == '+')
                verb.plus = true;
            else if (flag == '-')
                verb.minus = true;
            else if (flag == '#')
                verb.sharp = true;
            else if (flag == ' ')
                verb.space = true;
            else if (flag == '0')
                verb.zero = true;
            else
                break;
        }
        verb.zero = verb.zero && !verb.minus;
        verb.width = number();
        if (at_ < format_.size() && format_[at_] == '.') {
            ++at_;
            verb.precision = number().value_or(0);
        }
        if (at_ >= format_.size()) {
            out_ += "%!(NOVERB)";
            return;
        }
        verb.letter = format_[at_++];
        if (verb.letter == '%')
            out_ += '%';
        else if (next_ >= arguments_.size())
            out_ += std::string("%!") + verb.letter + "(MISSING)";
        else
            out_ += format_value(verb, arguments_[next_++]);
    }

    std::optional<int> number() {
        if (at_ < format_.size() && format_[at_] == '*') {
            ++at_;
            if (next_ >= arguments_.size()) return std::nullopt;
            const TemplateValue& value = arguments_[next_++];
            if (!value || !value->is_number_integer()) return std::nullopt;
            const auto wanted = value->get<std::int64_t>();
            return wanted >= 0 && wanted <= kWidest ? std::optional(static_cast<int>(wanted)) : std::nullopt;
        }
        int value = 0;
        const char* begin = format_.data() + at_;
        const auto end = std::from_chars(begin, format_.data() + format_.size(), value).ptr;
        if (end == begin) return std::nullopt;
        at_ += static_cast<std::size_t>(end - begin);
        return std::clamp(value, 0, kWidest);
    }

    void extra() {
        if (next_ >= arguments_.size()) return;
        out_ += "%!(EXTRA ";
        for (std::size_t i = next_; i < arguments_.size(); ++i) {
            if (i > next_) out_ += ", ";
            const TemplateValue& value = arguments_[i];
            const bool is_nothing = !value || value->is_null();
            out_ += is_nothing ? "<nil>" : type_name(*value) + "=" + go_text(*value);
        }
        out_ += ")";
    }

    std::string_view format_;
    const TemplateValues& arguments_;
    std::string out_;
    std::size_t at_ = 0;
    std::size_t next_ = 0;
};

}  // namespace

std::string go_format(std::string_view format, const TemplateValues& arguments) {
    return Formatter(format, arguments).run();
}

}  // namespace keelson::cli::printing
