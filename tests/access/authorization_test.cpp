#include "kernel/access/authorization.h"

#include <gtest/gtest.h>

#include "kernel/base/sync_wait.h"

namespace keelson::access {
namespace {

Attributes resource(Identity user, std::string verb, std::string group, std::string name,
                    std::string namespace_name = {}) {
    Attributes attributes;
    attributes.user = std::move(user);
    attributes.verb = std::move(verb);
    attributes.is_resource_request = true;
    attributes.group = std::move(group);
    attributes.version = "v1";
    const auto slash = name.find('/');
    attributes.resource = name.substr(0, slash);
    if (slash != std::string::npos) attributes.subresource = name.substr(slash + 1);
    attributes.namespace_name = std::move(namespace_name);
    return attributes;
}

Attributes path(Identity user, std::string verb, std::string text) {
    Attributes attributes;
    attributes.user = std::move(user);
    attributes.verb = std::move(verb);
    attributes.path = std::move(text);
    return attributes;
}

bool allowed(const Attributes& attributes) {
    base::SimulatedExecutor executor;
    Authorization authorization;
    authorization.add(std::make_shared<FixedAuthorizer>());
    return base::sync_wait(executor, authorization.authorize(attributes)).allowed;
}

Identity user(std::string name, std::vector<std::string> groups = {}) {
    return {.user = std::move(name), .uid = {}, .groups = std::move(groups), .extra = {}};
}

TEST(FixedAuthorizer, LetsMastersDoEverything) {
    const Identity master = user("x", {"system:masters"});
    EXPECT_TRUE(allowed(resource(master, "delete", "any.group", "things")));
    EXPECT_TRUE(allowed(path(master, "post", "/metrics")));
    EXPECT_TRUE(allowed(resource(api_server_identity(), "create", "", "pods")));
}

TEST(FixedAuthorizer, LetsEverybodySeeHealthAndVersionOnly) {
    for (const Identity& who : {anonymous_identity(), user("jane", {"system:authenticated"})}) {
        for (const char* text : {"/healthz", "/livez", "/readyz", "/version"})
            EXPECT_TRUE(allowed(path(who, "get", text)));
        EXPECT_FALSE(allowed(path(who, "post", "/healthz")));
        EXPECT_FALSE(allowed(path(who, "get", "/metrics")));
        EXPECT_FALSE(allowed(resource(who, "get", "", "pods")));
    }
}

TEST(FixedAuthorizer, LetsWhoeverIsKnownLookAroundAndAskAboutHimself) {
    const Identity jane = user("jane", {"system:authenticated"});
    const Identity stranger = anonymous_identity();
    for (const char* text : {"/api", "/apis/apps/v1", "/openapi/v3"}) {
        EXPECT_TRUE(allowed(path(jane, "get", text)));
        EXPECT_FALSE(allowed(path(stranger, "get", text)));
    }
    for (const char* review : {"selfsubjectaccessreviews", "selfsubjectrulesreviews"}) {
        EXPECT_TRUE(allowed(resource(jane, "create", "authorization.k8s.io", review)));
        EXPECT_FALSE(allowed(resource(stranger, "create", "authorization.k8s.io", review)));
    }
    EXPECT_TRUE(allowed(resource(jane, "create", "authentication.k8s.io", "selfsubjectreviews")));
    EXPECT_FALSE(allowed(resource(jane, "create", "authorization.k8s.io", "subjectaccessreviews")));
}

TEST(FixedAuthorizer, GivesTheKernelsPartsTheirRoles) {
    EXPECT_TRUE(allowed(resource(scheduler_identity(), "create", "", "pods/binding", "n")));
    EXPECT_TRUE(allowed(resource(scheduler_identity(), "list", "", "nodes")));
    EXPECT_FALSE(allowed(resource(scheduler_identity(), "get", "", "secrets", "n")));
    EXPECT_TRUE(
        allowed(resource(controller_manager_identity(), "update", "apps", "deployments/status", "n")));
    EXPECT_FALSE(allowed(resource(controller_manager_identity(), "impersonate", "", "users")));
    EXPECT_FALSE(allowed(resource(node_identity("n1"), "patch", "", "nodes/status")))
        << "that is for the node authorizer to say";
    EXPECT_TRUE(allowed(path(node_identity("n1"), "get", "/apis/apps/v1")));
    EXPECT_FALSE(allowed(resource(user("system:node:n1"), "list", "", "pods")))
        << "the name alone gives nothing";
}

TEST(FixedAuthorizer, LetsBootstrappersAskForCertificates) {
    const Identity joining = user("system:bootstrap:abcdef", {"system:bootstrappers"});
    const std::string group = "certificates.k8s.io";
    EXPECT_TRUE(allowed(resource(joining, "create", group, "certificatesigningrequests")));
    EXPECT_TRUE(allowed(resource(joining, "get", group, "certificatesigningrequests")));
    EXPECT_FALSE(allowed(resource(joining, "update", group, "certificatesigningrequests/approval")));
    EXPECT_FALSE(allowed(resource(joining, "list", "", "secrets")));
}

TEST(FixedAuthorizer, LetsEverybodyReadTheClustersCertificate) {
    Attributes attributes = resource(anonymous_identity(), "get", "", "configmaps", "kube-public");
    attributes.name = "cluster-info";
    EXPECT_TRUE(allowed(attributes));
    attributes.verb = "update";
    EXPECT_FALSE(allowed(attributes));
    attributes.verb = "get";
    attributes.name = "other";
    EXPECT_FALSE(allowed(attributes));
}

TEST(FixedAuthorizer, LetsServiceAccountsVerifyTokens) {
    const Identity account = user("system:serviceaccount:ns:robot", {"system:serviceaccounts"});
    EXPECT_TRUE(allowed(path(account, "get", "/.well-known/openid-configuration")));
    EXPECT_TRUE(allowed(path(account, "get", "/openid/v1/jwks")));
    EXPECT_FALSE(allowed(path(account, "post", "/openid/v1/jwks")));
    EXPECT_FALSE(allowed(path(account, "get", "/openapi/v2")));
    EXPECT_FALSE(allowed(path(user("jane", {"system:authenticated"}), "get", "/openid/v1/jwks")));
}

TEST(Authorization, TheFirstOpinionDecides) {
    struct Fixed : Authorizer {
        explicit Fixed(Decision value) : decision(std::move(value)) {}
        base::Task<Decision> authorize(const Attributes&) override { co_return decision; }
        Decision decision;
    };
    base::SimulatedExecutor executor;
    Authorization authorization;
    authorization.add(std::make_shared<Fixed>(Decision{.reason = "dunno"}));
    authorization.add(std::make_shared<Fixed>(Decision{.denied = true, .reason = "no"}));
    authorization.add(std::make_shared<Fixed>(Decision{.allowed = true}));
    const Decision decision = base::sync_wait(executor, authorization.authorize({}));
    EXPECT_TRUE(decision.denied);
    EXPECT_FALSE(decision.allowed);
    EXPECT_EQ(decision.reason, "no");
}

TEST(Forbidden, SpeaksKubernetesWords) {
    const Identity x = user("x");
    EXPECT_EQ(forbidden(resource(x, "list", "", "pods", "y")).message(),
              "pods is forbidden: User \"x\" cannot list resource \"pods\" in API group \"\" in the "
              "namespace \"y\"");
    EXPECT_EQ(forbidden(resource(x, "list", "apps", "deployments")).message(),
              "deployments.apps is forbidden: User \"x\" cannot list resource \"deployments\" in API group "
              "\"apps\" at the "
              "cluster scope");
    Attributes named = resource(x, "create", "", "pods/eviction", "y");
    named.name = "p";
    const base::Status status = forbidden(named, "because");
    EXPECT_EQ(status.message(),
              "pods \"p\" is forbidden: User \"x\" cannot create resource \"pods/eviction\" in API group "
              "\"\" in the "
              "namespace \"y\": because");
    EXPECT_EQ(status.code(), 403);
    EXPECT_EQ(status.details()->name, "p");
    EXPECT_EQ(status.details()->kind, "pods");
    EXPECT_EQ(forbidden(path(user("<x>"), "get", "/metrics")).message(),
              "forbidden: User \"&lt;x&gt;\" cannot get path \"/metrics\"");
}

}  // namespace
}  // namespace keelson::access
