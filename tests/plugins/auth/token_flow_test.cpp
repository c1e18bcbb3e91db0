// The life of a ServiceAccount's token over HTTPS, with the real plugins: asked for, used, reviewed, verified
// by somebody else, and ended with what it is bound to.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "kernel/access/plugin_authenticator.h"
#include "kernel/access/token_issuer.h"
#include "kernel/api/chain.h"
#include "kernel/api/kubernetes_handler.h"
#include "kernel/api/openid_handler.h"
#include "kernel/base/sync_wait.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/resource/service_account_authenticator.h"
#include "kernel/store/memory.h"
#include "tests/api/server_fixture.h"
#include "tests/support/library_plugin.h"

namespace keelson::api {
namespace {

using Json = nlohmann::json;
using testing::Answer;
using testing::LibraryPlugin;

const std::string issuer_name = "https://kubernetes.default.svc";

class TokenFlowTest : public ServerTest {
  protected:
    void SetUp() override {
        // The plugin's clock is a test's; the server's is the machine's.
        const auto now =
            std::chrono::floor<std::chrono::seconds>(base::system_clock().wall_now().time_since_epoch());
        accounts->library().advance(now.count() - accounts->library().unix_seconds());
        const auto done = base::sync_wait(*executor, resource::bootstrap(verbs, {}));
        ASSERT_TRUE(done) << done.error().message();
        authorization.add(std::make_shared<access::FixedAuthorizer>());
        authentication.set_audiences({issuer_name});
        auto asks = std::make_shared<access::PluginAuthenticator>(
            [this] { return plugins; }, base::system_clock(),
            access::PluginAuthenticatorSettings{.audiences = {issuer_name}});
        authentication.add(std::make_shared<resource::ServiceAccountAuthenticator>(
            std::move(asks), verbs.lookup(), base::system_clock()));
        subresources.issue_tokens(issuer, {.audiences = {issuer_name}});
        ChainParts parts{.authentication = authentication,
                         .authorization = authorization,
                         .flow_control = flow_control,
                         .metrics = metrics,
                         .audit_log = {}};
        start(make_chain(std::move(parts),
                         [this](Exchange& exchange, RequestContext& context) -> base::Task<void> {
                             if (OpenIdHandler::handles(exchange.request())) {
                                 co_await open_id.handle(exchange);
                                 co_return;
                             }
                             co_await kubernetes(exchange, context);
                         }));
        ASSERT_EQ(
            post("/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"robot"}})").status,
            201);
    }
    // As the administrator, by certificate.
    Answer post(const std::string& path, const std::string& body) {
        return connect(true).request("POST", path, "Content-Type: application/json\r\n", body);
    }
    Answer get(const std::string& path, const std::string& token) {
        return connect().request("GET", path, "Authorization: Bearer " + token + "\r\n");
    }
    std::string token(const std::string& spec = "{}") {
        const Answer answer =
            post("/api/v1/namespaces/default/serviceaccounts/robot/token", R"({"spec":)" + spec + "}");
        EXPECT_EQ(answer.status, 201) << answer.body;
        return answer.status == 201 ? Json::parse(answer.body)["status"]["token"].get<std::string>() : "";
    }

    testing::TemporaryDirectory state;
    std::shared_ptr<LibraryPlugin> accounts = std::make_shared<LibraryPlugin>(
        "serviceaccount", KEELSON_TEST_PLUGINS "/serviceaccount.so", state.path(), Json::object());
    std::shared_ptr<LibraryPlugin> certificates = std::make_shared<LibraryPlugin>(
        "x509", KEELSON_TEST_PLUGINS "/x509.so", state.path(), Json::object());
    std::vector<std::shared_ptr<plugin::Plugin>> plugins{certificates, accounts};
    std::unique_ptr<store::Store> store = store::make_memory_store({});
    resource::Verbs verbs{*store, base::system_clock(), base::system_random(), {}};
    access::Authentication authentication;
    access::Authorization authorization;
    access::FlowControl flow_control{access::default_flow_control()};
    base::Metrics metrics;
    access::PluginTokenIssuer issuer{
        [this] { return std::vector<std::shared_ptr<plugin::Plugin>>{accounts}; }};
    resource::Subresources subresources{verbs, &authorization, &authentication};
    KubernetesHandler handler{verbs, subresources};
    ContextHandler kubernetes = handler.handler();
    OpenIdHandler open_id{issuer, "https://192.0.2.1:6443/openid/v1/jwks"};
};

TEST_F(TokenFlowTest, ATokenLogsIn) {
    const std::string good = token();
    const Answer answer = get("/api/v1/namespaces/default/pods", good);
    EXPECT_EQ(answer.status, 403);
    EXPECT_EQ(
        Json::parse(answer.body)["message"],
        "pods is forbidden: User \"system:serviceaccount:default:robot\" cannot list resource \"pods\" in "
        "API group \"\" in the namespace \"default\"");
    EXPECT_EQ(get("/api/v1/namespaces/default/pods", good + "x").status, 401);
}

TEST_F(TokenFlowTest, TokensAreReviewed) {
    const auto review = [this](const std::string& which, const std::string& audiences) {
        return Json::parse(post("/apis/authentication.k8s.io/v1/tokenreviews",
                                R"({"spec":{"token":")" + which + R"(","audiences":)" + audiences + "}}")
                               .body)["status"];
    };
    const Json status = review(token(), "[]");
    EXPECT_EQ(status["authenticated"], true) << status;
    EXPECT_EQ(status["audiences"], Json::array({issuer_name}));
    EXPECT_EQ(status["user"]["username"], "system:serviceaccount:default:robot");
    EXPECT_EQ(status["user"]["groups"],
              (Json{"system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"}));
    const std::string for_vault = token(R"({"audiences":["vault"]})");
    EXPECT_EQ(review(for_vault, R"(["vault","db"])")["audiences"], Json::array({"vault"}));
    const Json refused = review(for_vault, "[]");
    EXPECT_FALSE(refused.value("authenticated", false));
    EXPECT_EQ(refused["error"],
              "token audiences [\"vault\"] is invalid for the target audiences "
              "[\"https://kubernetes.default.svc\"]");
}

TEST_F(TokenFlowTest, AccountsSeeWhatVerifiesTokens) {
    const std::string good = token();
    const Answer configuration = get("/.well-known/openid-configuration", good);
    EXPECT_EQ(configuration.status, 200);
    EXPECT_EQ(configuration.header("content-type"), "application/json");
    EXPECT_EQ(configuration.header("cache-control"), "public, max-age=3600");
    EXPECT_EQ(
        configuration.body,
        R"({"issuer":"https://kubernetes.default.svc","jwks_uri":"https://192.0.2.1:6443/openid/v1/jwks",)"
        R"("response_types_supported":["id_token"],"subject_types_supported":["public"],)"
        R"("id_token_signing_alg_values_supported":["ES256"]})");
    const Answer keys = get("/openid/v1/jwks", good);
    EXPECT_EQ(keys.status, 200);
    EXPECT_EQ(keys.header("content-type"), "application/jwk-set+json");
    EXPECT_EQ(Json::parse(keys.body)["keys"][0]["kty"], "EC");
    EXPECT_EQ(connect(true).request("GET", "/openid/v1/jwks").status, 200);
    EXPECT_EQ(connect().request("GET", "/openid/v1/jwks").status, 403) << "not for strangers";
    EXPECT_EQ(connect(true).request("POST", "/openid/v1/jwks").status, 405);
}

TEST_F(TokenFlowTest, ATokenEndsWithItsPod) {
    const std::string path = "/api/v1/namespaces/default/pods";
    const Answer made = post(path, R"({"metadata":{"name":"p"},"spec":{"serviceAccountName":"robot",)"
                                   R"("containers":[{"name":"c","image":"i"}]}})");
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string bound =
        token(R"({"boundObjectRef":{"kind":"Pod","apiVersion":"v1","name":"p"},"expirationSeconds":3607})");
    EXPECT_EQ(get(path, bound).status, 403);
    EXPECT_EQ(connect(true)
                  .request("DELETE", path + "/p", "Content-Type: application/json\r\n",
                           R"({"gracePeriodSeconds":0})")
                  .status,
              200);
    EXPECT_EQ(get(path, bound).status, 401) << "at once, whatever is remembered of the token";
}

}  // namespace
}  // namespace keelson::api
