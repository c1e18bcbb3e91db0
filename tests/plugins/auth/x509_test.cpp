#include <gtest/gtest.h>

#include "tests/support/plugin_library.h"

namespace keelson::testing {
namespace {

using Json = nlohmann::json;

class X509Test : public ::testing::Test {
  protected:
    X509Test() { EXPECT_TRUE(plugin.start(Json::object()).ok()); }
    Json ask(const Json& more = Json::object()) {
        Json certificate{{"commonName", "jane"},
                         {"organizations", {"dev", "ops"}},
                         {"sha256", "ab12"},
                         {"pem", ""},
                         {"notAfter", "2026-01-01T01:00:00Z"}};
        certificate.update(more);
        const Json request{{"certificate", certificate}, {"audiences", Json::array()}};
        const PluginReply reply = plugin.call("keelson.auth.authenticator/0", "authenticate", request);
        EXPECT_TRUE(reply.ok()) << reply.message();
        return reply.document;
    }
    TemporaryDirectory state;
    PluginLibrary plugin{KEELSON_TEST_PLUGINS "/x509.so", state.path()};
};

TEST_F(X509Test, ReadsUserAndGroups) {
    const Json answer = ask({{"uid", "u1"}});
    EXPECT_EQ(answer["authenticated"], true);
    EXPECT_EQ(answer["user"]["username"], "jane");
    EXPECT_EQ(answer["user"]["uid"], "u1");
    EXPECT_EQ(answer["user"]["groups"], (Json{"dev", "ops"}));
    EXPECT_EQ(answer["user"]["extra"]["authentication.kubernetes.io/credential-id"],
              Json::array({"X509SHA256=ab12"}));
    EXPECT_EQ(answer["ttlSeconds"], 300);
}

TEST_F(X509Test, KnowsNobodyWithoutAName) {
    EXPECT_EQ(ask({{"commonName", ""}})["authenticated"], false);
    const PluginReply token = plugin.call("keelson.auth.authenticator/0", "authenticate",
                                          {{"token", "t"}, {"audiences", Json::array()}});
    EXPECT_EQ(token.document["authenticated"], false);
}

TEST_F(X509Test, RefusesWhatHasExpiredMeanwhile) {
    plugin.advance(3590);
    EXPECT_EQ(ask()["ttlSeconds"], 10);
    plugin.advance(11);
    const Json answer = ask();
    EXPECT_EQ(answer["authenticated"], false);
    EXPECT_EQ(answer["error"], "certificate has expired");
}

}  // namespace
}  // namespace keelson::testing
