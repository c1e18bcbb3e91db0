#include "kernel/base/openssl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace keelson::base {
namespace {

using ::testing::ElementsAre;

OpensslOwned<X509> certificate_of(const std::string& name, const std::vector<std::string>& organizations) {
    const OpensslOwned<EVP_PKEY> key(EVP_EC_gen("P-256"));
    OpensslOwned<X509> certificate(X509_new());
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    const auto add = [&](const char* field, const std::string& text) {
        X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(text.data()), -1, -1, 0);
    };
    for (const std::string& organization : organizations) add("O", organization);
    add("CN", name);
    X509_set_issuer_name(certificate.get(), subject);
    set_time(X509_getm_notBefore(certificate.get()), WallTime(std::chrono::seconds(1'000'000'000)));
    set_time(X509_getm_notAfter(certificate.get()), WallTime(std::chrono::seconds(4'000'000'000)));
    set_random_serial(certificate.get());
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    return certificate;
}

TEST(Openssl, CertificatesOfOneTextComeInTheirOrder) {
    const std::string text = text_of(certificate_of("first", {}).get()) + "between them\n" +
                             text_of(certificate_of("second", {"a", "b", "\u00fc"}).get());
    const auto certificates = parse_certificates(text);
    ASSERT_EQ(certificates.size(), 2u);
    const X509_NAME* first = X509_get_subject_name(certificates[0].get());
    const X509_NAME* second = X509_get_subject_name(certificates[1].get());
    EXPECT_THAT(subject_texts(first, NID_commonName), ElementsAre("first"));
    EXPECT_THAT(subject_texts(first, NID_organizationName), ElementsAre());
    EXPECT_THAT(subject_texts(second, NID_commonName), ElementsAre("second"));
    EXPECT_EQ(common_name_of(second), "second");
    EXPECT_THAT(subject_texts(second, NID_organizationName), ElementsAre("a", "b", "\u00fc"));
    EXPECT_EQ(time_of(X509_get0_notAfter(certificates[1].get())),
              WallTime(std::chrono::seconds(4'000'000'000)));
    EXPECT_EQ(ERR_peek_error(), 0u) << "nothing is left for the next who asks";
}

TEST(Openssl, WhatIsNoPemIsNothingAndSaysWhy) {
    EXPECT_EQ(parse_certificate("no certificate"), nullptr);
    EXPECT_EQ(take_openssl_error(), "no start line");
    EXPECT_EQ(take_openssl_error(), "no reason given") << "told once";
    EXPECT_EQ(parse_private_key(""), nullptr);
    EXPECT_EQ(parse_certificate_request(text_of(certificate_of("a", {}).get())), nullptr);
    EXPECT_TRUE(parse_certificates("").empty());
    ERR_clear_error();
}

TEST(Openssl, SumsAreOfTheDerForm) {
    const auto certificate = certificate_of("a", {});
    const auto again = parse_certificate(text_of(certificate.get()));
    EXPECT_EQ(digest_of(certificate.get()), digest_of(again.get()));
    EXPECT_EQ(public_key_digest(certificate.get()), public_key_digest(again.get()));
    EXPECT_NE(public_key_digest(certificate.get()), public_key_digest(certificate_of("a", {}).get()));
}

}  // namespace
}  // namespace keelson::base
