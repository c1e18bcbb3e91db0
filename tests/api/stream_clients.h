// Clients of streams: the other ends of WebSocket and SPDY.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernel/api/spdy_frames.h"
#include "tests/support/https_client.h"

namespace keelson::api {

using testing::Answer;
using testing::HttpsClient;

class WebSocketClient {
  public:
    WebSocketClient(HttpsClient client, const std::string& target, const std::string& protocol)
        : client_(std::move(client)) {
        const std::string wanted =
            protocol.empty() ? "" : "Sec-WebSocket-Protocol: unknown, " + protocol + "\r\n";
        answer = client_.request("GET", target,
                                 "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                                     wanted);
    }
    void send(std::string_view data, std::uint8_t first = 0x82) {
        std::string frame(1, static_cast<char>(first));
        const bool is_short = data.size() < 126;
        frame += static_cast<char>(0x80 | (is_short ? data.size() : 127));
        for (int shift = is_short ? -8 : 56; shift >= 0; shift -= 8)
            frame += static_cast<char>(data.size() >> shift);
        frame += std::string(4, '\0') + std::string(data);
        EXPECT_TRUE(client_.send(frame));
    }
    void send(char channel, std::string_view data) { send(std::string(1, channel) + std::string(data)); }
    // Its kind and the message; kind 0 at the end.
    std::pair<int, std::string> receive() {
        const std::string head = client_.read_bytes(2);
        if (head.size() < 2) return {0, ""};
        std::size_t length = static_cast<std::uint8_t>(head[1]);
        if (length >= 126) {
            const std::string bytes = client_.read_bytes(length == 126 ? 2 : 8);
            length = 0;
            for (const char byte : bytes) length = length << 8 | static_cast<std::uint8_t>(byte);
        }
        return {head[0] & 0x0f, client_.read_bytes(length)};
    }
    std::string message() { return receive().second; }
    void close() { client_.close(); }

    Answer answer;

  private:
    HttpsClient client_;
};

class SpdyClient {
  public:
    SpdyClient(HttpsClient client, const std::string& target, const std::string& protocol)
        : client_(std::move(client)) {
        answer = client_.request(
            "POST", target,
            "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: " + protocol + "\r\n");
    }
    void open(std::uint32_t stream, const std::vector<Header>& headers) {
        std::string frame;
        writer_.syn_stream(stream, headers, frame);
        EXPECT_TRUE(client_.send(frame));
    }
    void send(std::uint32_t stream, std::string_view data, bool is_final = false) {
        std::string frame;
        SpdyWriter::data(stream, data, is_final, frame);
        EXPECT_TRUE(client_.send(frame));
    }
    void send_raw(std::string_view bytes) { EXPECT_TRUE(client_.send(bytes)); }
    std::optional<SpdyFrame> receive() {
        while (true) {
            if (auto frame = parser_.next()) return frame;
            const std::string byte = client_.read_bytes(1);
            if (byte.empty()) return std::nullopt;
            parser_.put(byte);
        }
    }
    // What comes on a stream until its end.
    std::string receive_all(std::uint32_t stream) {
        while (!ended_.contains(stream)) {
            const auto frame = receive();
            if (!frame) break;
            if (frame->kind != SpdyKind::data) continue;
            data_[frame->stream] += frame->data;
            if (frame->is_final) ended_.insert(frame->stream);
        }
        return data_[stream];
    }

    Answer answer;

  private:
    HttpsClient client_;
    SpdyWriter writer_;
    SpdyParser parser_;
    std::map<std::uint32_t, std::string> data_;
    std::set<std::uint32_t> ended_;
};

}  // namespace keelson::api
