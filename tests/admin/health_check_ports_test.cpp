// The server that load balancers ask whether a node has endpoints of a service.
#include "kernel/admin/health_check_ports.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "kernel/base/files.h"

namespace keelson::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

base::FileDescriptor connected(std::uint16_t port) {
    base::FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    const timeval patience{10, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return socket;
}

// All that is answered; empty: nobody is there.
std::string ask(std::uint16_t port) {
    const base::FileDescriptor socket = connected(port);
    if (!socket) return {};
    const std::string request = "GET /healthz HTTP/1.0\r\nHost: node\r\n\r\n";
    (void)::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string answer;
    std::array<char, 4096> buffer{};
    for (ssize_t size = 0; (size = ::recv(socket.get(), buffer.data(), buffer.size(), 0)) > 0;)
        answer.append(buffer.data(), std::size_t(size));
    return answer;
}

// Listens at a port that was free; whoever wants it has to wait until it is closed.
class Occupied {
  public:
    Occupied() : socket_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(socket_.get(), 1), 0);
        socklen_t size = sizeof address;
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin6_port);
    }
    void close() { socket_ = {}; }
    std::uint16_t port = 0;

  private:
    base::FileDescriptor socket_;
};

std::uint16_t free_port() {
    return Occupied().port;
}

TEST(HealthCheckPorts, APortSaysHowManyEndpointsAreHere) {
    const auto ports = HealthCheckPorts::make();
    const std::uint16_t port = free_port();
    ports->set({{port, "default", "web", 2}});
    const std::string answer = ask(port);
    EXPECT_THAT(answer, StartsWith("HTTP/1.0 200"));
    EXPECT_THAT(answer, HasSubstr("X-Load-Balancing-Endpoint-Weight: 2"));
    EXPECT_THAT(answer, HasSubstr("\"localEndpoints\": 2"));
    EXPECT_THAT(answer, HasSubstr("\"namespace\": \"default\""));
    EXPECT_THAT(answer, HasSubstr("\"name\": \"web\""));
}

TEST(HealthCheckPorts, WithoutEndpointsTheNodeIsNotToBeUsed) {
    const auto ports = HealthCheckPorts::make();
    const std::uint16_t port = free_port();
    ports->set({{port, "default", "web", 1}});
    EXPECT_THAT(ask(port), StartsWith("HTTP/1.0 200"));
    ports->set({{port, "default", "web", 0}});
    const std::string answer = ask(port);
    EXPECT_THAT(answer, StartsWith("HTTP/1.0 503"));
    EXPECT_THAT(answer, HasSubstr("\"localEndpoints\": 0"));
}

TEST(HealthCheckPorts, EachServiceHasItsPortAndOneThatIsGoneIsClosed) {
    const auto ports = HealthCheckPorts::make();
    const std::uint16_t one = free_port();
    const std::uint16_t two = free_port();
    ASSERT_NE(one, two);
    ports->set({{one, "default", "one", 1}, {two, "default", "two", 3}});
    EXPECT_THAT(ask(one), HasSubstr("\"name\": \"one\""));
    EXPECT_THAT(ask(two), HasSubstr("\"name\": \"two\""));
    ports->set({{two, "default", "two", 3}});
    EXPECT_EQ(ask(one), "");
    EXPECT_THAT(ask(two), HasSubstr("\"name\": \"two\""));
    ports->set({});
    EXPECT_EQ(ask(two), "");
}

TEST(HealthCheckPorts, APortThatIsTakenIsTriedAgainWithTheNextChange) {
    const auto ports = HealthCheckPorts::make();
    Occupied occupied;
    const std::uint16_t other = free_port();
    const std::vector<HealthCheckAnswer> answers = {{occupied.port, "default", "web", 1},
                                                    {other, "default", "other", 1}};
    ports->set(answers);
    EXPECT_THAT(ask(other), StartsWith("HTTP/1.0 200"));
    occupied.close();
    ports->set(answers);
    EXPECT_THAT(ask(occupied.port), StartsWith("HTTP/1.0 200"));
}

TEST(HealthCheckPorts, AClientThatSaysNothingStopsNobody) {
    const auto ports = HealthCheckPorts::make();
    const std::uint16_t port = free_port();
    ports->set({{port, "default", "web", 1}});
    const base::FileDescriptor silent = connected(port);
    ASSERT_TRUE(bool(silent));
    EXPECT_THAT(ask(port), StartsWith("HTTP/1.0 200"));
}

}  // namespace
}  // namespace keelson::admin
