#include "kernel/base/openssl.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <utility>

namespace keelson::base {

std::string take_openssl_error() {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    if (reason != nullptr) return reason;
    return code == 0 ? "no reason given" : "error " + std::to_string(code);
}

OpensslOwned<BIO> pem_reader(std::string_view text) {
    return OpensslOwned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

OpensslOwned<X509> parse_certificate(std::string_view pem) {
    return OpensslOwned<X509>(PEM_read_bio_X509(pem_reader(pem).get(), nullptr, nullptr, nullptr));
}

OpensslOwned<X509_REQ> parse_certificate_request(std::string_view pem) {
    return OpensslOwned<X509_REQ>(PEM_read_bio_X509_REQ(pem_reader(pem).get(), nullptr, nullptr, nullptr));
}

OpensslOwned<EVP_PKEY> parse_private_key(std::string_view pem) {
    return OpensslOwned<EVP_PKEY>(PEM_read_bio_PrivateKey(pem_reader(pem).get(), nullptr, nullptr, nullptr));
}

std::vector<OpensslOwned<X509>> parse_certificates(std::string_view pem) {
    const auto reader = pem_reader(pem);
    std::vector<OpensslOwned<X509>> certificates;
    while (X509* one = PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr))
        certificates.emplace_back(one);
    ERR_clear_error();  // the end of the text is an error, too
    return certificates;
}

std::string text_of(BIO* written) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(written, &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string text_of(X509* certificate) {
    const OpensslOwned<BIO> out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(out.get(), certificate);
    return text_of(out.get());
}

std::string text_of(const ASN1_STRING* value) {
    unsigned char* utf8 = nullptr;
    const int length = ASN1_STRING_to_UTF8(&utf8, value);
    if (length < 0) return {};
    std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(length));
    OPENSSL_free(utf8);
    return text;
}

std::vector<std::string> subject_texts(const X509_NAME* subject, int kind) {
    std::vector<std::string> texts;
    for (int at = X509_NAME_get_index_by_NID(subject, kind, -1); at >= 0;
         at = X509_NAME_get_index_by_NID(subject, kind, at))
        texts.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
    return texts;
}

Sha256Digest digest_of(const X509* certificate) {
    Sha256Digest digest{};
    X509_digest(certificate, EVP_sha256(), digest.data(), nullptr);
    return digest;
}

Sha256Digest public_key_digest(const X509* certificate) {
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    const std::string_view bytes(reinterpret_cast<const char*>(der),
                                 static_cast<std::size_t>(std::max(size, 0)));
    const Sha256Digest digest = sha256_of(bytes);
    OPENSSL_free(der);
    return digest;
}

std::string common_name_of(const X509_NAME* subject) {
    auto names = subject_texts(subject, NID_commonName);
    return names.empty() ? std::string() : std::move(names.back());
}

WallTime time_of(const ASN1_TIME* value) {
    std::tm parts{};
    ASN1_TIME_to_tm(value, &parts);
    return WallTime(std::chrono::seconds(timegm(&parts)));
}

void set_time(ASN1_TIME* field, WallTime time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
    ASN1_TIME_adj(field, static_cast<time_t>(seconds), 0, 0);
}

void set_random_serial(X509* certificate) {
    const OpensslOwned<BIGNUM> serial(BN_new());
    BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
    BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate));
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const OpensslOwned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

}  // namespace keelson::base
