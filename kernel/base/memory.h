// What this process holds of the machine's memory, and how it holds it.
#pragma once

#include <cstdint>

namespace keelson::base {

// Bytes in memory that are this process's alone, files that it has mapped not counted; 0 where the system
// does not tell.
[[nodiscard]] std::uint64_t private_memory_bytes();

// In how many arenas, which all threads share, memory is kept that was freed. Before any other thread is
// started.
void set_up_memory(int arenas);

// Gives back what was freed and is kept for later use. Takes milliseconds, during which other threads may
// wait for memory. One thread at a time.
void return_free_memory();

}  // namespace keelson::base
