// How keelctl's functions fail: with the lines that the user will read, and the exit code.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

namespace keelson::cli {

namespace kube {
struct Refusal;  // cli/kube/failures.h
}

constexpr int exit_good = 0;
constexpr int exit_failure = 1;
constexpr int exit_usage = 2;  // nothing was asked of the server

struct Failure {
    std::string message;  // without "error: "; empty: the exit code says all
    int code = exit_failure;
    // Printed as it is, which may be several lines.
    bool is_whole = false;
    // Nothing came in the time that was given.
    bool is_timeout = false;
    // What the API server answered, when it was that.
    std::shared_ptr<const kube::Refusal> refusal = nullptr;
};

template <typename T>
using Result = tl::expected<T, Failure>;

inline tl::unexpected<Failure> fail(std::string message, int code = exit_failure) {
    return tl::unexpected<Failure>(Failure{std::move(message), code});
}

// The failure of one result as that of another.
template <typename T>
tl::unexpected<Failure> pass_on(const Result<T>& result) {
    return tl::unexpected<Failure>(result.error());
}

}  // namespace keelson::cli
