#include "kernel/control/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "kernel/access/identity.h"
#include "kernel/base/base64.h"
#include "kernel/base/sync_wait.h"
#include "kernel/client/in_process.h"
#include "kernel/control/certificates_x509.h"
#include "kernel/daemon/certificates.h"
#include "kernel/object/json.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kResource = "certificates.k8s.io/v1/certificatesigningrequests";
constexpr std::string_view kNodeClient = "kubernetes.io/kube-apiserver-client-kubelet";
constexpr std::string_view kServing = "kubernetes.io/kubelet-serving";
constexpr std::string_view kClient = "kubernetes.io/kube-apiserver-client";

// A request with a fresh key; names as OpenSSL writes them: "DNS:a,IP:192.0.2.1".
std::string request_pem(const std::string& name, const std::string& organization,
                        const std::string& names = {}) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509_REQ* request = X509_REQ_new();
    X509_NAME* subject = X509_REQ_get_subject_name(request);
    for (const auto& [nid, value] : {std::pair{NID_organizationName, organization}, {NID_commonName, name}})
        X509_NAME_add_entry_by_NID(subject, nid, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
    if (!names.empty()) {
        STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
        sk_X509_EXTENSION_push(extensions,
                               X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
        X509_REQ_add_extensions(request, extensions);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    }
    X509_REQ_set_pubkey(request, key);
    X509_REQ_sign(request, key, EVP_sha256());
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509_REQ(out, request);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(out);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return text;
}

class CertificatesTest : public ::testing::Test {
  protected:
    CertificatesTest() {
        const auto made = daemon::make_authority("ca", now() - std::chrono::hours(1),
                                                 now() + std::chrono::hours(24 * 3650));
        authority = {made->certificate, made->key};
        plane.add(make_certificate_approving_controller(plane.surroundings));
        plane.add(make_certificate_signing_controller(plane.surroundings, authority));
        plane.add(make_certificate_cleaning_controller(plane.surroundings));
        plane.start();
    }
    base::WallTime now() { return plane.cluster.executor.clock().wall_now(); }

    void ask(const std::string& name, const access::Identity& who, std::string_view signer,
             const std::string& pem, const std::string& usages = R"("digital signature","client auth")",
             const std::string& more = {}) {
        const auto client =
            client::make_in_process_client(*plane.cluster.verbs, *plane.cluster.subresources, who);
        object::Arena arena;
        const auto object = object::parse_json_copy(
            R"({"metadata":{"name":")" + name + R"("},"spec":{"request":")" + base::base64_encode(pem) +
                R"(","signerName":")" + std::string(signer) + R"(","usages":[)" + usages + "]" + more + "}}",
            arena);
        const auto made = base::sync_wait(
            plane.cluster.executor,
            client->create({"certificates.k8s.io", "v1", "certificatesigningrequests", "", "", ""}, *object,
                           {}));
        EXPECT_TRUE(made) << made.error().message();
        plane.settle();
    }
    std::vector<std::string> conditions(const std::string& name) {
        std::vector<std::string> types;
        const auto outcome = plane.get({kResource, "", name});
        for (const auto condition : outcome["status"]["conditions"].items())
            types.push_back(condition["type"].to_string() + ":" + condition["reason"].to_string());
        return types;
    }
    std::string certificate(const std::string& name) {
        const auto outcome = plane.get({kResource, "", name});
        return *base::base64_decode(outcome["status"]["certificate"].as_string());
    }
    void decide(const std::string& name, const std::string& type) {
        const auto outcome = plane.cluster.patch(
            {"certificates.k8s.io/v1/certificatesigningrequests/approval", "", name},
            resource::PatchType::merge,
            R"({"status":{"conditions":[{"type":")" + type + R"(","status":"True","reason":"Hand"}]}})");
        EXPECT_TRUE(outcome.ok()) << outcome.error;
        plane.settle();
    }
    bool is_there(const std::string& name) { return plane.cluster.get({kResource, "", name}).ok(); }
    void report_addresses() {
        plane.create({"v1/nodes", "", ""}, R"({"metadata":{"name":"n1"}})");
        plane.cluster.patch({"v1/nodes/status", "", "n1"}, resource::PatchType::merge,
                            R"({"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"},)"
                            R"({"type":"Hostname","address":"n1"}]}})");
        plane.settle();
    }

    ControlPlane plane;
    CertificateAuthority authority;
    access::Identity bootstrapper{
        .user = "system:bootstrap:abcdef", .uid = {}, .groups = {"system:bootstrappers"}, .extra = {}};
    access::Identity node = access::node_identity("n1");
    access::Identity jane{.user = "jane", .uid = {}, .groups = {"system:authenticated"}, .extra = {}};
    const std::string client_pem = request_pem("system:node:n1", "system:nodes");
    const std::string server_usages = R"("digital signature","server auth")";
};

TEST_F(CertificatesTest, ANodesClientCertificateIsApprovedAndSigned) {
    ask("a", bootstrapper, kNodeClient, client_pem);
    ask("b", node, kNodeClient, client_pem, R"("key encipherment","digital signature","client auth")");
    for (const char* name : {"a", "b"}) {
        EXPECT_THAT(conditions(name), ElementsAre("Approved:AutoApproved"));
        const auto facts = daemon::read_certificate(certificate(name));
        ASSERT_TRUE(facts);
        EXPECT_EQ(facts->common_name, "system:node:n1");
        EXPECT_THAT(facts->organizations, ElementsAre("system:nodes"));
        EXPECT_NEAR(std::chrono::duration<double>(facts->not_after - now()).count(), 365 * 86400, 60);
    }
}

TEST_F(CertificatesTest, OthersAreLeftToPeople) {
    ask("jane", jane, kNodeClient, client_pem);
    ask("other", node, kNodeClient, request_pem("system:node:n2", "system:nodes"));
    ask("usages", node, kNodeClient, client_pem, R"("digital signature","client auth","server auth")");
    ask("names", node, kNodeClient, request_pem("system:node:n1", "system:nodes", "DNS:n1"));
    ask("group", node, kNodeClient, request_pem("system:node:n1", "system:masters"));
    ask("client", node, kClient, client_pem);
    for (const char* name : {"jane", "other", "usages", "names", "group", "client"}) {
        EXPECT_THAT(conditions(name), ElementsAre()) << name;
        EXPECT_EQ(certificate(name), "");
    }
}

TEST_F(CertificatesTest, AServingCertificateIsForItsOwnAddresses) {
    report_addresses();
    ask("good", node, kServing, request_pem("system:node:n1", "system:nodes", "DNS:n1,IP:192.0.2.1"),
        server_usages);
    ask("bad", node, kServing, request_pem("system:node:n1", "system:nodes", "DNS:n1,IP:192.0.2.2"),
        server_usages);
    ask("none", node, kServing, client_pem, server_usages);
    EXPECT_THAT(conditions("good"), ElementsAre("Approved:AutoApproved"));
    EXPECT_THAT(daemon::read_certificate(certificate("good"))->names, ElementsAre("192.0.2.1", "n1"));
    EXPECT_THAT(conditions("bad"), ElementsAre());
    EXPECT_THAT(conditions("none"), ElementsAre());
}

TEST_F(CertificatesTest, WhatPeopleApproveIsSignedForAsLongAsAsked) {
    ask("a", jane, kClient, request_pem("jane", "people"), R"("client auth")",
        R"(,"expirationSeconds":3600)");
    EXPECT_EQ(certificate("a"), "");
    decide("a", "Approved");
    const auto end = end_of_certificate(certificate("a"));
    ASSERT_TRUE(end);
    EXPECT_NEAR(std::chrono::duration<double>(*end - now()).count(), 3600, 60);
}

TEST_F(CertificatesTest, WhatPeopleDenyIsNotSigned) {
    ask("a", jane, kClient, request_pem("jane", "people"), R"("client auth")");
    decide("a", "Denied");
    EXPECT_EQ(certificate("a"), "");
}

TEST_F(CertificatesTest, AMalformedRequestFails) {
    ask("a", jane, kClient, request_pem("jane", "people"), R"("client auth","code signing")");
    decide("a", "Approved");
    EXPECT_THAT(conditions("a"), ElementsAre("Approved:Hand", "Failed:SignerValidationFailure"));
    EXPECT_EQ(certificate("a"), "");
}

TEST_F(CertificatesTest, OldRequestsAreRemoved) {
    ask("issued", bootstrapper, kNodeClient, client_pem);
    ask("pending", jane, kClient, request_pem("jane", "people"), R"("client auth")");
    plane.advance(std::chrono::minutes(50));
    EXPECT_TRUE(is_there("issued"));
    plane.advance(std::chrono::minutes(20));
    EXPECT_FALSE(is_there("issued"));
    EXPECT_TRUE(is_there("pending"));
    plane.advance(std::chrono::hours(24));
    EXPECT_FALSE(is_there("pending"));
}

TEST(CertificateRequests, MustBeSignedWithTheirOwnKey) {
    std::string pem = request_pem("jane", "people");
    EXPECT_TRUE(read_request(pem));
    auto der =
        base::base64_decode(pem.substr(pem.find('\n') + 1, pem.find("\n-----END") - pem.find('\n') - 1));
    ASSERT_TRUE(der);
    der->back() ^= 1;
    EXPECT_FALSE(read_request("-----BEGIN CERTIFICATE REQUEST-----\n" + base::base64_encode(*der) +
                              "\n-----END CERTIFICATE REQUEST-----\n"));
    EXPECT_FALSE(read_request("nonsense"));
}

}  // namespace
}  // namespace keelson::control
