#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/hmac.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "kernel/base/base64.h"
#include "tests/support/plugin_library.h"

namespace keelson::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

constexpr std::int64_t day = 86'400;
const std::string issuer = "https://kubernetes.default.svc";

std::string encode(const std::string& bytes) {
    return base::base64_encode(bytes, base::Base64::url);
}

std::string decode(const std::string& text) {
    const auto bytes = base::base64_decode(text, base::Base64::url);
    EXPECT_TRUE(bytes);
    return bytes ? *bytes : std::string();
}

struct Parts {
    std::string header;
    std::string payload;
    std::string signature;

    explicit Parts(const std::string& token) {
        const auto first = token.find('.');
        const auto second = token.find('.', first + 1);
        header = decode(token.substr(0, first));
        payload = decode(token.substr(first + 1, second - first - 1));
        signature = token.substr(second + 1);
    }
    [[nodiscard]] std::string signed_text() const { return encode(header) + "." + encode(payload); }
    [[nodiscard]] std::string token() const { return signed_text() + "." + signature; }
};

class ServiceAccountTest : public ::testing::Test {
  protected:
    void start(const Json& configuration = Json::object()) {
        const PluginReply reply = plugin->start(configuration);
        ASSERT_TRUE(reply.ok()) << reply.message();
    }
    void restart(const Json& configuration = Json::object()) {
        const std::int64_t passed = plugin->unix_seconds() - 1'767'225'600;
        plugin = make();
        plugin->advance(passed);
        start(configuration);
    }
    PluginReply try_issue(const Json& more = Json::object()) {
        Json request{{"serviceAccount", {{"namespace", "ns"}, {"name", "robot"}, {"uid", "u1"}}},
                     {"audiences", Json::array({issuer})},
                     {"expirationSeconds", 3600}};
        request.update(more);
        return plugin->call("keelson.auth.token-issuer/0", "issue", request);
    }
    std::string issue(const Json& more = Json::object()) {
        const PluginReply reply = try_issue(more);
        EXPECT_TRUE(reply.ok()) << reply.message();
        return reply.document.value("token", std::string());
    }
    Json keys() { return plugin->call("keelson.auth.token-issuer/0", "keys", Json::object()).document; }
    Json ask(const std::string& token, const Json& audiences = Json::array({issuer})) {
        const PluginReply reply = plugin->call("keelson.auth.authenticator/0", "authenticate",
                                               {{"token", token}, {"audiences", audiences}});
        EXPECT_TRUE(reply.ok()) << reply.message();
        return reply.document;
    }
    bool knows(const std::string& token) { return ask(token)["authenticated"].get<bool>(); }
    // Another plugin is asked next.
    bool is_unknown(const std::string& token) {
        const Json answer = ask(token);
        return answer["authenticated"] == false && !answer.contains("error");
    }
    std::string problem(const std::string& token) { return ask(token).value("error", std::string()); }
    std::unique_ptr<PluginLibrary> make() {
        return std::make_unique<PluginLibrary>(KEELSON_TEST_PLUGINS "/serviceaccount.so", state.path());
    }

    TemporaryDirectory state;
    std::unique_ptr<PluginLibrary> plugin = make();
};

TEST_F(ServiceAccountTest, MakesKubernetesClaims) {
    start();
    const PluginReply reply = try_issue({{"boundObject", {{"kind", "Pod"}, {"name", "p"}, {"uid", "pu"}}},
                                         {"node", {{"name", "n"}, {"uid", "nu"}}}});
    ASSERT_TRUE(reply.ok()) << reply.message();
    EXPECT_EQ(reply.document["expirationTimestamp"], "2026-01-01T01:00:00Z");
    const Parts parts(reply.document["token"]);
    const std::string id = keys()["keys"][0]["kid"];
    EXPECT_EQ(parts.header, R"({"alg":"ES256","kid":")" + id + "\"}");
    Json claims = Json::parse(parts.payload);
    EXPECT_EQ(claims["jti"].get<std::string>().size(), 36u);
    const Json credential = "JTI=" + claims["jti"].get<std::string>();
    claims.erase("jti");
    EXPECT_EQ(claims, Json::parse(R"({"aud":["https://kubernetes.default.svc"],"exp":1767229200,
        "iat":1767225600,"iss":"https://kubernetes.default.svc","kubernetes.io":{"namespace":"ns",
        "node":{"name":"n","uid":"nu"},"pod":{"name":"p","uid":"pu"},
        "serviceaccount":{"name":"robot","uid":"u1"}},"nbf":1767225600,
        "sub":"system:serviceaccount:ns:robot"})"));
    const Json answer = ask(reply.document["token"]);
    EXPECT_EQ(answer["authenticated"], true);
    EXPECT_EQ(answer["audiences"], Json::array({issuer}));
    EXPECT_EQ(answer["ttlSeconds"], 60);
    Json user = answer["user"];
    EXPECT_EQ(user["extra"]["authentication.kubernetes.io/credential-id"], Json::array({credential}));
    user["extra"].erase("authentication.kubernetes.io/credential-id");
    EXPECT_EQ(user, Json::parse(R"({"username":"system:serviceaccount:ns:robot","uid":"u1",
        "groups":["system:serviceaccounts","system:serviceaccounts:ns"],"extra":{
        "authentication.kubernetes.io/node-name":["n"],"authentication.kubernetes.io/node-uid":["nu"],
        "authentication.kubernetes.io/pod-name":["p"],"authentication.kubernetes.io/pod-uid":["pu"]}})"));
}

TEST_F(ServiceAccountTest, SaysWhenATokenShouldHaveBeenRenewed) {
    start();
    const std::string token = issue({{"expirationSeconds", 31'536'000}, {"warnAfterSeconds", 3607}});
    const Json claims = Json::parse(Parts(token).payload);
    EXPECT_EQ(claims["kubernetes.io"]["warnafter"], 1767225600 + 3607);
    EXPECT_EQ(ask(token)["user"]["extra"]["authentication.keelson.dev/warn-after"],
              Json::array({std::to_string(1767225600 + 3607)}));
    // Never after its end, and no claim where none is asked for.
    const Json late = Json::parse(Parts(issue({{"warnAfterSeconds", 7200}})).payload);
    EXPECT_EQ(late["kubernetes.io"]["warnafter"], late["exp"]);
    EXPECT_FALSE(Json::parse(Parts(issue()).payload)["kubernetes.io"].contains("warnafter"));
}

TEST_F(ServiceAccountTest, TakesExpirationsBeyond32Bits) {
    start();
    const std::string token = issue({{"expirationSeconds", std::int64_t(1) << 32}});
    EXPECT_EQ(Json::parse(Parts(token).payload)["exp"], 1767225600 + (std::int64_t(1) << 32));
}

TEST_F(ServiceAccountTest, BindsToSecretsAndNodes) {
    start();
    const std::string by_secret =
        issue({{"boundObject", {{"kind", "Secret"}, {"name", "s"}, {"uid", "su"}}}});
    EXPECT_EQ(ask(by_secret)["user"]["extra"]["authentication.keelson.dev/secret-uid"], Json::array({"su"}));
    const std::string by_node = issue({{"boundObject", {{"kind", "Node"}, {"name", "n"}, {"uid", "nu"}}}});
    EXPECT_EQ(ask(by_node)["user"]["extra"]["authentication.kubernetes.io/node-name"], Json::array({"n"}));
    EXPECT_EQ(try_issue({{"boundObject", {{"kind", "Job"}, {"name", "j"}, {"uid", "ju"}}}}).status,
              KEELSON_INVALID);
}

TEST_F(ServiceAccountTest, RefusesWhatItDidNotSign) {
    start();
    const std::string good = issue();
    ASSERT_TRUE(knows(good));
    Parts parts(good);
    parts.payload.replace(parts.payload.find("robot"), 5, "admin");
    EXPECT_EQ(problem(parts.token()), "invalid signature");
    parts = Parts(good);
    parts.signature[5] = parts.signature[5] == 'A' ? 'B' : 'A';
    EXPECT_EQ(problem(parts.token()), "invalid signature");
    parts.signature = encode(std::string(64, '\0'));
    EXPECT_EQ(problem(parts.token()), "invalid signature");
    parts.signature = "";
    EXPECT_EQ(problem(parts.token()), "invalid signature");
    parts = Parts(good);
    parts.header = R"({"alg":"ES256","kid":"other"})";
    EXPECT_EQ(problem(parts.token()), "invalid signature, no keys found");
}

TEST_F(ServiceAccountTest, RefusesOtherAlgorithms) {
    start();
    const std::string good = issue();
    const Json key = keys()["keys"][0];
    const std::string id = key["kid"];
    for (const std::string algorithm : {"none", "None", "HS256", "RS256", "ES384", "es256"}) {
        Parts parts(good);
        parts.header = R"({"alg":")" + algorithm + R"(","kid":")" + id + "\"}";
        EXPECT_THAT(problem(parts.token()), HasSubstr("only ES256")) << algorithm;
        parts.signature = "";
        EXPECT_THAT(problem(parts.token()), HasSubstr("only ES256")) << algorithm;
    }
    // The public key is known to all: it must not serve as a shared secret.
    Parts forged(good);
    forged.header = R"({"alg":"HS256","kid":")" + id + "\"}";
    const std::string secret = decode(key["x"].get<std::string>()) + decode(key["y"].get<std::string>());
    unsigned char mac[32];
    const std::string text = forged.signed_text();
    HMAC(EVP_sha256(), secret.data(), int(secret.size()), reinterpret_cast<const unsigned char*>(text.data()),
         text.size(), mac, nullptr);
    forged.signature = encode(std::string(reinterpret_cast<char*>(mac), sizeof mac));
    EXPECT_FALSE(knows(forged.token()));
    Parts critical(good);
    critical.header = R"({"alg":"ES256","crit":["b64"],"kid":")" + id + "\"}";
    EXPECT_FALSE(knows(critical.token()));
}

TEST_F(ServiceAccountTest, LeavesOtherTokensToOthers) {
    start();
    const std::string good = issue();
    for (const std::string& token :
         {std::string("abc"), std::string("a.b"), std::string("a.b.c"), good + ".x", std::string(".."),
          std::string(20'000, 'a'), good.substr(0, good.size() - 1) + "="})
        EXPECT_TRUE(is_unknown(token)) << token.substr(0, 40);
    Parts parts(good);
    parts.payload = R"({"iss":"https://other"})";
    EXPECT_TRUE(is_unknown(parts.token()));
}

TEST_F(ServiceAccountTest, EndsWithTheToken) {
    start();
    const std::string token = issue({{"expirationSeconds", 600}});
    plugin->advance(590);
    EXPECT_EQ(ask(token)["ttlSeconds"], 10);
    plugin->advance(70);
    EXPECT_TRUE(knows(token)) << "a minute of leeway";
    plugin->advance(1);
    EXPECT_EQ(problem(token), "service account token has expired");
    plugin->advance(-800);
    EXPECT_EQ(problem(token), "service account token is not valid yet");
}

TEST_F(ServiceAccountTest, LooksAtAudiences) {
    start();
    const std::string token = issue({{"audiences", {"vault", "db"}}});
    EXPECT_EQ(problem(token),
              "token audiences [\"vault\" \"db\"] is invalid for the target audiences "
              "[\"https://kubernetes.default.svc\"]");
    EXPECT_EQ(ask(token, {"db", "x"})["audiences"], Json::array({"db"}));
    EXPECT_TRUE(knows(issue({{"audiences", Json::array()}}))) << "for the API server, when nothing is said";
}

TEST_F(ServiceAccountTest, ShortensWhatIsTooLong) {
    start({{"maximumExpirationSeconds", 7200}});
    EXPECT_EQ(try_issue({{"expirationSeconds", 86'400}}).document["expirationTimestamp"],
              "2026-01-01T02:00:00Z");
    EXPECT_EQ(try_issue({{"expirationSeconds", 0}}).status, KEELSON_INVALID);
}

TEST_F(ServiceAccountTest, KeysSurviveARestart) {
    start();
    const std::string token = issue();
    const Json before = keys();
    struct stat status {};
    ASSERT_EQ(::stat((state.path() + "/keys.json").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    restart();
    EXPECT_TRUE(knows(token));
    EXPECT_EQ(keys(), before);
    EXPECT_EQ(before["issuer"], issuer);
    const Json key = before["keys"][0];
    EXPECT_EQ(key["alg"], "ES256");
    EXPECT_EQ(key["use"], "sig");
    EXPECT_EQ(key["crv"], "P-256");
    EXPECT_EQ(decode(key["x"].get<std::string>()).size(), 32u);
    EXPECT_EQ(key["kid"].get<std::string>().size(), 43u);
}

TEST_F(ServiceAccountTest, RotatesKeys) {
    start({{"keyRotationDays", 30}});
    const std::string lasting = issue({{"expirationSeconds", 40 * day}});
    const std::string first = keys()["keys"][0]["kid"];
    plugin->advance(30 * day);
    const std::string second_token = issue();
    Json now = keys()["keys"];
    ASSERT_EQ(now.size(), 2u);
    EXPECT_NE(now[0]["kid"], first);
    EXPECT_EQ(now[1]["kid"], first);
    EXPECT_TRUE(knows(lasting));
    EXPECT_TRUE(knows(second_token));
    restart({{"keyRotationDays", 30}});
    EXPECT_TRUE(knows(lasting)) << "an old key is kept without its private half";
    EXPECT_EQ(keys()["keys"], now);
    std::ifstream file(state.path() + "/keys.json");
    const Json stored = Json::parse(file)["keys"];
    EXPECT_TRUE(stored[0].contains("privateKey"));
    EXPECT_FALSE(stored[1].contains("privateKey"));
    plugin->advance(30 * day);
    now = keys()["keys"];
    for (const Json& key : now) EXPECT_NE(key["kid"], first) << "its last token has expired";
}

TEST_F(ServiceAccountTest, NeverReplacesKeysThatItCannotRead) {
    start();
    plugin = make();
    std::ofstream(state.path() + "/keys.json") << "{\"keys\":[{}]}";
    const PluginReply reply = plugin->start(Json::object());
    EXPECT_EQ(reply.status, KEELSON_INTERNAL);
    EXPECT_THAT(reply.message(), HasSubstr("keys.json is damaged"));
    EXPECT_EQ(std::filesystem::file_size(state.path() + "/keys.json"), 13u);
}

TEST_F(ServiceAccountTest, ChecksItsConfiguration) {
    EXPECT_EQ(plugin->start({{"issuer", ""}}).status, KEELSON_INVALID);
    EXPECT_EQ(plugin->start({{"maximumExpirationSeconds", 1}}).status, KEELSON_INVALID);
    EXPECT_EQ(plugin->start({{"keyRotationDays", 0}}).status, KEELSON_INVALID);
    EXPECT_EQ(plugin->start({{"audiences", "x"}}).status, KEELSON_INVALID);
}

TEST_F(ServiceAccountTest, ServesManyThreads) {
    start();
    std::mutex mutex;
    std::set<std::string> tokens;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int j = 0; j < 25; ++j) {
                const std::string token = issue();
                EXPECT_TRUE(knows(token));
                const std::lock_guard lock(mutex);
                tokens.insert(token);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(tokens.size(), 100u);
}

}  // namespace
}  // namespace keelson::testing
