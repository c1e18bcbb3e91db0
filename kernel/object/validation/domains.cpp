#include <algorithm>

#include "kernel/object/validation/parts.h"

namespace keelson::object::validation {

void validate_domain_prefixed_path(FieldErrors& errors, const FieldPath& path, std::string_view text) {
    if (text.empty()) return errors.required(path);
    std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == text.size())
        return errors.invalid(path, text, "must be a domain-prefixed path (such as \"acme.io/foo\")");
    std::string_view host = text.substr(0, slash), rest = text.substr(slash + 1);
    for (const std::string& message : is_dns1123_subdomain(host)) errors.invalid(path, host, message);
    constexpr std::string_view kOthers = "/-._~%!$&'()*+,;=:";
    bool well_formed = std::all_of(rest.begin(), rest.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kOthers.find(c) != std::string_view::npos;
    });
    if (!well_formed)
        errors.invalid(path, rest,
                       "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')");
}

void validate_fully_qualified_name(FieldErrors& errors, const FieldPath& path, std::string_view name) {
    if (name.empty()) return errors.required(path);
    std::string_view text = name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
    if (Messages messages = is_dns1123_subdomain(text); !messages.empty())
        return errors.invalid(path, text, join_messages(messages));
    auto labels = split(text, '.');
    if (labels.size() < 2)
        return errors.invalid(path, text, "should be a domain with at least two segments separated by dots");
    for (std::string_view label : labels)
        if (Messages messages = is_dns1123_label(label); !messages.empty())
            return errors.invalid(path, label, join_messages(messages));
}

}  // namespace keelson::object::validation
