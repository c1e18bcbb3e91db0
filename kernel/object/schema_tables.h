// The raw tables that tools/compile_schema.py generates. Use schema.h.
#pragma once

#include <span>

#include "kernel/object/schema.h"

namespace keelson::object::tables {

struct Gate {
    std::string_view name;
    bool enabled;
};

std::span<const Type> types();
std::span<const Resource> resources();
std::span<const Gate> gates();  // sorted by name

}  // namespace keelson::object::tables
