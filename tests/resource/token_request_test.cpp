#include "kernel/resource/token_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernel/object/time_format.h"
#include "tests/resource/cluster.h"

namespace keelson::resource {
namespace {

using testing::HasSubstr;

const std::string issuer_name = "https://kubernetes.default.svc";

// Gives tokens that say nothing, and remembers what was ordered.
class FakeIssuer final : public access::TokenIssuer {
  public:
    explicit FakeIssuer(base::Clock& clock) : clock_(clock) {}

    [[nodiscard]] bool available() const override { return is_available; }
    base::Task<base::Result<access::IssuedToken>> issue(access::TokenOrder order) override {
        orders.push_back(order);
        if (failure) co_return *failure;
        const std::int64_t now =
            std::chrono::floor<std::chrono::seconds>(clock_.wall_now().time_since_epoch()).count();
        access::IssuedToken issued{
            "token", object::format_time({now + std::min(order.expiration_seconds, longest), 0})};
        co_return issued;
    }
    base::Task<base::Result<access::IssuerKeys>> keys() override { co_return access::IssuerKeys(); }

    bool is_available = true;
    std::int64_t longest = std::int64_t{1} << 40;
    std::optional<base::Status> failure;
    std::vector<access::TokenOrder> orders;

  private:
    base::Clock& clock_;
};

class TokenRequestTest : public ::testing::Test {
  protected:
    TokenRequestTest() { cluster.subresources->issue_tokens(issuer, {.audiences = {issuer_name}}); }

    Outcome request(std::string_view body = "{}", const WriteOptions& options = {}) {
        return cluster.create({"v1/serviceaccounts/token", "default", "default"}, body, options);
    }
    Outcome bound(const std::string& reference, const std::string& more = "") {
        return request(R"({"spec":{"boundObjectRef":)" + reference + more + "}}");
    }
    std::string uid(std::string_view resource, std::string_view space, std::string_view name) {
        return cluster.get({resource, space, name}).text({"metadata", "uid"});
    }
    void make_pod(std::string_view name, std::string_view more = {}) {
        const Outcome made = cluster.create({"v1/pods", "default", ""}, pod_json(name, {}, more));
        ASSERT_TRUE(made.ok()) << made.error;
    }

    Cluster cluster;
    FakeIssuer issuer{cluster.executor.clock()};
};

TEST_F(TokenRequestTest, GivesATokenForTheServer) {
    const Outcome made = request(R"({"metadata":{},"spec":{},"status":{"token":"mine"}})");
    EXPECT_EQ(made.code, 201) << made.error;
    EXPECT_EQ(made["kind"].as_string(), "TokenRequest");
    EXPECT_EQ(made["apiVersion"].as_string(), "authentication.k8s.io/v1");
    EXPECT_EQ(made.text({"metadata", "name"}), "default");
    EXPECT_EQ(made.text({"metadata", "namespace"}), "default");
    EXPECT_EQ(made.text({"metadata", "creationTimestamp"}), "2026-01-01T00:00:00Z");
    EXPECT_EQ(made["spec"]["audiences"].at(0).as_string(), issuer_name);
    EXPECT_EQ(made["spec"]["expirationSeconds"].as_integer(), 3600);
    EXPECT_TRUE(made["spec"]["boundObjectRef"].is_null());
    EXPECT_EQ(made.text({"status", "token"}), "token");
    EXPECT_EQ(made.text({"status", "expirationTimestamp"}), "2026-01-01T01:00:00Z");
    ASSERT_EQ(issuer.orders.size(), 1u);
    EXPECT_EQ(issuer.orders[0].namespace_name, "default");
    EXPECT_EQ(issuer.orders[0].service_account.uid, uid("v1/serviceaccounts", "default", "default"));
    EXPECT_EQ(issuer.orders[0].audiences, std::vector<std::string>{issuer_name});
    EXPECT_FALSE(issuer.orders[0].bound_object);
}

TEST_F(TokenRequestTest, TakesAudiencesAndTime) {
    const Outcome made = request(R"({"spec":{"audiences":["a","b"],"expirationSeconds":7200}})");
    EXPECT_EQ(made.code, 201) << made.error;
    EXPECT_EQ(issuer.orders[0].audiences, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(made.text({"status", "expirationTimestamp"}), "2026-01-01T02:00:00Z");
    WriteOptions dry_run;
    dry_run.dry_run = true;
    EXPECT_EQ(request("{}", dry_run).text({"status", "token"}), "token") << "as in Kubernetes";
}

TEST_F(TokenRequestTest, RefusesUnreasonableTimes) {
    const Outcome shorter = request(R"({"spec":{"expirationSeconds":599}})");
    EXPECT_EQ(shorter.code, 422);
    EXPECT_EQ(shorter.error,
              "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid value: "
              "599: may not specify a duration less than 10 minutes");
    const Outcome longer = request(R"({"spec":{"expirationSeconds":4294967297}})");
    EXPECT_THAT(longer.error, HasSubstr("may not specify a duration larger than 2^32 seconds"));
    EXPECT_TRUE(issuer.orders.empty());
}

TEST_F(TokenRequestTest, ChecksNames) {
    const Outcome name = request(R"({"metadata":{"name":"other"}})");
    EXPECT_EQ(name.code, 422);
    EXPECT_THAT(name.error, HasSubstr("must match the service account name if specified"));
    const Outcome space = request(R"({"metadata":{"namespace":"other"}})");
    EXPECT_EQ(space.code, 400);
    const Outcome missing = cluster.create({"v1/serviceaccounts/token", "default", "nobody"}, "{}");
    EXPECT_EQ(missing.code, 404);
    EXPECT_EQ(missing.error, "serviceaccounts \"nobody\" not found");
}

TEST_F(TokenRequestTest, BindsToPods) {
    make_pod("p", R"(,"nodeName":"n")");
    EXPECT_EQ(bound(R"({"kind":"Pod","apiVersion":"v1","name":"p"})").code, 201);
    ASSERT_TRUE(issuer.orders[0].bound_object);
    EXPECT_EQ(issuer.orders[0].bound_object->kind, "Pod");
    EXPECT_EQ(issuer.orders[0].bound_object->uid, uid("v1/pods", "default", "p"));
    ASSERT_TRUE(issuer.orders[0].node);
    EXPECT_EQ(issuer.orders[0].node->name, "n");
    EXPECT_EQ(issuer.orders[0].node->uid, "") << "there is no such node";
    ASSERT_TRUE(cluster.create({"v1/nodes", "", ""}, R"({"metadata":{"name":"n"}})").ok());
    EXPECT_EQ(bound(R"({"kind":"Pod","apiVersion":"v1","name":"p"})").code, 201);
    EXPECT_EQ(issuer.orders[1].node->uid, uid("v1/nodes", "", "n"));

    const Outcome missing = bound(R"({"kind":"Pod","apiVersion":"v1","name":"q"})");
    EXPECT_EQ(missing.code, 404);
    EXPECT_EQ(missing.error, "pods \"q\" not found");
    const Outcome other = bound(R"({"kind":"Pod","apiVersion":"v1","name":"p","uid":"x"})");
    EXPECT_EQ(other.code, 409);
    EXPECT_EQ(
        other.error,
        "Operation cannot be fulfilled on Pod \"p\": the UID in the bound object reference (x) does not "
        "match the UID in record. The object might have been deleted and then recreated");
}

TEST_F(TokenRequestTest, ThePodMustUseTheAccount) {
    ASSERT_TRUE(
        cluster.create({"v1/serviceaccounts", "default", ""}, R"({"metadata":{"name":"robot"}})").ok());
    make_pod("p", R"(,"serviceAccountName":"robot")");
    const Outcome refused = bound(R"({"kind":"Pod","apiVersion":"v1","name":"p"})");
    EXPECT_EQ(refused.code, 400);
    EXPECT_EQ(refused.error,
              "cannot bind token for serviceaccount \"default\" to pod running with different serviceaccount "
              "name.");
}

TEST_F(TokenRequestTest, BindsToSecretsAndNodes) {
    ASSERT_TRUE(cluster.create({"v1/secrets", "default", ""}, R"({"metadata":{"name":"s"}})").ok());
    ASSERT_TRUE(cluster.create({"v1/nodes", "", ""}, R"({"metadata":{"name":"n"}})").ok());
    EXPECT_EQ(bound(R"({"kind":"Secret","apiVersion":"v1","name":"s"})").code, 201);
    EXPECT_EQ(issuer.orders[0].bound_object->uid, uid("v1/secrets", "default", "s"));
    EXPECT_EQ(bound(R"({"kind":"Node","apiVersion":"v1","name":"n"})").code, 201);
    EXPECT_EQ(issuer.orders[1].bound_object->uid, uid("v1/nodes", "", "n"));
    EXPECT_FALSE(issuer.orders[1].node);
    const Outcome other = bound(R"({"kind":"Deployment","apiVersion":"apps/v1","name":"d"})");
    EXPECT_EQ(other.code, 400);
    EXPECT_EQ(other.error, "cannot bind token to object of type apps/v1, Kind=Deployment");
    EXPECT_EQ(bound(R"({"kind":"Pod","apiVersion":"apps/v1","name":"p"})").code, 400);
}

TEST_F(TokenRequestTest, LengthensTheTokensOfAdmission) {
    make_pod("p");
    const std::string reference = R"({"kind":"Pod","apiVersion":"v1","name":"p"})";
    const Outcome made = bound(reference, R"(,"expirationSeconds":3607)");
    EXPECT_EQ(made.code, 201) << made.error;
    EXPECT_EQ(issuer.orders.back().expiration_seconds, 365 * 24 * 3600);
    EXPECT_EQ(made.text({"status", "expirationTimestamp"}), "2026-01-01T01:00:07Z");
    EXPECT_EQ(made["spec"]["expirationSeconds"].as_integer(), 3607);
    EXPECT_TRUE(made.warnings.empty());
    EXPECT_EQ(bound(reference, R"(,"expirationSeconds":3607,"audiences":["vault"])").code, 201);
    EXPECT_EQ(issuer.orders.back().expiration_seconds, 3607);
    EXPECT_EQ(request(R"({"spec":{"expirationSeconds":3607}})").code, 201);
    EXPECT_EQ(issuer.orders.back().expiration_seconds, 3607);
}

TEST_F(TokenRequestTest, TellsWhenTheIssuerGivesLess) {
    issuer.longest = 1000;
    const Outcome made = request();
    EXPECT_EQ(made.code, 201) << made.error;
    EXPECT_EQ(made["spec"]["expirationSeconds"].as_integer(), 1000);
    EXPECT_EQ(made.text({"status", "expirationTimestamp"}), "2026-01-01T00:16:40Z");
    EXPECT_THAT(made.warnings,
                testing::ElementsAre("requested expiration of 3600 seconds shortened to 1000 seconds"));
}

TEST_F(TokenRequestTest, PassesFailuresOn) {
    issuer.failure = base::Status(base::Reason::service_unavailable, "restarting");
    EXPECT_EQ(request().code, 503);
    issuer.failure = base::Status(base::Reason::invalid, "no");
    const Outcome failed = request();
    EXPECT_EQ(failed.code, 500);
    EXPECT_EQ(failed.error, "Internal error occurred: failed to generate token: no");
    issuer.is_available = false;
    const Outcome none = request();
    EXPECT_EQ(none.code, 503);
    EXPECT_THAT(none.error, HasSubstr("no service account token issuer is configured"));
}

}  // namespace
}  // namespace keelson::resource
