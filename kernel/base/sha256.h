// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace keelson::base {

using Sha256Digest = std::array<std::uint8_t, 32>;

[[nodiscard]] Sha256Digest sha256_of(std::string_view bytes);

// Of what comes in pieces.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void add(std::string_view bytes);
    // Once.
    [[nodiscard]] Sha256Digest finish();

  private:
    evp_md_ctx_st* context_;
};

// Two lower-case digits a byte.
[[nodiscard]] std::string hexadecimal(const Sha256Digest& digest);

}  // namespace keelson::base
