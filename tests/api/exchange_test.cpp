#include "kernel/api/exchange.h"

#include <gtest/gtest.h>

namespace keelson::api {
namespace {

Request parse(const std::string& target) {
    Request request;
    request.raw_target = target;
    EXPECT_TRUE(parse_target(request)) << target;
    return request;
}

TEST(Target, IsDecodedAsGoDoes) {
    const Request request = parse("/a%20b/c+d?x=1+2&y=%26&z&x=3&broken=%zz&a;b=1&=v");
    EXPECT_EQ(request.path, "/a b/c+d");
    EXPECT_EQ(request.query_value("x"), "1 2");
    EXPECT_EQ(request.query_values("x").size(), 2u);
    EXPECT_EQ(request.query_value("y"), "&");
    EXPECT_TRUE(request.has_query("z"));
    EXPECT_FALSE(request.has_query("broken"));
    EXPECT_FALSE(request.has_query("a"));
    EXPECT_EQ(request.query_value(""), "v");
}

TEST(Target, MayBeAbsoluteAndMustNotBeBroken) {
    EXPECT_EQ(parse("https://host:6443/api?x=y").path, "/api");
    for (const char* target : {"", "*", "api", "/%", "/%g0", "/a%2", "http:/x"}) {
        Request request;
        request.raw_target = target;
        EXPECT_FALSE(parse_target(request)) << target;
    }
}

TEST(Headers, AreFoundWithoutRegardToCase) {
    Request request;
    request.headers = {{"Content-Type", "a"}, {"X-Two", "1"}, {"x-two", "2"}};
    EXPECT_EQ(request.header("content-type"), "a");
    EXPECT_EQ(request.header_values("X-TWO").size(), 2u);
    EXPECT_FALSE(request.has_header("missing"));
}

TEST(Warnings, AreQuotedAndCleaned) {
    EXPECT_EQ(warning_header("plain"), "299 - \"plain\"");
    EXPECT_EQ(warning_header("say \"x\" \\ y"), "299 - \"say \\\"x\\\" \\\\ y\"");
    EXPECT_EQ(warning_header("a\r\nSet-Cookie: b\n"), "299 - \"a Set-Cookie: b\"");
    EXPECT_EQ(warning_header(""), "");
    EXPECT_EQ(warning_header("\n\t"), "");
}

TEST(StatusJson, HasKubernetesFieldsInOrder) {
    base::Status status(base::Reason::not_found, "pods \"x\" not found");
    status.mutable_details() = {.name = "x", .group = "", .kind = "pods", .uid = "", .causes = {}};
    EXPECT_EQ(status_json(status),
              "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
              "\"message\":\"pods \\\"x\\\" not found\",\"reason\":\"NotFound\","
              "\"details\":{\"name\":\"x\",\"kind\":\"pods\"},\"code\":404}\n");
    EXPECT_EQ(status_json({base::Reason::unauthorized, "Unauthorized"}),
              "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
              "\"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}\n");
}

TEST(StatusJson, StaysJsonWhateverTheMessage) {
    const std::string text =
        status_json({base::Reason::bad_request, "\xff\xc3\xa9<\x01\xed\xa0\x80\xe2\x80\xa8"});
    EXPECT_NE(text.find("\\ufffd\xc3\xa9\\u003c\\u0001\\ufffd\\ufffd\\ufffd\\u2028"), std::string::npos)
        << text;
}

TEST(StatusResponse, AsksToRetryLater) {
    base::Status status(base::Reason::too_many_requests, "later");
    status.mutable_details().retry_after_seconds = 3;
    const Response response = status_response(status);
    EXPECT_EQ(response.status, 429);
    ASSERT_EQ(response.headers.size(), 1u);
    EXPECT_EQ(response.headers[0], (Header{"Retry-After", "3"}));
    EXPECT_NE(response.body[0]->find("\"retryAfterSeconds\":3"), std::string::npos);
}

}  // namespace
}  // namespace keelson::api
