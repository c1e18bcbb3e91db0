#include "kernel/api/accept.h"

#include <gtest/gtest.h>

namespace keelson::api {
namespace {

std::string order(std::string_view header) {
    std::string text;
    for (const AcceptClause& clause : parse_accept(header))
        text += (text.empty() ? "" : " ") + clause.type + "/" + clause.subtype;
    return text;
}

TEST(Accept, OrdersByQualityThenByPrecision) {
    EXPECT_EQ(order("application/json"), "application/json");
    EXPECT_EQ(order("application/json;q=0.5, application/yaml"), "application/yaml application/json");
    EXPECT_EQ(order("*/*, application/*, application/json"), "application/json application/* */*");
    EXPECT_EQ(order("text/plain;q=0.1,text/html,*/*;q=0.01"), "text/html text/plain */*");
    EXPECT_EQ(order("a/b, c/d, e/f"), "a/b c/d e/f");
}

TEST(Accept, ReadsTheParametersOfKubectl) {
    const auto clauses = parse_accept(
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/"
        "json;as=Table;v=v1beta1;g=meta.k8s.io,application/json");
    ASSERT_EQ(clauses.size(), 3u);
    EXPECT_EQ(clauses[0].parameter("as"), "Table");
    EXPECT_EQ(clauses[0].parameter("v"), "v1");
    EXPECT_EQ(clauses[0].parameter("g"), "meta.k8s.io");
    EXPECT_EQ(clauses[1].parameter("v"), "v1beta1");
    EXPECT_TRUE(clauses[2].parameters.empty());
    EXPECT_FALSE(clauses[2].has_parameter("as"));
}

TEST(Accept, LeavesOutWhatIsMalformed) {
    EXPECT_EQ(order(""), "");
    EXPECT_EQ(order("json"), "");
    EXPECT_EQ(order("a/b/c, application/json"), "application/json");
    EXPECT_EQ(order("*"), "*/*");
    EXPECT_EQ(order(",,;,/"), "");
    EXPECT_EQ(parse_accept("a/b;q=x")[0].quality, 0.0);
    EXPECT_TRUE(parse_accept("a/b;c=d=e;f")[0].parameters.empty());
    EXPECT_EQ(parse_accept(std::string(100'000, ',') + "a/b").size(), 1u);
}

TEST(Accept, MatchesWildcards) {
    const auto clauses = parse_accept("application/*, */*;q=0.1");
    EXPECT_TRUE(clauses[0].matches("application/json"));
    EXPECT_FALSE(clauses[0].matches("text/plain"));
    EXPECT_TRUE(clauses[1].matches("text/plain"));
    EXPECT_TRUE(clauses[1].is_wildcard());
}

TEST(Accept, SplitsContentTypes) {
    const MediaType type = parse_content_type("Application/JSON; charset=\"utf-8\";x=1");
    EXPECT_EQ(type.type, "application/json");
    ASSERT_EQ(type.parameters.size(), 2u);
    EXPECT_EQ(type.parameters[0].second, "utf-8");
    EXPECT_EQ(parse_content_type("").type, "");
}

TEST(Accept, TakesGzipByKubernetesRule) {
    EXPECT_TRUE(accepts_gzip("gzip"));
    EXPECT_TRUE(accepts_gzip("deflate, gzip , br"));
    EXPECT_FALSE(accepts_gzip("gzip;q=1.0"));
    EXPECT_FALSE(accepts_gzip("identity"));
    EXPECT_FALSE(accepts_gzip(""));
}

}  // namespace
}  // namespace keelson::api
