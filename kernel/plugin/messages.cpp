#include "kernel/plugin/messages.h"

#include <keelson/entry.h>

#include <nlohmann/json.hpp>

#include "kernel/plugin/protocol.h"

namespace keelson::plugin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using nlohmann::json;

constexpr std::size_t kMessageLimit = 4096;

Reason reason_of(std::int32_t code) {
    switch (code) {
        case KEELSON_INVALID:
            return Reason::bad_request;
        case KEELSON_NOT_FOUND:
            return Reason::not_found;
        case KEELSON_ALREADY_EXISTS:
            return Reason::already_exists;
        case KEELSON_CONFLICT:
            return Reason::conflict;
        case KEELSON_UNAVAILABLE:
        case KEELSON_EXHAUSTED:
            return Reason::service_unavailable;
        case KEELSON_DEADLINE_EXCEEDED:
        case KEELSON_CANCELLED:
            return Reason::timeout;
        case KEELSON_UNSUPPORTED:
            return Reason::method_not_allowed;
        case KEELSON_UNAUTHENTICATED:
            return Reason::unauthorized;
        case KEELSON_FORBIDDEN:
            return Reason::forbidden;
        default:
            return Reason::internal_error;
    }
}

std::string text_member(const json& document, const char* name) {
    if (!document.is_object()) return {};
    const auto found = document.find(name);
    return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Status status_of(std::int32_t code, std::string_view error_document, std::string_view who) {
    const json document = json::parse(error_document, nullptr, false);
    std::string message = text_member(document, "message").substr(0, kMessageLimit);
    if (message.empty()) message = "failed with status " + std::to_string(code) + " and did not say why";
    Status status(reason_of(code), std::string(who) + ": " + message);
    if (const std::string field = text_member(document, "field"); !field.empty())
        status.mutable_details().causes.push_back({"FieldValueInvalid", message, field});
    return status;
}

Status status_of(const host_protocol::Problem& problem) {
    using Kind = host_protocol::Problem::Kind;
    const Reason reason = problem.kind == Kind::gone        ? Reason::service_unavailable
                          : problem.kind == Kind::too_large ? Reason::request_entity_too_large
                                                            : Reason::internal_error;
    return {reason, problem.text};
}

std::int32_t code_of(Reason reason) {
    switch (reason) {
        case Reason::bad_request:
        case Reason::invalid:
            return KEELSON_INVALID;
        case Reason::not_found:
        case Reason::method_not_allowed:
            return KEELSON_NOT_FOUND;
        case Reason::already_exists:
            return KEELSON_ALREADY_EXISTS;
        case Reason::conflict:
        case Reason::expired:
        case Reason::gone:
            return KEELSON_CONFLICT;
        case Reason::service_unavailable:
        case Reason::server_timeout:
        case Reason::too_many_requests:
            return KEELSON_UNAVAILABLE;
        case Reason::timeout:
            return KEELSON_DEADLINE_EXCEEDED;
        case Reason::request_entity_too_large:
            return KEELSON_EXHAUSTED;
        case Reason::unauthorized:
            return KEELSON_UNAUTHENTICATED;
        case Reason::forbidden:
            return KEELSON_FORBIDDEN;
        default:
            return KEELSON_INTERNAL;
    }
}

Result<void> health_of(std::string_view text) {
    const json document = json::parse(text, nullptr, false);
    const auto healthy = document.is_object() ? document.find("healthy") : document.end();
    if (!document.is_object() || healthy == document.end() || !healthy->is_boolean())
        return Status(Reason::internal_error, "its health report is not {\"healthy\": true|false}");
    if (healthy->get<bool>()) return base::ok();
    std::string message = text_member(document, "message").substr(0, kMessageLimit);
    return Status(Reason::service_unavailable, message.empty() ? "it says that it is not healthy" : message);
}

std::string error_document(std::string_view message) {
    return json{{"message", message}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_json(std::string_view text) {
    return json::accept(text);
}

std::string normalized_json(std::string_view text) {
    const json document = json::parse(text, nullptr, false);
    return document.is_discarded() ? std::string() : document.dump();
}

}  // namespace keelson::plugin
