#include "kernel/resource/bootstrap_token_authenticator.h"

#include <gtest/gtest.h>

#include <map>

#include "kernel/base/base64.h"
#include "kernel/base/sync_wait.h"
#include "kernel/object/time_format.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using Strings = std::vector<std::string>;

class BootstrapTokenTest : public ::testing::Test {
  protected:
    void store(const std::string& type = "bootstrap.kubernetes.io/token") {
        std::string members;
        for (const auto& [name, value] : data)
            members += (members.empty() ? "\"" : ",\"") + name + "\":\"" + base::base64_encode(value) + "\"";
        const auto made = cluster.create({"v1/secrets", "kube-system", ""},
                                         R"({"metadata":{"name":"bootstrap-token-abcdef"},"type":")" + type +
                                             R"(","data":{)" + members + "}}");
        EXPECT_TRUE(made.ok()) << made.error;
    }
    std::optional<access::Identity> ask(const std::string& token = "abcdef.0123456789abcdef") {
        access::Credentials credentials;
        credentials.bearer_token = token;
        const auto answer = base::sync_wait(cluster.executor, authenticator.authenticate(credentials));
        EXPECT_TRUE(answer);
        return *answer;
    }
    std::string time_in(base::Duration delay) {
        return object::format_time(object::instant_of(cluster.executor.clock().wall_now() + delay));
    }

    Cluster cluster;
    BootstrapTokenAuthenticator authenticator{cluster.verbs->lookup(), cluster.executor.clock()};
    std::map<std::string, std::string> data{{"token-id", "abcdef"},
                                            {"token-secret", "0123456789abcdef"},
                                            {"usage-bootstrap-authentication", "true"}};
};

TEST_F(BootstrapTokenTest, ATokenLetsItsOwnerIn) {
    data["auth-extra-groups"] = "system:bootstrappers:a,system:bootstrappers:b:c";
    store();
    const auto identity = ask();
    ASSERT_TRUE(identity);
    EXPECT_EQ(identity->user, "system:bootstrap:abcdef");
    EXPECT_EQ(identity->groups,
              (Strings{"system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:b:c"}));
}

TEST_F(BootstrapTokenTest, AnotherSecretOrIdDoesNot) {
    store();
    EXPECT_FALSE(ask("abcdef.0123456789abcdee"));
    EXPECT_FALSE(ask("abcdeg.0123456789abcdef"));
    EXPECT_FALSE(ask("abcdef.0123456789ABCDEF"));
    EXPECT_FALSE(ask("abcdef.0123456789abcdef0"));
    EXPECT_FALSE(ask(""));
}

TEST_F(BootstrapTokenTest, ItEndsWithItsTime) {
    data["expiration"] = time_in(std::chrono::minutes(5));
    store();
    EXPECT_TRUE(ask());
    cluster.executor.advance(std::chrono::minutes(6));
    EXPECT_FALSE(ask());
}

TEST_F(BootstrapTokenTest, ItMustBeMeantForThat) {
    data["usage-bootstrap-authentication"] = "false";
    store();
    EXPECT_FALSE(ask());
}

TEST_F(BootstrapTokenTest, AnyOtherSecretIsNone) {
    store("Opaque");
    EXPECT_FALSE(ask());
}

TEST_F(BootstrapTokenTest, ItGivesNoOtherGroups) {
    data["auth-extra-groups"] = "system:masters";
    store();
    EXPECT_FALSE(ask());
}

}  // namespace
}  // namespace keelson::resource
