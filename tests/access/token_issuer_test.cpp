#include "kernel/access/token_issuer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kernel/base/sync_wait.h"
#include "tests/support/fake_plugin.h"

namespace keelson::access {
namespace {

using Json = nlohmann::json;
using testing::FakePlugin;

class TokenIssuerTest : public ::testing::Test {
  protected:
    base::Result<IssuedToken> issue(TokenOrder order) {
        return base::sync_wait(executor, issuer.issue(std::move(order)));
    }
    base::Result<IssuerKeys> keys() { return base::sync_wait(executor, issuer.keys()); }

    base::SimulatedExecutor executor;
    std::shared_ptr<FakePlugin> plugin = std::make_shared<FakePlugin>("serviceaccount");
    std::vector<std::shared_ptr<plugin::Plugin>> plugins{plugin};
    PluginTokenIssuer issuer{[this] { return plugins; }};
};

TEST_F(TokenIssuerTest, AsksThePlugin) {
    plugin->answers("issue", R"({"token":"t","expirationTimestamp":"2026-01-01T01:00:00Z","more":1})");
    TokenOrder order;
    order.namespace_name = "ns";
    order.service_account = {"robot", "u1"};
    order.audiences = {"api"};
    order.bound_object = {"Pod", "p", "pu"};
    order.node = {"n", ""};
    const auto issued = issue(order);
    ASSERT_TRUE(issued) << issued.error().message();
    EXPECT_EQ(issued->token, "t");
    EXPECT_EQ(issued->expiration_timestamp, "2026-01-01T01:00:00Z");
    EXPECT_EQ(plugin->capabilities.back(), "keelson.auth.token-issuer/0");
    EXPECT_EQ(Json::parse(plugin->requests.back()), Json::parse(R"({"serviceAccount":{"namespace":"ns",
        "name":"robot","uid":"u1"},"audiences":["api"],"expirationSeconds":3600,
        "boundObject":{"kind":"Pod","name":"p","uid":"pu"},"node":{"name":"n","uid":""}})"));
    order.expiration_seconds = std::int64_t{1} << 32;
    ASSERT_TRUE(issue(order));
    EXPECT_EQ(Json::parse(plugin->requests.back())["expirationSeconds"], 4'294'967'296);
}

TEST_F(TokenIssuerTest, GivesKeysAsASet) {
    plugin->answers("keys",
                    R"({"issuer":"https://i","keys":[{"alg":"RS256"},{"alg":"ES256"},{"alg":"ES256"}]})");
    const auto answer = keys();
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->issuer, "https://i");
    EXPECT_EQ(answer->algorithms, (std::vector<std::string>{"ES256", "RS256"}));
    EXPECT_EQ(answer->key_set, R"({"keys":[{"alg":"RS256"},{"alg":"ES256"},{"alg":"ES256"}]})");
}

TEST_F(TokenIssuerTest, SaysWhatIsWrong) {
    EXPECT_TRUE(issuer.available());
    for (const std::string body : {"", "x", "[]", "{}", R"({"token":"t"})", R"({"token":1,"issuer":""})"}) {
        plugin->answers("issue", body);
        plugin->answers("keys", body);
        EXPECT_FALSE(issue({})) << body;
        EXPECT_FALSE(keys()) << body;
    }
    plugin->answers("issue", [](const std::string&) {
        return FakePlugin::Answer(base::Status(base::Reason::service_unavailable, "restarting"));
    });
    EXPECT_EQ(issue({}).error().reason(), base::Reason::service_unavailable);
    plugins.clear();
    EXPECT_FALSE(issuer.available());
    EXPECT_EQ(issue({}).error().reason(), base::Reason::service_unavailable);
    EXPECT_EQ(keys().error().reason(), base::Reason::service_unavailable);
}

}  // namespace
}  // namespace keelson::access
