#include "signing_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "keelson/error.hpp"
#include "web_token.h"

namespace {

using keelson::Code;
using keelson::Error;

constexpr std::size_t number_bytes = 32;  // of r, s, x and y

struct FreeBio {
    void operator()(BIO* bio) const { BIO_free_all(bio); }
};
struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeSignature {
    void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;
using Signature = std::unique_ptr<ECDSA_SIG, FreeSignature>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

std::string content_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return size > 0 ? std::string(data, std::size_t(size)) : std::string();
}

// DER, as OpenSSL signs, to the two numbers side by side.
std::string plain_signature(std::string_view der) {
    const unsigned char* at = bytes_of(der);
    const Signature signature(d2i_ECDSA_SIG(nullptr, &at, long(der.size())));
    std::string plain(2 * number_bytes, '\0');
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), bytes_of(plain), number_bytes) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), bytes_of(plain) + number_bytes, number_bytes) < 0)
        throw Error(Code::internal, "a signature cannot be written");
    return plain;
}

// Empty when it is no signature.
std::string der_signature(std::string_view plain) {
    if (plain.size() != 2 * number_bytes) return {};
    const Signature signature(ECDSA_SIG_new());
    BIGNUM* r = BN_bin2bn(bytes_of(plain), number_bytes, nullptr);
    BIGNUM* s = BN_bin2bn(bytes_of(plain) + number_bytes, number_bytes, nullptr);
    if (!signature || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return {};
    }
    unsigned char* der = nullptr;
    const int size = i2d_ECDSA_SIG(signature.get(), &der);
    std::string text =
        size > 0 ? std::string(reinterpret_cast<char*>(der), std::size_t(size)) : std::string();
    OPENSSL_free(der);
    return text;
}

bool is_p256(const EVP_PKEY* key) {
    char name[64] = {};
    std::size_t size = 0;
    return key != nullptr && EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_group_name(const_cast<EVP_PKEY*>(key), name, sizeof name, &size) == 1 &&
           std::string_view(name) == "prime256v1";
}

}  // namespace

SigningKey::SigningKey(Key key) : key_(std::move(key)) {
    if (!is_p256(key_.get())) throw Error(Code::internal, "a signing key is none, or not on P-256");
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(key_.get(), &der);
    if (size <= 0) throw Error(Code::internal, "a public key cannot be written");
    public_der_.assign(reinterpret_cast<char*>(der), std::size_t(size));
    OPENSSL_free(der);
    std::string digest(SHA256_DIGEST_LENGTH, '\0');
    SHA256(bytes_of(std::string_view(public_der_)), public_der_.size(), bytes_of(digest));
    id_ = encode_base64url(digest);
}

SigningKey SigningKey::make() {
    return SigningKey(Key(EVP_EC_gen("P-256")));
}

SigningKey SigningKey::from_private_pem(const std::string& pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), int(pem.size())));
    return SigningKey(Key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr)));
}

SigningKey SigningKey::from_public_pem(const std::string& pem) {
    const Bio bio(BIO_new_mem_buf(pem.data(), int(pem.size())));
    return SigningKey(Key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr)));
}

std::string SigningKey::private_pem() const {
    const Bio bio(BIO_new(BIO_s_secmem()));
    if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        throw Error(Code::internal, "a private key cannot be written");
    return content_of(bio.get());
}

std::string SigningKey::public_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (PEM_write_bio_PUBKEY(bio.get(), key_.get()) != 1)
        throw Error(Code::internal, "a public key cannot be written");
    return content_of(bio.get());
}

nlohmann::json SigningKey::web_key() const {
    // The DER form of a P-256 key ends in the point itself: 4, x, y.
    const std::string_view point =
        std::string_view(public_der_).substr(public_der_.size() - 2 * number_bytes);
    return {{"use", "sig"},
            {"kty", "EC"},
            {"kid", id_},
            {"crv", "P-256"},
            {"alg", "ES256"},
            {"x", encode_base64url(point.substr(0, number_bytes))},
            {"y", encode_base64url(point.substr(number_bytes))}};
}

std::string SigningKey::sign(std::string_view text) const {
    const Context context(EVP_MD_CTX_new());
    std::size_t size = 0;
    std::string der(128, '\0');
    if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) != 1)
        throw Error(Code::internal, "a token cannot be signed");
    size = der.size();
    if (EVP_DigestSign(context.get(), bytes_of(der), &size, bytes_of(text), text.size()) != 1)
        throw Error(Code::internal, "a token cannot be signed");
    return plain_signature(std::string_view(der).substr(0, size));
}

bool SigningKey::verifies(std::string_view text, std::string_view signature) const {
    const std::string der = der_signature(signature);
    const Context context(EVP_MD_CTX_new());
    return !der.empty() && context &&
           EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
           EVP_DigestVerify(context.get(), bytes_of(std::string_view(der)), der.size(), bytes_of(text),
                            text.size()) == 1;
}
