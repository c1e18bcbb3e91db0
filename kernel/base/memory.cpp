#include "kernel/base/memory.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

namespace keelson::base {
namespace {

// What the C library arrives at by itself once large lists were answered. It no longer does once one of them
// has been set, so both are.
constexpr int kMapThresholdBytes = 8 << 20;
constexpr int kTrimThresholdBytes = 2 * kMapThresholdBytes;
// Large enough for the C library to look at what is free beside it.
constexpr std::size_t kBlockBytes = 256u << 10;

int further_arenas = 0;

}  // namespace

void set_up_memory(int arenas) {
    further_arenas = arenas - 1;
    ::mallopt(M_ARENA_MAX, arenas);
}

std::uint64_t private_memory_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    std::uint64_t of_files = 0;
    if (!(file >> size >> resident >> of_files) || resident < of_files) return 0;
    return (resident - of_files) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// malloc_trim() alone leaves what is free at the end of all arenas but the first, which may be all there is.
// That goes when a block beside it is freed and it is more than the threshold. New threads are given the
// arenas in turn.
void return_free_memory() {
    ::mallopt(M_MMAP_THRESHOLD, kMapThresholdBytes);
    ::mallopt(M_TRIM_THRESHOLD, 0);
    for (int turn = 0; turn < 2 * further_arenas; ++turn) {
        std::thread([] {
            void* volatile block = std::malloc(kBlockBytes);
            std::free(block);
        }).join();
    }
    ::malloc_trim(0);
    ::mallopt(M_TRIM_THRESHOLD, kTrimThresholdBytes);
}

}  // namespace keelson::base
