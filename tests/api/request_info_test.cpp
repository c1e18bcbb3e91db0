#include "kernel/api/request_info.h"

#include <gtest/gtest.h>

#include "kernel/api/exchange.h"

namespace keelson::api {
namespace {

struct Case {
    const char* method;
    const char* target;
    bool resource;
    const char* verb;
    const char* group;
    const char* version;
    const char* namespace_name;
    const char* resource_name;
    const char* subresource;
    const char* name;
};

RequestInfo parse(const std::string& method, const std::string& target) {
    Request request;
    request.raw_target = target;
    EXPECT_TRUE(parse_target(request));
    auto info = parse_request_info(method, request.path, request.query);
    EXPECT_TRUE(info) << target;
    return info ? *info : RequestInfo{};
}

class RequestInfoTable : public ::testing::TestWithParam<Case> {};

TEST_P(RequestInfoTable, IsResolvedAsKubernetesDoes) {
    const Case& c = GetParam();
    const RequestInfo info = parse(c.method, c.target);
    EXPECT_EQ(info.is_resource_request, c.resource);
    EXPECT_EQ(info.verb, c.verb);
    EXPECT_EQ(info.group, c.group);
    EXPECT_EQ(info.version, c.version);
    EXPECT_EQ(info.namespace_name, c.namespace_name);
    EXPECT_EQ(info.resource, c.resource_name);
    EXPECT_EQ(info.subresource, c.subresource);
    EXPECT_EQ(info.name, c.name);
}

constexpr Case cases[] = {
    // Not resources.
    {"GET", "/", false, "get", "", "", "", "", "", ""},
    {"GET", "/healthz", false, "get", "", "", "", "", "", ""},
    {"POST", "/version", false, "post", "", "", "", "", "", ""},
    {"GET", "/api", false, "get", "", "", "", "", "", ""},
    {"GET", "/api/v1", false, "get", "", "", "", "", "", ""},
    {"GET", "/apis", false, "get", "", "", "", "", "", ""},
    {"GET", "/apis/apps/v1", false, "get", "", "", "", "", "", ""},
    {"GET", "/apis/apps/v1/", false, "get", "", "", "", "", "", ""},
    {"GET", "/openapi/v3/apis/apps/v1", false, "get", "", "", "", "", "", ""},
    {"GET", "/apix/v1/namespaces/other/pods", false, "get", "", "", "", "", "", ""},
    // Verbs by method, name and query.
    {"GET", "/api/v1/namespaces", true, "list", "", "v1", "", "namespaces", "", ""},
    {"GET", "/api/v1/namespaces/other", true, "get", "", "v1", "other", "namespaces", "", "other"},
    {"GET", "/api/v1/namespaces/other/pods", true, "list", "", "v1", "other", "pods", "", ""},
    {"GET", "/api/v1/namespaces/other/pods/foo", true, "get", "", "v1", "other", "pods", "", "foo"},
    {"HEAD", "/api/v1/namespaces/other/pods/foo", true, "get", "", "v1", "other", "pods", "", "foo"},
    {"GET", "/api/v1/pods", true, "list", "", "v1", "", "pods", "", ""},
    {"HEAD", "/api/v1/pods", true, "list", "", "v1", "", "pods", "", ""},
    {"POST", "/api/v1/namespaces/other/pods", true, "create", "", "v1", "other", "pods", "", ""},
    {"PUT", "/api/v1/namespaces/other/pods/foo", true, "update", "", "v1", "other", "pods", "", "foo"},
    {"PATCH", "/api/v1/namespaces/other/pods/foo", true, "patch", "", "v1", "other", "pods", "", "foo"},
    {"DELETE", "/api/v1/namespaces/other/pods/foo", true, "delete", "", "v1", "other", "pods", "", "foo"},
    {"DELETE", "/api/v1/namespaces/other/pods", true, "deletecollection", "", "v1", "other", "pods", "", ""},
    {"DELETE", "/api/v1/nodes", true, "deletecollection", "", "v1", "", "nodes", "", ""},
    {"OPTIONS", "/api/v1/nodes", true, "", "", "v1", "", "nodes", "", ""},
    {"GET", "/api/v1/namespaces/other/pods?watch=true", true, "watch", "", "v1", "other", "pods", "", ""},
    {"GET", "/api/v1/pods?watch", true, "watch", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=1", true, "watch", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=yes", true, "watch", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=0", true, "list", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=False", true, "list", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/namespaces/other/pods/foo?watch=true", true, "get", "", "v1", "other", "pods", "",
     "foo"},
    {"POST", "/api/v1/pods?watch=true", true, "create", "", "v1", "", "pods", "", ""},
    // One object by field selector.
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Dfoo", true, "list", "", "v1", "", "pods", "", "foo"},
    {"GET", "/api/v1/pods?watch=1&fieldSelector=a%3Db%2Cmetadata.name%3D%3Dx", true, "watch", "", "v1", "",
     "pods", "", "x"},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name!%3Dfoo", true, "list", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Da%2Fb", true, "list", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?fieldSelector=nonsense", true, "list", "", "v1", "", "pods", "", ""},
    {"DELETE", "/api/v1/pods?fieldSelector=metadata.name%3Dfoo", true, "deletecollection", "", "v1", "",
     "pods", "", ""},
    // Subresources, of namespaces too.
    {"PUT", "/api/v1/namespaces/other/finalize", true, "update", "", "v1", "other", "namespaces", "finalize",
     "other"},
    {"PUT", "/api/v1/namespaces/other/status", true, "update", "", "v1", "other", "namespaces", "status",
     "other"},
    {"GET", "/api/v1/namespaces/other/pods/foo/log", true, "get", "", "v1", "other", "pods", "log", "foo"},
    {"POST", "/api/v1/namespaces/other/pods/foo/exec", true, "create", "", "v1", "other", "pods", "exec",
     "foo"},
    {"GET", "/api/v1/nodes/n1/proxy/stats/summary", true, "get", "", "v1", "", "nodes", "proxy", "n1"},
    // Groups.
    {"GET", "/apis/apps/v1/deployments", true, "list", "apps", "v1", "", "deployments", "", ""},
    {"PUT", "/apis/apps/v1/namespaces/n/deployments/d/scale", true, "update", "apps", "v1", "n",
     "deployments", "scale", "d"},
    {"GET", "/apis/storage.k8s.io/v1/csinodes/n", true, "get", "storage.k8s.io", "v1", "", "csinodes", "",
     "n"},
    // The deprecated prefixes.
    {"GET", "/api/v1/watch/namespaces/other/pods", true, "watch", "", "v1", "other", "pods", "", ""},
    {"GET", "/api/v1/watch/pods", true, "watch", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/watch/namespaces/other/pods/foo", true, "watch", "", "v1", "other", "pods", "", "foo"},
    {"GET", "/apis/apps/v1/watch/deployments", true, "watch", "apps", "v1", "", "deployments", "", ""},
    {"GET", "/api/v1/proxy/namespaces/other/pods/foo", true, "proxy", "", "v1", "other", "pods", "", "foo"},
    // Slashes too many, escapes.
    {"GET", "//api/v1/pods/", true, "list", "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/namespaces/a%2Db/pods", true, "list", "", "v1", "a-b", "pods", "", ""},
};

INSTANTIATE_TEST_SUITE_P(Paths, RequestInfoTable, ::testing::ValuesIn(cases));

TEST(RequestInfo, KeepsThePartsBehindTheSubresource) {
    const RequestInfo info = parse("GET", "/api/v1/nodes/n1/proxy/stats/summary");
    EXPECT_EQ(info.parts, (std::vector<std::string>{"nodes", "n1", "proxy", "stats", "summary"}));
    EXPECT_EQ(info.api_prefix, "api");
}

TEST(RequestInfo, RefusesAWatchOfNothing) {
    EXPECT_FALSE(parse_request_info("GET", "/api/v1/watch", {}));
}

TEST(RequestInfo, KnowsLongRunningRequests) {
    EXPECT_TRUE(is_long_running(parse("GET", "/api/v1/pods?watch=1")));
    EXPECT_TRUE(is_long_running(parse("GET", "/api/v1/namespaces/n/pods/p/log")));
    EXPECT_TRUE(is_long_running(parse("POST", "/api/v1/namespaces/n/pods/p/exec")));
    EXPECT_FALSE(is_long_running(parse("GET", "/api/v1/pods")));
    EXPECT_FALSE(is_long_running(parse("GET", "/healthz")));
}

}  // namespace
}  // namespace keelson::api
