// Passing requests on to another server.
#include "kernel/api/http_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "kernel/base/files.h"
#include "tests/api/server_fixture.h"

namespace keelson::api {
namespace {

using testing::Answer;

// A server of one connection: reads a request up to `end`, sends the answer, closes.
class Backend {
  public:
    explicit Backend(std::string answer, std::string end = "\r\n\r\n")
        : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(listener_.get(), 1), 0);
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        target.server = {.address = "127.0.0.1", .port = ntohs(address.sin_port)};
        target.path = "/there?x=1";
        thread_ =
            std::thread([this, answer = std::move(answer), end = std::move(end)] { serve(answer, end); });
    }
    ~Backend() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    std::string request() {
        thread_.join();
        thread_ = std::thread([] {});
        return request_;
    }

    ProxyTarget target;

  private:
    void serve(const std::string& answer, const std::string& end) {
        const base::FileDescriptor peer(::accept(listener_.get(), nullptr, nullptr));
        char bytes[16384];
        while (!request_.ends_with(end)) {
            const ssize_t count = ::read(peer.get(), bytes, sizeof bytes);
            if (count <= 0) return;
            request_.append(bytes, static_cast<std::size_t>(count));
        }
        for (std::size_t sent = 0; sent < answer.size();) {
            const ssize_t count =
                ::send(peer.get(), answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) return;
            sent += static_cast<std::size_t>(count);
        }
    }

    base::FileDescriptor listener_;
    std::string request_;
    std::thread thread_;
};

class HttpProxyTest : public ServerTest {
  protected:
    void start_proxy(const ProxyTarget& target) {
        start([target](Exchange& exchange) -> base::Task<void> {
            auto proxying = proxy_http(exchange, target);
            co_await proxying;
        });
    }
};

TEST_F(HttpProxyTest, PassesRequestsAndAnswersOn) {
    Backend backend(
        "HTTP/1.1 201 Created\r\nContent-Type: text/x\r\nX-Own: 1\r\nContent-Length: 6\r\n\r\nanswer",
        "\r\n\r\nquestion");
    start_proxy(backend.target);
    const Answer answer = connect().request(
        "POST", "/here", "X-Mine: 2\r\nAuthorization: Bearer secret\r\nImpersonate-User: root\r\n",
        "question");
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.body, "answer");
    EXPECT_EQ(answer.header("content-type"), "text/x");
    EXPECT_EQ(answer.header("x-own"), "1");
    const std::string request = backend.request();
    EXPECT_TRUE(request.starts_with("POST /there?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")) << request;
    EXPECT_NE(request.find("\r\nX-Mine: 2\r\n"), std::string::npos);
    EXPECT_NE(request.find("\r\nX-Forwarded-Uri: /here\r\n"), std::string::npos);
    EXPECT_EQ(request.find("secret"), std::string::npos);
    EXPECT_EQ(request.find("root"), std::string::npos);
}

TEST_F(HttpProxyTest, PassesLongBodiesOnWholly) {
    const std::string body(5'000'000, 'x');
    Backend backend("HTTP/1.1 200 OK\r\n\r\n" + body);
    start_proxy(backend.target);
    EXPECT_EQ(connect().request("GET", "/").body.size(), body.size());
}

TEST_F(HttpProxyTest, SaysThatNobodyIsThere) {
    ProxyTarget target;
    {
        const Backend backend("");
        target = backend.target;
    }
    start_proxy(target);
    const Answer answer = connect().request("GET", "/");
    EXPECT_EQ(answer.status, 503);
    EXPECT_NE(answer.body.find("connect: connection refused"), std::string::npos) << answer.body;
}

TEST_F(HttpProxyTest, SaysThatAnAnswerIsNone) {
    Backend backend("what?\r\n\r\n");
    start_proxy(backend.target);
    EXPECT_EQ(connect().request("GET", "/").status, 503);
}

}  // namespace
}  // namespace keelson::api
