#include "digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "keelson/error.hpp"

namespace keelson::oci {
namespace {

constexpr std::string_view prefix = "sha256:";
constexpr std::size_t hex_size = 64;

void require_success(int result) {
    if (result != 1) throw Error(Code::internal, "OpenSSL cannot compute SHA-256");
}

std::string hex(const unsigned char* bytes, std::size_t size) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(size * 2);
    for (std::size_t index = 0; index < size; ++index) {
        text += digits[bytes[index] >> 4U];
        text += digits[bytes[index] & 15U];
    }
    return text;
}

}  // namespace

struct Sha256::State {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    require_success(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr));
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(const char* data, std::size_t size) {
    require_success(EVP_DigestUpdate(state_->context.get(), data, size));
}

std::string Sha256::digest() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned int size = 0;
    require_success(EVP_DigestFinal_ex(state_->context.get(), bytes.data(), &size));
    return std::string(prefix) + hex(bytes.data(), size);
}

std::string digest_of(std::string_view bytes) {
    Sha256 sum;
    sum.add(bytes.data(), bytes.size());
    return sum.digest();
}

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char letter) {
        return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
    });
}

bool is_digest(std::string_view text) {
    return text.size() == prefix.size() + hex_size && text.starts_with(prefix) &&
           is_hex(text.substr(prefix.size()));
}

std::string hex_of(const std::string& digest) {
    return digest.substr(prefix.size());
}

void require_digest(std::string_view text, const std::string& what) {
    if (!is_digest(text))
        throw Error(Code::invalid,
                    what + " is not a sha256 digest: \"" + std::string(text.substr(0, 100)) + "\"");
}

std::string chain_id(const std::string& parent, const std::string& diff_id) {
    return parent.empty() ? diff_id : digest_of(parent + " " + diff_id);
}

}  // namespace keelson::oci
