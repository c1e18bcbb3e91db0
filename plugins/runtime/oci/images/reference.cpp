#include "reference.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "digest.h"
#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

constexpr std::size_t maximum_name_size = 255;
constexpr std::size_t maximum_tag_size = 128;
constexpr std::string_view default_host = "docker.io";
constexpr std::string_view default_folder = "library/";

bool is_lower(char letter) {
    return letter >= 'a' && letter <= 'z';
}
bool is_upper(char letter) {
    return letter >= 'A' && letter <= 'Z';
}
bool is_number(char letter) {
    return letter >= '0' && letter <= '9';
}
bool is_word(char letter) {
    return is_lower(letter) || is_upper(letter) || is_number(letter);
}
bool is_lower_word(char letter) {
    return is_lower(letter) || is_number(letter);
}

[[noreturn]] void refuse(const std::string& whole, const std::string& reason) {
    throw Error(Code::invalid, "\"" + whole.substr(0, 300) + "\" is not an image reference: " + reason,
                "image");
}

// [a-z0-9]+ joined by ".", "_", "__" or any number of "-".
bool is_path_component(std::string_view text) {
    if (text.empty() || !is_lower_word(text.front()) || !is_lower_word(text.back())) return false;
    for (std::size_t at = 0; at < text.size();) {
        if (is_lower_word(text[at])) {
            ++at;
            continue;
        }
        const std::size_t end = std::min(text.find_first_not_of(text[at], at), text.size());
        const std::size_t limit = text[at] == '.'   ? 1
                                  : text[at] == '_' ? 2
                                  : text[at] == '-' ? text.size()
                                                    : 0;
        if (end - at > limit) return false;
        at = end;
        if (at < text.size() && !is_lower_word(text[at])) return false;
    }
    return true;
}

bool is_domain_label(std::string_view text) {
    return !text.empty() && is_word(text.front()) && is_word(text.back()) &&
           std::ranges::all_of(text, [](char letter) { return is_word(letter) || letter == '-'; });
}

bool is_domain(std::string_view text) {
    if (text.starts_with('['))
        return text.size() > 2 && text.ends_with(']') &&
               text.find_first_not_of("0123456789abcdefABCDEF:.", 1) == text.size() - 1 &&
               text.find(':') != std::string_view::npos;
    while (true) {
        const std::size_t dot = text.find('.');
        if (!is_domain_label(text.substr(0, dot))) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

bool is_port(std::string_view text) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() && number > 0 && number <= 65535;
}

void check_host(const std::string& whole, std::string_view host) {
    const std::size_t bracket = host.rfind(']');
    const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (!is_domain(host.substr(0, colon)))
        refuse(whole, "\"" + std::string(host) + "\" is no name or address of a registry");
    if (colon != std::string_view::npos && !is_port(host.substr(colon + 1)))
        refuse(whole, "the port of the registry must be a number from 1 to 65535");
}

void check_repository(const std::string& whole, std::string_view path) {
    if (path.empty()) refuse(whole, "the name of the repository is missing");
    if (std::ranges::any_of(path, is_upper)) refuse(whole, "the name of a repository must be in lower case");
    while (true) {
        const std::size_t slash = path.find('/');
        const std::string_view component = path.substr(0, slash);
        if (!is_path_component(component))
            refuse(whole, "\"" + std::string(component) +
                              "\" in the name of the repository must be letters and digits, joined by '.', "
                              "'_', '__' or '-'");
        if (slash == std::string_view::npos) return;
        path.remove_prefix(slash + 1);
    }
}

void check_tag(const std::string& whole, std::string_view tag) {
    if (tag.empty()) refuse(whole, "there is no tag after ':'");
    if (tag.size() > maximum_tag_size) refuse(whole, "its tag is longer than 128 characters");
    const auto is_tag_letter = [](char letter) {
        return is_word(letter) || letter == '_' || letter == '.' || letter == '-';
    };
    if (!std::ranges::all_of(tag, is_tag_letter) || tag.front() == '.' || tag.front() == '-')
        refuse(whole,
               "its tag must be letters, digits, '_', '.' and '-', and start with none of '.' and '-'");
}

// The first component is a registry if it cannot be a part of a repository's name.
bool names_host(std::string_view first) {
    return first == "localhost" || first.find_first_of(".:[") != std::string_view::npos ||
           std::ranges::any_of(first, is_upper);
}

void split_host(Reference& reference, const std::string& whole, std::string_view name) {
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos || !names_host(name.substr(0, slash))) {
        reference.host = default_host;
        reference.repository = name;
    } else {
        reference.host = name.substr(0, slash);
        reference.repository = name.substr(slash + 1);
        check_host(whole, reference.host);
    }
    if (reference.host == "index.docker.io") reference.host = default_host;
    if (reference.host == default_host && reference.repository.find('/') == std::string::npos &&
        !reference.repository.empty())
        reference.repository.insert(0, default_folder);
}

}  // namespace

std::string Reference::text() const {
    return name() + (tag.empty() ? "" : ":" + tag) + (digest.empty() ? "" : "@" + digest);
}

Reference parse_reference(const std::string& text) {
    if (text.empty()) refuse(text, "it is empty");
    if (is_hex(text) && text.size() == 64)
        refuse(text, "64 hexadecimal digits are an image's id, not its name");
    Reference reference;
    std::string_view rest = text;
    if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
        reference.digest = rest.substr(at + 1);
        if (!is_digest(reference.digest))
            refuse(text, "after '@' there must be \"sha256:\" and 64 lower case hexadecimal digits");
        rest = rest.substr(0, at);
    }
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
        reference.tag = rest.substr(colon + 1);
        check_tag(text, reference.tag);
        rest = rest.substr(0, colon);
    } else if (reference.digest.empty()) {
        reference.tag = "latest";
    }
    split_host(reference, text, rest);
    check_repository(text, reference.repository);
    if (reference.name().size() > maximum_name_size)
        refuse(text, "registry and repository together are longer than 255 characters");
    return reference;
}

}  // namespace keelson::oci
