#include "kernel/node/probe.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "kernel/base/executor_real.h"
#include "kernel/node/header_blocks.h"
#include "tests/node/fake_runtime.h"
#include "tests/node/node_cluster.h"

namespace keelson::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;

// A server on loopback: each connection is given to the handler, one after the other.
class LoopbackServer {
  public:
    using Handler = std::function<void(int connection)>;

    explicit LoopbackServer(Handler handler) : handler_(std::move(handler)) {
        listener_ = base::FileDescriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(listener_.get(), 16), 0);
        EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port = ntohs(address.sin_port);
        EXPECT_EQ(::pipe2(end_, O_CLOEXEC), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~LoopbackServer() {
        ::close(end_[1]);
        thread_.join();
        ::close(end_[0]);
    }
    // Waits for the client's end, or for the server's.
    void linger(int connection) const {
        char block[1024];
        pollfd polls[2] = {{connection, POLLIN, 0}, {end_[0], POLLIN, 0}};
        while (::poll(polls, 2, -1) >= 0 && polls[1].revents == 0)
            if (::recv(connection, block, sizeof block, 0) <= 0) return;
    }

    int port = 0;

  private:
    void serve() {
        pollfd polls[2] = {{listener_.get(), POLLIN, 0}, {end_[0], POLLIN, 0}};
        while (::poll(polls, 2, -1) >= 0 && polls[1].revents == 0) {
            const base::FileDescriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (connection) handler_(connection.get());
        }
    }

    Handler handler_;
    base::FileDescriptor listener_;
    int end_[2] = {-1, -1};
    std::thread thread_;
};

std::string receive_until(int connection, std::string_view end) {
    std::string text;
    char letter = 0;
    while (!text.ends_with(end) && ::recv(connection, &letter, 1, 0) == 1) text += letter;
    return text;
}
void send_text(int connection, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

class ProbeTest : public ::testing::Test {
  protected:
    ~ProbeTest() override { executor->stop(); }

    ProbeResult probe(const std::string& json, std::chrono::seconds timeout = std::chrono::seconds(5)) {
        object::Arena arena;
        ProbeTarget target;
        target.container_id = "c1";
        target.pod_address = "127.0.0.1";
        target.container = *object::parse_json_copy(
            R"({"ports":[{"name":"web","containerPort":)" + std::to_string(port) + "}]}", arena);
        const object::Value value = *object::parse_json_copy(json, arena);
        return base::sync_wait(*executor, ask(value, target, timeout, fakes.runtime, *executor));
    }
    ProbeResult get(const std::string& more = "", std::chrono::seconds timeout = std::chrono::seconds(5)) {
        return probe(R"({"httpGet":{"port":"web","path":"/x?y=1","scheme":"HTTP")" + more + "}}", timeout);
    }
    std::string url(const std::string& path = "/x?y=1") {
        return "http://127.0.0.1:" + std::to_string(port) + path;
    }
    // Serves one answer to all, and remembers what was asked.
    void answer(const std::string& text) {
        serve([this, text](int connection) {
            requests.push_back(receive_until(connection, "\r\n\r\n"));
            send_text(connection, text);
        });
    }
    void serve(LoopbackServer::Handler handler) {
        server = std::make_unique<LoopbackServer>(std::move(handler));
        port = server->port;
    }
    // A port at which nobody listens.
    void refuse() {
        serve([](int) {});
        server.reset();
    }

    FakeNode fakes;
    std::unique_ptr<base::ThreadExecutor> executor = base::make_thread_executor(1, 2);
    std::vector<std::string> requests;  // read after the answer
    std::unique_ptr<LoopbackServer> server;
    int port = 1;
};

TEST_F(ProbeTest, RunsACommand) {
    fakes.runtime.on_exec = [](const ExecRequest&) { return FakeRuntime::ExecAnswer{0, "fine\n", ""}; };
    ProbeResult result = probe(R"({"exec":{"command":["cat","/tmp/healthy"]}})");
    EXPECT_EQ(result.outcome, ProbeOutcome::success);
    EXPECT_EQ(result.output, "fine\n");
    ASSERT_EQ(fakes.runtime.execs.size(), 1u);
    EXPECT_EQ(fakes.runtime.execs[0].container_id, "c1");
    EXPECT_THAT(fakes.runtime.execs[0].command, ElementsAre("cat", "/tmp/healthy"));
    EXPECT_EQ(fakes.runtime.execs[0].timeout, std::chrono::seconds(5));
    fakes.runtime.on_exec = [](const ExecRequest&) {
        return FakeRuntime::ExecAnswer{1, "", "no such file\n"};
    };
    result = probe(R"({"exec":{"command":["cat","/tmp/healthy"]}})");
    EXPECT_EQ(result.outcome, ProbeOutcome::failure);
    EXPECT_EQ(result.output, "no such file\n");
    fakes.log.fail("exec", base::Status(base::Reason::service_unavailable, "the runtime is gone"));
    EXPECT_EQ(probe(R"({"exec":{"command":["true"]}})").outcome, ProbeOutcome::unknown);
}

TEST_F(ProbeTest, CutsTheOutputOfACommand) {
    fakes.runtime.on_exec = [](const ExecRequest&) {
        return FakeRuntime::ExecAnswer{0, std::string(20'000, 'x'), ""};
    };
    EXPECT_EQ(probe(R"({"exec":{"command":["yes"]}})").output.size(), 10u << 10);
}

TEST_F(ProbeTest, GivesUpACommandThatDoesNotEnd) {
    std::vector<base::FileDescriptor> writers;
    fakes.runtime.on_exec_streams = [&](const ExecRequest&) -> base::Result<Streams> {
        int output[2] = {-1, -1}, result[2] = {-1, -1};
        if (::pipe2(output, O_CLOEXEC) != 0 || ::pipe2(result, O_CLOEXEC) != 0)
            return base::system_error("making pipes", errno);
        writers.emplace_back(output[1]);
        writers.emplace_back(result[1]);
        Streams streams;
        streams.standard_output = base::FileDescriptor(output[0]);
        streams.result = base::FileDescriptor(result[0]);
        return streams;
    };
    const ProbeResult result =
        probe(R"({"exec":{"command":["sh","-c","sleep 9"]}})", std::chrono::seconds(1));
    EXPECT_EQ(result.outcome, ProbeOutcome::failure);
    EXPECT_EQ(result.output, "command \"sh -c sleep 9\" timed out");
}

TEST_F(ProbeTest, AsksOverHttp) {
    answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    ProbeResult result =
        get(R"(,"httpHeaders":[{"name":"X-A","value":"1"},{"name":"Host","value":"web.example"}])");
    EXPECT_EQ(result.outcome, ProbeOutcome::success);
    EXPECT_EQ(result.output, "ok");
    server.reset();
    EXPECT_THAT(
        requests,
        ElementsAre("GET /x?y=1 HTTP/1.1\r\nHost: web.example\r\nX-A: 1\r\nUser-Agent: kube-probe/1.36\r\n"
                    "Accept: */*\r\nConnection: close\r\n\r\n"));
}

TEST_F(ProbeTest, SaysItsNameUnlessToldOtherwise) {
    answer("HTTP/1.0 204 No Content\r\n\r\n");
    EXPECT_EQ(
        get(R"(,"httpHeaders":[{"name":"user-agent","value":"me"},{"name":"Accept","value":""}])").outcome,
        ProbeOutcome::success);
    server.reset();
    ASSERT_EQ(requests.size(), 1u);
    EXPECT_THAT(requests[0], HasSubstr("user-agent: me\r\n"));
    EXPECT_THAT(requests[0], testing::Not(HasSubstr("kube-probe")));
    EXPECT_THAT(requests[0], testing::Not(HasSubstr("Accept")));
    EXPECT_THAT(requests[0], HasSubstr("Host: 127.0.0.1:" + std::to_string(port) + "\r\n"));
}

TEST_F(ProbeTest, JudgesByTheStatus) {
    struct Case {
        std::string answer;
        ProbeOutcome outcome;
        std::string output;
    };
    for (const Case& one : std::vector<Case>{
             {"HTTP/1.1 500 Oops\r\n\r\nsecret", ProbeOutcome::failure,
              "HTTP probe failed with statuscode: 500"},
             {"HTTP/1.1 404 No\r\n\r\n", ProbeOutcome::failure, "HTTP probe failed with statuscode: 404"},
             {"HTTP/1.1 399 Odd\r\n\r\nx", ProbeOutcome::warning,
              "Probe terminated redirects, Response body: x"},
             {"HTTP/1.1 302 Found\r\nLocation: http://other.example/\r\n\r\nx", ProbeOutcome::warning,
              "Probe terminated redirects, Response body: x"},
             {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nlate", ProbeOutcome::success, "late"},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
              ProbeOutcome::success, "abcde"},
             {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", ProbeOutcome::failure, "unexpected EOF"},
             {"HTTP/1.1 200 OK\r\n\r\n" + std::string(20'000, 'x'), ProbeOutcome::success,
              std::string(10'240, 'x')},
         }) {
        answer(one.answer);
        const ProbeResult result = get();
        EXPECT_EQ(result.outcome, one.outcome) << one.answer.substr(0, 100);
        EXPECT_EQ(result.output, one.output) << one.answer.substr(0, 100);
    }
}

TEST_F(ProbeTest, FollowsRedirectsWithinTheHost) {
    serve([this](int connection) {
        const std::string request = receive_until(connection, "\r\n\r\n");
        requests.push_back(request.substr(0, request.find(" HTTP")));
        if (request.starts_with("GET /x"))
            send_text(connection, "HTTP/1.1 301 Moved\r\nLocation: /a/b\r\nContent-Length: 0\r\n\r\n");
        else if (request.starts_with("GET /a/b"))
            send_text(connection, "HTTP/1.1 302 Found\r\nLocation: c?d\r\n\r\n");
        else if (request.starts_with("GET /a/c"))
            send_text(connection, "HTTP/1.1 307 Found\r\nLocation: " + url("/end") + "\r\n\r\n");
        else
            send_text(connection, "HTTP/1.1 200 OK\r\n\r\ndone");
    });
    const ProbeResult result = get();
    EXPECT_EQ(result.outcome, ProbeOutcome::success);
    EXPECT_EQ(result.output, "done");
    server.reset();
    EXPECT_THAT(requests, ElementsAre("GET /x?y=1", "GET /a/b", "GET /a/c?d", "GET /end"));
}

TEST_F(ProbeTest, DoesNotRunInCircles) {
    answer("HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n");
    const ProbeResult result = get();
    EXPECT_EQ(result.outcome, ProbeOutcome::failure);
    EXPECT_EQ(result.output, "Get \"" + url("/x") + "\": stopped after 10 redirects");
    server.reset();
    EXPECT_EQ(requests.size(), 10u);
}

TEST_F(ProbeTest, WordsHttpFailuresAsKubernetesDoes) {
    refuse();
    EXPECT_EQ(get().output, "Get \"" + url() + "\": dial tcp 127.0.0.1:" + std::to_string(port) +
                                ": connect: connection refused");
    serve([this](int connection) { server->linger(connection); });
    ProbeResult result = get("", std::chrono::seconds(1));
    EXPECT_EQ(result.outcome, ProbeOutcome::failure);
    EXPECT_EQ(
        result.output,
        "Get \"" + url() + "\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    answer("");
    EXPECT_EQ(get().output, "Get \"" + url() + "\": EOF");
    answer("SSH-2.0-OpenSSH\r\n");
    EXPECT_THAT(get().output, HasSubstr("malformed HTTP response \"SSH-2.0-OpenSSH\""));
    answer("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n");
    EXPECT_THAT(get().output, HasSubstr("server response headers exceeded"));
    EXPECT_THAT(get(R"(,"httpHeaders":[{"name":"X","value":"a\r\nb"}])").output,
                HasSubstr("invalid header field value for \"X\""));
}

TEST_F(ProbeTest, FindsPortsByName) {
    EXPECT_EQ(probe(R"({"tcpSocket":{"port":"nope"}})").outcome, ProbeOutcome::unknown);
    EXPECT_EQ(probe(R"({"tcpSocket":{"port":"nope"}})").output, "port nope not found");
    EXPECT_EQ(probe(R"({"tcpSocket":{"port":0}})").output, "invalid port number: 0");
    EXPECT_EQ(probe("{}").output, "missing probe handler");
    serve([](int) {});
    for (const std::string& text :
         {std::to_string(port), "\"" + std::to_string(port) + "\"", std::string("\"web\"")})
        EXPECT_EQ(probe(R"({"tcpSocket":{"port":)" + text + "}}").outcome, ProbeOutcome::success) << text;
}

TEST_F(ProbeTest, ConnectsToASocket) {
    refuse();
    const ProbeResult result = probe(R"({"tcpSocket":{"port":"web"}})");
    EXPECT_EQ(result.outcome, ProbeOutcome::failure);
    EXPECT_EQ(result.output, "dial tcp 127.0.0.1:" + std::to_string(port) + ": connect: connection refused");
    EXPECT_EQ(probe(R"({"tcpSocket":{"port":"web","host":"no-such-host.invalid"}})").output,
              "dial tcp: lookup no-such-host.invalid: no such host");
}

TEST_F(ProbeTest, GivesUpASocketThatDoesNotAnswer) {
    // A listener whose queue is full answers nobody.
    const base::FileDescriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener.get(), 0), 0);
    ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    std::vector<base::FileDescriptor> waiting;
    for (int count = 0; count < 3; ++count) {
        waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        (void)::connect(waiting.back().get(), reinterpret_cast<sockaddr*>(&address), size);
    }
    const ProbeResult result = probe(R"({"tcpSocket":{"port":"web"}})", std::chrono::seconds(1));
    EXPECT_EQ(result.outcome, ProbeOutcome::failure);
    EXPECT_EQ(result.output, "dial tcp 127.0.0.1:" + std::to_string(port) + ": i/o timeout");
}

// A certificate that nobody has signed, for TLS.
SSL_CTX* make_server_context() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
}

TEST_F(ProbeTest, TrustsEverybodyOverTls) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(make_server_context(), &SSL_CTX_free);
    serve([&](int connection) {
        const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), &SSL_free);
        SSL_set_fd(tls.get(), connection);
        if (SSL_accept(tls.get()) != 1) return;
        char block[4096];
        (void)SSL_read(tls.get(), block, sizeof block);
        const std::string text = "HTTP/1.1 200 OK\r\n\r\nover TLS";
        (void)SSL_write(tls.get(), text.data(), static_cast<int>(text.size()));
    });
    const std::string json = R"({"httpGet":{"port":"web","path":"/","scheme":"HTTPS"}})";
    const ProbeResult result = probe(json);
    EXPECT_EQ(result.outcome, ProbeOutcome::success) << result.output;
    EXPECT_EQ(result.output, "over TLS");
    serve([](int connection) {
        char block[1024];
        (void)::recv(connection, block, sizeof block, 0);
        send_text(connection, "HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    EXPECT_THAT(probe(json).output, HasSubstr("tls: handshake"));
}

// gRPC

TEST(HeaderBlocksTest, ReadsTheExamplesOfTheStandard) {
    const auto read = [](std::string_view bytes) { return read_headers(bytes).value(); };
    // RFC 7541, C.2.1, C.4.3 and C.6.1 with their names written out.
    EXPECT_THAT(read("\x40\x0a"
                     "custom-key\x0d"
                     "custom-header"),
                ElementsAre(Pair("custom-key", "custom-header")));
    EXPECT_THAT(read("\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8"
                     "\xe8\xb4\xbf"),
                ElementsAre(Pair("custom-key", "custom-value")));
    EXPECT_THAT(read(std::string_view("\x20\x00\x04"
                                      "date\x96\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b"
                                      "\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                                      30)),
                ElementsAre(Pair("date", "Mon, 21 Oct 2013 20:13:21 GMT")));
    EXPECT_THAT(read("\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b"), testing::IsEmpty())
        << "names of the table";
    for (const std::string_view bad : {"\x40",
                                       "\x40\x0a"
                                       "abc",
                                       "\x40\x01x\x7f\xff\xff\xff\xff\xff\xff", "\x40\x01x\x81\xfe"})
        EXPECT_FALSE(read_headers(bad)) << bad;
    std::string block;
    append_header(block, "name", std::string(300, 'v'));
    EXPECT_THAT(read(block), ElementsAre(Pair("name", std::string(300, 'v'))));
}

std::string frame(int type, int flags, int stream, const std::string& payload) {
    std::string out{static_cast<char>(payload.size() >> 16),
                    static_cast<char>(payload.size() >> 8),
                    static_cast<char>(payload.size()),
                    static_cast<char>(type),
                    static_cast<char>(flags),
                    0,
                    0,
                    0,
                    static_cast<char>(stream)};
    return out + payload;
}
std::string headers(const std::vector<std::pair<std::string, std::string>>& fields) {
    std::string block = "\x88";
    for (const auto& [name, value] : fields) append_header(block, name, value);
    return block;
}

class GrpcProbeTest : public ProbeTest {
  protected:
    // A server that answers every call with these frames.
    void answer_frames(const std::string& frames) {
        serve([this, frames](int connection) {
            asked = receive_until(connection, "SM\r\n\r\n");
            send_text(connection, frame(4, 0, 0, "") + frame(6, 0, 0, "12345678") + frames);
            server->linger(connection);
        });
    }
    ProbeResult check(const std::string& more = "", std::chrono::seconds timeout = std::chrono::seconds(5)) {
        return probe(R"({"grpc":{"port":)" + std::to_string(port) + more + "}}", timeout);
    }
    static std::string reply(char status) {
        return frame(1, 4, 1, headers({{"content-type", "application/grpc"}})) +
               frame(0, 0, 1, std::string("\0\0\0\0\2\x08", 6) + status) +
               frame(1, 5, 1, headers({{"grpc-status", "0"}, {"grpc-message", ""}}));
    }
    std::string asked;
};

TEST_F(GrpcProbeTest, AsksForTheHealthOfAService) {
    answer_frames(reply(1));
    const ProbeResult result = check(R"(,"service":"s")");
    EXPECT_EQ(result.outcome, ProbeOutcome::success) << result.output;
    EXPECT_EQ(result.output, "service healthy");
    server.reset();
    EXPECT_EQ(asked, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}

TEST_F(GrpcProbeTest, WordsFailuresAsKubernetesDoes) {
    answer_frames(reply(2));
    EXPECT_EQ(check().output, "service unhealthy (responded with \"NOT_SERVING\")");
    answer_frames(reply(3));
    EXPECT_EQ(check().outcome, ProbeOutcome::failure);
    EXPECT_EQ(check().output, "service unhealthy (responded with \"SERVICE_UNKNOWN\")");
    answer_frames(frame(1, 5, 1, headers({{"grpc-status", "12"}, {"grpc-message", "unknown service"}})));
    EXPECT_EQ(check().output,
              "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
              "unknown service");
    answer_frames(frame(1, 5, 1, headers({{"grpc-status", "5"}, {"grpc-message", "unknown service"}})));
    EXPECT_EQ(check().output,
              "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service");
    answer_frames("");
    EXPECT_EQ(check("", std::chrono::seconds(1)).output, "timeout: health rpc did not complete within 1s");
    answer_frames(frame(7, 0, 0, std::string(8, '\0')));
    EXPECT_THAT(check().output, StartsWith("error: health rpc probe failed: rpc error: code = Unavailable"));
    answer("HTTP/1.1 400 Bad Request\r\n\r\n");
    EXPECT_THAT(check().output, HasSubstr("the server may not speak HTTP/2"));
    refuse();
    EXPECT_EQ(check().output, "error: failed to connect service at \"127.0.0.1:" + std::to_string(port) +
                                  "\": dial tcp 127.0.0.1:" + std::to_string(port) +
                                  ": connect: connection refused");
}

}  // namespace
}  // namespace keelson::node
