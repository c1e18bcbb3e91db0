#include "kernel/admin/tls.h"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/NetSSL.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/X509Certificate.h>

#include <mutex>
#include <vector>

#include "kernel/base/openssl.h"

namespace keelson::admin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using Poco::Net::Context;

using Certificate = base::OpensslOwned<X509>;

Status bad_material(const std::string& what) {
    return {Reason::bad_request, "the TLS material of the admin API: " + what};
}

Result<std::vector<Certificate>> read_certificates(const std::string& pem, const std::string& what) {
    auto certificates = base::parse_certificates(pem);
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
    // NOLINTNEXTLINE(performance-no-int-to-ptr): OpenSSL keeps pointers only, this one is never followed
    X509_set_ex_data(certificate, verdict_index(), reinterpret_cast<void*>(verdict));
    return 1;
}

Result<void> use_identity(SSL_CTX* context, const TlsMaterial& material) {
    KEELSON_TRY(const auto chain, read_certificates(material.certificate_chain, "certificate chain"));
    const auto key = base::parse_private_key(material.private_key);
    if (!key) return bad_material("the private key cannot be read: " + base::take_openssl_error());
    if (SSL_CTX_use_certificate(context, chain.front().get()) != 1 ||
        SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
        return bad_material("the certificate and the key do not go together: " + base::take_openssl_error());
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
    const X509_NAME* subject = X509_get_subject_name(certificate);
    shown.common_name = base::common_name_of(subject);
    shown.organizations = base::subject_texts(subject, NID_organizationName);
    shown.sha256 = base::digest_of(certificate);
    if (const int length = i2d_X509(certificate, nullptr); length > 0) {
        std::string der(static_cast<std::size_t>(length), '\0');
        auto* out = reinterpret_cast<unsigned char*>(der.data());
        i2d_X509(certificate, &out);
        shown.der = std::make_shared<const std::string>(std::move(der));
    }
    return shown;
}

}  // namespace keelson::admin
