// Logs, remote commands and port forwarding as clients see them, on a node that the test plays.
#include "kernel/base/sync_wait.h"
#include "tests/api/stream_clients.h"
#include "tests/api/streams_fixture.h"

namespace keelson::api {
namespace {

using testing::Answer;

constexpr std::string_view kSuccess = R"({"metadata":{},"status":"Success"})";

// --- logs ---

TEST_F(StreamsTest, SendsALogWithItsOptions) {
    streams.log = std::make_shared<PlayedLog>(std::deque<std::string>{"one\n", "two\n"}, false);
    const Answer answer = connect().request(
        "GET", "/log/p?tailLines=2&limitBytes=100&timestamps=true&previous=1&sinceSeconds=5");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "one\ntwo\n");
    EXPECT_EQ(answer.header("content-type"), "text/plain");
    EXPECT_EQ(streams.log_options.tail_lines, 2);
    EXPECT_EQ(streams.log_options.limit_bytes, 100);
    EXPECT_TRUE(streams.log_options.timestamps);
    EXPECT_TRUE(streams.log_options.since);
    EXPECT_TRUE(streams.log_previous);
}

TEST_F(StreamsTest, StopsFollowingALogWhenTheClientGoes) {
    streams.log = std::make_shared<PlayedLog>(std::deque<std::string>{"one\n"}, true);
    auto client = connect();
    ASSERT_TRUE(client.send("GET /log/p?follow=true HTTP/1.1\r\nHost: h\r\n\r\n"));
    while (!client.read_line().empty()) {
    }
    EXPECT_EQ(client.read_chunk(), "one\n");
    client.close();
    while (!streams.log->is_stopped()) ::usleep(1000);
}

TEST_F(StreamsTest, SaysWhyThereIsNoLog) {
    const auto ask = [&](const std::string& target) { return connect().request("GET", target); };
    EXPECT_EQ(ask("/log/nope").status, 404);
    EXPECT_EQ(ask("/log/unbound").status, 204);
    Answer answer = ask("/log/p?container=x");
    EXPECT_EQ(answer.status, 400);
    EXPECT_NE(answer.body.find("container x is not valid for pod p"), std::string::npos);
    answer = ask("/log/p?tailLines=-1");
    EXPECT_EQ(answer.status, 422);
    EXPECT_NE(answer.body.find("tailLines: Invalid value: -1: must be greater than or equal to 0"),
              std::string::npos);
    EXPECT_EQ(ask("/log/p?tailLines=x").status, 400);
    EXPECT_EQ(ask("/log/p?limitBytes=0").status, 422);
    EXPECT_EQ(ask("/log/p?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z").status, 422);
    EXPECT_EQ(ask("/log/p?stream=Stdout&tailLines=1").status, 422);
    EXPECT_EQ(ask("/log/p?stream=Both").status, 422);
    answer = ask("/log/elsewhere");
    EXPECT_EQ(answer.status, 500);
    EXPECT_NE(answer.body.find("dial tcp 192.0.2.7:10250: connect: connection refused"), std::string::npos);
}

// --- remote commands ---

TEST_F(StreamsTest, RefusesACommandBeforeTheConnectionIsHandedOver) {
    const auto ask = [&](const std::string& target) { return WebSocketClient(connect(), target, "").answer; };
    EXPECT_EQ(connect().request("POST", "/exec/p?command=a&stdout=1").status, 400);
    EXPECT_EQ(ask("/exec/p?command=a").status, 400);
    EXPECT_EQ(ask("/exec/p?stdout=1").status, 400);
    EXPECT_EQ(ask("/exec/unbound?command=a&stdout=1").status, 400);
    EXPECT_EQ(ask("/exec/nope?command=a&stdout=1").status, 404);
    EXPECT_EQ(ask("/exec/elsewhere?command=a&stdout=1").body,
              "error dialing backend: dial tcp 192.0.2.7:10250: connect: connection refused");
    EXPECT_EQ(WebSocketClient(connect(), "/exec/p?command=a&stdout=1", "other").answer.status, 403);
    agent.is_running = false;
    EXPECT_EQ(ask("/exec/p?command=a&stdout=1").body, "container not found (\"c\")");
}

TEST_F(StreamsTest, RunsACommandOverWebSocket) {
    WebSocketClient client(connect(), "/exec/p?command=sh&command=-c&stdin=1&stdout=1&stderr=1&container=c",
                           "v5.channel.k8s.io");
    ASSERT_EQ(client.answer.status, 101);
    EXPECT_EQ(client.answer.header("sec-websocket-protocol"), "v5.channel.k8s.io");
    EXPECT_EQ(client.message(), std::string(1, 1));
    await_process();
    EXPECT_EQ(streams.request.command, (std::vector<std::string>{"sh", "-c"}));
    client.send('\0', "input");
    EXPECT_EQ(take(streams.process.input), "input");
    client.send("ping", 0x89);
    EXPECT_EQ(client.receive(), (std::pair<int, std::string>(10, "ping")));
    client.send('\xff', std::string(1, '\0'));
    EXPECT_EQ(take(streams.process.input), "");  // its end
    put(streams.process.output, "out");
    EXPECT_EQ(client.message(), "\1out");
    put(streams.process.error, "err");
    EXPECT_EQ(client.message(), "\2err");
    end_process(3);
    const std::string status = client.message();
    EXPECT_EQ(status.front(), '\3');
    EXPECT_NE(status.find(
                  R"("reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]})"),
              std::string::npos);
    EXPECT_EQ(client.receive().first, 8);
    EXPECT_EQ(client.receive().first, 0);
}

TEST_F(StreamsTest, SpeaksBase64ToThoseWhoAsk) {
    WebSocketClient client(connect(), "/exec/p?command=a&stdin=1&stdout=1", "v4.base64.channel.k8s.io");
    EXPECT_EQ(client.receive(), (std::pair<int, std::string>(1, "1")));
    await_process();
    client.send("0aGk=", 0x81);
    EXPECT_EQ(take(streams.process.input), "hi");
    put(streams.process.output, "out");
    EXPECT_EQ(client.message(), "1b3V0");
    end_process(0);
    EXPECT_EQ(client.message().front(), '3');
}

TEST_F(StreamsTest, TellsWhyACommandDidNotStart) {
    streams.failure = base::Status(base::Reason::internal_error, "no such file");
    WebSocketClient client(connect(), "/exec/p?command=a&stdout=1", "v4.channel.k8s.io");
    ASSERT_EQ(client.answer.status, 101);
    client.message();
    EXPECT_NE(client.message().find("error executing command in container: no such file"), std::string::npos);
    EXPECT_EQ(client.receive().first, 8);
}

TEST_F(StreamsTest, ResizesATerminal) {
    WebSocketClient client(connect(), "/exec/p?command=a&stdin=1&stdout=1&stderr=1&tty=1",
                           "v4.channel.k8s.io");
    await_process();
    EXPECT_TRUE(streams.request.has_terminal);
    EXPECT_FALSE(streams.request.has_standard_error);
    client.send('\4', R"({"Width":132,"Height":43})");
    EXPECT_EQ(base::sync_wait(*executor,
                              [](auto resized) -> Task<std::pair<int, int>> {
                                  co_return co_await resized;
                              }(streams.resized)),
              (std::pair<int, int>(132, 43)));
    end_process(0);
}

TEST_F(StreamsTest, EndsTheStreamsOfACommandWhoseClientGoes) {
    WebSocketClient client(connect(), "/exec/p?command=a&stdin=1&stdout=1", "v5.channel.k8s.io");
    await_process();
    client.close();
    EXPECT_EQ(take(streams.process.input), "");
    // Nobody reads its output any more.
    while (::write(streams.process.output.get(), "x", 1) == 1) ::usleep(1000);
    EXPECT_EQ(errno, EPIPE);
}

TEST_F(StreamsTest, EndsTheStreamsOfACommandWhenTheServerStops) {
    WebSocketClient client(connect(), "/exec/p?command=a&stdin=1&stdout=1", "v5.channel.k8s.io");
    await_process();
    EXPECT_EQ(server->stop(std::chrono::seconds(5)), 0u);
    EXPECT_EQ(take(streams.process.input), "");
}

TEST_F(StreamsTest, HoldsBackAProcessWhoseClientIsSlow) {
    WebSocketClient client(connect(), "/exec/p?command=a&stdout=1", "v5.channel.k8s.io");
    client.message();
    await_process();
    ::fcntl(streams.process.output.get(), F_SETFL, O_NONBLOCK);
    const std::string piece(65'536, 'x');
    std::size_t written = 0;
    // What fits into sockets and pipes, and no more, is taken; a pause says that it is full.
    for (int pauses = 0; pauses < 200 && written < (64u << 20);) {
        const ssize_t count = ::write(streams.process.output.get(), piece.data(), piece.size());
        if (count > 0) written += static_cast<std::size_t>(count);
        pauses = count > 0 ? 0 : pauses + 1;
        if (count <= 0) ::usleep(1000);
    }
    EXPECT_LT(written, 32u << 20);
    end_process(0);
    std::size_t received = 0;
    while (true) {
        const std::string message = client.message();
        if (message.empty() || message.front() != '\1') {
            EXPECT_EQ(message, "\3" + std::string(kSuccess));
            break;
        }
        received += message.size() - 1;
    }
    EXPECT_EQ(received, written);
}

TEST_F(StreamsTest, DoesNotWaitForWhatACommandLeavesBehind) {
    WebSocketClient client(connect(), "/exec/p?command=a&stdout=1", "v5.channel.k8s.io");
    client.message();
    await_process();
    put(streams.process.output, "last");
    put(streams.process.result, R"({"exitCode":0})");
    streams.process.result.reset();
    EXPECT_EQ(client.message(), "\1last");
    EXPECT_EQ(client.message(), "\3" + std::string(kSuccess));
}

TEST_F(StreamsTest, AttachesOverWebSocket) {
    WebSocketClient client(connect(), "/attach/p?stdin=1&stdout=1&stderr=1", "v4.channel.k8s.io");
    client.message();
    await_process();
    client.send('\0', "hello");
    EXPECT_EQ(take(streams.process.input), "hello");
    put(streams.process.error, "err");
    EXPECT_EQ(client.message(), "\2err");
    streams.process.output.reset();
    streams.process.error.reset();
    EXPECT_EQ(client.message(), "\3" + std::string(kSuccess));
}

TEST_F(StreamsTest, RunsACommandOverSpdy) {
    SpdyClient client(connect(), "/exec/p?command=a&stdin=1&stdout=1&stderr=1", "v4.channel.k8s.io");
    ASSERT_EQ(client.answer.status, 101);
    EXPECT_EQ(client.answer.header("x-stream-protocol-version"), "v4.channel.k8s.io");
    client.open(1, {{"streamType", "error"}});
    client.open(3, {{"streamType", "stdin"}});
    client.send(3, "early ");
    client.open(5, {{"streamType", "stdout"}});
    client.open(7, {{"streamType", "stderr"}});
    client.open(9, {{"streamType", "strange"}});
    for (int index = 0; index < 4; ++index) EXPECT_EQ(client.receive()->kind, SpdyKind::syn_reply);
    EXPECT_EQ(client.receive()->kind, SpdyKind::reset);
    await_process();
    EXPECT_EQ(take(streams.process.input), "early ");
    client.send(3, "late", true);
    EXPECT_EQ(take(streams.process.input), "late");
    EXPECT_EQ(take(streams.process.input), "");
    put(streams.process.output, "out");
    put(streams.process.error, "err");
    end_process(0);
    EXPECT_EQ(client.receive_all(1), kSuccess);
    EXPECT_EQ(client.receive_all(5), "out");
    EXPECT_EQ(client.receive_all(7), "err");
}

TEST_F(StreamsTest, EndsASpdyConnectionThatBreaksTheRules) {
    SpdyClient client(connect(), "/exec/p?command=a&stdout=1", "v4.channel.k8s.io");
    client.send_raw("\x80\x02" + std::string(100, 'x'));
    EXPECT_EQ(client.receive()->kind, SpdyKind::go_away);
    EXPECT_FALSE(client.receive());
}

// --- port forwarding ---

struct Remote {
    FileDescriptor ours;
    FileDescriptor theirs;
};
Remote make_remote() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

TEST_F(StreamsTest, ForwardsPortsOverSpdy) {
    Remote remote = make_remote();
    streams.on_forward = [&](std::uint16_t port) -> Result<FileDescriptor> {
        if (port != 80) return base::Status(base::Reason::internal_error, "connection refused");
        return std::move(remote.theirs);
    };
    SpdyClient client(connect(), "/portforward/p", "portforward.k8s.io");
    ASSERT_EQ(client.answer.status, 101);
    client.open(1, {{"streamType", "error"}, {"port", "80"}, {"requestID", "0"}});
    client.open(3, {{"streamType", "data"}, {"port", "80"}, {"requestID", "0"}});
    client.open(5, {{"streamType", "error"}, {"port", "81"}, {"requestID", "1"}});
    client.open(7, {{"streamType", "data"}, {"port", "81"}, {"requestID", "1"}});
    client.open(9, {{"streamType", "data"}, {"port", "70000"}, {"requestID", "2"}});
    client.send(3, "question", true);
    EXPECT_EQ(take(remote.ours), "question");
    EXPECT_EQ(take(remote.ours), "");
    put(remote.ours, "answer");
    remote.ours.reset();
    EXPECT_EQ(client.receive_all(3), "answer");
    EXPECT_EQ(client.receive_all(1), "");
    EXPECT_NE(client.receive_all(5).find("error forwarding port 81 to pod p, uid "), std::string::npos);
}

TEST_F(StreamsTest, ForwardsPortsThroughAWebSocketTunnel) {
    Remote remote = make_remote();
    streams.on_forward = [&](std::uint16_t) -> Result<FileDescriptor> { return std::move(remote.theirs); };
    WebSocketClient client(connect(), "/portforward/p", "SPDY/3.1+portforward.k8s.io");
    ASSERT_EQ(client.answer.status, 101);
    SpdyWriter writer;
    std::string frames;
    writer.syn_stream(1, {{"streamType", "error"}, {"port", "80"}, {"requestID", "0"}}, frames);
    writer.syn_stream(3, {{"streamType", "data"}, {"port", "80"}, {"requestID", "0"}}, frames);
    SpdyWriter::data(3, "hello", false, frames);
    // Messages end anywhere.
    client.send(std::string_view(frames).substr(0, 11));
    client.send(std::string_view(frames).substr(11));
    EXPECT_EQ(take(remote.ours), "hello");
    client.close();
    EXPECT_EQ(take(remote.ours), "");
}

TEST_F(StreamsTest, ForwardsPortsOverTheChannelsOfAWebSocket) {
    Remote remote = make_remote();
    streams.on_forward = [&](std::uint16_t port) -> Result<FileDescriptor> {
        if (port != 8080) return base::Status(base::Reason::internal_error, "connection refused");
        return std::move(remote.theirs);
    };
    WebSocketClient client(connect(), "/portforward/p?ports=8080,81", "v4.channel.k8s.io");
    ASSERT_EQ(client.answer.status, 101);
    EXPECT_EQ(client.answer.header("sec-websocket-protocol"), "v4.channel.k8s.io");
    // 8080 is 0x1f90.
    EXPECT_EQ(client.message(), std::string("\0\x90\x1f", 3));
    EXPECT_EQ(client.message(), std::string("\1\x90\x1f", 3));
    EXPECT_EQ(client.message(), std::string("\2\x51\0", 3));
    EXPECT_EQ(client.message(), std::string("\3\x51\0", 3));
    const std::string complaint = client.message();
    EXPECT_EQ(complaint.front(), '\3');
    EXPECT_NE(complaint.find("error forwarding port 81 to pod p, uid "), std::string::npos);
    client.send('\0', "question");
    EXPECT_EQ(take(remote.ours), "question");
    put(remote.ours, "answer");
    EXPECT_EQ(client.message(), std::string("\0answer", 7));
    // The last connection's end is that of all.
    remote.ours.reset();
    EXPECT_EQ(client.receive().first, 8);
}

TEST_F(StreamsTest, ForwardsPortsInBase64AndWithoutAProtocol) {
    Remote remote = make_remote();
    streams.on_forward = [&](std::uint16_t) -> Result<FileDescriptor> { return std::move(remote.theirs); };
    WebSocketClient encoded(connect(), "/portforward/p?ports=80", "v4.base64.channel.k8s.io");
    EXPECT_EQ(encoded.receive(), (std::pair<int, std::string>(1, "0UAA=")));
    EXPECT_EQ(encoded.receive(), (std::pair<int, std::string>(1, "1UAA=")));
    encoded.send("0aGk=", 0x81);
    EXPECT_EQ(take(remote.ours), "hi");
    encoded.close();
    EXPECT_EQ(take(remote.ours), "");
    remote = make_remote();
    WebSocketClient plain(connect(), "/portforward/p?ports=80", "");
    ASSERT_EQ(plain.answer.status, 101);
    EXPECT_EQ(plain.answer.header("sec-websocket-protocol"), "");
    EXPECT_EQ(plain.message(), std::string("\0\x50\0", 3));
}

TEST_F(StreamsTest, RefusesPortsThatAreNone) {
    const auto ask = [&](const std::string& target) {
        return WebSocketClient(connect(), target, "v4.channel.k8s.io").answer;
    };
    for (const std::string query : {"", "?ports=", "?ports=0", "?ports=80,", "?ports=70000", "?ports=http"})
        EXPECT_EQ(ask("/portforward/p" + query).status, 400) << query;
    EXPECT_EQ(WebSocketClient(connect(), "/portforward/p?ports=80", "other").answer.status, 403);
}

// --- proxies ---

TEST_F(StreamsTest, LeadsNobodyToTheMachineItself) {
    const std::string pod =
        R"({"metadata":{"name":"local"},"spec":{"containers":[{"name":"c","image":"i"}]}})";
    ASSERT_TRUE(cluster.create({"v1/pods", "default", "local"}, pod).ok());
    for (const std::string address : {"", "127.0.0.1", "169.254.169.254", "::1", "0.0.0.0"}) {
        const std::string status = R"({"status":{"podIP":")" + address + "\"}}";
        ASSERT_TRUE(
            cluster.patch({"v1/pods/status", "default", "local"}, resource::PatchType::merge, status).ok());
        const Answer answer = connect().request("GET", "/api/v1/namespaces/default/pods/local/proxy/");
        EXPECT_EQ(answer.status, 400) << address;
        EXPECT_NE(answer.body.find("address not allowed"), std::string::npos) << answer.body;
    }
}

}  // namespace
}  // namespace keelson::api
