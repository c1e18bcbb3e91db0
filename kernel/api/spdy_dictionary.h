// The text that compressed SPDY/3 headers may refer to before anything was sent.
#pragma once

#include <cstdint>
#include <string>

namespace keelson::api {

// Its Adler-32, by which a compressed stream names it.
inline constexpr std::uint32_t spdy_dictionary_id = 0xe3c6a7c2;
[[nodiscard]] const std::string& spdy_dictionary();

}  // namespace keelson::api
