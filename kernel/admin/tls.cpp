#include "kernel/admin/tls.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/NetSSL.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/X509Certificate.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <mutex>
#include <vector>

namespace keelson::admin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using Poco::Net::Context;

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, Free>;

std::string take_error() {
    char text[256] = "no reason given";
    if (const unsigned long code = ERR_get_error(); code != 0) ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return text;
}

Status bad_material(const std::string& what) {
    return {Reason::bad_request, "the TLS material of the admin API: " + what};
}

Result<std::vector<Certificate>> read_certificates(const std::string& pem, const std::string& what) {
    const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::vector<Certificate> certificates;
    while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))
        certificates.emplace_back(one);
    ERR_clear_error();
    if (certificates.empty()) return bad_material("there is no certificate in the " + what);
    return certificates;
}

// Whether the check of a certificate went well travels on the certificate itself: the socket does not tell.
int verdict_index() {
    static const int index = X509_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

int check_client(X509_STORE_CTX* store, void*) {
    X509* certificate = X509_STORE_CTX_get0_cert(store);
    X509_verify_cert(store);
    // One more than the code: none at all is not good.
    const std::intptr_t verdict = X509_STORE_CTX_get_error(store) + 1;
    X509_set_ex_data(certificate, verdict_index(), reinterpret_cast<void*>(verdict));
    return 1;
}

Result<void> use_identity(SSL_CTX* context, const TlsMaterial& material) {
    KEELSON_TRY(const auto chain, read_certificates(material.certificate_chain, "certificate chain"));
    const std::unique_ptr<BIO, Free> bio(
        BIO_new_mem_buf(material.private_key.data(), static_cast<int>(material.private_key.size())));
    const std::unique_ptr<EVP_PKEY, Free> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
    if (!key) return bad_material("the private key cannot be read: " + take_error());
    if (SSL_CTX_use_certificate(context, chain.front().get()) != 1 ||
        SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
        return bad_material("the certificate and the key do not go together: " + take_error());
    for (std::size_t i = 1; i < chain.size(); ++i) SSL_CTX_add1_chain_cert(context, chain[i].get());
    return base::ok();
}

Result<void> accept_clients_of(SSL_CTX* context, const std::string& authorities) {
    if (authorities.empty()) return base::ok();
    KEELSON_TRY(const auto certificates, read_certificates(authorities, "client CA"));
    for (const Certificate& authority : certificates) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
        SSL_CTX_add_client_CA(context, authority.get());
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, check_client, nullptr);
    return base::ok();
}

Result<void> set_up(SSL_CTX* context, const TlsMaterial& material) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
    KEELSON_TRY_VOID(use_identity(context, material));
    return accept_clients_of(context, material.client_ca);
}

void read_subject(X509_NAME* subject, access::ClientCertificate& shown) {
    for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
        unsigned char* text = nullptr;
        const int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
        if (length < 0) continue;
        std::string value(reinterpret_cast<char*>(text), static_cast<std::size_t>(length));
        OPENSSL_free(text);
        const int kind = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
        if (kind == NID_commonName) shown.common_name = std::move(value);
        if (kind == NID_organizationName) shown.organizations.push_back(std::move(value));
    }
}

}  // namespace

Result<TlsContext> make_tls_context(const TlsMaterial& material) {
    static std::once_flag once;
    std::call_once(once, [] { Poco::Net::initializeSSL(); });
    try {
        Context::Params params;
        params.verificationMode = Context::VERIFY_NONE;
        params.loadDefaultCAs = false;
        Context::Ptr context = new Context(Context::TLS_SERVER_USE, params);
        KEELSON_TRY_VOID(set_up(context->sslContext(), material));
        return TlsContext(context.get(), [context](Context*) {});
    } catch (const Poco::Exception& error) {
        return bad_material(error.displayText());
    }
}

std::optional<access::ClientCertificate> shown_certificate(const Poco::Net::SecureStreamSocket& socket) {
    if (!socket.havePeerCertificate()) return std::nullopt;
    const Poco::Net::X509Certificate peer = socket.peerCertificate();
    X509* certificate = const_cast<X509*>(peer.certificate());
    access::ClientCertificate shown;
    const auto verdict = reinterpret_cast<std::intptr_t>(X509_get_ex_data(certificate, verdict_index())) - 1;
    shown.verified = verdict == X509_V_OK;
    if (verdict < 0) shown.verify_error = "client certificates are not accepted here";
    if (verdict > 0) shown.verify_error = X509_verify_cert_error_string(verdict);
    read_subject(X509_get_subject_name(certificate), shown);
    unsigned int digest_length = 0;
    X509_digest(certificate, EVP_sha256(), shown.sha256.data(), &digest_length);
    if (const int length = i2d_X509(certificate, nullptr); length > 0) {
        std::string der(static_cast<std::size_t>(length), '\0');
        auto* out = reinterpret_cast<unsigned char*>(der.data());
        i2d_X509(certificate, &out);
        shown.der = std::make_shared<const std::string>(std::move(der));
    }
    return shown;
}

}  // namespace keelson::admin
