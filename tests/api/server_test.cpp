// What a client of the server can rely on: connections, answers, streams, TLS.
#include <openssl/ssl.h>
#include <zlib.h>

#include <future>
#include <thread>

#include "tests/api/server_fixture.h"

namespace keelson::api {
namespace {

using testing::Answer;
using testing::HttpsClient;

std::string gunzip(const std::string& data) {
    z_stream stream{};
    inflateInit2(&stream, 15 + 16);
    std::string out(16 << 20, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

TEST_F(ServerTest, AnswersSeveralRequestsOnOneConnection) {
    start(echo);
    auto client = connect();
    ASSERT_TRUE(client.connected());
    for (int i = 0; i < 3; ++i) {
        const Answer answer = client.request("POST", "/a%20b?x=1", "", "body " + std::to_string(i));
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body, "POST /a b\nbody " + std::to_string(i));
        EXPECT_EQ(answer.header("content-type"), "text/plain");
        EXPECT_FALSE(answer.header("date").empty());
    }
    EXPECT_EQ(server->statistics().requests, 3u);
    EXPECT_EQ(server->statistics().accepted, 1u);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
    start(echo);
    auto client = connect();
    std::string text;
    for (int i = 0; i < 50; ++i) text += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
    ASSERT_TRUE(client.send(text));
    for (int i = 0; i < 50; ++i) EXPECT_EQ(client.read_answer().body, "GET /" + std::to_string(i) + "\n");
}

TEST_F(ServerTest, ReadsChunkedBodiesAndContinues) {
    start(echo);
    auto client = connect();
    ASSERT_TRUE(client.send(
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"));
    EXPECT_EQ(client.read_answer().status, 100);
    ASSERT_TRUE(client.send("5\r\nhello\r\n"));
    ASSERT_TRUE(client.send("6;ext=1\r\n world\r\n0\r\nTrailer: t\r\n\r\n"));
    EXPECT_EQ(client.read_answer().body, "POST /x\nhello world");
    EXPECT_EQ(client.request("GET", "/next").status, 200);
}

TEST_F(ServerTest, SendsNoBodyForHead) {
    start(echo);
    auto client = connect();
    const Answer answer = client.request("HEAD", "/x");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("content-length"), "8");
    EXPECT_EQ(client.request("GET", "/x").body, "GET /x\n");
}

TEST_F(ServerTest, ClosesWhenAskedAndForHttp10) {
    start(echo);
    auto client = connect();
    const Answer answer = client.request("GET", "/x", "Connection: close\r\n");
    EXPECT_EQ(answer.header("connection"), "close");
    EXPECT_TRUE(client.at_end());
    auto old = connect();
    ASSERT_TRUE(old.send("GET /old HTTP/1.0\r\n\r\n"));
    EXPECT_EQ(old.read_answer().body, "GET /old\n");
    EXPECT_TRUE(old.at_end());
}

TEST_F(ServerTest, GivesEveryRequestAnAuditId) {
    start([](Exchange& exchange) -> base::Task<void> {
        exchange.respond({200, "text/plain", exchange.request().audit_id});
        co_return;
    });
    auto client = connect();
    EXPECT_EQ(client.request("GET", "/", "Audit-ID: mine\r\n").body, "mine");
    const std::string first = client.request("GET", "/").body;
    EXPECT_EQ(first.size(), 36u);
    EXPECT_NE(first, client.request("GET", "/").body);
}

TEST_F(ServerTest, SendsLargeAnswersWhole) {
    const auto piece = std::make_shared<const std::string>(std::string(700'000, 'x') + "end");
    start([piece](Exchange& exchange) -> base::Task<void> {
        Response response;
        response.body = {piece, std::make_shared<const std::string>("-"), piece, piece};
        exchange.respond(std::move(response));
        co_return;
    });
    auto client = connect();
    for (int i = 0; i < 3; ++i) {
        const Answer answer = client.request("GET", "/");
        EXPECT_EQ(answer.body, *piece + "-" + *piece + *piece);
        EXPECT_EQ(answer.header("content-encoding"), "");
    }
}

TEST_F(ServerTest, CompressesLargeAnswersOnly) {
    start([](Exchange& exchange) -> base::Task<void> {
        const std::size_t size = exchange.request().path == "/large" ? 128 * 1024 : 128 * 1024 - 1;
        exchange.respond({200, "text/plain", std::string(size, 'y')});
        co_return;
    });
    auto client = connect();
    const Answer large = client.request("GET", "/large", "Accept-Encoding: gzip\r\n");
    EXPECT_EQ(large.header("content-encoding"), "gzip");
    EXPECT_EQ(large.header("vary"), "Accept-Encoding");
    EXPECT_EQ(gunzip(large.body), std::string(128 * 1024, 'y'));
    EXPECT_EQ(client.request("GET", "/large").header("content-encoding"), "");
    EXPECT_EQ(client.request("GET", "/small", "Accept-Encoding: gzip\r\n").header("content-encoding"), "");
}

TEST_F(ServerTest, StreamsPiecesAsTheyCome) {
    base::Completion<bool> second;
    start([second](Exchange& exchange) -> base::Task<void> {
        (void)co_await exchange.begin_stream(200, "application/json", {}, StreamKind::live);
        (void)co_await exchange.write(std::make_shared<const std::string>("one\n"));
        co_await second;
        (void)co_await exchange.write(std::make_shared<const std::string>("two\n"));
        co_await exchange.end_stream();
    });
    auto client = connect();
    ASSERT_TRUE(client.send("GET /w HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n"));
    EXPECT_EQ(client.read_line(), "HTTP/1.1 200 OK");
    while (!client.read_line().empty()) {
    }
    EXPECT_EQ(client.read_chunk(), "one\n");
    second.complete(true);
    EXPECT_EQ(client.read_chunk(), "two\n");
    EXPECT_EQ(client.read_chunk(), "");
}

TEST_F(ServerTest, BulkStreamsAreCompressedOrGivenALength) {
    start([](Exchange& exchange) -> base::Task<void> {
        const int pieces = exchange.request().path == "/long" ? 100 : 3;
        (void)co_await exchange.begin_stream(200, "application/json", {}, StreamKind::bulk);
        for (int i = 0; i < pieces; ++i)
            (void)co_await exchange.write(
                std::make_shared<const std::string>(std::string(10'000, static_cast<char>('a' + i % 26))));
        co_await exchange.end_stream();
    });
    auto client = connect();
    const Answer brief = client.request("GET", "/brief", "Accept-Encoding: gzip\r\n");
    EXPECT_EQ(brief.header("content-length"), "30000");
    const Answer compressed = client.request("GET", "/long", "Accept-Encoding: gzip\r\n");
    EXPECT_EQ(compressed.header("content-encoding"), "gzip");
    const Answer plain = client.request("GET", "/long");
    EXPECT_EQ(plain.header("transfer-encoding"), "chunked");
    EXPECT_EQ(plain.body.size(), 1'000'000u);
    EXPECT_EQ(gunzip(compressed.body), plain.body);
}

TEST_F(ServerTest, ResumesOnTheConnectionsExecutorAndTellsWhenTheClientGoes) {
    base::Completion<bool> gone;
    start([gone](Exchange& exchange) -> base::Task<void> {
        base::Completion<bool> closed;
        exchange.on_close([closed] { closed.complete(true); });
        (void)co_await exchange.begin_stream(200, "text/plain", {}, StreamKind::live);
        co_await closed;
        EXPECT_TRUE(exchange.closed());
        EXPECT_FALSE(co_await exchange.write(std::make_shared<const std::string>("x")));
        gone.complete(true);
    });
    auto client = connect();
    ASSERT_TRUE(client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_EQ(client.read_line(), "HTTP/1.1 200 OK");
    client.close();
    std::promise<void> done;
    auto wait = [](base::Completion<bool> completion, std::promise<void>& promise) -> base::Task<void> {
        co_await completion;
        promise.set_value();
    };
    base::spawn(*executor, wait(gone, done));
    EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(ServerTest, SendsWarningsOnceAndAnswersWhatAHandlerForgot) {
    start([](Exchange& exchange) -> base::Task<void> {
        exchange.add_warning("unknown field \"x\"");
        exchange.add_warning("unknown field \"x\"");
        exchange.add_header("X-Bad", "a\r\nInjected: yes");
        co_return;
    });
    auto client = connect();
    const Answer answer = client.request("GET", "/");
    EXPECT_EQ(answer.status, 500);
    EXPECT_EQ(answer.headers.count("warning"), 1u);
    EXPECT_EQ(answer.header("warning"), "299 - \"unknown field \\\"x\\\"\"");
    EXPECT_EQ(answer.headers.count("injected"), 0u);
}

TEST_F(ServerTest, NegotiatesHttp11AndResumesSessions) {
    start(echo);
    auto client = connect(true);
    EXPECT_EQ(client.alpn(), "http/1.1");
    EXPECT_EQ(client.protocol(), "TLSv1.3");
    EXPECT_EQ(client.request("GET", "/").status, 200);
    HttpsClient::Options options;
    options.port = server->port();
    options.session = client.session();
    HttpsClient again(options);
    EXPECT_TRUE(again.resumed());
    EXPECT_EQ(again.request("GET", "/").status, 200);
    SSL_SESSION_free(static_cast<SSL_SESSION*>(options.session));
}

TEST_F(ServerTest, TellsWhoTheClientIs) {
    start([](Exchange& exchange) -> base::Task<void> {
        const auto& peer = exchange.request().peer;
        std::string text = !peer ? "nobody" : (peer->verified ? "verified " : "refused ") + peer->common_name;
        if (peer && !peer->organizations.empty()) text += " " + peer->organizations[0];
        exchange.respond({200, "text/plain", text});
        co_return;
    });
    EXPECT_EQ(connect().request("GET", "/").body, "nobody");
    EXPECT_EQ(connect(true).request("GET", "/").body, "verified admin system:masters");
    HttpsClient::Options options;
    options.port = server->port();
    options.certificate = test_keys().stranger.certificate;
    options.key = test_keys().stranger.key;
    EXPECT_EQ(HttpsClient(options).request("GET", "/").body, "refused admin system:masters");
}

TEST_F(ServerTest, TakesANewCertificateWhileRunning) {
    start(echo);
    auto before = connect();
    EXPECT_EQ(before.server_common_name(), "first");
    server->set_tls(make_tls(make_server_certificate(test_keys().authority, "second")));
    EXPECT_EQ(connect().server_common_name(), "second");
    EXPECT_EQ(before.request("GET", "/").status, 200);
}

TEST_F(ServerTest, ServesManyConnectionsAtOnce) {
    start(echo);
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            std::vector<HttpsClient> clients;
            for (int i = 0; i < 16; ++i) clients.push_back(connect());
            for (int round = 0; round < 20; ++round) {
                for (auto& client : clients) good += client.request("GET", "/x").status == 200 ? 1 : 0;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(good, 8 * 16 * 20);
}

TEST_F(ServerTest, DrainsAnswersAndEndsStreamsWhenStopped) {
    base::Completion<bool> entered;
    base::Completion<bool> release;
    start([entered, release](Exchange& exchange) -> base::Task<void> {
        if (exchange.request().path == "/watch") {
            base::Completion<bool> closed;
            exchange.on_close([closed] { closed.complete(true); });
            (void)co_await exchange.begin_stream(200, "text/plain", {}, StreamKind::live);
            co_await closed;
            release.complete(true);
            co_await exchange.end_stream();
            co_return;
        }
        entered.complete(true);
        co_await release;  // the watch ends first: stop() told it to
        exchange.respond({200, "text/plain", "done"});
    });
    auto watcher = connect();
    auto idle = connect();
    EXPECT_TRUE(idle.connected());
    ASSERT_TRUE(watcher.send("GET /watch HTTP/1.1\r\nHost: h\r\n\r\n"));
    EXPECT_EQ(watcher.read_line(), "HTTP/1.1 200 OK");
    auto slow = connect();
    ASSERT_TRUE(slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"));
    std::promise<void> started;
    auto wait = [](base::Completion<bool> completion, std::promise<void>& promise) -> base::Task<void> {
        co_await completion;
        promise.set_value();
    };
    base::spawn(*executor, wait(entered, started));
    started.get_future().wait();
    EXPECT_EQ(server->stop(std::chrono::seconds(5)), 0u);
    const Answer answer = slow.read_answer();
    EXPECT_EQ(answer.body, "done");
    EXPECT_EQ(answer.header("connection"), "close");
    while (!watcher.read_line().empty()) {
    }
    EXPECT_EQ(watcher.read_chunk(), "");
    EXPECT_TRUE(idle.at_end());
    EXPECT_FALSE(connect().connected());
}

}  // namespace
}  // namespace keelson::api
