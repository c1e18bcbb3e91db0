// How keelctl's functions fail: with the line that the user will read, and the exit code.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace keelson::cli {

constexpr int exit_good = 0;
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;  // nothing was asked of the server

struct Failure {
    std::string message;  // without "error: "
    int code = exit_failure;
};

template <typename T>
using Result = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail(std::string message, int code = exit_failure) {
    return tl::unexpected<Failure>(Failure{std::move(message), code});
}

}  // namespace keelson::cli
