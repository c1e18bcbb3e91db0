#include "kernel/api/accept.h"

#include <algorithm>
#include <cstdlib>

namespace keelson::api {
namespace {

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Cuts the element before the next separator off the front of the rest.
std::string_view next_element(std::string_view& rest, char separator) {
    const auto at = rest.find(separator);
    const std::string_view element = rest.substr(0, at);
    rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
    return element;
}

double parse_quality(std::string_view text) {
    // A malformed q counts as 0, as ParseFloat's zero value does in Kubernetes.
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    return end == copy.c_str() + copy.size() && !copy.empty() ? value : 0.0;
}

// Sort order of goautoneg: quality, then no wildcard type, then no wildcard subtype.
bool more_wanted(const AcceptClause& left, const AcceptClause& right) {
    if (left.quality != right.quality) return left.quality > right.quality;
    if ((left.type == "*") != (right.type == "*")) return right.type == "*";
    return left.subtype != "*" && right.subtype == "*";
}

}  // namespace

std::string_view AcceptClause::parameter(std::string_view name) const {
    const auto found = std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first);
    return found == parameters.end() ? std::string_view{} : std::string_view(found->second);
}

bool AcceptClause::has_parameter(std::string_view name) const {
    return std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first) !=
           parameters.end();
}

bool AcceptClause::matches(std::string_view media_type) const {
    if (type == "*") return true;
    const auto slash = media_type.find('/');
    if (type != media_type.substr(0, slash)) return false;
    return subtype == "*" || (slash != std::string_view::npos && subtype == media_type.substr(slash + 1));
}

std::vector<AcceptClause> parse_accept(std::string_view header) {
    // A header is at most 64 KiB, but nobody needs thousands of clauses.
    constexpr std::size_t max_clauses = 64;
    std::vector<AcceptClause> clauses;
    while (!header.empty() && clauses.size() < max_clauses) {
        std::string_view rest = trim(next_element(header, ','));
        std::string_view media = next_element(rest, ';');
        AcceptClause clause;
        clause.type = trim(next_element(media, '/'));
        if (media.empty()) {
            if (clause.type != "*") continue;
            clause.subtype = "*";
        } else {
            clause.subtype = trim(next_element(media, '/'));
            if (!media.empty()) continue;
        }
        while (!rest.empty()) {
            std::string_view value = next_element(rest, ';');
            const std::string_view name = trim(next_element(value, '='));
            if (value.empty() || value.find('=') != std::string_view::npos) continue;
            if (name == "q") {
                clause.quality = parse_quality(trim(value));
            } else {
                clause.parameters.emplace_back(name, trim(value));
            }
        }
        clauses.push_back(std::move(clause));
    }
    std::ranges::stable_sort(clauses, more_wanted);
    return clauses;
}

MediaType parse_content_type(std::string_view header) {
    MediaType result;
    result.type = trim(next_element(header, ';'));
    std::ranges::transform(result.type, result.type.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    while (!header.empty()) {
        std::string_view value = trim(next_element(header, ';'));
        const std::string_view name = trim(next_element(value, '='));
        value = trim(value);
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
            value = value.substr(1, value.size() - 2);
        if (!name.empty()) result.parameters.emplace_back(name, value);
    }
    return result;
}

bool accepts_gzip(std::string_view accept_encoding) {
    while (!accept_encoding.empty()) {
        if (trim(next_element(accept_encoding, ',')) == "gzip") return true;
    }
    return false;
}

}  // namespace keelson::api
