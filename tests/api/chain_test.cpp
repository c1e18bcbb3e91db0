// The way of a request through authentication, impersonation, fair queues, authorization and audit, over real
// TLS.
#include "kernel/api/chain.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "kernel/api/health_handler.h"
#include "kernel/base/files.h"
#include "tests/api/server_fixture.h"

namespace keelson::api {
namespace {

using nlohmann::json;
using testing::Answer;

class ChainTest : public ServerTest {
  protected:
    void SetUp() override {
        tokens->set_tokens(
            {{"admin-token", {.user = "admin", .uid = "1", .groups = {"system:masters"}, .extra = {}}},
             {"jane-token", {.user = "jane", .uid = "", .groups = {"dev"}, .extra = {}}}});
        authentication.add(std::make_shared<access::CertificateAuthenticator>());
        authentication.add(tokens);
        authorization.add(std::make_shared<access::FixedAuthorizer>());
        ChainParts parts{.authentication = authentication,
                         .authorization = authorization,
                         .flow_control = flow_control,
                         .metrics = metrics,
                         .audit_log = [this] { return audit; }};
        start(make_chain(
            std::move(parts), [this](Exchange& exchange, RequestContext& context) -> base::Task<void> {
                if (health_handler.handle(exchange)) co_return;
                if (!context.info.is_resource_request) {
                    exchange.respond(page_not_found());
                    co_return;
                }
                json groups = context.user.groups;
                exchange.respond(
                    {200, "application/json",
                     json{{"user", context.user.user},
                          {"groups", groups},
                          {"uid", context.user.uid},
                          {"impersonator", context.impersonator ? context.impersonator->user : ""},
                          {"extra", context.user.extra}}
                         .dump()});
            }));
    }
    Answer get(const std::string& path, const std::string& headers = {}, bool with_certificate = false) {
        return connect(with_certificate).request("GET", path, headers);
    }

    std::shared_ptr<access::TokenAuthenticator> tokens = std::make_shared<access::TokenAuthenticator>();
    access::Authentication authentication;
    access::Authorization authorization;
    access::FlowControl flow_control{access::default_flow_control()};
    base::Metrics metrics;
    HealthChecks health;
    HealthHandler health_handler{
        health, metrics, {.keelson_version = "0.1", .revision = "", .build_date = ""}};
    std::shared_ptr<access::AuditLog> audit;
};

const std::string admin = "Authorization: Bearer admin-token\r\n";
const std::string jane = "authorization: bearer jane-token\r\n";

// Lets jane read everything.
class Readers final : public access::Authorizer {
  public:
    base::Task<access::Decision> authorize(const access::Attributes& attributes) override {
        access::Decision decision;
        decision.allowed = attributes.user.user == "jane" && attributes.verb == "get";
        co_return decision;
    }
};

TEST_F(ChainTest, WhoMayOnlyReadDoesNotEnterPodsOverWebSocket) {
    authorization.add(std::make_shared<Readers>());
    const std::string upgrade = jane + "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    EXPECT_EQ(get("/api/v1/namespaces/default/pods/p/log", upgrade).status, 200);
    for (const std::string name : {"exec", "attach", "portforward"}) {
        const std::string path = "/api/v1/namespaces/default/pods/p/" + name;
        EXPECT_EQ(get(path, jane).status, 200);  // for the handler to refuse: it is no upgrade
        EXPECT_EQ(get(path, upgrade).status, 403);
        EXPECT_EQ(get(path, admin + upgrade.substr(jane.size())).status, 200);
    }
}

TEST_F(ChainTest, KnowsClientCertificatesAndTokens) {
    const json by_certificate = json::parse(get("/api/v1/pods", "", true).body);
    EXPECT_EQ(by_certificate["user"], "admin");
    EXPECT_EQ(by_certificate["groups"], (json{"system:masters", "system:authenticated"}));
    EXPECT_EQ(by_certificate["extra"][0][0], "authentication.kubernetes.io/credential-id");
    const json by_token = json::parse(get("/api/v1/pods", admin).body);
    EXPECT_EQ(by_token["uid"], "1");
}

TEST_F(ChainTest, RefusesBadCredentials) {
    for (const std::string header : {"Authorization: Bearer wrong\r\n"}) {
        const Answer answer = get("/api/v1/pods", header);
        EXPECT_EQ(answer.status, 401);
        EXPECT_EQ(json::parse(answer.body)["message"], "Unauthorized");
        EXPECT_FALSE(answer.header("audit-id").empty());
    }
    testing::HttpsClient::Options options;
    options.port = server->port();
    options.certificate = test_keys().stranger.certificate;
    options.key = test_keys().stranger.key;
    EXPECT_EQ(testing::HttpsClient(options).request("GET", "/healthz").status, 401);
}

TEST_F(ChainTest, LetsStrangersSeeHealthAndVersionOnly) {
    EXPECT_EQ(get("/healthz").body, "ok");
    EXPECT_EQ(get("/livez").status, 200);
    EXPECT_EQ(get("/readyz?verbose").body, "[+]ping ok\nreadyz check passed\n");
    const json version = json::parse(get("/version").body);
    EXPECT_EQ(version["major"], "1");
    EXPECT_EQ(version["minor"], "36");
    EXPECT_EQ(version["gitVersion"], "v1.36.2+keelson.0.1");
    EXPECT_EQ(get("/metrics").status, 403);
    const Answer pods = get("/api/v1/namespaces/n/pods");
    EXPECT_EQ(pods.status, 403);
    EXPECT_EQ(
        json::parse(pods.body)["message"],
        "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" in the "
        "namespace \"n\"");
    EXPECT_EQ(get("/nothing").status, 403);
    EXPECT_EQ(get("/nothing", admin).body, "404 page not found\n");
    EXPECT_EQ(get("/api/v1/pods", jane).status, 403);
}

TEST_F(ChainTest, SendsKubernetesHeaders) {
    const Answer answer = get("/api/v1/pods", admin + "Audit-ID: abc\r\n");
    EXPECT_EQ(answer.header("audit-id"), "abc");
    EXPECT_EQ(answer.header("cache-control"), "no-cache, private");
    EXPECT_EQ(answer.header("x-kubernetes-pf-flowschema-uid").size(), 36u);
    EXPECT_EQ(answer.header("x-kubernetes-pf-prioritylevel-uid").size(), 36u);
}

TEST_F(ChainTest, Impersonates) {
    const json user = json::parse(
        get("/api/v1/pods",
            admin + "Impersonate-User: jane\r\nImpersonate-Group: system:masters\r\n"
                    "Impersonate-Uid: 7\r\nImpersonate-Extra-Sc%6fpe: a\r\nImpersonate-Extra-Scope: b\r\n")
            .body);
    EXPECT_EQ(user["user"], "jane");
    EXPECT_EQ(user["uid"], "7");
    EXPECT_EQ(user["groups"], (json{"system:masters", "system:authenticated"}));
    EXPECT_EQ(user["extra"], json::parse(R"([["scope", ["a", "b"]]])"));
    EXPECT_EQ(user["impersonator"], "admin");

    const Answer acting = get("/api/v1/pods", admin + "Impersonate-User: system:serviceaccount:ns:sa\r\n");
    EXPECT_EQ(json::parse(acting.body)["message"],
              "pods is forbidden: User \"system:serviceaccount:ns:sa\" cannot list resource \"pods\" in API "
              "group \"\" at "
              "the cluster scope");
    const Answer refused = get("/api/v1/pods", jane + "Impersonate-User: admin\r\n");
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(json::parse(refused.body)["message"],
              "users \"admin\" is forbidden: User \"jane\" cannot impersonate resource \"users\" in API "
              "group \"\" at the "
              "cluster scope");
    EXPECT_EQ(get("/api/v1/pods", admin + "Impersonate-Group: g\r\n").status, 400);
}

TEST_F(ChainTest, CountsRequests) {
    get("/api/v1/pods", admin);
    const std::string text = get("/metrics", admin).body;
    EXPECT_NE(text.find("apiserver_request_total{group=\"\",resource=\"pods\",subresource=\"\",verb=\"LIST\","
                        "version=\"v1\",code=\"200\"} 1"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("# TYPE apiserver_request_duration_seconds histogram"), std::string::npos);
}

TEST_F(ChainTest, WritesAnAuditTrail) {
    std::string directory = ::testing::TempDir() + "keelson-audit-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    auto policy = access::parse_audit_policy(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
        "- level: None\n  nonResourceURLs: [\"/healthz\"]\n- level: Metadata\n");
    ASSERT_TRUE(policy);
    auto log = access::AuditLog::open(directory + "/audit.log", *policy, *executor);
    ASSERT_TRUE(log);
    audit = *log;
    get("/healthz");
    get("/api/v1/namespaces/n/pods/p",
        admin + "Impersonate-User: jane\r\nAudit-ID: id-1\r\ntraceparent: 00-ab\r\n");
    server->stop(std::chrono::seconds(2));
    audit.reset();
    log->reset();
    executor->stop();
    const auto text = base::read_file(directory + "/audit.log");
    ASSERT_TRUE(text);
    std::vector<json> events;
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line));
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0]["stage"], "RequestReceived");
    EXPECT_EQ(events[1]["stage"], "ResponseComplete");
    EXPECT_EQ(events[1]["apiVersion"], "audit.k8s.io/v1");
    EXPECT_EQ(events[1]["auditID"], "id-1");
    EXPECT_EQ(events[1]["user"]["username"], "admin");
    EXPECT_EQ(events[1]["impersonatedUser"]["username"], "jane");
    EXPECT_EQ(events[1]["verb"], "get");
    EXPECT_EQ(events[1]["objectRef"],
              (json{{"resource", "pods"}, {"namespace", "n"}, {"name", "p"}, {"apiVersion", "v1"}}));
    EXPECT_EQ(events[1]["responseStatus"]["code"], 403);
    EXPECT_EQ(events[1]["annotations"]["authorization.k8s.io/decision"], "forbid");
    EXPECT_EQ(events[1]["annotations"]["keelson.dev/traceparent"], "00-ab");
    EXPECT_EQ(events[1]["sourceIPs"], (json{"127.0.0.1"}));
}

TEST_F(ChainTest, TellsWhichCheckFails) {
    HealthChecks checks;
    checks.add(
        "store", [] { return base::Result<void>(base::Status(base::Reason::internal_error, "secret")); },
        HealthChecks::Scope::ready_only);
    EXPECT_TRUE(checks.run(true).size() == 1 && checks.run(true)[0].passed);
    const auto outcomes = checks.run(false);
    ASSERT_EQ(outcomes.size(), 2u);
    EXPECT_FALSE(outcomes[1].passed);
}

}  // namespace
}  // namespace keelson::api
