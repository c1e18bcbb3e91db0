// Whether an address that a plugin hands over can be what it claims to be.
#pragma once

#include <cstddef>

namespace keelson::check {

// How many bytes from the address on can be read; 0: none.
[[nodiscard]] std::size_t readable_bytes(const void* address);
[[nodiscard]] bool is_executable(const void* address);

template <typename Function>
[[nodiscard]] bool is_function(Function* function) {
    return is_executable(reinterpret_cast<const void*>(function));
}

}  // namespace keelson::check
