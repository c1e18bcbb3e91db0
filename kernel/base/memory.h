// What this process holds of the machine's memory.
#pragma once

#include <cstdint>

namespace keelson::base {

// Bytes in memory that are this process's alone, files that it has mapped not counted; 0 where the system
// does not tell.
[[nodiscard]] std::uint64_t private_memory_bytes();

// Gives back what was freed and is kept for later use. Takes milliseconds, during which other threads may
// wait for memory.
void return_free_memory();

}  // namespace keelson::base
