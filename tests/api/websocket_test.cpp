// WebSocket frames, good ones and hostile ones.
#include "kernel/api/websocket.h"

#include <gtest/gtest.h>

namespace keelson::api {
namespace {

std::string client_frame(std::uint8_t first, std::string_view data, std::uint8_t masked = 0x80) {
    std::string frame(1, static_cast<char>(first));
    if (data.size() < 126) {
        frame += static_cast<char>(masked | data.size());
    } else {
        frame += static_cast<char>(masked | 127);
        for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(data.size() >> shift);
    }
    const std::string mask = "\x11\x22\x33\x44";
    frame += mask;
    for (std::size_t index = 0; index < data.size(); ++index)
        frame += static_cast<char>(data[index] ^ mask[index % 4]);
    return frame;
}

std::uint16_t failure_of(const std::string& bytes) {
    WebSocketParser parser;
    parser.put(bytes);
    while (parser.next()) {
    }
    return parser.failure();
}

TEST(WebSocket, AnswersAHandshakeAsTheRfcDoes) {
    Request request;
    request.headers = {{"Connection", "keep-alive, Upgrade"},
                       {"Upgrade", "websocket"},
                       {"Sec-WebSocket-Version", "13"},
                       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    EXPECT_TRUE(asks_for_websocket(request));
    const auto headers = websocket_answer(request, "v5.channel.k8s.io");
    ASSERT_TRUE(headers);
    EXPECT_EQ((*headers)[2], (Header{"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}));
    EXPECT_EQ((*headers)[3], (Header{"Sec-WebSocket-Protocol", "v5.channel.k8s.io"}));
}

TEST(WebSocket, RefusesABrokenHandshake) {
    Request request;
    request.headers = {{"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "short"}};
    EXPECT_FALSE(websocket_answer(request, ""));
    request.headers = {{"Sec-WebSocket-Version", "8"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
    EXPECT_FALSE(websocket_answer(request, ""));
}

TEST(WebSocket, ReadsFramesOfAnyLengthHoweverTheyArrive) {
    const std::string large(70'000, 'x');
    const std::string bytes =
        client_frame(0x82, "hello") + client_frame(0x81, "") + client_frame(0x82, large);
    WebSocketParser parser;
    std::vector<WebSocketMessage> messages;
    for (const char byte : bytes) {
        parser.put(std::string_view(&byte, 1));
        while (auto message = parser.next()) messages.push_back(std::move(*message));
    }
    ASSERT_EQ(messages.size(), 3u);
    EXPECT_EQ(messages[0].data, "hello");
    EXPECT_EQ(messages[1].kind, WebSocketKind::text);
    EXPECT_EQ(messages[2].data, large);
}

TEST(WebSocket, PutsFragmentsTogetherAroundAPing) {
    WebSocketParser parser;
    parser.put(client_frame(0x02, "one ") + client_frame(0x89, "p") + client_frame(0x80, "two"));
    const auto ping = parser.next();
    ASSERT_TRUE(ping);
    EXPECT_EQ(ping->kind, WebSocketKind::ping);
    const auto message = parser.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->kind, WebSocketKind::binary);
    EXPECT_EQ(message->data, "one two");
}

TEST(WebSocket, RefusesWhatTheRulesForbid) {
    EXPECT_EQ(failure_of(client_frame(0x82, "a", 0)), WebSocketParser::protocol_error);  // not masked
    EXPECT_EQ(failure_of(client_frame(0xc2, "a")), WebSocketParser::protocol_error);     // reserved bit
    EXPECT_EQ(failure_of(client_frame(0x80, "a")), WebSocketParser::protocol_error);     // continues nothing
    EXPECT_EQ(failure_of(client_frame(0x09, "a")), WebSocketParser::protocol_error);     // fragmented ping
    EXPECT_EQ(failure_of(client_frame(0x83, "a")), WebSocketParser::protocol_error);     // unknown kind
    EXPECT_EQ(failure_of(client_frame(0x8b, "a")), WebSocketParser::protocol_error);     // unknown control
    EXPECT_EQ(failure_of(client_frame(0x02, "a") + client_frame(0x82, "b")), WebSocketParser::protocol_error);
    EXPECT_EQ(failure_of(client_frame(0x89, std::string(126, 'a'))), WebSocketParser::protocol_error);
}

TEST(WebSocket, RefusesALongMessageBeforeItHasArrived) {
    EXPECT_EQ(
        failure_of(client_frame(0x82, std::string(WebSocketParser::limit_bytes + 1, 'a')).substr(0, 14)),
        WebSocketParser::too_big);
    const std::string half(WebSocketParser::limit_bytes / 2 + 1, 'a');
    EXPECT_EQ(failure_of(client_frame(0x02, half) + client_frame(0x80, half)), WebSocketParser::too_big);
    EXPECT_EQ(failure_of(std::string("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10)),
              WebSocketParser::too_big);
}

TEST(WebSocket, WritesFramesOfEveryLength) {
    for (const std::size_t size : {0u, 125u, 126u, 65'535u, 65'536u}) {
        std::string frame;
        append_websocket_frame(WebSocketKind::binary, std::string(size, 'a'), frame);
        EXPECT_EQ(frame.size(), size + (size < 126 ? 2 : size < 65'536 ? 4 : 10));
    }
}

}  // namespace
}  // namespace keelson::api
