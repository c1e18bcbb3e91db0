#include "kernel/api/tls.h"

#include <cstring>

#include "kernel/base/openssl.h"

namespace keelson::api {
namespace {

template <typename T>
using Owned = base::OpensslOwned<T>;

base::Status tls_failure(std::string_view what) {
    return {base::Reason::internal_error, std::string(what) + ": " + base::take_openssl_error()};
}

int accept_any(int, X509_STORE_CTX*) {
    return 1;  // judged after the handshake, by SSL_get_verify_result
}

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                    unsigned int offered_length, void*) {
    static constexpr unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* selected = nullptr;
    if (SSL_select_next_proto(&selected, out_length, http_1_1, sizeof http_1_1, offered, offered_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = selected;
    return SSL_TLSEXT_ERR_OK;
}

base::Result<void> use_certificate_chain(SSL_CTX* context, const std::string& pem) {
    const auto bio = base::pem_reader(pem);
    const Owned<X509> leaf(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr));
    if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return tls_failure("server certificate");
    while (Owned<X509> issuer{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1)
            return tls_failure("server certificate chain");
    }
    ERR_clear_error();  // the end of the file is reported as an error
    return base::ok();
}

base::Result<void> use_client_ca(SSL_CTX* context, const std::string& pem) {
    const auto authorities = base::parse_certificates(pem);
    if (authorities.empty() && !pem.empty())
        return base::Status(base::Reason::internal_error, "client CA: no certificate in it");
    for (const Owned<X509>& authority : authorities)
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1 ||
            SSL_CTX_add_client_CA(context, authority.get()) != 1)
            return tls_failure("client CA");
    return base::ok();
}

void read_subject(X509_NAME* subject, PeerCertificate& peer) {
    for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
        const ASN1_OBJECT* type = X509_NAME_ENTRY_get_object(entry);
        const ASN1_STRING* value = X509_NAME_ENTRY_get_data(entry);
        char oid[64];
        if (OBJ_obj2nid(type) == NID_commonName) {
            peer.common_name = base::text_of(value);
        } else if (OBJ_obj2nid(type) == NID_organizationName) {
            peer.organizations.push_back(base::text_of(value));
        } else if (OBJ_obj2txt(oid, sizeof oid, type, 1) > 0 &&
                   std::strcmp(oid, "1.3.6.1.4.1.57683.2") == 0) {
            peer.uid = base::text_of(value);
        }
    }
}

}  // namespace

base::Result<std::shared_ptr<const TlsContext>> TlsContext::create(const TlsMaterial& material) {
    ERR_clear_error();
    Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
    if (!context) return tls_failure("TLS");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    // 128-bit AES first: the fastest here, and no weaker where it matters.
    SSL_CTX_set_ciphersuites(context.get(),
                             "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
    SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set1_groups_list(context.get(), "X25519:P-256:P-384");
    // Idle connections keep no record buffers; writes may be retried from another address.
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(context.get(), 1);
    // Tickets are self-contained: no session cache to bound. The context id keeps a ticket with a client
    // certificate usable.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 1);
    static constexpr unsigned char session_context[] = "keelson";
    SSL_CTX_set_session_id_context(context.get(), session_context, sizeof session_context - 1);
    SSL_CTX_set_alpn_select_cb(context.get(), select_protocol, nullptr);

    KEELSON_TRY_VOID(use_certificate_chain(context.get(), material.certificate_chain));
    const auto key = base::parse_private_key(material.private_key);
    if (!key || SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) return tls_failure("server key");
    if (SSL_CTX_check_private_key(context.get()) != 1) return tls_failure("server key");
    KEELSON_TRY_VOID(use_client_ca(context.get(), material.client_ca));
    if (!material.client_ca.empty()) {
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, accept_any);
        SSL_CTX_set_verify_depth(context.get(), 8);
    }
    return std::shared_ptr<const TlsContext>(new TlsContext(context.release()));
}

TlsContext::~TlsContext() {
    SSL_CTX_free(context_);
}

ssl_st* TlsContext::new_session(int fd) const {
    SSL* session = SSL_new(context_);
    if (session == nullptr) return nullptr;
    if (SSL_set_fd(session, fd) != 1) {
        SSL_free(session);
        return nullptr;
    }
    SSL_set_accept_state(session);
    return session;
}

void TlsContext::free_session(ssl_st* session) {
    SSL_free(session);
}

std::shared_ptr<const PeerCertificate> peer_certificate(ssl_st* session) {
    X509* certificate = SSL_get0_peer_certificate(session);
    if (certificate == nullptr) return nullptr;
    auto shown = std::make_shared<PeerCertificate>();
    PeerCertificate& peer = *shown;
    const long verdict = SSL_get_verify_result(session);
    // A resumed session brings its old verdict along; the certificate may have expired since.
    const bool current = X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
                         X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0;
    peer.verified = verdict == X509_V_OK && current;
    if (!peer.verified)
        peer.verify_error =
            verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : "certificate has expired";
    read_subject(X509_get_subject_name(certificate), peer);
    peer.sha256 = base::digest_of(certificate);
    if (const int length = i2d_X509(certificate, nullptr); length > 0) {
        peer.der.resize(static_cast<std::size_t>(length));
        auto* out = reinterpret_cast<unsigned char*>(peer.der.data());
        i2d_X509(certificate, &out);
    }
    return shown;
}

}  // namespace keelson::api
