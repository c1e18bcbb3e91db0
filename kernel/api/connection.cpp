#include "kernel/api/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "kernel/api/http_exchange.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Status;

// Bodies up to this size are not worth an entry in the account of buffered bytes.
constexpr std::size_t unaccounted_body_bytes = 64 << 10;
// Of pipelined requests behind the one being answered; more is left in the socket.
constexpr std::size_t read_ahead_limit_bytes = 64 << 10;
// Of an upgraded connection, which may be silent for hours.
constexpr int keep_alive_seconds = 30;
constexpr base::Duration stuck_time = std::chrono::seconds(10);

Status parse_failure(ParseError error, const ServerLimits& limits) {
    switch (error) {
        case ParseError::headers_too_large:
            return Status(Reason::bad_request,
                          "request header fields too large: limit is " + std::to_string(limits.header_bytes))
                .with_code(431);
        case ParseError::body_too_large:
            return {Reason::request_entity_too_large,
                    "Request entity too large: limit is " + std::to_string(limits.body_bytes)};
        case ParseError::unsupported_version:
            return Status(Reason::bad_request, "unsupported HTTP version").with_code(505);
        default:
            return {Reason::bad_request, "malformed HTTP request"};
    }
}

Status too_many_requests(std::string message) {
    Status status(Reason::too_many_requests, std::move(message));
    status.mutable_details().retry_after_seconds = 1;
    return status;
}

}  // namespace

Connection::Connection(Worker& worker, int fd, std::string remote_address, bool refuse)
    : worker_(worker),
      descriptor_(worker.loop, fd),
      tls_(worker.shared.tls()),
      remote_address_(std::move(remote_address)),
      refuse_(refuse) {}

Connection::~Connection() {
    if (session_ != nullptr) TlsContext::free_session(session_);
}

void Connection::start() {
    base::spawn(worker_.loop, run());
}

base::Task<void> Connection::run() {
    const auto self = shared_from_this();
    const bool secured = co_await handshake();
    if (secured) {
        for (bool more = true; more;) more = co_await serve_one();
        if (!peer_gone_) {
            ERR_clear_error();
            SSL_shutdown(session_);
        }
    }
    if (phase_ == Phase::linger) co_await linger();
    leave_idle();
    descriptor_.close();
    worker_.connections.erase(position_);
    worker_.shared.connections.fetch_sub(1, std::memory_order_relaxed);
}

base::Task<bool> Connection::handshake() {
    enter(Phase::handshake, worker_.shared.limits.handshake_timeout);
    session_ = tls_->new_session(descriptor_.fd());
    tls_.reset();  // the session holds what it needs; a replaced context goes with its last session
    while (session_ != nullptr) {
        ERR_clear_error();
        const int result = SSL_do_handshake(session_);
        if (result == 1) {
            peer_ = peer_certificate(session_);
            co_return true;
        }
        const int error = SSL_get_error(session_, result);
        if (error == SSL_ERROR_WANT_READ) {
            const bool good = co_await wait(Descriptor::Readiness::readable);
            if (good) continue;
        } else if (error == SSL_ERROR_WANT_WRITE) {
            const bool good = co_await wait(Descriptor::Readiness::writable);
            if (good) continue;
        } else if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST) {
            static constexpr std::string_view answer =
                "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
            [[maybe_unused]] const auto sent =
                ::send(descriptor_.fd(), answer.data(), answer.size(), MSG_NOSIGNAL);
            enter(Phase::linger, std::chrono::seconds(1));
        }
        break;
    }
    ERR_clear_error();
    peer_gone_ = true;
    worker_.shared.handshake_failures.fetch_add(1, std::memory_order_relaxed);
    co_return false;
}

base::Task<bool> Connection::serve_one() {
    current_ = std::make_unique<HttpExchange>(*this);
    Request& request = current_->mutable_request();
    {
        RequestParser parser(request, worker_.shared.limits.header_bytes, worker_.shared.limits.body_bytes);
        bool good = co_await read_headers(parser);
        if (good) good = co_await read_body(parser);
        if (!good) co_return false;
        keep_alive_ = keep_alive_ && parser.keep_alive();
        current_->set_http_1_0(parser.is_http_1_0());
    }
    request.peer = peer_;
    request.remote_address = remote_address_;
    request.received = worker_.loop.clock().wall_now();
    request.audit_id = request.header("Audit-ID").substr(0, 64);
    if (request.audit_id.empty()) request.audit_id = base::make_uuid(worker_.audit_ids);
    worker_.shared.requests.fetch_add(1, std::memory_order_relaxed);

    enter(Phase::answer, base::Duration::max());
    exchange_ = current_.get();
    co_await worker_.shared.handler(*current_);
    const bool sent = co_await current_->finish();
    exchange_ = nullptr;
    watching_for_close_ = false;
    release_body_account();
    current_.reset();
    // What the client still sends would reset the connection, and what it was told last would be lost.
    if (upgraded_ && !peer_gone_) enter(Phase::linger, std::chrono::seconds(1));
    co_return sent&& keep_alive();
}

base::Task<bool> Connection::read_headers(RequestParser& parser) {
    bool first = true;
    while (!parser.header_done()) {
        std::string_view data;
        if (!first || pending_.empty()) {
            if (first) enter_idle();
            if (closing_ && first) co_return false;
            data = co_await read_some();
            leave_idle();
            if (data.empty()) {
                if (timed_out_ && phase_ == Phase::headers)
                    co_await refuse_request(
                        Status(Reason::timeout, "no complete request headers in time").with_code(408));
                co_return false;
            }
        }
        if (first) enter(Phase::headers, worker_.shared.limits.header_timeout);
        first = false;
        if (const ParseError error = feed(parser, data); error != ParseError::none) {
            co_await refuse_request(parse_failure(error, worker_.shared.limits));
            co_return false;
        }
    }
    const Request& request = current_->request();
    if (refuse_) {
        co_await refuse_request(too_many_requests("too many connections, please try again later"));
        co_return false;
    }
    if (!parser.is_http_1_0() && !parser.has_host()) {
        co_await refuse_request({Reason::bad_request, "missing required Host header"});
        co_return false;
    }
    if (auto target = parse_target(current_->mutable_request()); !target) {
        co_await refuse_request(target.error());
        co_return false;
    }
    if (parser.expects_continue() && request.body.empty() && !parser.done()) {
        worker_.output = "HTTP/1.1 100 Continue\r\n\r\n";
        co_return co_await write_output();
    }
    co_return true;
}

base::Task<bool> Connection::read_body(RequestParser& parser) {
    if (!parser.done()) enter(Phase::body, worker_.shared.limits.body_timeout);
    while (!parser.done()) {
        // What came behind the headers has been parsed already.
        const std::string_view data = co_await read_some();
        if (data.empty()) {
            if (timed_out_)
                co_await refuse_request(
                    Status(Reason::timeout, "no complete request body in time").with_code(408));
            co_return false;
        }
        if (const ParseError error = feed(parser, data); error != ParseError::none) {
            co_await refuse_request(parse_failure(error, worker_.shared.limits));
            co_return false;
        }
        if (pending_.size() > read_ahead_limit_bytes) {  // an endless chunk header
            co_await refuse_request({Reason::bad_request, "malformed HTTP request"});
            co_return false;
        }
        if (!account_body()) {
            co_await refuse_request(
                too_many_requests("too many request bodies at once, please try again later"));
            co_return false;
        }
    }
    co_return true;
}

ParseError Connection::feed(RequestParser& parser, std::string_view data) {
    ParseError error = ParseError::none;
    if (pending_.empty()) {
        const std::size_t used = parser.put(data, error);
        pending_.assign(data.substr(used));
    } else {
        pending_.append(data);
        const std::size_t used = parser.put(pending_, error);
        pending_.erase(0, used);
    }
    if (pending_.empty() && pending_.capacity() > 1024) std::string().swap(pending_);
    return error;
}

bool Connection::account_body() {
    const std::size_t size = current_->request().body.size();
    if (size <= unaccounted_body_bytes) return true;
    std::atomic<std::size_t>& total = worker_.shared.body_bytes;
    const std::size_t added = size - accounted_body_bytes_;
    const std::size_t before = total.fetch_add(added, std::memory_order_relaxed);
    accounted_body_bytes_ = size;
    return before + added <= worker_.shared.limits.buffered_bodies_bytes;
}

void Connection::release_body_account() {
    worker_.shared.body_bytes.fetch_sub(std::exchange(accounted_body_bytes_, 0), std::memory_order_relaxed);
}

// Answers without a handler and ends the connection.
base::Task<void> Connection::refuse_request(Status status) {
    keep_alive_ = false;
    timed_out_ = false;
    enter(Phase::answer, std::chrono::seconds(5));
    current_->respond(status_response(status));
    co_await current_->finish();
    release_body_account();
    current_.reset();
    // Closing with unread bytes in the socket would reset the connection and take the answer along.
    if (!peer_gone_) {
        ERR_clear_error();
        SSL_shutdown(session_);
        peer_gone_ = true;
        enter(Phase::linger, std::chrono::seconds(1));
    }
}

base::Task<void> Connection::linger() {
    ::shutdown(descriptor_.fd(), SHUT_WR);
    std::size_t left = 16 << 20;
    for (;;) {
        const auto count = ::recv(descriptor_.fd(), worker_.input.data(), worker_.input.size(), 0);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) co_return;
        if (count > 0) {
            if (static_cast<std::size_t>(count) > left) co_return;
            left -= static_cast<std::size_t>(count);
        } else if (errno == EAGAIN) {
            const bool good = co_await wait(Descriptor::Readiness::readable);
            if (!good) co_return;
        }
    }
}

base::Task<std::string_view> Connection::read_some() {
    // Nothing waits in the session: asking the socket before it is ready would be a system call for nothing.
    bool good = true;
    if (SSL_has_pending(session_) == 0) good = co_await wait(Descriptor::Readiness::readable);
    if (!good) co_return std::string_view{};
    for (;;) {
        ERR_clear_error();
        const int count = SSL_read(session_, worker_.input.data(), static_cast<int>(worker_.input.size()));
        if (count > 0) co_return std::string_view(worker_.input.data(), static_cast<std::size_t>(count));
        const int error = SSL_get_error(session_, count);
        if (error == SSL_ERROR_WANT_READ) {
            good = co_await wait(Descriptor::Readiness::readable);
            if (good) continue;
        } else if (error == SSL_ERROR_WANT_WRITE) {
            good = co_await wait(Descriptor::Readiness::writable);
            if (good) continue;
        } else {
            peer_gone_ = true;
        }
        co_return std::string_view{};
    }
}

std::ptrdiff_t Connection::write_now(std::string_view data) {
    if (peer_gone_) return -1;
    std::size_t written = 0;
    while (written < data.size()) {
        ERR_clear_error();
        const int count = SSL_write(session_, data.data() + written,
                                    static_cast<int>(std::min<std::size_t>(data.size() - written, 1 << 30)));
        if (count > 0) {
            written += static_cast<std::size_t>(count);
            continue;
        }
        const int error = SSL_get_error(session_, count);
        if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) break;
        peer_gone_ = true;
        return -1;
    }
    return static_cast<std::ptrdiff_t>(written);
}

base::Task<bool> Connection::write_all(std::string_view data) {
    for (;;) {
        const std::ptrdiff_t count = write_now(data);
        if (count < 0) co_return false;
        data.remove_prefix(static_cast<std::size_t>(count));
        if (data.empty()) co_return true;
        if (!upgraded_) deadline_ = worker_.loop.clock().now() + worker_.shared.limits.write_timeout;
        const bool writable = co_await wait(Descriptor::Readiness::writable);
        deadline_ = base::MonotonicTime::max();
        // The end of an upgraded connection's reading wakes its writers too.
        const bool goes_on = upgraded_ && reading_ended_ && !timed_out_;
        if (!writable && !goes_on) {
            peer_gone_ = true;
            co_return false;
        }
    }
}

base::Task<bool> Connection::write_output() {
    const std::ptrdiff_t count = write_now(worker_.output);
    if (count < 0) co_return false;
    if (static_cast<std::size_t>(count) == worker_.output.size()) co_return true;
    std::string rest = worker_.output.substr(static_cast<std::size_t>(count));
    co_return co_await write_all(rest);
}

base::Task<bool> Connection::wait(Descriptor::Readiness readiness) {
    ready waiting{descriptor_, readiness};
    const bool is_ready = co_await waiting;
    co_return is_ready && !timed_out_;
}

void Connection::enter(Phase phase, base::Duration timeout) {
    phase_ = phase;
    deadline_ =
        timeout == base::Duration::max() ? base::MonotonicTime::max() : worker_.loop.clock().now() + timeout;
}

void Connection::enter_idle() {
    enter(Phase::idle, worker_.shared.limits.idle_timeout);
    idle_position_ = worker_.idle.insert(worker_.idle.end(), this);
    in_idle_list_ = true;
    worker_.idle_count.store(worker_.idle.size(), std::memory_order_relaxed);
}

void Connection::leave_idle() {
    if (!std::exchange(in_idle_list_, false)) return;
    worker_.idle.erase(idle_position_);
    worker_.idle_count.store(worker_.idle.size(), std::memory_order_relaxed);
}

void Connection::begin_upgrade() {
    upgraded_ = true;
    keep_alive_ = false;
    const int on = 1;
    ::setsockopt(descriptor_.fd(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(descriptor_.fd(), IPPROTO_TCP, TCP_KEEPIDLE, &keep_alive_seconds, sizeof keep_alive_seconds);
    ::setsockopt(descriptor_.fd(), IPPROTO_TCP, TCP_KEEPINTVL, &keep_alive_seconds,
                 sizeof keep_alive_seconds);
}

base::Task<std::string_view> Connection::read_upgraded() {
    if (closing() || reading_ended_) co_return std::string_view{};
    if (!pending_.empty()) {
        before_upgrade_ = std::exchange(pending_, {});
        co_return before_upgrade_;
    }
    std::string().swap(before_upgrade_);
    read_at_ = base::MonotonicTime::max();
    auto reading = read_some();
    const std::string_view data = co_await reading;
    read_at_ = worker_.loop.clock().now();
    co_return data;
}

void Connection::end_upgraded_reading() {
    reading_ended_ = true;
    descriptor_.cancel();
}

// A peer may go while nobody reads because what it has sent has not been taken; its end is behind that.
bool Connection::peer_has_left(base::MonotonicTime now) const {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor_.fd(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
    const bool is_stuck = read_at_ < now && now - read_at_ > stuck_time;
    return info.tcpi_state == TCP_CLOSE || (info.tcpi_state == TCP_CLOSE_WAIT && is_stuck);
}

void Connection::check_deadline(base::MonotonicTime now) {
    if (upgraded_ && phase_ == Phase::answer && !peer_gone_ && peer_has_left(now)) {
        abort();
        return;
    }
    if (now < deadline_) return;
    deadline_ = base::MonotonicTime::max();
    timed_out_ = true;
    descriptor_.cancel();
    // A writer that waits takes the cancellation as the end; so does whoever waits for the client to go.
    if (phase_ == Phase::answer) {
        peer_gone_ = true;
        notify_exchange();
    }
}

void Connection::begin_shutdown() {
    closing_ = true;
    leave_idle();
    if (phase_ == Phase::idle || phase_ == Phase::handshake || phase_ == Phase::linger) {
        descriptor_.cancel();
    } else if (upgraded_) {
        abort();
    } else {
        notify_exchange();
    }
}

void Connection::abort() {
    closing_ = true;
    peer_gone_ = true;
    timed_out_ = true;
    descriptor_.cancel();
    notify_exchange();
}

void Connection::notify_exchange() {
    if (exchange_ != nullptr) exchange_->notify_closed();
}

void Connection::watch_for_close() {
    if (upgraded_) return;
    watching_for_close_ = true;
    if (close_wait_outstanding_ || peer_gone_) return;
    if (SSL_has_pending(session_) != 0) {
        worker_.loop.post([self = shared_from_this()] {
            if (self->watching_for_close_ && !self->close_wait_outstanding_)
                self->on_readable_while_answering();
        });
        return;
    }
    close_wait_outstanding_ = true;
    descriptor_.wait(Descriptor::Readiness::readable, [self = shared_from_this()](bool ok) {
        self->close_wait_outstanding_ = false;
        if (ok && self->watching_for_close_) self->on_readable_while_answering();
    });
}

void Connection::on_readable_while_answering() {
    for (;;) {
        if (pending_.size() > read_ahead_limit_bytes) return;
        ERR_clear_error();
        const int count = SSL_read(session_, worker_.input.data(), static_cast<int>(worker_.input.size()));
        if (count > 0) {
            pending_.append(worker_.input.data(), static_cast<std::size_t>(count));
            continue;
        }
        const int error = SSL_get_error(session_, count);
        if (error == SSL_ERROR_WANT_READ) return watch_for_close();
        if (error == SSL_ERROR_WANT_WRITE) return;
        peer_gone_ = true;
        descriptor_.cancel();
        notify_exchange();
        return;
    }
}

}  // namespace keelson::api
