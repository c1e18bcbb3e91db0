// How this folder reports what did not work. It is used by the kernel and by the test kit, so it knows
// neither's way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace keelson::host_protocol {

struct Problem {
    enum class Kind : std::uint8_t {
        gone,       // the other side is not there any more
        too_large,  // does not fit into a frame; nothing was sent
        nonsense,   // the other side does not keep to the protocol
        system,     // a system call failed
    };
    Kind kind = Kind::system;
    std::string text;
};

template <typename T>
using Result = tl::expected<T, Problem>;

[[nodiscard]] inline tl::unexpected<Problem> problem(Problem::Kind kind, std::string text) {
    return tl::unexpected(Problem{kind, std::move(text)});
}
// "what: text of error_number"
[[nodiscard]] tl::unexpected<Problem> system_problem(std::string_view what, int error_number);

}  // namespace keelson::host_protocol
