#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/plugin_library.h"

namespace keelson::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

class TokenTest : public ::testing::Test {
  protected:
    void write(const std::string& text) {
        // As people do it: a new file in the place of the old one.
        std::ofstream(path + ".new") << text;
        std::filesystem::rename(path + ".new", path);
    }
    Json ask(const std::string& token) {
        const PluginReply reply = plugin.call("keelson.auth.authenticator/0", "authenticate",
                                              {{"token", token}, {"audiences", {"api"}}});
        EXPECT_TRUE(reply.ok()) << reply.message();
        return reply.document;
    }
    bool knows(const std::string& token) { return ask(token)["authenticated"].get<bool>(); }

    TemporaryDirectory directory;
    std::string path = directory.path() + "/tokens.csv";
    PluginLibrary plugin{KEELSON_TEST_PLUGINS "/token.so", directory.path()};
};

TEST_F(TokenTest, KnowsTheTokensOfTheFile) {
    write("t1,jane,7,\"dev,ops\"\n\nt2,bob,8\r\n\"t,3\",\"a\"\"b\",\"\"\n");
    ASSERT_TRUE(plugin.start({{"file", path}}).ok());
    const Json jane = ask("t1");
    EXPECT_EQ(jane["user"],
              Json::parse(R"({"username":"jane","uid":"7","groups":["dev","ops"],"extra":{}})"));
    EXPECT_EQ(jane["ttlSeconds"], 5);
    EXPECT_EQ(ask("t2")["user"]["username"], "bob");
    EXPECT_EQ(ask("t,3")["user"]["username"], "a\"b");
    EXPECT_FALSE(knows("t4"));
    EXPECT_FALSE(ask("t4").contains("error")) << "another plugin may know it";
    EXPECT_FALSE(knows(""));
}

TEST_F(TokenTest, TakesHashesInPlaceOfTokens) {
    write("sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08,jane,1\n");  // "test"
    ASSERT_TRUE(plugin.start({{"file", path}}).ok());
    EXPECT_TRUE(knows("test"));
    EXPECT_FALSE(knows("sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"));
}

TEST_F(TokenTest, ReadsTheFileAgainWhenItChanges) {
    write("t1,jane,7\n");
    ASSERT_TRUE(plugin.start({{"file", path}}).ok());
    write("t2,bob,8\n");
    EXPECT_TRUE(knows("t1")) << "looked at once a second only";
    plugin.advance(1);
    EXPECT_FALSE(knows("t1"));
    EXPECT_TRUE(knows("t2"));
}

TEST_F(TokenTest, ABrokenFileKeepsTheOldTokens) {
    write("t1,jane,7\n");
    ASSERT_TRUE(plugin.start({{"file", path}}).ok());
    EXPECT_EQ(plugin.health().document["healthy"], true);
    write("fine,bob,8\nsecret-token,x\n");
    plugin.advance(1);
    EXPECT_TRUE(knows("t1"));
    EXPECT_FALSE(knows("fine"));
    const Json health = plugin.health().document;
    EXPECT_EQ(health["healthy"], false);
    EXPECT_THAT(health["message"], HasSubstr("line 2"));
    EXPECT_THAT(health["message"], Not(HasSubstr("secret-token")));
    EXPECT_EQ(plugin.log().size(), 1u);
    std::filesystem::remove(path);
    plugin.advance(1);
    EXPECT_TRUE(knows("t1"));
    write("t3,eve,9\n");
    plugin.advance(1);
    EXPECT_TRUE(knows("t3"));
    EXPECT_EQ(plugin.health().document["healthy"], true);
}

TEST_F(TokenTest, DoesNotStartWithoutAGoodFile) {
    EXPECT_EQ(plugin.start(Json::object()).status, KEELSON_INVALID);
    const PluginReply missing = plugin.start({{"file", path}});
    EXPECT_EQ(missing.status, KEELSON_INVALID);
    EXPECT_THAT(missing.message(), HasSubstr("tokens.csv"));
    write("sha256:12,jane,1\n");
    EXPECT_THAT(plugin.start({{"file", path}}).message(), HasSubstr("64 hexadecimal digits"));
    write("\"open,jane,1\n");
    EXPECT_THAT(plugin.start({{"file", path}}).message(), HasSubstr("line 1"));
    write("t,jane,1\n");
    EXPECT_TRUE(plugin.start({{"file", path}}).ok());
}

}  // namespace
}  // namespace keelson::testing
