#include "kernel/base/sha256.h"

#include <openssl/evp.h>

namespace keelson::base {

Sha256Digest sha256_of(std::string_view bytes) {
    Sha256 sum;
    sum.add(bytes);
    return sum.finish();
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
}

Sha256::~Sha256() {
    EVP_MD_CTX_free(context_);
}

void Sha256::add(std::string_view bytes) {
    EVP_DigestUpdate(context_, bytes.data(), bytes.size());
}

Sha256Digest Sha256::finish() {
    Sha256Digest digest{};
    EVP_DigestFinal_ex(context_, digest.data(), nullptr);
    return digest;
}

std::string hexadecimal(const Sha256Digest& digest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * digest.size());
    for (const std::uint8_t byte : digest) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

}  // namespace keelson::base
