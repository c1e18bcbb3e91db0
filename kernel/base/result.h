// Result<T>: a value or the Status that says why there is none.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "kernel/base/status.h"

namespace keelson::base {

template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Status> {
  public:
    using tl::expected<T, Status>::expected;
    Result(Status status)
        : tl::expected<T, Status>(tl::unexpect, std::move(status)) {}  // NOLINT: implicit by design
};

inline Result<void> ok() {
    return {};
}

// Evaluates a Result expression; on failure returns its Status from the enclosing function, else assigns the
// value.
#define KEELSON_CONCAT_INNER(a, b) a##b
#define KEELSON_CONCAT(a, b) KEELSON_CONCAT_INNER(a, b)
#define KEELSON_TRY(declaration, expression)                             \
    auto KEELSON_CONCAT(try_result_, __LINE__) = (expression);           \
    if (!KEELSON_CONCAT(try_result_, __LINE__))                          \
        return std::move(KEELSON_CONCAT(try_result_, __LINE__)).error(); \
    declaration = std::move(*KEELSON_CONCAT(try_result_, __LINE__))
#define KEELSON_TRY_VOID(expression) \
    if (auto try_result = (expression); !try_result) return std::move(try_result).error()

// The same inside a coroutine.
#define KEELSON_CO_TRY(declaration, expression)                             \
    auto KEELSON_CONCAT(try_result_, __LINE__) = (expression);              \
    if (!KEELSON_CONCAT(try_result_, __LINE__))                             \
        co_return std::move(KEELSON_CONCAT(try_result_, __LINE__)).error(); \
    declaration = std::move(*KEELSON_CONCAT(try_result_, __LINE__))
#define KEELSON_CO_TRY_VOID(expression) \
    if (auto try_result = (expression); !try_result) co_return std::move(try_result).error()

}  // namespace keelson::base
