// The symbols that a shared object offers to others, read from its dynamic section without loading it.
#pragma once

#include <string>
#include <vector>

namespace keelson::check {

struct ExportedSymbol {
    std::string name;
    // One copy for the whole process, whoever loads the file (STB_GNU_UNIQUE).
    bool is_unique = false;
};

// Throws std::runtime_error when the file is no 64-bit little-endian ELF file or is damaged.
[[nodiscard]] std::vector<ExportedSymbol> exported_symbols(const std::string& path);

}  // namespace keelson::check
