#include "bench/api/load_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace keelson::bench {
namespace {

constexpr std::size_t kInputBytes = 64 * 1024;

// The value of a header in a head; names are compared as the servers measured here write them.
std::string_view header_value(std::string_view head, std::string_view name) {
    const std::size_t at = head.find("\r\n" + std::string(name) + ": ");
    if (at == std::string_view::npos) return {};
    const std::size_t start = at + name.size() + 4;
    return head.substr(start, head.find("\r\n", start) - start);
}

int connect_to(const Target& target) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(target.port);
    if (::inet_pton(AF_INET, target.address.c_str(), &address.sin_addr) != 1)
        die("bad address " + target.address);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        die("connect: " + std::string(std::strerror(errno)));
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
}

}  // namespace

void die(const std::string& message) {
    std::fprintf(stderr, "api_bench: %s\n", message.c_str());
    std::exit(1);
}

std::string make_request(const Target& target, std::string_view method, std::string_view path,
                         std::string_view body, std::string_view accept) {
    std::string text(method);
    text += ' ';
    text += path;
    text += " HTTP/1.1\r\nHost: localhost\r\nUser-Agent: api_bench\r\nAccept: ";
    text += accept.empty() ? "application/json" : accept;
    text += "\r\n";
    if (!target.token.empty()) text += "Authorization: Bearer " + target.token + "\r\n";
    if (!body.empty())
        text += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    text += "\r\n";
    text += body;
    return text;
}

void AnswerReader::reset() {
    state_ = State::head;
    status_ = 0;
    line_.clear();
    left_ = 0;
    body_bytes_ = 0;
    body_.clear();
}

bool AnswerReader::parse_head() {
    if (line_.size() < 12 || !line_.starts_with("HTTP/1.1 "))
        die("not an HTTP answer: " + line_.substr(0, 40));
    std::from_chars(line_.data() + 9, line_.data() + 12, status_);
    if (header_value(line_, "Transfer-Encoding") == "chunked") {
        state_ = State::chunk_size;
    } else {
        const std::string_view length = header_value(line_, "Content-Length");
        std::from_chars(length.data(), length.data() + length.size(), left_);
        state_ = left_ == 0 ? State::done : State::counted;
    }
    line_.clear();
    return state_ == State::done;
}

bool AnswerReader::parse_chunk_size(std::string_view line) {
    left_ = 0;
    std::from_chars(line.data(), line.data() + line.size(), left_, 16);
    return left_ == 0;
}

bool AnswerReader::take(std::string_view data) {
    while (!data.empty() && state_ != State::done) {
        if (state_ == State::counted || state_ == State::chunk) {
            const std::string_view part = data.substr(0, left_);
            if (keep_body_) body_ += part;
            body_bytes_ += part.size();
            left_ -= part.size();
            data.remove_prefix(part.size());
            if (left_ == 0) state_ = state_ == State::counted ? State::done : State::chunk_end;
            continue;
        }
        // Lines: the head up to its empty line, sizes of chunks, what ends a chunk.
        const std::size_t end = data.find('\n');
        line_ += data.substr(0, end == std::string_view::npos ? end : end + 1);
        data.remove_prefix(end == std::string_view::npos ? data.size() : end + 1);
        if (end == std::string_view::npos) continue;
        switch (state_) {
            case State::head:
                if (line_.ends_with("\r\n\r\n")) parse_head();
                break;
            case State::chunk_size:
                state_ = parse_chunk_size(line_) ? State::trailer : State::chunk;
                line_.clear();
                break;
            case State::chunk_end:
                state_ = State::chunk_size;
                line_.clear();
                break;
            default:
                state_ = State::done;
                line_.clear();
                break;
        }
    }
    return state_ == State::done;
}

std::unique_ptr<SSL_CTX, SslFree> make_client_context() {
    std::unique_ptr<SSL_CTX, SslFree> context(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(context.get(), 1);
    SSL_CTX_set_default_read_buffer_len(context.get(), kInputBytes);
    return context;
}

Connection::Connection(SSL_CTX* context, const Target& target, bool keep_body)
    : descriptor_(connect_to(target)), session_(SSL_new(context)), answer_(keep_body) {
    SSL_set_fd(session_.get(), descriptor_);
    if (SSL_connect(session_.get()) != 1) die("TLS handshake failed");
}

Connection::~Connection() {
    if (session_) ::close(descriptor_);
}

void Connection::send(std::string_view request) {
    answer_.reset();
    sent = Clock::now();
    if (SSL_write(session_.get(), request.data(), static_cast<int>(request.size())) <= 0)
        die("the connection broke");
}

bool Connection::receive() {
    static thread_local std::vector<char> input(kInputBytes);
    do {
        const int count = SSL_read(session_.get(), input.data(), static_cast<int>(input.size()));
        if (count <= 0) die("the server closed a connection");
        if (answer_.take({input.data(), static_cast<std::size_t>(count)})) return true;
    } while (SSL_has_pending(session_.get()) == 1);
    return false;
}

std::string fetch(SSL_CTX* context, const Target& target, std::string_view request) {
    Connection connection(context, target, true);
    connection.send(request);
    while (!connection.receive()) {
    }
    if (connection.answer().status() / 100 != 2)
        die("status " + std::to_string(connection.answer().status()) + ": " + connection.answer().body());
    return std::move(connection.answer().body());
}

Poller::Poller() : descriptor_(::epoll_create1(EPOLL_CLOEXEC)) {}
Poller::~Poller() {
    ::close(descriptor_);
}

void Poller::add(Connection& connection) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    ::epoll_ctl(descriptor_, EPOLL_CTL_ADD, connection.descriptor(), &event);
}

void Poller::poll(int timeout_ms, const std::function<void(Connection&)>& visit) {
    epoll_event events[64];
    const int count = ::epoll_wait(descriptor_, events, 64, timeout_ms);
    for (int i = 0; i < count; ++i) visit(*static_cast<Connection*>(events[i].data.ptr));
}

LoadResult run_load(const Target& target, int connections, double seconds,
                    const std::function<std::string()>& next) {
    const auto context = make_client_context();
    Poller poller;
    std::vector<std::unique_ptr<Connection>> all;
    for (int i = 0; i < connections; ++i) {
        all.push_back(std::make_unique<Connection>(context.get(), target, false));
        poller.add(*all.back());
    }
    LoadResult result;
    int under_way = 0;
    const Clock::time_point start = Clock::now();
    const Clock::time_point end =
        start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    for (const auto& connection : all) {
        connection->send(next());
        ++under_way;
    }
    while (under_way > 0) {
        poller.poll(1000, [&](Connection& connection) {
            if (!connection.receive()) return;
            const Clock::time_point now = Clock::now();
            const AnswerReader& answer = connection.answer();
            ++result.answers;
            if (answer.status() / 100 != 2) ++result.failures;
            result.bytes += answer.body_bytes();
            result.latencies_ms.push_back(
                std::chrono::duration<float, std::milli>(now - connection.sent).count());
            if (now < end)
                connection.send(next());
            else
                --under_way;
        });
    }
    result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return result;
}

double percentile(std::vector<float>& values, double part) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    return values[std::min(values.size() - 1,
                           static_cast<std::size_t>(part * static_cast<double>(values.size())))];
}

}  // namespace keelson::bench
