#include "kernel/daemon/certificates.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

namespace keelson::daemon {
namespace {

using base::Reason;
using base::Result;
using base::Status;

struct Free {
    void operator()(BIO* value) const { BIO_free(value); }
    void operator()(X509* value) const { X509_free(value); }
    void operator()(X509_REQ* value) const { X509_REQ_free(value); }
    void operator()(EVP_PKEY* value) const { EVP_PKEY_free(value); }
    void operator()(X509_EXTENSION* value) const { X509_EXTENSION_free(value); }
    void operator()(GENERAL_NAMES* value) const { GENERAL_NAMES_free(value); }
    void operator()(BIGNUM* value) const { BN_free(value); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Status failure(const std::string& what) {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return {Reason::internal_error, what + (reason != nullptr ? std::string(": ") + reason : std::string())};
}

Owned<BIO> reader(const std::string& text) {
    return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

Owned<EVP_PKEY> read_key(const std::string& pem) {
    return Owned<EVP_PKEY>(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
}

Owned<X509> read_x509(const std::string& pem) {
    return Owned<X509>(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
}

std::string key_text(EVP_PKEY* key) {
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    return text_of(out.get());
}

std::string certificate_text(X509* certificate) {
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate);
    return text_of(out.get());
}

void set_time(ASN1_TIME* field, base::WallTime time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
    ASN1_TIME_adj(field, static_cast<time_t>(seconds), 0, 0);
}

base::WallTime time_of(const ASN1_TIME* field) {
    std::tm parts{};
    ASN1_TIME_to_tm(field, &parts);
    return base::WallTime(std::chrono::seconds(timegm(&parts)));
}

void add_name(X509_NAME* name, int nid, const std::string& value) {
    X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, 0);
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool is_address(const std::string& name) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// A version 3 certificate with a random serial number, validity and subject.
Owned<X509> blank_certificate(const CertificateRequest& request) {
    Owned<X509> certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    const Owned<BIGNUM> serial(BN_new());
    BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get()));
    set_time(X509_getm_notBefore(certificate.get()), request.not_before);
    set_time(X509_getm_notAfter(certificate.get()), request.not_after);
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    for (const std::string& organization : request.organizations)
        add_name(subject, NID_organizationName, organization);
    add_name(subject, NID_commonName, request.common_name);
    return certificate;
}

std::string alternative_names(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names)
        text += (text.empty() ? "" : ",") + std::string(is_address(name) ? "IP:" : "DNS:") + name;
    return text;
}

bool add_request_names(X509_REQ* request, const std::vector<std::string>& names) {
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_names(names).c_str());
    STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
    const bool is_good = extension != nullptr && extensions != nullptr &&
                         sk_X509_EXTENSION_push(extensions, extension) > 0 &&
                         X509_REQ_add_extensions(request, extensions) == 1;
    sk_X509_EXTENSION_free(extensions);
    X509_EXTENSION_free(extension);
    return is_good;
}

std::string entry_text(const X509_NAME_ENTRY* entry) {
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    if (length < 0) return {};
    std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(length));
    OPENSSL_free(utf8);
    return text;
}

std::string general_name_text(const GENERAL_NAME* name) {
    char text[INET6_ADDRSTRLEN] = {};
    if (name->type == GEN_DNS)
        return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))};
    if (name->type != GEN_IPADD) return {};
    const int length = ASN1_STRING_length(name->d.iPAddress);
    inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
    return text;
}

}  // namespace

std::string normal_name(const std::string& name) {
    unsigned char bytes[16];
    char text[INET6_ADDRSTRLEN];
    if (inet_pton(AF_INET6, name.c_str(), bytes) == 1) return inet_ntop(AF_INET6, bytes, text, sizeof text);
    return name;
}

Result<std::string> make_private_key() {
    const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
    if (!key) return failure("making a key");
    return key_text(key.get());
}

Result<std::string> public_key_of(const std::string& private_key) {
    const auto key = read_key(private_key);
    if (!key) return failure("reading a private key");
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_PUBKEY(out.get(), key.get());
    return text_of(out.get());
}

Result<KeyAndCertificate> make_authority(const std::string& common_name, base::WallTime not_before,
                                         base::WallTime not_after, const std::string& existing_key) {
    Owned<EVP_PKEY> key =
        existing_key.empty() ? Owned<EVP_PKEY>(EVP_EC_gen("P-256")) : read_key(existing_key);
    if (!key) return failure("the CA's key");
    auto certificate = blank_certificate({.common_name = common_name,
                                          .organizations = {},
                                          .names = {},
                                          .not_before = not_before,
                                          .not_after = not_after});
    X509* raw = certificate.get();
    X509_set_issuer_name(raw, X509_get_subject_name(raw));
    X509_set_pubkey(raw, key.get());
    const bool good =
        add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE") &&
        add_extension(raw, raw, NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign") &&
        add_extension(raw, raw, NID_subject_key_identifier, "hash") &&
        X509_sign(raw, key.get(), EVP_sha256()) != 0;
    if (!good) return failure("making the CA's certificate");
    return KeyAndCertificate{key_text(key.get()), certificate_text(raw)};
}

Result<KeyAndCertificate> issue(const KeyAndCertificate& authority, const CertificateRequest& wanted) {
    const auto issuer_key = read_key(authority.key);
    const auto issuer = read_x509(authority.certificate);
    if (!issuer_key || !issuer) return failure("reading the CA");
    const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
    if (!key) return failure("making a key");
    CertificateRequest request = wanted;
    request.not_after = std::min(request.not_after, time_of(X509_get0_notAfter(issuer.get())));
    auto certificate = blank_certificate(request);
    X509* raw = certificate.get();
    X509_set_issuer_name(raw, X509_get_subject_name(issuer.get()));
    X509_set_pubkey(raw, key.get());
    std::string usage = request.for_server ? "serverAuth" : "";
    if (request.for_client) usage += usage.empty() ? "clientAuth" : ",clientAuth";
    bool good = add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                add_extension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
                add_extension(raw, issuer.get(), NID_ext_key_usage, usage) &&
                add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid");
    if (good && !request.names.empty())
        good = add_extension(raw, issuer.get(), NID_subject_alt_name, alternative_names(request.names));
    if (!good || X509_sign(raw, issuer_key.get(), EVP_sha256()) == 0)
        return failure("making a certificate for " + request.common_name);
    return KeyAndCertificate{key_text(key.get()), certificate_text(raw)};
}

Result<std::string> make_signing_request(const std::string& private_key, const std::string& common_name,
                                         const std::vector<std::string>& organizations,
                                         const std::vector<std::string>& names) {
    const auto key = read_key(private_key);
    if (!key) return failure("reading a private key");
    const Owned<X509_REQ> request(X509_REQ_new());
    X509_NAME* subject = X509_REQ_get_subject_name(request.get());
    for (const std::string& organization : organizations)
        add_name(subject, NID_organizationName, organization);
    add_name(subject, NID_commonName, common_name);
    X509_REQ_set_pubkey(request.get(), key.get());
    if (!names.empty() && !add_request_names(request.get(), names))
        return failure("naming what a certificate request is for");
    if (X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0)
        return failure("making a certificate request for " + common_name);
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509_REQ(out.get(), request.get());
    return text_of(out.get());
}

Result<std::string> public_key_hash(const std::string& pem) {
    const auto certificate = read_x509(pem);
    if (!certificate) return failure("not a certificate");
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der);
    if (size <= 0) return failure("a certificate without a public key");
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_size = 0;
    EVP_Digest(der, static_cast<std::size_t>(size), digest, &digest_size, EVP_sha256(), nullptr);
    OPENSSL_free(der);
    std::string text = "sha256:";
    for (unsigned int i = 0; i < digest_size; ++i) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        text += kDigits[digest[i] >> 4];
        text += kDigits[digest[i] & 15];
    }
    return text;
}

Result<CertificateFacts> read_certificate(const std::string& pem) {
    const auto certificate = read_x509(pem);
    if (!certificate) return failure("not a certificate");
    CertificateFacts facts;
    facts.not_before = time_of(X509_get0_notBefore(certificate.get()));
    facts.not_after = time_of(X509_get0_notAfter(certificate.get()));
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
        const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
        if (nid == NID_commonName) facts.common_name = entry_text(entry);
        if (nid == NID_organizationName) facts.organizations.push_back(entry_text(entry));
    }
    const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i)
        facts.names.push_back(general_name_text(sk_GENERAL_NAME_value(names.get(), i)));
    std::ranges::sort(facts.names);
    return facts;
}

Result<std::array<std::uint8_t, 32>> fingerprint_of(const std::string& pem) {
    const auto certificate = read_x509(pem);
    std::array<std::uint8_t, 32> digest{};
    unsigned int size = digest.size();
    if (!certificate || X509_digest(certificate.get(), EVP_sha256(), digest.data(), &size) != 1)
        return failure("not a certificate");
    return digest;
}

bool belong_together(const std::string& authority_certificate, const KeyAndCertificate& pair) {
    const auto authority = read_x509(authority_certificate);
    const auto certificate = read_x509(pair.certificate);
    const auto key = read_key(pair.key);
    const bool good = authority && certificate && key &&
                      X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) == 1 &&
                      X509_check_private_key(certificate.get(), key.get()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace keelson::daemon
