// What OpenSSL hands out, owned, and what every user of it needs around PEM texts, certificates and the queue
// of errors, which is a thread's own. For sources, not for headers: it brings OpenSSL's.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/base/clock.h"
#include "kernel/base/sha256.h"

namespace keelson::base {

struct OpensslFree {
    void operator()(BIO* value) const { BIO_free(value); }
    void operator()(BIGNUM* value) const { BN_free(value); }
    void operator()(EVP_MD_CTX* value) const { EVP_MD_CTX_free(value); }
    void operator()(EVP_PKEY* value) const { EVP_PKEY_free(value); }
    void operator()(GENERAL_NAMES* value) const { GENERAL_NAMES_free(value); }
    void operator()(SSL* value) const { SSL_free(value); }
    void operator()(SSL_CTX* value) const { SSL_CTX_free(value); }
    void operator()(X509* value) const { X509_free(value); }
    void operator()(X509_EXTENSION* value) const { X509_EXTENSION_free(value); }
    void operator()(STACK_OF(X509_EXTENSION) * value) const {
        sk_X509_EXTENSION_pop_free(value, X509_EXTENSION_free);
    }
    void operator()(X509_REQ* value) const { X509_REQ_free(value); }
};
template <typename T>
using OpensslOwned = std::unique_ptr<T, OpensslFree>;

// Why the last call of this thread has failed, which is forgotten with it.
[[nodiscard]] std::string take_openssl_error();

// Reads from the text, which must outlive it.
[[nodiscard]] OpensslOwned<BIO> pem_reader(std::string_view text);
// The first of a text; null when there is none.
[[nodiscard]] OpensslOwned<X509> parse_certificate(std::string_view pem);
[[nodiscard]] OpensslOwned<X509_REQ> parse_certificate_request(std::string_view pem);
[[nodiscard]] OpensslOwned<EVP_PKEY> parse_private_key(std::string_view pem);
// All that follow in a text, in its order; the queue of errors is empty then.
[[nodiscard]] std::vector<OpensslOwned<X509>> parse_certificates(std::string_view pem);

// As PEM.
[[nodiscard]] std::string text_of(X509* certificate);
// What has been written to a BIO in memory.
[[nodiscard]] std::string text_of(BIO* written);
// In UTF-8; empty for what is no text.
[[nodiscard]] std::string text_of(const ASN1_STRING* value);
// The values that a subject has for NID_commonName, NID_organizationName, ...
[[nodiscard]] std::vector<std::string> subject_texts(const X509_NAME* subject, int kind);
// The last one, where there are several; empty without one.
[[nodiscard]] std::string common_name_of(const X509_NAME* subject);

// Of its DER form, and of that of its public key.
[[nodiscard]] Sha256Digest digest_of(const X509* certificate);
[[nodiscard]] Sha256Digest public_key_digest(const X509* certificate);

[[nodiscard]] WallTime time_of(const ASN1_TIME* value);
void set_time(ASN1_TIME* field, WallTime time);
void set_random_serial(X509* certificate);
// As in OpenSSL's configuration files: (NID_key_usage, "critical,digitalSignature").
[[nodiscard]] bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value);

}  // namespace keelson::base
