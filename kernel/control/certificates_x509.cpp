#include "kernel/control/certificates_x509.h"

#include <arpa/inet.h>

#include <algorithm>

#include "kernel/base/openssl.h"

namespace keelson::control {
namespace {

using base::Reason;
using base::Result;
using base::Status;

template <typename T>
using Owned = base::OpensslOwned<T>;
using Extensions = Owned<STACK_OF(X509_EXTENSION)>;

Status failure(const std::string& what) {
    return {Reason::bad_request, what + ": " + base::take_openssl_error()};
}

Result<Owned<X509_REQ>> request_of(const std::string& pem) {
    auto request = base::parse_certificate_request(pem);
    if (!request) return failure("unable to parse the certificate request");
    EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
    if (key == nullptr || X509_REQ_verify(request.get(), key) != 1)
        return failure("the certificate request is not signed with its own key");
    return request;
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
    return (basic.empty() || base::add_extension(certificate, issuer, NID_key_usage, "critical," + basic)) &&
           (extended.empty() || base::add_extension(certificate, issuer, NID_ext_key_usage, extended));
}

}  // namespace

Result<RequestFacts> read_request(const std::string& pem) {
    KEELSON_TRY(const Owned<X509_REQ> request, request_of(pem));
    RequestFacts facts;
    const X509_NAME* subject = X509_REQ_get_subject_name(request.get());
    facts.common_name = base::common_name_of(subject);
    facts.organizations = base::subject_texts(subject, NID_organizationName);
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
    const auto issuer_key = base::parse_private_key(authority.key);
    const auto issuer = base::parse_certificate(authority.certificate);
    if (!issuer_key || !issuer) return Status(Reason::internal_error, "the cluster's CA cannot be read");
    KEELSON_TRY(const Owned<X509_REQ> request, request_of(pem));
    const Owned<X509> certificate(X509_new());
    X509* raw = certificate.get();
    X509_set_version(raw, X509_VERSION_3);
    base::set_random_serial(raw);
    base::set_time(X509_getm_notBefore(raw), terms.not_before);
    base::set_time(X509_getm_notAfter(raw),
                   std::min(terms.not_after, base::time_of(X509_get0_notAfter(issuer.get()))));
    X509_set_subject_name(raw, X509_REQ_get_subject_name(request.get()));
    X509_set_issuer_name(raw, X509_get_subject_name(issuer.get()));
    X509_set_pubkey(raw, X509_REQ_get0_pubkey(request.get()));
    bool good = base::add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
                add_usages(raw, issuer.get(), terms.usages) &&
                base::add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid");
    const Extensions extensions(X509_REQ_get_extensions(request.get()));
    X509_EXTENSION* names = names_extension(extensions);
    if (names != nullptr) good = good && X509_add_ext(raw, names, -1) == 1;
    if (!good || X509_sign(raw, issuer_key.get(), EVP_sha256()) == 0)
        return failure("the certificate cannot be made");
    return base::text_of(raw);
}

Result<base::WallTime> end_of_certificate(const std::string& pem) {
    const auto certificate = base::parse_certificate(pem);
    if (!certificate) return failure("not a certificate");
    return base::time_of(X509_get0_notAfter(certificate.get()));
}

}  // namespace keelson::control
