#include "kernel/access/authentication.h"

#include <gtest/gtest.h>

#include "kernel/base/sync_wait.h"

namespace keelson::access {
namespace {

class AuthenticationTest : public ::testing::Test {
  protected:
    AuthenticationTest() {
        tokens->set_tokens({{"t1", {.user = "jane", .uid = "u", .groups = {"dev"}, .extra = {}}}});
        authentication.add(std::make_shared<CertificateAuthenticator>());
        authentication.add(tokens);
    }
    base::Result<Identity> ask(Credentials credentials) {
        return base::sync_wait(executor, authentication.authenticate(std::move(credentials)));
    }

    base::SimulatedExecutor executor;
    std::shared_ptr<TokenAuthenticator> tokens = std::make_shared<TokenAuthenticator>();
    Authentication authentication;
};

TEST_F(AuthenticationTest, TokensJoinTheAuthenticated) {
    const auto jane = ask({.bearer_token = "t1", .certificate = {}});
    ASSERT_TRUE(jane);
    EXPECT_EQ(jane->user, "jane");
    EXPECT_EQ(jane->groups, (std::vector<std::string>{"dev", "system:authenticated"}));
    EXPECT_FALSE(ask({.bearer_token = "t2", .certificate = {}}));
    tokens->set_tokens({});
    EXPECT_FALSE(ask({.bearer_token = "t1", .certificate = {}}));
}

TEST_F(AuthenticationTest, NobodyIsAnonymousUnlessForbidden) {
    EXPECT_EQ(*ask({}), anonymous_identity());
    authentication.allow_anonymous(false);
    EXPECT_FALSE(ask({}));
}

TEST_F(AuthenticationTest, ACertificateNamesUserAndGroups) {
    ClientCertificate certificate{
        .verified = true, .verify_error = {}, .common_name = "bob", .organizations = {"a", "b"}, .uid = {}};
    const auto bob = ask({.bearer_token = {}, .certificate = certificate});
    ASSERT_TRUE(bob);
    EXPECT_EQ(bob->user, "bob");
    EXPECT_EQ(bob->extra[0].second[0], "X509SHA256=" + std::string(64, '0'));
    certificate.verified = false;
    EXPECT_FALSE(ask({.bearer_token = {}, .certificate = certificate}));
    EXPECT_TRUE(ask({.bearer_token = "t1", .certificate = certificate}))
        << "another credential may still be good";
    certificate.verified = true;
    certificate.common_name.clear();
    EXPECT_EQ(ask({.bearer_token = {}, .certificate = certificate})->user, anonymous_user);
}

TEST_F(AuthenticationTest, ReviewsTokens) {
    EXPECT_TRUE(base::sync_wait(executor, authentication.authenticate_token("t1")));
    const auto bogus = base::sync_wait(executor, authentication.authenticate_token("bogus"));
    ASSERT_FALSE(bogus);
    EXPECT_EQ(bogus.error().message(), "invalid bearer token");
}

TEST(BearerToken, IsReadFromTheHeader) {
    EXPECT_EQ(bearer_token("Bearer abc"), "abc");
    EXPECT_EQ(bearer_token("bearer abc def"), "abc");
    EXPECT_EQ(bearer_token("Basic abc"), "");
    EXPECT_EQ(bearer_token("Bearer"), "");
    EXPECT_EQ(bearer_token(""), "");
}

TEST(TokenFile, HasKubernetesFormat) {
    const auto entries = parse_token_file("t1,jane,7,\"dev,ops\"\n\nt2,bob,8\r\n\"t,3\",\"a\"\"b\",\"\"\n");
    ASSERT_TRUE(entries);
    ASSERT_EQ(entries->size(), 3u);
    EXPECT_EQ((*entries)[0].identity.groups, (std::vector<std::string>{"dev", "ops"}));
    EXPECT_EQ((*entries)[1].identity.uid, "8");
    EXPECT_EQ((*entries)[2].token, "t,3");
    EXPECT_EQ((*entries)[2].identity.user, "a\"b");
    for (const char* text : {"t1", "t1,jane", ",jane,7", "t1,,7", "\"t1,jane,7"}) {
        const auto bad = parse_token_file(std::string("ok,ok,ok\n") + text);
        ASSERT_FALSE(bad) << text;
        EXPECT_TRUE(bad.error().message().starts_with("line 2")) << bad.error().message();
        EXPECT_EQ(bad.error().message().find("t1"), std::string::npos);
    }
}

}  // namespace
}  // namespace keelson::access
