// The descriptions as they are compiled from kernel/api/descriptions: offsets, as pointers would have to be
// written into memory at every start. Private to kernel/api.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace keelson::api {

// "TYPE\tFIELD\tTEXT\n", sorted by type and field.
extern const std::string_view description_lines;
// Where each line begins.
extern const std::span<const std::uint32_t> description_offsets;

}  // namespace keelson::api
