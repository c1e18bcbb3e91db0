#include "kernel/api/request_info.h"

#include <algorithm>
#include <optional>

namespace keelson::api {
namespace {

std::vector<std::string> split_path(std::string_view path) {
    while (!path.empty() && path.front() == '/') path.remove_prefix(1);
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    std::vector<std::string> parts;
    if (path.empty()) return parts;
    for (;;) {
        const auto slash = path.find('/');
        parts.emplace_back(path.substr(0, slash));
        if (slash == std::string_view::npos) return parts;
        path.remove_prefix(slash + 1);
    }
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return result;
}

std::string verb_of_method(std::string_view method) {
    if (method == "GET" || method == "HEAD") return "get";
    if (method == "POST") return "create";
    if (method == "PUT") return "update";
    if (method == "PATCH") return "patch";
    if (method == "DELETE") return "delete";
    return "";
}

const std::string* first_value(const Query& query, std::string_view name) {
    const auto found = std::ranges::find(query, name, &std::pair<std::string, std::string>::first);
    return found == query.end() ? nullptr : &found->second;
}

// Kubernetes' query bool: present and not "false" or "0"; an empty value is true.
bool query_is_true(const Query& query, std::string_view name) {
    const std::string* value = first_value(query, name);
    if (value == nullptr) return false;
    const std::string text = lower(*value);
    return text != "false" && text != "0";
}

// Undoes the escapes of field selector values (\\ \, \=); nothing for a stray escape or a bare '='.
std::optional<std::string> unescape_selector_value(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            if (++i == text.size() || (text[i] != '\\' && text[i] != ',' && text[i] != '='))
                return std::nullopt;
        } else if (text[i] == '=') {
            return std::nullopt;
        }
        result.push_back(text[i]);
    }
    return result;
}

// The value v when the selector has the term field=v or field==v; nothing when it has not or is malformed.
std::optional<std::string> exact_match(std::string_view selector, std::string_view field) {
    std::optional<std::string> found;
    while (!selector.empty()) {
        std::size_t end = 0;
        while (end < selector.size() && selector[end] != ',') end += selector[end] == '\\' ? 2 : 1;
        end = std::min(end, selector.size());
        const std::string_view term = selector.substr(0, end);
        selector.remove_prefix(std::min(end + 1, selector.size()));
        if (term.empty()) continue;
        const auto equals = term.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        const bool negated = equals > 0 && term[equals - 1] == '!';
        const std::string_view left = term.substr(0, negated ? equals - 1 : equals);
        std::string_view right = term.substr(equals + 1);
        if (!negated && right.starts_with('=')) right.remove_prefix(1);
        auto value = unescape_selector_value(right);
        if (!value) return std::nullopt;
        if (!negated && left == field && !found) found = std::move(value);
    }
    return found;
}

bool is_valid_path_segment(std::string_view name) {
    return name != "." && name != ".." && name.find_first_of("/%") == std::string_view::npos;
}

}  // namespace

base::Result<RequestInfo> parse_request_info(std::string_view method, std::string_view path,
                                             const Query& query) {
    RequestInfo info;
    info.path = path;
    info.verb = lower(method);
    std::vector<std::string> parts = split_path(path);
    if (parts.size() < 3 || (parts[0] != "api" && parts[0] != "apis")) return info;
    info.api_prefix = parts[0];
    std::size_t next = 1;
    if (info.api_prefix == "apis") {
        if (parts.size() < 4) return info;
        info.group = std::move(parts[next++]);
    }
    info.is_resource_request = true;
    info.version = std::move(parts[next++]);

    if (parts[next] == "proxy" || parts[next] == "watch") {
        if (parts.size() - next < 2) {
            return base::Status(base::Reason::bad_request,
                                "unable to determine kind and namespace from url, " + std::string(path));
        }
        info.verb = parts[next++];
        info.watch_by_path = info.verb == "watch";
    } else {
        info.verb = verb_of_method(method);
    }

    if (parts[next] == "namespaces" && parts.size() - next > 1) {
        info.namespace_name = parts[next + 1];
        // .../namespaces/NAME/status is a subresource of the namespace, .../namespaces/NAME/pods a resource
        // in it.
        if (parts.size() - next > 2 && parts[next + 2] != "status" && parts[next + 2] != "finalize")
            next += 2;
    }
    info.parts.assign(std::make_move_iterator(parts.begin() + static_cast<std::ptrdiff_t>(next)),
                      std::make_move_iterator(parts.end()));
    info.resource = info.parts[0];
    if (info.parts.size() >= 2) info.name = info.parts[1];
    if (info.parts.size() >= 3 && info.verb != "proxy") info.subresource = info.parts[2];

    if (info.name.empty() && info.verb == "get") {
        info.verb = query_is_true(query, "watch") ? "watch" : "list";
        if (const std::string* selector = first_value(query, "fieldSelector")) {
            info.field_selector = *selector;
            if (auto name = exact_match(*selector, "metadata.name"); name && is_valid_path_segment(*name))
                info.name = std::move(*name);
        }
    }
    if (info.name.empty() && info.verb == "delete") info.verb = "deletecollection";
    return info;
}

bool is_long_running(const RequestInfo& info) {
    if (!info.is_resource_request) return false;
    if (info.verb == "watch" || info.verb == "proxy") return true;
    static constexpr std::string_view subresources[] = {"attach", "exec", "proxy", "log", "portforward"};
    return std::ranges::find(subresources, info.subresource) != std::end(subresources);
}

}  // namespace keelson::api
