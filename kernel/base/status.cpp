#include "kernel/base/status.h"

#include <array>

namespace keelson::base {
namespace {

struct ReasonRow {
    std::string_view text;
    int code;
};

// Indexed by Reason.
constexpr std::array<ReasonRow, 20> kReasons{{
    {"", 500},
    {"Unauthorized", 401},
    {"Forbidden", 403},
    {"NotFound", 404},
    {"AlreadyExists", 409},
    {"Conflict", 409},
    {"Gone", 410},
    {"Invalid", 422},
    {"ServerTimeout", 500},
    {"Timeout", 504},
    {"TooManyRequests", 429},
    {"BadRequest", 400},
    {"MethodNotAllowed", 405},
    {"NotAcceptable", 406},
    {"RequestEntityTooLarge", 413},
    {"UnsupportedMediaType", 415},
    {"InternalError", 500},
    {"Expired", 410},
    {"ServiceUnavailable", 503},
    {"StorageReadError", 500},
}};

}  // namespace

std::string_view reason_text(Reason reason) {
    return kReasons[static_cast<std::size_t>(reason)].text;
}

int reason_code(Reason reason) {
    return kReasons[static_cast<std::size_t>(reason)].code;
}

}  // namespace keelson::base
