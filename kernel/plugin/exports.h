// What an ELF shared object offers to others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/result.h"

namespace keelson::plugin {

struct Exports {
    bool has_entry = false;           // defines keelson_plugin
    std::vector<std::string> others;  // every other symbol that it defines for others, sorted; at most 100
};

// `image` is the whole file; any bytes are safe. Fails unless it is a 64-bit shared object for this machine.
[[nodiscard]] base::Result<Exports> read_exports(std::string_view image);

}  // namespace keelson::plugin
