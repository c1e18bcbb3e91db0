#include "kernel/object/image_name.h"

#include <algorithm>

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
constexpr bool is_hexadecimal(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f');
}
constexpr bool is_alphanumeric(char c) {
    return is_lower(c) || is_upper(c) || is_digit(c);
}

// Lower case letters and digits, separated by one '.', one or two '_' or any number of '-'.
bool is_path_component(std::string_view part) {
    if (part.empty()) return false;
    std::size_t i = 0;
    for (;;) {
        std::size_t start = i;
        while (i < part.size() && (is_lower(part[i]) || is_digit(part[i]))) ++i;
        if (i == start) return false;
        if (i == part.size()) return true;
        char separator = part[i];
        start = i;
        while (i < part.size() && part[i] == separator) ++i;
        std::size_t count = i - start;
        if (separator == '-') continue;
        if ((separator == '.' && count == 1) || (separator == '_' && count <= 2)) continue;
        return false;
    }
}

bool is_path(std::string_view path) {
    for (;;) {
        std::size_t slash = path.find('/');
        if (!is_path_component(path.substr(0, slash))) return false;
        if (slash == std::string_view::npos) return true;
        path.remove_prefix(slash + 1);
    }
}

bool is_domain(std::string_view domain) {
    if (domain.starts_with('[')) return domain.find(']') != std::string_view::npos;
    std::size_t colon = domain.find(':');
    if (colon != std::string_view::npos) {
        std::string_view port = domain.substr(colon + 1);
        if (port.empty() || !std::all_of(port.begin(), port.end(), is_digit)) return false;
        domain = domain.substr(0, colon);
    }
    for (;;) {
        std::size_t dot = domain.find('.');
        std::string_view part = domain.substr(0, dot);
        if (part.empty() || !is_alphanumeric(part.front()) || !is_alphanumeric(part.back())) return false;
        if (!std::all_of(part.begin(), part.end(), [](char c) { return is_alphanumeric(c) || c == '-'; }))
            return false;
        if (dot == std::string_view::npos) return true;
        domain.remove_prefix(dot + 1);
    }
}

bool is_tag(std::string_view tag) {
    if (tag.empty() || tag.size() > 128 || !(is_alphanumeric(tag[0]) || tag[0] == '_')) return false;
    return std::all_of(tag.begin(), tag.end(),
                       [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

}  // namespace

bool image_is_latest(std::string_view image) {
    if (image.size() == 64 && std::all_of(image.begin(), image.end(), is_hexadecimal)) return false;
    if (image.find('@') != std::string_view::npos) {
        std::string_view name = image.substr(0, image.find('@'));
        std::size_t colon = name.rfind(':');
        return colon != std::string_view::npos && name.find('/', colon) == std::string_view::npos &&
               name.substr(colon + 1) == "latest";
    }
    std::string_view rest = image;
    std::size_t slash = image.find('/');
    if (slash != std::string_view::npos) {
        std::string_view domain = image.substr(0, slash);
        bool named = domain.find_first_of(".:") != std::string_view::npos || domain == "localhost" ||
                     std::any_of(domain.begin(), domain.end(), is_upper);
        if (named) {
            if (!is_domain(domain)) return false;
            rest = image.substr(slash + 1);
        }
    }
    std::size_t colon = rest.find(':');
    if (!is_path(rest.substr(0, colon)) || image.size() > 255 + 129) return false;
    if (colon == std::string_view::npos) return true;
    std::string_view tag = rest.substr(colon + 1);
    return is_tag(tag) && tag == "latest";
}

}  // namespace keelson::object
