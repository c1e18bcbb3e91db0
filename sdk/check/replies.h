// What every reply must be, and reading single members of replies.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "transport.h"

namespace keelson::check {

// Each answers what is wrong with the answer, or an empty string.
[[nodiscard]] std::string call_problem(const Answer& answer);      // an exception came out
[[nodiscard]] std::string status_problem(const Answer& answer);    // a status that does not exist
[[nodiscard]] std::string document_problem(const Answer& answer);  // not exactly one JSON object
[[nodiscard]] std::string error_problem(const Answer& answer);     // a failure without a message
// The first of all of these.
[[nodiscard]] std::string answer_problem(const Answer& answer);

[[nodiscard]] bool is_one_object(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);
// "KEELSON_NOT_FOUND (nothing of that name)": the status and what the reply says about it.
[[nodiscard]] std::string describe(const Answer& answer);
[[nodiscard]] const char* status_name(std::int32_t status);
// Members of a reply that is an object; nothing when it has no such member of that type.
[[nodiscard]] std::optional<std::string> string_member(const Answer& answer, const char* name);
[[nodiscard]] std::optional<bool> bool_member(const Answer& answer, const char* name);
[[nodiscard]] bool has_member(const Answer& answer, const char* name);
[[nodiscard]] std::optional<std::size_t> array_member_size(const Answer& answer, const char* name);

// Text for people: cut, and with everything unprintable shown as \xNN.
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 160);

}  // namespace keelson::check
