// What the server does not let clients do to it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "tests/api/server_fixture.h"

namespace keelson::api {
namespace {

using testing::Answer;
using testing::HttpsClient;

TEST_F(ServerTest, RefusesMalformedRequests) {
    start(echo);
    for (const std::string text :
         {"nonsense\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
          "GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        auto client = connect();
        ASSERT_TRUE(client.send(text));
        const Answer answer = client.read_answer();
        EXPECT_EQ(answer.status, 400) << text;
        EXPECT_NE(answer.body.find("\"reason\":\"BadRequest\""), std::string::npos) << answer.body;
        EXPECT_TRUE(client.at_end()) << text;
    }
    auto client = connect();
    ASSERT_TRUE(client.send("GET / HTTP/9.9\r\n\r\n"));
    EXPECT_EQ(client.read_answer().status, 505);
    EXPECT_EQ(connect().request("GET", "/").status, 200);
}

TEST_F(ServerTest, RefusesLargeBodies) {
    start(echo);
    auto client = connect();
    EXPECT_EQ(client.request("POST", "/", "", std::string(3 << 20, 'b')).status, 200);
    const Answer announced = client.request("POST", "/", "", std::string((3 << 20) + 1, 'b'));
    EXPECT_EQ(announced.status, 413);
    EXPECT_NE(announced.body.find("Request entity too large: limit is 3145728"), std::string::npos);
    EXPECT_NE(announced.body.find("\"reason\":\"RequestEntityTooLarge\""), std::string::npos);

    auto chunked = connect();
    ASSERT_TRUE(chunked.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 5; ++i) chunked.send("100000\r\n" + std::string(1 << 20, 'c') + "\r\n");
    EXPECT_EQ(chunked.read_answer().status, 413);
}

TEST_F(ServerTest, DoesNotAskForABodyThatItWillRefuse) {
    start(echo);
    auto client = connect();
    ASSERT_TRUE(client.send(
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\nExpect: 100-continue\r\n\r\n"));
    EXPECT_EQ(client.read_answer().status, 413);
}

TEST_F(ServerTest, RefusesLargeHeaders) {
    start(echo);
    auto client = connect();
    EXPECT_EQ(client.request("GET", "/", "X: " + std::string(60'000, 'h') + "\r\n").status, 200);
    EXPECT_EQ(client.request("GET", "/", "X: " + std::string(70'000, 'h') + "\r\n").status, 431);
    auto many = connect();
    std::string lines;
    for (int i = 0; i < 10'000; ++i) lines += "X" + std::to_string(i) + ": v\r\n";
    EXPECT_EQ(many.request("GET", "/", lines).status, 431);
    auto target = connect();
    EXPECT_EQ(target.request("GET", "/" + std::string(80'000, 't')).status, 431);
}

TEST_F(ServerTest, EndsSlowRequests) {
    ServerOptions options;
    options.limits.header_timeout = std::chrono::milliseconds(100);
    options.limits.body_timeout = std::chrono::milliseconds(150);
    options.limits.idle_timeout = std::chrono::milliseconds(200);
    start(echo, options);
    auto headers = connect();
    ASSERT_TRUE(headers.send("GET / HTTP/1.1\r\nHo"));
    const Answer answer = headers.read_answer();
    EXPECT_EQ(answer.status, 408);
    EXPECT_TRUE(headers.at_end());
    auto body = connect();
    ASSERT_TRUE(body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
    EXPECT_EQ(body.read_answer().status, 408);
    auto idle = connect();
    EXPECT_EQ(idle.request("GET", "/").status, 200);
    EXPECT_TRUE(idle.at_end());
}

// Writes megabytes until that fails; tells whether it did, and whether the exchange knew that the client was
// gone.
base::Task<void> flood(Exchange& exchange, std::promise<bool>& cut_off) {
    const auto begun = co_await exchange.begin_stream(200, "text/plain", {}, StreamKind::live);
    EXPECT_TRUE(begun);
    const auto piece = std::make_shared<const std::string>(1 << 20, 'p');
    bool open = true;
    for (int i = 0; i < 64 && open; ++i) {
        const auto written = co_await exchange.write(piece);
        open = written.has_value();
    }
    cut_off.set_value(!open && exchange.closed());
}

TEST_F(ServerTest, CutsOffAClientThatDoesNotRead) {
    ServerOptions options;
    options.limits.write_timeout = std::chrono::milliseconds(100);
    std::promise<bool> cut_off;
    start([&cut_off](Exchange& exchange) { return flood(exchange, cut_off); }, options);
    auto client = connect();
    ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_TRUE(cut_off.get_future().get());
}

TEST_F(ServerTest, MakesRoomByClosingIdleConnections) {
    ServerOptions options;
    options.limits.connections = 8;
    options.threads = 1;
    start(echo, options);
    std::vector<HttpsClient> clients;
    for (int i = 0; i < 20; ++i) {
        clients.push_back(connect());
        EXPECT_EQ(clients.back().request("GET", "/").status, 200) << i;
    }
    EXPECT_GE(server->statistics().evicted, 12u);
    EXPECT_TRUE(clients.front().at_end());
    EXPECT_EQ(clients.back().request("GET", "/").status, 200);
}

TEST_F(ServerTest, RefusesConnectionsWhenAllAreBusy) {
    ServerOptions options;
    options.limits.connections = 3;
    start(
        [](Exchange& exchange) -> base::Task<void> {
            base::Completion<bool> closed;
            exchange.on_close([closed] { closed.complete(true); });
            (void)co_await exchange.begin_stream(200, "text/plain", {}, StreamKind::live);
            co_await closed;
        },
        options);
    std::vector<HttpsClient> busy;
    for (int i = 0; i < 3; ++i) {
        busy.push_back(connect());
        ASSERT_TRUE(busy.back().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        EXPECT_EQ(busy.back().read_line(), "HTTP/1.1 200 OK");
    }
    auto refused = connect();
    const Answer answer = refused.request("GET", "/");
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(answer.header("retry-after"), "1");
    EXPECT_NE(answer.body.find("too many connections"), std::string::npos);
    EXPECT_TRUE(refused.at_end());
}

TEST_F(ServerTest, BoundsTheBodiesOfAllRequestsTogether) {
    ServerOptions options;
    options.limits.buffered_bodies_bytes = 3 << 20;
    base::Completion<bool> release;
    std::promise<void> entered;
    start(
        [release, &entered](Exchange& exchange) -> base::Task<void> {
            entered.set_value();
            co_await release;
            exchange.respond({200, "text/plain", "ok"});
        },
        options);
    auto first = connect();
    ASSERT_TRUE(first.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n" +
                           std::string(2'000'000, 'a')));
    entered.get_future().wait();
    auto second = connect();
    EXPECT_EQ(second.request("POST", "/", "", std::string(2'000'000, 'b')).status, 429);
    release.complete(true);
    EXPECT_EQ(first.read_answer().status, 200);
    first.close();
    server->stop(std::chrono::seconds(2));
    EXPECT_EQ(server->statistics().buffered_body_bytes, 0u);
}

TEST_F(ServerTest, TellsPlainHttpClientsWhatIsWrong) {
    start(echo);
    const auto fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::string text = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    ASSERT_EQ(::send(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    std::string answer(4096, '\0');
    answer.resize(static_cast<std::size_t>(
        std::max<ssize_t>(0, ::recv(fd, answer.data(), answer.size(), MSG_WAITALL))));
    EXPECT_NE(answer.find("Client sent an HTTP request to an HTTPS server."), std::string::npos);
    ::close(fd);
}

TEST(Listener, NamesThePortThatIsTaken) {
    auto first = Listener::open("127.0.0.1", 0);
    ASSERT_TRUE(first);
    const auto second = Listener::open("127.0.0.1", first->port());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find(std::to_string(first->port())), std::string::npos);
    EXPECT_NE(second.error().message().find("in use"), std::string::npos);
    EXPECT_FALSE(Listener::open("not an address", 0));
}

}  // namespace
}  // namespace keelson::api
