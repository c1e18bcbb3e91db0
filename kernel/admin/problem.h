// A failed request, as RFC 7807 writes it (application/problem+json).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/base/status.h"

namespace keelson::admin {

struct FieldError {
    std::string field;
    std::string detail;
};

struct Problem {
    Problem(int code, std::string text) : status(code), detail(std::move(text)) {}
    Problem(const base::Status& failure);  // NOLINT: implicit by design

    int status;
    std::string detail;  // the cause, and what to do about it
    std::vector<FieldError> errors = {};
    std::vector<std::pair<std::string, std::string>> headers = {};
};

[[nodiscard]] std::string_view status_title(int status);
[[nodiscard]] std::string problem_document(const Problem& problem, std::string_view instance);

}  // namespace keelson::admin
