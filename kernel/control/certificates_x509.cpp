#include "kernel/control/certificates_x509.h"

#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

namespace keelson::control {
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
    void operator()(STACK_OF(X509_EXTENSION) * value) const {
        sk_X509_EXTENSION_pop_free(value, X509_EXTENSION_free);
    }
    void operator()(GENERAL_NAMES* value) const { GENERAL_NAMES_free(value); }
    void operator()(BIGNUM* value) const { BN_free(value); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;
using Extensions = Owned<STACK_OF(X509_EXTENSION)>;

Status failure(const std::string& what) {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return {Reason::bad_request, what + (reason != nullptr ? std::string(": ") + reason : std::string())};
}

Owned<BIO> reader(const std::string& text) {
    return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Owned<X509> certificate_of(const std::string& pem) {
    return Owned<X509>(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
}

Result<Owned<X509_REQ>> request_of(const std::string& pem) {
    Owned<X509_REQ> request(PEM_read_bio_X509_REQ(reader(pem).get(), nullptr, nullptr, nullptr));
    if (!request) return failure("unable to parse the certificate request");
    EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
    if (key == nullptr || X509_REQ_verify(request.get(), key) != 1)
        return failure("the certificate request is not signed with its own key");
    return request;
}

std::string entry_text(const X509_NAME_ENTRY* entry) {
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    if (length < 0) return {};
    std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(length));
    OPENSSL_free(utf8);
    return text;
}

void read_subject(const X509_NAME* subject, RequestFacts& facts) {
    for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
        const int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
        if (nid == NID_commonName) facts.common_name = entry_text(entry);
        if (nid == NID_organizationName) facts.organizations.push_back(entry_text(entry));
    }
}

void read_name(const GENERAL_NAME* name, RequestFacts& facts) {
    if (name->type == GEN_DNS) {
        facts.dns_names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                     static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
        return;
    }
    const int length = name->type == GEN_IPADD ? ASN1_STRING_length(name->d.iPAddress) : 0;
    if (length != 4 && length != 16) {
        facts.has_other_names = true;
        return;
    }
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
    facts.addresses.emplace_back(text);
}

X509_EXTENSION* names_extension(const Extensions& extensions) {
    const int index = extensions ? X509v3_get_ext_by_NID(extensions.get(), NID_subject_alt_name, -1) : -1;
    return index < 0 ? nullptr : X509v3_get_ext(extensions.get(), index);
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

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

struct Usage {
    std::string_view name;
    std::string_view text;
    int extension;
};
constexpr Usage kUsages[] = {{"digital signature", "digitalSignature", NID_key_usage},
                             {"key encipherment", "keyEncipherment", NID_key_usage},
                             {"client auth", "clientAuth", NID_ext_key_usage},
                             {"server auth", "serverAuth", NID_ext_key_usage}};

// The usages of one extension: "digitalSignature,keyEncipherment".
std::string usage_text(const std::vector<std::string>& wanted, int extension) {
    std::string text;
    for (const Usage& usage : kUsages)
        if (usage.extension == extension && std::ranges::find(wanted, usage.name) != wanted.end())
            text += (text.empty() ? "" : ",") + std::string(usage.text);
    return text;
}

bool add_usages(X509* certificate, X509* issuer, const std::vector<std::string>& usages) {
    const std::string basic = usage_text(usages, NID_key_usage);
    const std::string extended = usage_text(usages, NID_ext_key_usage);
    return (basic.empty() || add_extension(certificate, issuer, NID_key_usage, "critical," + basic)) &&
           (extended.empty() || add_extension(certificate, issuer, NID_ext_key_usage, extended));
}

void set_serial(X509* certificate) {
    const Owned<BIGNUM> serial(BN_new());
    BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate));
}

std::string text_of(X509* certificate) {
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

}  // namespace

Result<RequestFacts> read_request(const std::string& pem) {
    KEELSON_TRY(const Owned<X509_REQ> request, request_of(pem));
    RequestFacts facts;
    read_subject(X509_REQ_get_subject_name(request.get()), facts);
    const Extensions extensions(X509_REQ_get_extensions(request.get()));
    X509_EXTENSION* extension = names_extension(extensions);
    if (extension == nullptr) return facts;
    const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(X509V3_EXT_d2i(extension)));
    if (!names) return failure("the alternative names of the certificate request cannot be read");
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i)
        read_name(sk_GENERAL_NAME_value(names.get(), i), facts);
    return facts;
}

Result<std::string> sign_request(const CertificateAuthority& authority, const std::string& pem,
                                 const SigningTerms& terms) {
    const Owned<EVP_PKEY> issuer_key(
        PEM_read_bio_PrivateKey(reader(authority.key).get(), nullptr, nullptr, nullptr));
    const auto issuer = certificate_of(authority.certificate);
    if (!issuer_key || !issuer) return Status(Reason::internal_error, "the cluster's CA cannot be read");
    KEELSON_TRY(const Owned<X509_REQ> request, request_of(pem));
    const Owned<X509> certificate(X509_new());
    X509* raw = certificate.get();
    X509_set_version(raw, X509_VERSION_3);
    set_serial(raw);
    set_time(X509_getm_notBefore(raw), terms.not_before);
    set_time(X509_getm_notAfter(raw), std::min(terms.not_after, time_of(X509_get0_notAfter(issuer.get()))));
    X509_set_subject_name(raw, X509_REQ_get_subject_name(request.get()));
    X509_set_issuer_name(raw, X509_get_subject_name(issuer.get()));
    X509_set_pubkey(raw, X509_REQ_get0_pubkey(request.get()));
    bool good = add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                add_usages(raw, issuer.get(), terms.usages) &&
                add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid");
    const Extensions extensions(X509_REQ_get_extensions(request.get()));
    X509_EXTENSION* names = names_extension(extensions);
    if (names != nullptr) good = good && X509_add_ext(raw, names, -1) == 1;
    if (!good || X509_sign(raw, issuer_key.get(), EVP_sha256()) == 0)
        return failure("the certificate cannot be made");
    return text_of(raw);
}

Result<base::WallTime> end_of_certificate(const std::string& pem) {
    const auto certificate = certificate_of(pem);
    if (!certificate) return failure("not a certificate");
    return time_of(X509_get0_notAfter(certificate.get()));
}

}  // namespace keelson::control
