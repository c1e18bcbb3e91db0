// CRC-32C (Castagnoli), as iSCSI, ext4 and SSE4.2 have it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace keelson::base {

// Continue a checksum over several pieces by passing the last result as `seed`.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

namespace detail {
// The version for processors without the instruction; for tests.
[[nodiscard]] std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t seed);
}  // namespace detail

}  // namespace keelson::base
