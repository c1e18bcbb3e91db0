#include "kernel/control/bootstrap_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "kernel/base/base64.h"
#include "kernel/object/time_format.h"
#include "tests/control/control_plane.h"

namespace keelson::control {
namespace {

using testing::HasSubstr;

class BootstrapTokensTest : public ::testing::Test {
  protected:
    BootstrapTokensTest() {
        plane.add(make_token_cleaning_controller(plane.surroundings));
        plane.add(make_cluster_info_controller(plane.surroundings, {"https://192.0.2.1:6443", "PEM"}));
        plane.start();
    }
    void token(const std::string& id, const std::string& more = {}) {
        plane.create({"v1/secrets", "kube-system", ""},
                     R"({"metadata":{"name":"bootstrap-token-)" + id +
                         R"("},"type":"bootstrap.kubernetes.io/token","stringData":{"token-id":")" + id +
                         R"(","token-secret":"0123456789abcdef")" + more + "}}");
    }
    std::string expiration(base::Duration delay) {
        return R"(,"expiration":")" +
               object::format_time(object::instant_of(plane.cluster.executor.clock().wall_now() + delay)) +
               "\"";
    }
    bool is_there(const std::string& id) {
        return plane.cluster.get({"v1/secrets", "kube-system", "bootstrap-token-" + id}).ok();
    }
    std::string datum(const std::string& name) {
        return plane.get({"v1/configmaps", "kube-public", "cluster-info"}).text({"data", name});
    }

    ControlPlane plane;
};

TEST_F(BootstrapTokensTest, ExpiredOnesAreRemoved) {
    token("aaaaaa", expiration(std::chrono::minutes(10)));
    token("bbbbbb");
    plane.advance(std::chrono::minutes(9));
    EXPECT_TRUE(is_there("aaaaaa"));
    plane.advance(std::chrono::minutes(2));
    EXPECT_FALSE(is_there("aaaaaa"));
    EXPECT_TRUE(is_there("bbbbbb"));
}

TEST_F(BootstrapTokensTest, ClusterInfoTellsWhereAndWhom) {
    EXPECT_THAT(datum("kubeconfig"), HasSubstr("    server: https://192.0.2.1:6443\n"));
    EXPECT_THAT(datum("kubeconfig"),
                HasSubstr("    certificate-authority-data: " + base::base64_encode("PEM") + "\n"));
    // Whoever changes it finds it as it was.
    plane.merge({"v1/configmaps", "kube-public", "cluster-info"}, R"({"data":{"kubeconfig":"x"}})");
    EXPECT_THAT(datum("kubeconfig"), HasSubstr("192.0.2.1"));
}

TEST_F(BootstrapTokensTest, ClusterInfoIsSignedWithTokensThatMay) {
    token("aaaaaa", R"(,"usage-bootstrap-signing":"true")");
    token("bbbbbb");
    EXPECT_EQ(datum("jws-kubeconfig-bbbbbb"), "");
    const std::string signature = datum("jws-kubeconfig-aaaaaa");
    const auto dots = signature.find("..");
    ASSERT_NE(dots, std::string::npos);
    EXPECT_EQ(*base::base64_decode(signature.substr(0, dots), base::Base64::url),
              R"({"alg":"HS256","kid":"aaaaaa"})");
    const std::string signed_text =
        signature.substr(0, dots) + "." + base::base64_encode(datum("kubeconfig"), base::Base64::url);
    const std::string secret = "0123456789abcdef";
    unsigned char digest[32];
    unsigned int size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(signed_text.data()), signed_text.size(), digest, &size);
    EXPECT_EQ(signature.substr(dots + 2),
              base::base64_encode({reinterpret_cast<const char*>(digest), size}, base::Base64::url));
    plane.remove({"v1/secrets", "kube-system", "bootstrap-token-aaaaaa"});
    EXPECT_EQ(datum("jws-kubeconfig-aaaaaa"), "");
}

}  // namespace
}  // namespace keelson::control
