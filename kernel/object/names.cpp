#include "kernel/object/names.h"

#include <initializer_list>

namespace keelson::object {

namespace {

constexpr bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
constexpr bool is_upper(char c) {
    return c >= 'A' && c <= 'Z';
}
constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_lower_alphanumeric(char c) {
    return is_lower(c) || is_digit(c);
}
constexpr bool is_alphanumeric(char c) {
    return is_lower_alphanumeric(c) || is_upper(c);
}

template <typename Predicate>
bool all_of(std::string_view text, Predicate predicate) {
    for (char c : text)
        if (!predicate(c)) return false;
    return true;
}

constexpr std::string_view kLabelFormat = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kSubdomainFormat =
    "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
constexpr std::string_view kQualifiedNameFormat = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
constexpr std::size_t kLabelMost = 63;
constexpr std::size_t kSubdomainMost = 253;

// The text that Kubernetes makes of a regular expression that did not match.
std::string format_message(std::string_view what, std::string_view format,
                           std::initializer_list<std::string_view> examples) {
    std::string out(what);
    out += " (e.g. ";
    bool first = true;
    for (std::string_view example : examples) {
        if (!first) out += " or ";
        first = false;
        out += '\'';
        out += example;
        out += "', ";
    }
    out += "regex used for validation is '";
    out += format;
    out += "')";
    return out;
}

// Kubernetes words the limit in bytes for labels and qualified names only.
std::string byte_length_message(std::size_t most) {
    return "must be no more than " + std::to_string(most) + " bytes";
}

std::string subdomain_message() {
    return format_message(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and "
        "must "
        "start and end with an alphanumeric character",
        kSubdomainFormat, {"example.com"});
}

// [A-Za-z0-9] at both ends, [-A-Za-z0-9_.] between.
bool has_name_form(std::string_view text) {
    return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
           all_of(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

std::string name_message() {
    return format_message(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric "
        "character",
        kQualifiedNameFormat, {"MyName", "my.name", "123-abc"});
}

void forbid_directory_steps(std::string_view text, Messages& messages) {
    if (text == ".")
        messages.emplace_back("must not be '.'");
    else if (text == "..")
        messages.emplace_back("must not be '..'");
    else if (text.starts_with(".."))
        messages.emplace_back("must not start with '..'");
}

// What a generated name would look like: the dash at the end is replaced by a letter.
std::string mask_trailing_dash(std::string_view name) {
    std::string result(name);
    if (result.size() > 1 && result.back() == '-') {
        result.pop_back();
        result.back() = 'a';
    }
    return result;
}

}  // namespace

bool has_dns1123_label_form(std::string_view text) {
    return !text.empty() && is_lower_alphanumeric(text.front()) && is_lower_alphanumeric(text.back()) &&
           all_of(text, [](char c) { return is_lower_alphanumeric(c) || c == '-'; });
}

bool has_dns1123_subdomain_form(std::string_view text) {
    if (text.empty()) return false;
    bool at_start = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (is_lower_alphanumeric(c)) {
            at_start = false;
        } else if (c == '-') {
            if (at_start || i + 1 == text.size() || text[i + 1] == '.') return false;
        } else if (c == '.') {
            if (at_start || i + 1 == text.size()) return false;
            at_start = true;
        } else {
            return false;
        }
    }
    return true;
}

std::string length_message(std::size_t most) {
    return "must be no more than " + std::to_string(most) + " characters";
}

Messages is_dns1123_label(std::string_view text) {
    Messages messages;
    if (text.size() > kLabelMost) messages.push_back(length_message(kLabelMost));
    if (!has_dns1123_label_form(text)) {
        if (has_dns1123_subdomain_form(text))
            messages.emplace_back("must not contain dots");
        else
            messages.push_back(
                format_message("a lowercase RFC 1123 label must consist of lower case alphanumeric "
                               "characters or '-', and must "
                               "start and end with an alphanumeric character",
                               kLabelFormat, {"my-name", "123-abc"}));
    }
    return messages;
}

Messages is_dns1123_subdomain(std::string_view text) {
    Messages messages;
    if (text.size() > kSubdomainMost) messages.push_back(length_message(kSubdomainMost));
    if (!has_dns1123_subdomain_form(text)) messages.push_back(subdomain_message());
    return messages;
}

Messages is_dns1123_subdomain_with_underscore(std::string_view text) {
    Messages messages;
    if (text.size() > kSubdomainMost) messages.push_back(length_message(kSubdomainMost));
    bool well_formed = !text.empty();
    for (std::string_view part : split(text, '.')) {
        if (part.starts_with('_')) part.remove_prefix(1);
        well_formed = well_formed && !part.empty() && is_lower_alphanumeric(part.front()) &&
                      is_lower_alphanumeric(part.back()) &&
                      all_of(part, [](char c) { return is_lower_alphanumeric(c) || c == '-' || c == '_'; });
    }
    if (!well_formed)
        messages.push_back(format_message(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_', or "
            "'.', and "
            "must start and end with an alphanumeric character or an underscore",
            "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*", {"example.com"}));
    return messages;
}

Messages is_dns1035_label(std::string_view text) {
    Messages messages;
    if (text.size() > kLabelMost) messages.push_back(length_message(kLabelMost));
    if (!has_dns1123_label_form(text) || !is_lower(text.front()))
        messages.push_back(
            format_message("a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
                           "start with an alphabetic "
                           "character, and end with an alphanumeric character",
                           "[a-z]([-a-z0-9]*[a-z0-9])?", {"my-name", "abc-123"}));
    return messages;
}

Messages is_wildcard_dns1123_subdomain(std::string_view text) {
    Messages messages;
    if (text.size() > kSubdomainMost) messages.push_back(length_message(kSubdomainMost));
    if (!text.starts_with("*.") || !has_dns1123_subdomain_form(text.substr(2)))
        messages.push_back(
            format_message("a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS "
                           "subdomain, which must "
                           "consist of lower case alphanumeric characters, '-' or '.' and end with an "
                           "alphanumeric character",
                           std::string("\\*\\.") + std::string(kSubdomainFormat), {"*.example.com"}));
    return messages;
}

Messages is_qualified_name(std::string_view text) {
    Messages messages;
    std::string_view name = text;
    std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
        if (text.find('/', slash + 1) != std::string_view::npos) {
            messages.push_back("a qualified name " + name_message() +
                               " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
            return messages;
        }
        std::string_view prefix = text.substr(0, slash);
        name = text.substr(slash + 1);
        if (prefix.empty()) {
            messages.emplace_back("prefix part must be non-empty");
        } else if (prefix.size() > kSubdomainMost || !has_dns1123_subdomain_form(prefix)) {
            if (prefix.size() > kSubdomainMost)
                messages.push_back("prefix part " + byte_length_message(kSubdomainMost));
            if (!has_dns1123_subdomain_form(prefix)) messages.push_back("prefix part " + subdomain_message());
        }
    }
    if (name.empty())
        messages.emplace_back("name part must be non-empty");
    else if (name.size() > kLabelMost)
        messages.push_back("name part " + byte_length_message(kLabelMost));
    if (!has_name_form(name)) messages.push_back("name part " + name_message());
    return messages;
}

Messages is_label_value(std::string_view text) {
    Messages messages;
    if (text.size() > kLabelMost) messages.push_back(byte_length_message(kLabelMost));
    if (!text.empty() && !has_name_form(text))
        messages.push_back(
            format_message("a valid label must be an empty string or consist of alphanumeric characters, "
                           "'-', '_' or '.', and must "
                           "start and end with an alphanumeric character",
                           "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", {"MyValue", "my_value", "12345"}));
    return messages;
}

Messages is_config_map_key(std::string_view text) {
    Messages messages;
    if (text.size() > kSubdomainMost) messages.push_back(length_message(kSubdomainMost));
    if (text.empty() ||
        !all_of(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; }))
        messages.push_back(
            format_message("a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
                           "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
    forbid_directory_steps(text, messages);
    return messages;
}

Messages is_environment_name(std::string_view text) {
    Messages messages;
    if (text.empty() || is_digit(text.front()) ||
        !all_of(text, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; }))
        messages.push_back(
            format_message("a valid environment variable name must consist of alphabetic characters, digits, "
                           "'_', '-', or '.', and "
                           "must not start with a digit",
                           "[-._a-zA-Z][-._a-zA-Z0-9]*", {"my.env-name", "MY_ENV.NAME", "MyEnvName1"}));
    forbid_directory_steps(text, messages);
    return messages;
}

Messages is_relaxed_environment_name(std::string_view text) {
    Messages messages;
    if (text.empty()) messages.emplace_back("environment variable name must be non-empty");
    if (!all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '='; }))
        messages.emplace_back(
            "a valid environment variable name must consist only of printable ASCII characters other than "
            "'='");
    return messages;
}

Messages is_c_identifier(std::string_view text) {
    Messages messages;
    if (text.empty() || is_digit(text.front()) ||
        !all_of(text, [](char c) { return is_alphanumeric(c) || c == '_'; }))
        messages.push_back(
            format_message("a valid C identifier must start with alphabetic character or '_', followed by a "
                           "string of alphanumeric "
                           "characters or '_'",
                           "[A-Za-z_][A-Za-z0-9_]*", {"my_name", "MY_NAME", "MyName"}));
    return messages;
}

Messages is_percent(std::string_view text) {
    Messages messages;
    if (text.size() < 2 || text.back() != '%' || !all_of(text.substr(0, text.size() - 1), is_digit))
        messages.push_back(
            format_message("a valid percent string must be a numeric string followed by an ending '%'",
                           "[0-9]+%", {"1%", "93%"}));
    return messages;
}

Messages is_in_range(std::int64_t value, std::int64_t least, std::int64_t most) {
    Messages messages;
    if (value < least || value > most)
        messages.push_back("must be between " + std::to_string(least) + " and " + std::to_string(most) +
                           ", inclusive");
    return messages;
}

Messages is_port_number(std::int64_t port) {
    return is_in_range(port, 1, 65535);
}

Messages is_user_or_group_id(std::int64_t id) {
    return is_in_range(id, 0, 2147483647);
}

Messages is_port_name(std::string_view text) {
    constexpr std::size_t kMost = 15;
    Messages messages;
    if (text.size() > kMost) messages.push_back(length_message(kMost));
    if (text.empty() || !all_of(text, [](char c) { return is_lower_alphanumeric(c) || c == '-'; }))
        messages.emplace_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    if (all_of(text, [](char c) { return !is_lower(c); }))
        messages.emplace_back("must contain at least one letter (a-z)");
    if (text.find("--") != std::string_view::npos)
        messages.emplace_back("must not contain consecutive hyphens");
    if (!text.empty() && (text.front() == '-' || text.back() == '-'))
        messages.emplace_back("must not begin or end with a hyphen");
    return messages;
}

Messages is_http_header_name(std::string_view text) {
    Messages messages;
    if (text.empty() || !all_of(text, [](char c) { return is_alphanumeric(c) || c == '-'; }))
        messages.push_back(
            format_message("a valid HTTP header must consist of alphanumeric characters or '-'",
                           "[-A-Za-z0-9]+", {"X-Header-Name"}));
    return messages;
}

Messages is_path_segment_prefix(std::string_view text) {
    Messages messages;
    for (std::string_view part : {"/", "%"})
        if (text.find(part) != std::string_view::npos)
            messages.push_back("may not contain '" + std::string(part) + "'");
    return messages;
}

Messages is_path_segment(std::string_view text) {
    if (text == "." || text == "..") return {"may not be '" + std::string(text) + "'"};
    return is_path_segment_prefix(text);
}

Messages name_is_dns_subdomain(std::string_view name, bool prefix) {
    return prefix ? is_dns1123_subdomain(mask_trailing_dash(name)) : is_dns1123_subdomain(name);
}

Messages name_is_dns_label(std::string_view name, bool prefix) {
    return prefix ? is_dns1123_label(mask_trailing_dash(name)) : is_dns1123_label(name);
}

Messages name_is_dns1035_label(std::string_view name, bool prefix) {
    return prefix ? is_dns1035_label(mask_trailing_dash(name)) : is_dns1035_label(name);
}

Messages name_is_path_segment(std::string_view name, bool prefix) {
    return prefix ? is_path_segment_prefix(name) : is_path_segment(name);
}

std::string join_messages(const Messages& messages, std::string_view separator) {
    std::string out;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (i > 0) out += separator;
        out += messages[i];
    }
    return out;
}

std::string lower_case(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (is_upper(c)) c = static_cast<char>(c + 32);
    return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        std::size_t end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

std::int64_t percent_value(std::string_view text) {
    if (text.size() < 2 || text.size() > 10 || text.back() != '%') return -1;
    std::int64_t result = 0;
    for (char c : text.substr(0, text.size() - 1)) {
        if (!is_digit(c)) return -1;
        result = result * 10 + (c - '0');
    }
    return result;
}

}  // namespace keelson::object
