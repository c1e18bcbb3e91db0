#include "kernel/object/field_errors.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace keelson::object {

namespace {

// How many bytes of text at position form one valid UTF-8 sequence; 0 when none do.
std::size_t sequence_length(std::string_view text, std::size_t position) {
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
    unsigned char first = byte(0);
    if (first < 0x80) return 1;
    std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
    if (length == 0 || first > 0xF4 || position + length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
    if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
    return length;
}

void write_escaped(std::string& out, const char* format, unsigned code) {
    char buffer[12];
    out.append(buffer, static_cast<std::size_t>(std::snprintf(buffer, sizeof buffer, format, code)));
}

// A JSON string as Go's encoding/json writes it.
void write_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        auto c = static_cast<unsigned char>(text[i]);
        std::size_t length = sequence_length(text, i);
        if (length == 0) {
            out += "\\ufffd";
            ++i;
            continue;
        }
        if (c == '"' || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c == '\b') {
            out += "\\b";
        } else if (c == '\f') {
            out += "\\f";
        } else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
            write_escaped(out, "\\u%04x", c);
        } else {
            out += text.substr(i, length);
        }
        i += length;
    }
    out += '"';
}

enum class Naming : std::uint8_t { as_is, go };

// The Go name of a JSON member: first letter upper case, with the initialisms that the API uses.
std::string go_name(std::string_view name) {
    if (name == "uid") return "UID";
    if (name == "ip") return "IP";
    if (name == "hostIP") return "HostIP";
    if (name == "apiVersion") return "APIVersion";
    if (name == "apiGroup") return "APIGroup";
    std::string result(name);
    if (!result.empty() && result[0] >= 'a' && result[0] <= 'z')
        result[0] = static_cast<char>(result[0] - 32);
    return result;
}

void write_json(std::string& out, Value value, Naming naming, bool sorted) {
    switch (value.kind()) {
        case Kind::absent:
        case Kind::null:
            out += "null";
            return;
        case Kind::boolean:
            out += value.as_boolean() ? "true" : "false";
            return;
        case Kind::integer:
            out += std::to_string(value.as_integer());
            return;
        case Kind::real: {
            char buffer[32];
            auto end = std::to_chars(buffer, buffer + sizeof buffer, value.as_real()).ptr;
            out.append(buffer, end);
            return;
        }
        case Kind::string:
            write_json_string(out, value.as_string());
            return;
        case Kind::list: {
            out += '[';
            bool first = true;
            for (Value item : value.items()) {
                if (!first) out += ',';
                first = false;
                write_json(out, item, naming, sorted);
            }
            out += ']';
            return;
        }
        case Kind::map: {
            std::vector<Member> members(value.members().begin(), value.members().end());
            if (sorted)
                std::sort(members.begin(), members.end(),
                          [](const Member& a, const Member& b) { return a.name < b.name; });
            out += '{';
            bool first = true;
            for (const Member& member : members) {
                if (!first) out += ',';
                first = false;
                write_json_string(out,
                                  naming == Naming::go ? go_name(member.name) : std::string(member.name));
                out += ':';
                write_json(out, member.value, naming, sorted);
            }
            out += '}';
            return;
        }
    }
}

constexpr std::string_view kTypeTexts[] = {
    "Required value", "Invalid value", "Unsupported value", "Forbidden",      "Duplicate value",
    "Too long",       "Too many",      "Not found",         "Internal error", "Invalid value",
};

constexpr std::string_view kReasons[] = {
    "FieldValueRequired",  "FieldValueInvalid",     "FieldValueNotSupported", "FieldValueForbidden",
    "FieldValueDuplicate", "FieldValueTooLong",     "FieldValueTooMany",      "FieldValueNotFound",
    "InternalError",       "FieldValueTypeInvalid",
};

}  // namespace

void FieldPath::write(std::string& out) const {
    if (parent_) parent_->write(out);
    if (!name_.empty()) {
        if (!out.empty()) out += '.';
        out += name_;
    }
    if (index_ >= 0) {
        out += '[';
        out += std::to_string(index_);
        out += ']';
    } else if (index_ == kKey) {
        out += '[';
        out += key_;
        out += ']';
    }
}

std::string FieldPath::to_string() const {
    std::string result;
    write(result);
    return result;
}

std::string go_quoted(std::string_view text) {
    std::string out = "\"";
    for (std::size_t i = 0; i < text.size();) {
        auto c = static_cast<unsigned char>(text[i]);
        std::size_t length = sequence_length(text, i);
        if (length == 0) {
            write_escaped(out, "\\x%02x", c);
            ++i;
            continue;
        }
        if (c == '"' || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
        } else if (c >= 0x07 && c <= 0x0d) {
            out += '\\';
            out += "abtnvfr"[c - 7];
        } else if (c < 0x20 || c == 0x7f) {
            write_escaped(out, "\\x%02x", c);
        } else {
            out += text.substr(i, length);
        }
        i += length;
    }
    out += '"';
    return out;
}

std::string quoted_list(std::span<const std::string_view> texts) {
    std::string out;
    for (std::string_view text : texts) {
        if (!out.empty()) out += ", ";
        out += go_quoted(text);
    }
    return out;
}

BadValue::BadValue(std::string_view text) : text_(go_quoted(text)) {}

BadValue::BadValue(Value value) {
    if (value.is_string())
        text_ = go_quoted(value.as_string());
    else
        write_json(text_, value, Naming::as_is, false);
}

BadValue::BadValue(const std::vector<std::string>& texts) : text_("[") {
    for (const std::string& text : texts) {
        if (text_.size() > 1) text_ += ',';
        write_json_string(text_, text);
    }
    text_ += ']';
}

BadValue BadValue::raw(std::string text) {
    BadValue result;
    result.text_ = std::move(text);
    return result;
}

BadValue BadValue::omitted() {
    BadValue result;
    result.omitted_ = true;
    return result;
}

BadValue BadValue::map(Value value) {
    BadValue result;
    write_json(result.text_, value, Naming::as_is, true);
    return result;
}

BadValue BadValue::go_structure(Value value) {
    BadValue result;
    write_json(result.text_, value, Naming::go, false);
    return result;
}

std::string FieldError::body() const {
    std::string out(kTypeTexts[static_cast<std::size_t>(type)]);
    if (!value.empty()) {
        out += ": ";
        out += value;
    }
    if (!detail.empty()) {
        out += ": ";
        out += detail;
    }
    return out;
}

std::string FieldError::message() const {
    return field + ": " + body();
}

void FieldErrors::add(ErrorType type, const FieldPath& path, std::string value, std::string_view detail) {
    errors_.push_back(FieldError{type, path.to_string(), std::move(value), std::string(detail)});
}

void FieldErrors::required(const FieldPath& path, std::string_view detail) {
    add(ErrorType::required, path, {}, detail);
}

void FieldErrors::invalid(const FieldPath& path, const BadValue& value, std::string_view detail) {
    add(ErrorType::invalid, path, value.text(), detail);
}

void FieldErrors::invalid_each(const FieldPath& path, const BadValue& value,
                               const std::vector<std::string>& messages) {
    for (const std::string& message : messages) invalid(path, value, message);
}

void FieldErrors::not_supported(const FieldPath& path, const BadValue& value,
                                std::span<const std::string_view> allowed) {
    std::string detail;
    if (!allowed.empty()) detail = "supported values: " + quoted_list(allowed);
    add(ErrorType::not_supported, path, value.text(), detail);
}

void FieldErrors::forbidden(const FieldPath& path, std::string_view detail) {
    add(ErrorType::forbidden, path, {}, detail);
}

void FieldErrors::duplicate(const FieldPath& path, const BadValue& value) {
    add(ErrorType::duplicate, path, value.text(), {});
}

void FieldErrors::too_long(const FieldPath& path, std::int64_t limit) {
    add(ErrorType::too_long, path, {},
        limit >= 0 ? "may not be more than " + std::to_string(limit) + " bytes"
                   : std::string("value is too long"));
}

void FieldErrors::too_many(const FieldPath& path, std::int64_t actual, std::int64_t limit) {
    add(ErrorType::too_many, path, std::to_string(actual),
        "must have at most " + std::to_string(limit) + (limit == 1 ? " item" : " items"));
}

void FieldErrors::not_found(const FieldPath& path, const BadValue& value) {
    add(ErrorType::not_found, path, value.text(), {});
}

void FieldErrors::internal(const FieldPath& path, std::string_view detail) {
    add(ErrorType::internal, path, {}, detail);
}

void FieldErrors::type_invalid(const FieldPath& path, const BadValue& value, std::string_view detail) {
    add(ErrorType::type_invalid, path, value.text(), detail);
}

void FieldErrors::append(const FieldErrors& other) {
    errors_.insert(errors_.end(), other.errors_.begin(), other.errors_.end());
}

std::string FieldErrors::joined() const {
    std::vector<std::string> messages;
    for (const FieldError& error : errors_) {
        std::string message = error.message();
        if (std::find(messages.begin(), messages.end(), message) == messages.end())
            messages.push_back(std::move(message));
    }
    if (messages.size() == 1) return messages[0];
    std::string out = "[";
    for (const std::string& message : messages) {
        if (out.size() > 1) out += ", ";
        out += message;
    }
    out += ']';
    return out;
}

base::Status invalid_status(std::string_view group, std::string_view kind, std::string_view name,
                            const FieldErrors& errors) {
    // Kubernetes keeps the Events of both groups as core ones and names no kind for access reviews.
    if (kind == "Event") group = {};
    if (kind.ends_with("AccessReview")) kind = {};
    std::string message(kind);
    if (!group.empty()) {
        message += '.';
        message += group;
    }
    message += ' ';
    message += go_quoted(name);
    message += " is invalid: ";
    message += errors.joined();
    base::Status status(base::Reason::invalid, std::move(message));
    base::StatusDetails& details = status.mutable_details();
    details.name = name;
    details.group = group;
    details.kind = kind;
    for (const FieldError& error : errors.all())
        details.causes.push_back(base::Cause{std::string(kReasons[static_cast<std::size_t>(error.type)]),
                                             error.body(), error.field});
    return status;
}

}  // namespace keelson::object
