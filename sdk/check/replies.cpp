#include "replies.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace keelson::check {
namespace {

using nlohmann::json;

json parse(std::string_view text) {
    return json::parse(text.begin(), text.end(), nullptr, false);
}

// Whether the text begins with one whole document and goes on with another.
bool has_more_documents(std::string_view text) {
    for (std::size_t end = text.find('}'); end != text.npos; end = text.find('}', end + 1)) {
        if (parse(text.substr(0, end + 1)).is_discarded()) continue;
        return text.find_first_not_of(" \t\r\n", end + 1) != text.npos;
    }
    return false;
}

}  // namespace

const char* status_name(std::int32_t status) {
    static const char* const names[] = {
        "KEELSON_OK",          "KEELSON_INTERNAL",          "KEELSON_INVALID",
        "KEELSON_NOT_FOUND",   "KEELSON_ALREADY_EXISTS",    "KEELSON_CONFLICT",
        "KEELSON_UNAVAILABLE", "KEELSON_DEADLINE_EXCEEDED", "KEELSON_CANCELLED",
        "KEELSON_UNSUPPORTED", "KEELSON_EXHAUSTED",         "KEELSON_UNAUTHENTICATED",
        "KEELSON_FORBIDDEN"};
    if (status < KEELSON_OK || status > KEELSON_FORBIDDEN) return "an unknown status";
    return names[status];
}

std::string call_problem(const Answer& answer) {
    if (!answer.has_thrown) return {};
    return "a C++ exception came out of it: " + printable(answer.exception);
}

std::string status_problem(const Answer& answer) {
    if (answer.status >= KEELSON_OK && answer.status <= KEELSON_FORBIDDEN) return {};
    return "the status " + std::to_string(answer.status) + " is none of enum keelson_status";
}

std::string document_problem(const Answer& answer) {
    if (answer.body.empty()) return "it wrote no reply";
    if (is_one_object(answer.body)) return {};
    if (has_more_documents(answer.body)) {
        return "the reply goes on after its document: " + printable(answer.body);
    }
    if (!is_utf8(answer.body)) return "the reply is not UTF-8: " + printable(answer.body);
    return "the reply is not one JSON object: " + printable(answer.body);
}

std::string error_problem(const Answer& answer) {
    if (answer.status == KEELSON_OK) return {};
    const auto message = string_member(answer, "message");
    if (!message || message->empty()) {
        return std::string(status_name(answer.status)) + " without a message: " + printable(answer.body);
    }
    if (has_member(answer, "field") && !string_member(answer, "field")) {
        return "the field of an error is not a string: " + printable(answer.body);
    }
    return {};
}

std::string answer_problem(const Answer& answer) {
    for (const auto& problem : {call_problem, status_problem, document_problem, error_problem}) {
        if (std::string text = problem(answer); !text.empty()) return text;
    }
    return {};
}

bool is_one_object(std::string_view text) {
    return parse(text).is_object();
}

bool is_utf8(std::string_view text) {
    try {
        (void)json(text).dump();
        return true;
    } catch (const json::exception&) {
        return false;
    }
}

std::string describe(const Answer& answer) {
    std::string text = status_name(answer.status);
    if (const auto message = string_member(answer, "message")) text += " (" + printable(*message) + ")";
    return text;
}

std::optional<std::string> string_member(const Answer& answer, const char* name) {
    const json document = parse(answer.body);
    if (!document.is_object() || !document.contains(name) || !document[name].is_string()) return {};
    return document[name].get<std::string>();
}

std::optional<bool> bool_member(const Answer& answer, const char* name) {
    const json document = parse(answer.body);
    if (!document.is_object() || !document.contains(name) || !document[name].is_boolean()) return {};
    return document[name].get<bool>();
}

bool has_member(const Answer& answer, const char* name) {
    const json document = parse(answer.body);
    return document.is_object() && document.contains(name);
}

std::optional<std::size_t> array_member_size(const Answer& answer, const char* name) {
    const json document = parse(answer.body);
    if (!document.is_object() || !document.contains(name) || !document[name].is_array()) return {};
    return document[name].size();
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string shown;
    for (const char character : text.substr(0, limit)) {
        if (character >= ' ' && character < 0x7f) {
            shown += character;
            continue;
        }
        char escaped[8];
        std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(character));
        shown += escaped;
    }
    if (text.size() > limit) shown += "... (" + std::to_string(text.size()) + " bytes)";
    return shown;
}

}  // namespace keelson::check
