#include "kernel/access/plugin_authenticator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "kernel/base/executor_real.h"
#include "kernel/base/sync_wait.h"
#include "tests/support/fake_plugin.h"

namespace keelson::access {
namespace {

using Json = nlohmann::json;
using testing::FakePlugin;
using ::testing::HasSubstr;

constexpr const char* unknown = R"({"authenticated":false})";
constexpr const char* jane =
    R"({"authenticated":true,"user":{"username":"jane","uid":"7","groups":["dev"],"extra":{"b":["2"],"a":["1"]}},"ttlSeconds":10})";

class PluginAuthenticatorTest : public ::testing::Test {
  protected:
    PluginAuthenticatorTest() {
        first->answers("authenticate", unknown);
        second->answers("authenticate", unknown);
        settings.audiences = {"api"};
        make();
    }
    void make() {
        authenticator =
            std::make_unique<PluginAuthenticator>([this] { return plugins; }, executor.clock(), settings);
    }
    Authenticator::Answer ask(const Credentials& credentials) {
        return base::sync_wait(executor, authenticator->authenticate(credentials));
    }
    Authenticator::Answer ask(const std::string& token) {
        return ask(Credentials{.bearer_token = token, .certificate = {}});
    }
    std::string user(const std::string& token) {
        const auto answer = ask(token);
        if (!answer) return "refused: " + answer.error().message();
        return *answer ? (*answer)->user : "unknown";
    }

    base::SimulatedExecutor executor;
    std::shared_ptr<FakePlugin> first = std::make_shared<FakePlugin>("first");
    std::shared_ptr<FakePlugin> second = std::make_shared<FakePlugin>("second");
    std::vector<std::shared_ptr<plugin::Plugin>> plugins{first, second};
    PluginAuthenticatorSettings settings;
    std::unique_ptr<PluginAuthenticator> authenticator;
};

TEST_F(PluginAuthenticatorTest, AsksInOrderUntilOneKnows) {
    second->answers("authenticate", jane);
    const auto answer = ask("t");
    ASSERT_TRUE(answer);
    ASSERT_TRUE(*answer);
    EXPECT_EQ((*answer)->user, "jane");
    EXPECT_EQ((*answer)->uid, "7");
    EXPECT_EQ((*answer)->groups, std::vector<std::string>{"dev"});
    EXPECT_EQ((*answer)->extra[0].first, "a");
    EXPECT_EQ(first->requests.size(), 1u);
    EXPECT_EQ(first->capabilities[0], "keelson.auth.authenticator/0");
    EXPECT_EQ(Json::parse(second->requests[0]), Json::parse(R"({"token":"t","audiences":["api"]})"));
    std::swap(plugins[0], plugins[1]);
    EXPECT_EQ(user("t2"), "jane");
    EXPECT_EQ(first->requests.size(), 1u) << "the first that knows it wins";
}

TEST_F(PluginAuthenticatorTest, AnErrorEndsTheQuestion) {
    first->answers("authenticate", R"({"authenticated":false,"error":"expired"})");
    second->answers("authenticate", jane);
    EXPECT_EQ(user("t"), "refused: expired");
    EXPECT_TRUE(second->requests.empty());
}

TEST_F(PluginAuthenticatorTest, NobodyShowsNothing) {
    EXPECT_FALSE(*ask(Credentials{}));
    EXPECT_TRUE(first->requests.empty());
    plugins.clear();
    EXPECT_EQ(user("t"), "unknown");
}

TEST_F(PluginAuthenticatorTest, KeepsAnswersForAsLongAsThePluginSays) {
    first->answers("authenticate", jane);
    EXPECT_EQ(user("t"), "jane");
    executor.advance(std::chrono::seconds(9));
    EXPECT_EQ(user("t"), "jane");
    EXPECT_EQ(first->requests.size(), 1u);
    executor.advance(std::chrono::seconds(1));
    first->answers("authenticate", unknown);
    EXPECT_EQ(user("t"), "unknown");
    EXPECT_EQ(first->requests.size(), 2u);
}

TEST_F(PluginAuthenticatorTest, CountsEveryUseOfATokenThatShouldHaveBeenRenewed) {
    int stale = 0;
    settings.stale_token = [&stale] { ++stale; };
    make();
    const auto now =
        std::chrono::floor<std::chrono::seconds>(executor.clock().wall_now().time_since_epoch()).count();
    const Json extra{{"authentication.keelson.dev/warn-after", {std::to_string(now + 5)}}, {"a", {"1"}}};
    const Json robot{{"authenticated", true},
                     {"user", {{"username", "robot"}, {"groups", Json::array()}, {"extra", extra}}},
                     {"ttlSeconds", 60}};
    first->answers("authenticate", robot.dump());
    const auto fresh = ask("t");
    ASSERT_TRUE(fresh && *fresh);
    ASSERT_EQ((*fresh)->extra.size(), 1u) << "the host keeps that to itself";
    EXPECT_EQ((*fresh)->extra[0].first, "a");
    EXPECT_EQ(stale, 0);
    executor.advance(std::chrono::seconds(6));
    EXPECT_EQ(user("t"), "robot");
    EXPECT_EQ(user("t"), "robot");
    EXPECT_EQ(stale, 2) << "kept answers count too";
    EXPECT_EQ(first->requests.size(), 1u);
}

TEST_F(PluginAuthenticatorTest, BoundsWhatThePluginSays) {
    first->answers("authenticate",
                   R"({"authenticated":true,"user":{"username":"jane"},"ttlSeconds":1000000000})");
    EXPECT_EQ(user("t"), "jane");
    executor.advance(std::chrono::seconds(60));
    EXPECT_EQ(user("t"), "jane");
    EXPECT_EQ(first->requests.size(), 2u);
    first->answers("authenticate", R"({"authenticated":true,"user":{"username":"jane"},"ttlSeconds":-5})");
    EXPECT_EQ(user("u"), "jane");
    EXPECT_EQ(user("u"), "jane");
    EXPECT_EQ(first->requests.size(), 4u);
}

TEST_F(PluginAuthenticatorTest, KeepsRefusalsOnlyWhenTold) {
    EXPECT_EQ(user("t"), "unknown");
    EXPECT_EQ(user("t"), "unknown");
    EXPECT_EQ(first->requests.size(), 2u);
    first->answers("authenticate", R"({"authenticated":false,"error":"expired","ttlSeconds":5})");
    EXPECT_EQ(user("u"), "refused: expired");
    EXPECT_EQ(user("u"), "refused: expired");
    EXPECT_EQ(first->requests.size(), 3u);
    // Nobody's knowledge is kept for as long as the shortest of them says.
    first->answers("authenticate", R"({"authenticated":false,"ttlSeconds":50})");
    second->answers("authenticate", R"({"authenticated":false,"ttlSeconds":5})");
    EXPECT_EQ(user("v"), "unknown");
    executor.advance(std::chrono::seconds(4));
    EXPECT_EQ(user("v"), "unknown");
    EXPECT_EQ(first->requests.size(), 4u);
    executor.advance(std::chrono::seconds(1));
    EXPECT_EQ(user("v"), "unknown");
    EXPECT_EQ(first->requests.size(), 5u);
}

TEST_F(PluginAuthenticatorTest, ForgetsWhenPluginsChange) {
    first->answers("authenticate", jane);
    EXPECT_EQ(user("t"), "jane");
    authenticator->invalidate();
    first->answers("authenticate", unknown);
    EXPECT_EQ(user("t"), "unknown");
}

TEST_F(PluginAuthenticatorTest, DoesNotKeepWhatWasAskedBeforeAChange) {
    first->answers("authenticate", jane);
    first->hold();
    std::optional<Authenticator::Answer> early;
    const Credentials credentials{.bearer_token = "t", .certificate = {}};
    base::spawn(static_cast<base::Executor&>(executor), authenticator->authenticate(credentials),
                [&](Authenticator::Answer answer) { early = std::move(answer); });
    executor.run_until_idle();
    authenticator->invalidate();
    const auto late = std::make_shared<FakePlugin>("late");
    late->answers("authenticate", R"({"authenticated":true,"user":{"username":"bob"},"ttlSeconds":10})");
    plugins = {late};
    EXPECT_EQ(user("t"), "bob") << "asks again rather than wait for the old plugin";
    first->release();
    executor.run_until_idle();
    ASSERT_TRUE(early);
    EXPECT_EQ((**early)->user, "jane");
    EXPECT_EQ(user("t"), "bob");
    EXPECT_EQ(late->requests.size(), 1u);
}

TEST_F(PluginAuthenticatorTest, AsksOnceForManyCallers) {
    first->answers("authenticate", R"({"authenticated":true,"user":{"username":"jane"},"ttlSeconds":0})");
    first->hold();
    int known = 0;
    const Credentials credentials{.bearer_token = "t", .certificate = {}};
    for (int i = 0; i < 10; ++i)
        base::spawn(static_cast<base::Executor&>(executor), authenticator->authenticate(credentials),
                    [&](Authenticator::Answer answer) { known += answer && *answer ? 1 : 0; });
    executor.run_until_idle();
    EXPECT_EQ(first->requests.size(), 1u);
    EXPECT_EQ(known, 0);
    first->release();
    executor.run_until_idle();
    EXPECT_EQ(known, 10);
    EXPECT_EQ(user("t"), "jane");
    EXPECT_EQ(first->requests.size(), 2u) << "nothing is kept without a time to live";
}

TEST_F(PluginAuthenticatorTest, AFailingPluginLeavesTheNextOne) {
    first->answers("authenticate", [](const std::string&) {
        return FakePlugin::Answer(base::Status(base::Reason::service_unavailable, "restarting"));
    });
    second->answers("authenticate", jane);
    EXPECT_EQ(user("t"), "jane");
    second->answers("authenticate", R"({"authenticated":false,"ttlSeconds":50})");
    const auto answer = ask("u");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().reason(), base::Reason::unauthorized);
    EXPECT_THAT(answer.error().message(), HasSubstr("first"));
    second->answers("authenticate", jane);
    EXPECT_EQ(user("u"), "jane") << "a failure is not kept";
}

TEST_F(PluginAuthenticatorTest, DoesNotTrustTheFormOfAnswers) {
    for (const std::string body :
         {"", "x", "[]", "{}", R"({"authenticated":1})", R"({"authenticated":true})",
          R"({"authenticated":true,"user":1})", R"({"authenticated":true,"user":{}})",
          R"({"authenticated":true,"user":{"username":""}})",
          R"({"authenticated":true,"user":{"username":["a"]}})",
          R"({"authenticated":true,"user":{"username":"a","uid":1}})",
          R"({"authenticated":true,"user":{"username":"a","groups":"system:masters"}})",
          R"({"authenticated":true,"user":{"username":"a","groups":[1]}})",
          R"({"authenticated":true,"user":{"username":"a","extra":[]}})",
          R"({"authenticated":true,"user":{"username":"a","extra":{"k":"v"}}})"}) {
        first->answers("authenticate", body);
        EXPECT_THAT(user(body + "t"), HasSubstr("refused: authentication plugin first: ")) << body;
    }
}

TEST_F(PluginAuthenticatorTest, TokensMustBeForTheServer) {
    const auto answers = [&](const std::string& audiences) {
        first->answers("authenticate",
                       R"({"authenticated":true,"user":{"username":"jane"},"audiences":)" + audiences + "}");
    };
    answers(R"(["vault"])");
    EXPECT_EQ(user("t"), "unknown");
    answers(R"(["vault","api"])");
    EXPECT_EQ(user("t"), "jane");
    answers("[]");
    EXPECT_EQ(user("t"), "jane");
    answers("1");
    EXPECT_EQ(user("t"), "unknown");
    answers(R"(["vault","db"])");
    const auto reviewed =
        ask(Credentials{.bearer_token = "t", .certificate = {}, .audiences = {"db", "other"}});
    ASSERT_TRUE(reviewed && *reviewed);
    EXPECT_EQ((*reviewed)->audiences, std::vector<std::string>{"db"});
    EXPECT_EQ(Json::parse(first->requests.back())["audiences"], (Json{"db", "other"}));
}

TEST_F(PluginAuthenticatorTest, AnswersAreKeptForTheirAudiences) {
    first->answers("authenticate",
                   R"({"authenticated":true,"user":{"username":"jane"},"audiences":["db"],"ttlSeconds":10})");
    EXPECT_TRUE(*ask(Credentials{.bearer_token = "t", .certificate = {}, .audiences = {"db"}}));
    EXPECT_EQ(user("t"), "unknown");
}

TEST_F(PluginAuthenticatorTest, CertificatesComeFirst) {
    first->answers("authenticate", [](const std::string& request) {
        return FakePlugin::Answer(std::string(Json::parse(request).contains("certificate") ? unknown : jane));
    });
    Credentials credentials{.bearer_token = "t",
                            .certificate = ClientCertificate{.verified = true,
                                                             .verify_error = {},
                                                             .common_name = "bob",
                                                             .organizations = {"a"},
                                                             .uid = "u",
                                                             .sha256 = {0xab}}};
    EXPECT_EQ((*ask(credentials))->user, "jane");
    const Json certificate = Json::parse(first->requests[0])["certificate"];
    EXPECT_EQ(certificate["commonName"], "bob");
    EXPECT_EQ(certificate["organizations"], Json::array({"a"}));
    EXPECT_EQ(certificate["uid"], "u");
    EXPECT_EQ(certificate["sha256"], "ab" + std::string(62, '0'));
    EXPECT_FALSE(Json::parse(first->requests[0]).contains("token"));
    // One that is not verified is not shown to plugins at all.
    credentials.certificate->verified = false;
    credentials.certificate->verify_error = "self-signed certificate";
    const auto calls = first->requests.size();
    EXPECT_EQ((*ask(credentials))->user, "jane");
    EXPECT_EQ(first->requests.size(), calls) << "the token was known already";
    credentials.bearer_token.clear();
    const auto refused = ask(credentials);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "verifying certificate bob failed: self-signed certificate");
}

// Nothing in it changes after it was made, so that many threads may call it.
class SteadyPlugin final : public plugin::Plugin {
  public:
    [[nodiscard]] const std::string& name() const override { return name_; }
    [[nodiscard]] plugin::Info info() const override { return {}; }
    [[nodiscard]] bool has(std::string_view, std::string_view) const override { return true; }
    base::Task<base::Result<plugin::Reply>> call(std::string_view, std::string_view, std::string,
                                                 plugin::CallOptions) override {
        co_await base::sleep_for(std::chrono::milliseconds(1));
        plugin::Reply reply;
        reply.body = jane;
        co_return reply;
    }

  private:
    std::string name_ = "steady";
};

TEST(PluginAuthenticatorThreads, ServesManyCallersWhilePluginsChange) {
    const auto executor = base::make_thread_executor(4, 1);
    const std::vector<std::shared_ptr<plugin::Plugin>> plugins{std::make_shared<SteadyPlugin>()};
    PluginAuthenticator authenticator([&] { return plugins; }, base::system_clock(), {.cache_entries = 4});
    std::vector<std::thread> threads;
    std::atomic<int> known = 0;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int j = 0; j < 100; ++j) {
                const Credentials credentials{.bearer_token = std::to_string((i + j) % 8), .certificate = {}};
                const auto answer = base::sync_wait(*executor, authenticator.authenticate(credentials));
                known += answer && *answer ? 1 : 0;
                if (j % 10 == i) authenticator.invalidate();
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    executor->stop();
    EXPECT_EQ(known, 400);
}

TEST(OwnCertificates, LogInWithoutPlugins) {
    base::SimulatedExecutor executor;
    OwnCertificateAuthenticator authenticator;
    Credentials credentials{.bearer_token = {},
                            .certificate = ClientCertificate{.verified = true,
                                                             .verify_error = {},
                                                             .common_name = "admin",
                                                             .organizations = {"system:masters"},
                                                             .uid = {},
                                                             .sha256 = {1}}};
    const auto ask = [&] { return base::sync_wait(executor, authenticator.authenticate(credentials)); };
    EXPECT_FALSE(*ask());
    authenticator.set_fingerprints({{2}, {1}});
    ASSERT_TRUE(*ask());
    EXPECT_TRUE((*ask())->in_group("system:masters"));
    credentials.certificate->verified = false;
    EXPECT_FALSE(*ask());
}

TEST_F(PluginAuthenticatorTest, ReviewsLookAtAudiences) {
    const auto tokens = std::make_shared<TokenAuthenticator>();
    tokens->set_tokens({{"fixed", {.user = "kim", .uid = {}, .groups = {}, .extra = {}}}});
    Authentication authentication;
    authentication.set_audiences({"api"});
    authentication.add(tokens);
    authentication.add(
        std::make_shared<PluginAuthenticator>([this] { return plugins; }, executor.clock(), settings));
    const auto review = [&](const std::string& token, const std::vector<std::string>& audiences) {
        return base::sync_wait(executor, authentication.authenticate_token(token, audiences));
    };
    EXPECT_EQ(review("fixed", {})->audiences, std::vector<std::string>{"api"});
    EXPECT_EQ(review("fixed", {"x", "api"})->audiences, std::vector<std::string>{"api"});
    EXPECT_EQ(review("fixed", {"vault"}).error().message(),
              "token audiences [\"api\"] is invalid for the target audiences [\"vault\"]");
    first->answers("authenticate",
                   R"({"authenticated":true,"user":{"username":"jane"},"audiences":["vault"]})");
    EXPECT_EQ(review("t", {"vault"})->user, "jane");
    EXPECT_EQ(review("t", {}).error().message(), "invalid bearer token");
}

}  // namespace
}  // namespace keelson::access
