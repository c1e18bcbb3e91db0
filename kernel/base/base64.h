// Base64 (RFC 4648), standard and URL alphabets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/base/result.h"

namespace keelson::base {

// standard: '+' '/' with padding, as in Secrets and PEM. url: '-' '_' without padding, as in JWTs.
enum class Base64 : std::uint8_t { standard, url };

[[nodiscard]] std::string base64_encode(std::string_view bytes, Base64 alphabet = Base64::standard);
// Line breaks are skipped; for `url` padding is optional. Fails with Reason::bad_request naming the bad
// offset, in the words of Go's encoding/base64, which clients of Kubernetes know.
[[nodiscard]] Result<std::string> base64_decode(std::string_view text, Base64 alphabet = Base64::standard);

}  // namespace keelson::base
