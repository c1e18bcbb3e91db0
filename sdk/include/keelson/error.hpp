// Failures as a plugin throws them. Whatever leaves a method is turned into a status and an error document at
// the border; nothing that is thrown ever crosses it.
#ifndef KEELSON_ERROR_HPP
#define KEELSON_ERROR_HPP

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "keelson/entry.h"

namespace keelson {

// What each one means is said at enum keelson_status in entry.h.
enum class Code : std::int32_t {
    internal = KEELSON_INTERNAL,
    invalid = KEELSON_INVALID,
    not_found = KEELSON_NOT_FOUND,
    already_exists = KEELSON_ALREADY_EXISTS,
    conflict = KEELSON_CONFLICT,
    unavailable = KEELSON_UNAVAILABLE,
    deadline_exceeded = KEELSON_DEADLINE_EXCEEDED,
    cancelled = KEELSON_CANCELLED,
    unsupported = KEELSON_UNSUPPORTED,
    exhausted = KEELSON_EXHAUSTED,
    unauthenticated = KEELSON_UNAUTHENTICATED,
    forbidden = KEELSON_FORBIDDEN,
};

// The message says what is wrong and what to do about it; field names the part of the request, if one is at
// fault ("capacityBytes").
class Error : public std::runtime_error {
  public:
    Error(Code code, const std::string& message, std::string field = {})
        : std::runtime_error(message), code_(code), field_(std::move(field)) {}

    [[nodiscard]] Code code() const noexcept { return code_; }
    [[nodiscard]] const std::string& field() const noexcept { return field_; }

  private:
    Code code_;
    std::string field_;
};

}  // namespace keelson

#endif
