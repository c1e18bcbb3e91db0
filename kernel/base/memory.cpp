#include "kernel/base/memory.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace keelson::base {

std::uint64_t private_memory_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    std::uint64_t of_files = 0;
    if (!(file >> size >> resident >> of_files) || resident < of_files) return 0;
    return (resident - of_files) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void return_free_memory() {
    ::malloc_trim(0);
}

}  // namespace keelson::base
