#include "kernel/client/rest.h"

#include <gtest/gtest.h>

#include "kernel/object/json.h"

namespace keelson::client {
namespace {

TEST(Rest, WritesPaths) {
    EXPECT_EQ(path_of({"", "v1", "pods", "default", "p", "log"}), "/api/v1/namespaces/default/pods/p/log");
    EXPECT_EQ(path_of({"apps", "v1", "deployments", "", "", ""}), "/apis/apps/v1/deployments");
    EXPECT_EQ(path_of({"", "v1", "nodes", "", "a b/c", ""}), "/api/v1/nodes/a%20b%2Fc");
}

TEST(Rest, WritesQueries) {
    ListOptions list;
    EXPECT_EQ(query_of(list, false), "");
    EXPECT_EQ(query_of(list, true), "?watch=true");
    list.label_selector = "a=b,c in (d)";
    list.limit = 5;
    list.resource_version = "7";
    list.send_initial_events = false;
    EXPECT_EQ(query_of(list, false),
              "?labelSelector=a%3Db%2Cc%20in%20%28d%29&resourceVersion=7&limit=5&sendInitialEvents=false");
    WriteOptions write;
    EXPECT_EQ(query_of(write), "");
    write.dry_run = write.force = true;
    write.field_manager = "me";
    write.field_validation = resource::FieldValidation::strict;
    EXPECT_EQ(query_of(write), "?dryRun=All&fieldManager=me&fieldValidation=Strict");
    EXPECT_EQ(query_of(write, true), "?dryRun=All&fieldManager=me&force=true&fieldValidation=Strict");
}

TEST(Rest, WritesDeleteOptions) {
    DeleteOptions options;
    EXPECT_EQ(body_of(options), R"({"kind":"DeleteOptions","apiVersion":"v1"})");
    options.grace_period_seconds = 0;
    options.propagation_policy = "Foreground";
    options.preconditions.uid = "u";
    EXPECT_EQ(body_of(options), R"({"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0,)"
                                R"("propagationPolicy":"Foreground","preconditions":{"uid":"u"}})");
}

TEST(Rest, ReadsStatuses) {
    auto refused = object_answer(429, R"({"kind":"Status","status":"Failure","message":"slow down",
        "reason":"TooManyRequests","code":429,
        "details":{"kind":"pods","retryAfterSeconds":3,"causes":[{"reason":"R","message":"m","field":"f"}]}})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason(), base::Reason::too_many_requests);
    EXPECT_EQ(refused.error().message(), "slow down");
    ASSERT_NE(refused.error().details(), nullptr);
    EXPECT_EQ(refused.error().details()->retry_after_seconds, 3);
    EXPECT_EQ(refused.error().details()->causes.size(), 1u);
    auto text = object_answer(502, "<html>bad gateway</html>");
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code(), 502);
    EXPECT_FALSE(object_answer(200, "no json"));
    // Reasons that are not known keep their code.
    auto odd = object_answer(418, R"({"kind":"Status","reason":"Teapot","message":"short and stout"})");
    ASSERT_FALSE(odd);
    EXPECT_EQ(odd.error().code(), 418);
}

TEST(Rest, ReadsWatchEvents) {
    auto event = event_of(
        R"({"type":"DELETED","object":{"kind":"Pod","metadata":{"name":"p","resourceVersion":"8"}}})");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->type, WatchEvent::Type::removed);
    EXPECT_EQ(event->resource_version, "8");
    EXPECT_EQ(event->object.root["metadata"]["name"].as_string(), "p");
    auto expired = event_of(
        R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}})");
    ASSERT_FALSE(expired);
    EXPECT_EQ(expired.error().reason(), base::Reason::expired);
    EXPECT_FALSE(event_of("{"));
}

}  // namespace
}  // namespace keelson::client
