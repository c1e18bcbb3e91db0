#include "kernel/api/exchange.h"

#include <algorithm>

namespace keelson::api {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// False for a broken percent escape.
bool decode(std::string_view text, bool plus_is_space, std::string& out) {
    out.clear();
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (i + 2 >= text.size()) return false;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return false;
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        } else if (text[i] == '+' && plus_is_space) {
            out.push_back(' ');
        } else {
            out.push_back(text[i]);
        }
    }
    return true;
}

void parse_query(std::string_view text, std::vector<std::pair<std::string, std::string>>& query) {
    while (!text.empty()) {
        const auto ampersand = text.find('&');
        const std::string_view pair = text.substr(0, ampersand);
        text = ampersand == std::string_view::npos ? std::string_view{} : text.substr(ampersand + 1);
        if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
        const auto equals = pair.find('=');
        std::string name;
        std::string value;
        if (!decode(pair.substr(0, equals), true, name)) continue;
        if (equals != std::string_view::npos && !decode(pair.substr(equals + 1), true, value)) continue;
        query.emplace_back(std::move(name), std::move(value));
    }
}

// The length of the well-formed UTF-8 sequence at the front of a non-ASCII text; 0 when it is malformed.
std::size_t utf8_length(std::string_view text) {
    const auto first = static_cast<unsigned char>(text[0]);
    const std::size_t length = first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
    if (first > 0xf4 || length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
    }
    const auto second = static_cast<unsigned char>(text[1]);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second >= 0xa0;
    return overlong || surrogate || (first == 0xf4 && second >= 0x90) ? 0 : length;
}

// Go's encoding/json escapes, HTML characters included, so that texts equal Kubernetes' byte for byte.
void append_json_string(std::string& out, std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    out.push_back('"');
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(text[i]);
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
            out += "\\u00";
            out.push_back(digits[c >> 4]);
            out.push_back(digits[c & 15]);
        } else if (c < 0x80) {
            out.push_back(text[i]);
        } else if (const std::size_t length = utf8_length(text.substr(i)); length == 0) {
            out += "\\ufffd";
        } else if (text.substr(i, length) == "\u2028" || text.substr(i, length) == "\u2029") {
            out += text[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
            i += length - 1;
        } else {
            out += text.substr(i, length);
            i += length - 1;
        }
    }
    out.push_back('"');
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    if (out.back() != '{') out.push_back(',');
    append_json_string(out, name);
    out.push_back(':');
    append_json_string(out, value);
}

void append_details(std::string& out, const base::StatusDetails& details) {
    out += ",\"details\":{";
    append_member(out, "name", details.name);
    append_member(out, "group", details.group);
    append_member(out, "kind", details.kind);
    append_member(out, "uid", details.uid);
    if (!details.causes.empty()) {
        if (out.back() != '{') out.push_back(',');
        out += "\"causes\":[";
        for (const base::Cause& cause : details.causes) {
            if (out.back() != '[') out.push_back(',');
            out.push_back('{');
            append_member(out, "reason", cause.reason);
            append_member(out, "message", cause.message);
            append_member(out, "field", cause.field);
            out.push_back('}');
        }
        out.push_back(']');
    }
    if (details.retry_after_seconds > 0) {
        if (out.back() != '{') out.push_back(',');
        out += "\"retryAfterSeconds\":" + std::to_string(details.retry_after_seconds);
    }
    out.push_back('}');
}

}  // namespace

bool same_header_name(std::string_view left, std::string_view right) {
    return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin(),
                                                     [](char a, char b) { return lower(a) == lower(b); });
}

std::string_view Request::query_value(std::string_view name) const {
    for (const auto& [key, value] : query) {
        if (key == name) return value;
    }
    return {};
}

bool Request::has_query(std::string_view name) const {
    return std::ranges::any_of(query, [name](const auto& pair) { return pair.first == name; });
}

std::vector<std::string_view> Request::query_values(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const auto& [key, value] : query) {
        if (key == name) values.emplace_back(value);
    }
    return values;
}

std::string_view Request::header(std::string_view name) const {
    for (const Header& field : headers) {
        if (same_header_name(field.name, name)) return field.value;
    }
    return {};
}

bool Request::has_header(std::string_view name) const {
    return std::ranges::any_of(headers,
                               [name](const Header& field) { return same_header_name(field.name, name); });
}

std::vector<std::string_view> Request::header_values(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const Header& field : headers) {
        if (same_header_name(field.name, name)) values.emplace_back(field.value);
    }
    return values;
}

base::Result<void> parse_target(Request& request) {
    std::string_view target = request.raw_target;
    // The absolute form "GET https://host/path" is legal towards a server too.
    if (!target.starts_with('/')) {
        const auto scheme = target.find("://");
        const auto slash = scheme == std::string_view::npos ? scheme : target.find('/', scheme + 3);
        if (slash == std::string_view::npos)
            return base::Status(base::Reason::bad_request, "malformed request target");
        target.remove_prefix(slash);
    }
    target = target.substr(0, target.find('#'));
    const auto question = target.find('?');
    if (!decode(target.substr(0, question), false, request.path))
        return base::Status(base::Reason::bad_request, "malformed escape in the request path");
    request.query.clear();
    if (question != std::string_view::npos) parse_query(target.substr(question + 1), request.query);
    return base::ok();
}

std::string warning_header(std::string_view text) {
    std::string cleaned;
    cleaned.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            if (cleaned.empty() || cleaned.back() != ' ') cleaned.push_back(' ');
        } else {
            if (c == '"' || c == '\\') cleaned.push_back('\\');
            cleaned.push_back(c);
        }
    }
    while (!cleaned.empty() && cleaned.back() == ' ') cleaned.pop_back();
    if (cleaned.empty()) return {};
    return "299 - \"" + cleaned + '"';
}

std::string status_json(const base::Status& status) {
    std::string out = R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure")";
    append_member(out, "message", status.message());
    append_member(out, "reason", base::reason_text(status.reason()));
    if (status.details() != nullptr) append_details(out, *status.details());
    out += ",\"code\":" + std::to_string(status.code()) + "}\n";
    return out;
}

Response status_response(const base::Status& status) {
    Response response(status.code(), "application/json", status_json(status));
    if (status.details() != nullptr && status.details()->retry_after_seconds > 0)
        response.headers.push_back({"Retry-After", std::to_string(status.details()->retry_after_seconds)});
    return response;
}

}  // namespace keelson::api
