#include "kernel/daemon/certificates.h"

#include <arpa/inet.h>
#include <openssl/ec.h>

#include <algorithm>

#include "kernel/base/openssl.h"
#include "kernel/base/sha256.h"

namespace keelson::daemon {
namespace {

using base::Reason;
using base::Result;
using base::Status;

template <typename T>
using Owned = base::OpensslOwned<T>;

Status failure(const std::string& what) {
    return {Reason::internal_error, what + ": " + base::take_openssl_error()};
}

std::string key_text(EVP_PKEY* key) {
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    return base::text_of(out.get());
}

void add_name(X509_NAME* name, int nid, const std::string& value) {
    X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, 0);
}

bool is_address(const std::string& name) {
    unsigned char bytes[16];
    return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// A version 3 certificate with a random serial number, validity and subject.
Owned<X509> blank_certificate(const CertificateRequest& request) {
    Owned<X509> certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    base::set_random_serial(certificate.get());
    base::set_time(X509_getm_notBefore(certificate.get()), request.not_before);
    base::set_time(X509_getm_notAfter(certificate.get()), request.not_after);
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
    const auto key = base::parse_private_key(private_key);
    if (!key) return failure("reading a private key");
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_PUBKEY(out.get(), key.get());
    return base::text_of(out.get());
}

Result<KeyAndCertificate> make_authority(const std::string& common_name, base::WallTime not_before,
                                         base::WallTime not_after, const std::string& existing_key) {
    Owned<EVP_PKEY> key =
        existing_key.empty() ? Owned<EVP_PKEY>(EVP_EC_gen("P-256")) : base::parse_private_key(existing_key);
    if (!key) return failure("the CA's key");
    auto certificate = blank_certificate({.common_name = common_name,
                                          .organizations = {},
                                          .names = {},
                                          .not_before = not_before,
                                          .not_after = not_after});
    X509* raw = certificate.get();
    X509_set_issuer_name(raw, X509_get_subject_name(raw));
    X509_set_pubkey(raw, key.get());
    const bool good = base::add_extension(raw, raw, NID_basic_constraints, "critical,CA:TRUE") &&
                      base::add_extension(raw, raw, NID_key_usage,
                                          "critical,digitalSignature,keyEncipherment,keyCertSign") &&
                      base::add_extension(raw, raw, NID_subject_key_identifier, "hash") &&
                      X509_sign(raw, key.get(), EVP_sha256()) != 0;
    if (!good) return failure("making the CA's certificate");
    return KeyAndCertificate{key_text(key.get()), base::text_of(raw)};
}

Result<KeyAndCertificate> issue(const KeyAndCertificate& authority, const CertificateRequest& wanted) {
    const auto issuer_key = base::parse_private_key(authority.key);
    const auto issuer = base::parse_certificate(authority.certificate);
    if (!issuer_key || !issuer) return failure("reading the CA");
    const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
    if (!key) return failure("making a key");
    CertificateRequest request = wanted;
    request.not_after = std::min(request.not_after, base::time_of(X509_get0_notAfter(issuer.get())));
    auto certificate = blank_certificate(request);
    X509* raw = certificate.get();
    X509_set_issuer_name(raw, X509_get_subject_name(issuer.get()));
    X509_set_pubkey(raw, key.get());
    std::string usage = request.for_server ? "serverAuth" : "";
    if (request.for_client) usage += usage.empty() ? "clientAuth" : ",clientAuth";
    bool good = base::add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                base::add_extension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature") &&
                base::add_extension(raw, issuer.get(), NID_ext_key_usage, usage) &&
                base::add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid");
    if (good && !request.names.empty())
        good = base::add_extension(raw, issuer.get(), NID_subject_alt_name, alternative_names(request.names));
    if (!good || X509_sign(raw, issuer_key.get(), EVP_sha256()) == 0)
        return failure("making a certificate for " + request.common_name);
    return KeyAndCertificate{key_text(key.get()), base::text_of(raw)};
}

Result<std::string> make_signing_request(const std::string& private_key, const std::string& common_name,
                                         const std::vector<std::string>& organizations,
                                         const std::vector<std::string>& names) {
    const auto key = base::parse_private_key(private_key);
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
    return base::text_of(out.get());
}

Result<std::string> public_key_hash(const std::string& pem) {
    const auto certificate = base::parse_certificate(pem);
    if (!certificate) return failure("not a certificate");
    return "sha256:" + base::hexadecimal(base::public_key_digest(certificate.get()));
}

Result<CertificateFacts> read_certificate(const std::string& pem) {
    const auto certificate = base::parse_certificate(pem);
    if (!certificate) return failure("not a certificate");
    CertificateFacts facts;
    facts.not_before = base::time_of(X509_get0_notBefore(certificate.get()));
    facts.not_after = base::time_of(X509_get0_notAfter(certificate.get()));
    const X509_NAME* subject = X509_get_subject_name(certificate.get());
    facts.common_name = base::common_name_of(subject);
    facts.organizations = base::subject_texts(subject, NID_organizationName);
    const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i)
        facts.names.push_back(general_name_text(sk_GENERAL_NAME_value(names.get(), i)));
    std::ranges::sort(facts.names);
    return facts;
}

Result<base::Sha256Digest> fingerprint_of(const std::string& pem) {
    const auto certificate = base::parse_certificate(pem);
    if (!certificate) return failure("not a certificate");
    return base::digest_of(certificate.get());
}

bool belong_together(const std::string& authority_certificate, const KeyAndCertificate& pair) {
    const auto authority = base::parse_certificate(authority_certificate);
    const auto certificate = base::parse_certificate(pair.certificate);
    const auto key = base::parse_private_key(pair.key);
    const bool good = authority && certificate && key &&
                      X509_verify(certificate.get(), X509_get0_pubkey(authority.get())) == 1 &&
                      X509_check_private_key(certificate.get(), key.get()) == 1;
    ERR_clear_error();
    return good;
}

}  // namespace keelson::daemon
