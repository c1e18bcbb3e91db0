#include "memory_map.h"

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace keelson::check {
namespace {

struct Range {
    std::uintptr_t end = 0;
    bool is_readable = false;
    bool is_executable = false;
};

// The mapping that holds the address; an empty one when there is none.
Range range_of(std::uintptr_t address) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long begin = 0;
        unsigned long end = 0;
        char rights[5] = {};
        if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) != 3) continue;
        if (address >= begin && address < end) return {end, rights[0] == 'r', rights[2] == 'x'};
    }
    return {};
}

}  // namespace

std::size_t readable_bytes(const void* address) {
    const auto begin = reinterpret_cast<std::uintptr_t>(address);
    std::uintptr_t end = begin;
    // A table may lie across two mappings of one file.
    for (Range range = range_of(begin); range.is_readable && end - begin < 65536; range = range_of(end)) {
        end = range.end;
    }
    return end - begin;
}

bool is_executable(const void* address) {
    return range_of(reinterpret_cast<std::uintptr_t>(address)).is_executable;
}

}  // namespace keelson::check
