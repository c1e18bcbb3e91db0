// Answers of other servers, as the proxies read them.
#include "kernel/api/response_parser.h"

#include <gtest/gtest.h>

namespace keelson::api {
namespace {

TEST(ResponseParser, ReadsABodyOfKnownLengthHoweverItArrives) {
    const std::string text =
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    ResponseParser whole(false);
    EXPECT_TRUE(whole.put(text));
    EXPECT_TRUE(whole.done());
    EXPECT_EQ(whole.take_body(), "hello");
    ResponseParser parser(false);
    for (const char byte : text) EXPECT_TRUE(parser.put(std::string_view(&byte, 1)));
    EXPECT_TRUE(parser.done());
    EXPECT_EQ(parser.status(), 200);
    EXPECT_EQ(parser.headers().front(), (Header{"Content-Type", "text/plain"}));
    EXPECT_EQ(parser.take_body(), "hello");
}

TEST(ResponseParser, ReadsChunksAndBodiesThatEndWithTheConnection) {
    ResponseParser chunked(false);
    EXPECT_TRUE(chunked.put("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\n"));
    EXPECT_EQ(chunked.take_body(), "ab");
    EXPECT_FALSE(chunked.done());
    EXPECT_TRUE(chunked.put("c\r\n0\r\n\r\n"));
    EXPECT_EQ(chunked.take_body(), "c");
    EXPECT_TRUE(chunked.done());
    ResponseParser open(false);
    EXPECT_TRUE(open.put("HTTP/1.0 200 OK\r\n\r\nabc"));
    EXPECT_FALSE(open.done());
    EXPECT_TRUE(open.put_end());
    EXPECT_EQ(open.take_body(), "abc");
}

TEST(ResponseParser, HasNoBodyAfterHead) {
    ResponseParser parser(true);
    EXPECT_TRUE(parser.put("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    EXPECT_TRUE(parser.done());
}

TEST(ResponseParser, RefusesWhatIsNoAnswerOrBreaksOff) {
    ResponseParser nonsense(false);
    EXPECT_FALSE(nonsense.put("nonsense\r\n\r\n"));
    ResponseParser endless(false);
    EXPECT_FALSE(endless.put("HTTP/1.1 200 OK\r\nA: " + std::string(100'000, 'a')));
    ResponseParser half(false);
    EXPECT_TRUE(half.put("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"));
    EXPECT_FALSE(half.put_end());
}

}  // namespace
}  // namespace keelson::api
