#include "forwarder.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace keelson::name_server {
namespace {

constexpr std::size_t minimum_attempts = 2;
constexpr std::size_t maximum_attempts = 4;  // a client waits no longer than for that many

}  // namespace

struct Forwarder::Exchange {
    Key key;
    std::vector<Done> waiting;
    std::vector<Endpoint> upstreams;
    std::size_t attempts = 0;
    bool with_edns = true;
    std::uint16_t id = 0;
    Loop::Clock::time_point deadline;
    Descriptor socket;
    Watch watch;
    bool is_stream = false;
    std::string to_send;
    std::string received;

    [[nodiscard]] const Endpoint& upstream() const { return upstreams[(attempts - 1) % upstreams.size()]; }
};

Forwarder::Forwarder(Loop& loop, const ForwarderLimits& limits)
    : loop_(loop), limits_(limits), cache_(limits.cache_bytes) {
    loop_.on_tick([this](Loop::Clock::time_point time) { return tick(time); });
}

Forwarder::~Forwarder() = default;

Cache::Seconds Forwarder::now() {
    return std::chrono::duration_cast<Cache::Seconds>(Loop::Clock::now().time_since_epoch());
}

void Forwarder::set_upstreams(std::vector<Endpoint> upstreams) {
    upstreams_ = std::move(upstreams);
    cache_.clear();
}

Cache::Hit Forwarder::cached(Bytes name, std::uint16_t type) {
    return cache_.find(name, type, now());
}

bool Forwarder::ask(Bytes name, std::uint16_t type, Done done) {
    if (upstreams_.empty() || waiting_ >= limits_.maximum_waiting) return false;
    Key key(name, type);
    if (const auto same = exchanges_.find(key); same != exchanges_.end()) {
        same->second->waiting.push_back(std::move(done));
        ++waiting_;
        return true;
    }
    if (exchanges_.size() >= limits_.maximum_exchanges) return false;
    auto exchange = std::make_unique<Exchange>();
    exchange->key = key;
    exchange->waiting.push_back(std::move(done));
    exchange->upstreams = upstreams_;
    Exchange& asked = *exchange;
    exchanges_[std::move(key)] = std::move(exchange);
    ++waiting_;
    loop_.wake_ticks();
    // When it cannot even be sent, the next tick goes on with it: the caller is not called back from here.
    if (!try_attempt(asked)) asked.deadline = Loop::Clock::now();
    return true;
}

// With the next server, and the one after it when that cannot be reached; ends the exchange after the last.
void Forwarder::attempt(Exchange& exchange) {
    const std::size_t limit = std::clamp(exchange.upstreams.size(), minimum_attempts, maximum_attempts);
    while (exchange.attempts < limit)
        if (try_attempt(exchange)) return;
    finish(exchange, nullptr);
}

// A new socket for each question: the port is the system's random choice, and only the server's own datagrams
// reach it.
bool Forwarder::try_attempt(Exchange& exchange) {
    ++exchange.attempts;
    exchange.is_stream = false;
    exchange.watch.reset();
    exchange.deadline = Loop::Clock::now() + limits_.attempt_timeout;
    exchange.id = std::uint16_t(random_());
    const Endpoint& server = exchange.upstream();
    exchange.socket = Descriptor(::socket(server.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!exchange.socket || ::connect(exchange.socket.get(), server.get(), server.size) != 0) return false;
    const std::string question =
        write_question(exchange.id, exchange.key.first, exchange.key.second, exchange.with_edns);
    if (::send(exchange.socket.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) return false;
    exchange.watch = Watch(loop_, exchange.socket.get(), EPOLLIN,
                           [this, &exchange](std::uint32_t) { read_datagram(exchange); });
    return true;
}

void Forwarder::read_datagram(Exchange& exchange) {
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t size = ::recv(exchange.socket.get(), buffer.data(), buffer.size(), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (size < 0) return attempt(exchange);  // nobody listens there
        bool is_truncated = false;
        auto answer = read_answer({buffer.data(), std::size_t(size)}, exchange.id, exchange.key.first,
                                  exchange.key.second, is_truncated);
        // What is no answer to the question may be anybody's: the right one may still come.
        if (answer == nullptr) continue;
        return is_truncated ? start_stream(exchange) : take(exchange, std::move(answer));
    }
}

void Forwarder::take(Exchange& exchange, std::unique_ptr<Answer> answer) {
    if (answer->code == no_error || answer->code == name_error) {
        std::shared_ptr<const Answer> shared = std::move(answer);
        cache_.put(exchange.key.first, exchange.key.second, shared, now());
        return finish(exchange, shared);
    }
    // An old server may not know EDNS.
    if (exchange.with_edns && (answer->code == format_error || answer->code == not_implemented)) {
        exchange.with_edns = false;
        --exchange.attempts;
    }
    attempt(exchange);
}

void Forwarder::start_stream(Exchange& exchange) {
    const Endpoint& server = exchange.upstream();
    exchange.watch.reset();
    exchange.is_stream = true;
    exchange.deadline = Loop::Clock::now() + limits_.attempt_timeout;
    exchange.socket = Descriptor(::socket(server.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!exchange.socket) return attempt(exchange);
    if (::connect(exchange.socket.get(), server.get(), server.size) != 0 && errno != EINPROGRESS)
        return attempt(exchange);
    exchange.id = std::uint16_t(random_());
    const std::string question =
        write_question(exchange.id, exchange.key.first, exchange.key.second, exchange.with_edns);
    exchange.to_send = {char(question.size() >> 8), char(question.size())};
    exchange.to_send += question;
    exchange.received.clear();
    exchange.watch = Watch(loop_, exchange.socket.get(), EPOLLIN | EPOLLOUT,
                           [this, &exchange](std::uint32_t events) { serve_stream(exchange, events); });
}

void Forwarder::serve_stream(Exchange& exchange, std::uint32_t events) {
    if (!exchange_bytes(exchange, events)) return attempt(exchange);
    const std::string& received = exchange.received;
    if (received.size() < 2) return;
    const std::size_t size = read_16(received.data());
    if (received.size() < 2 + size) return;
    bool is_truncated = false;
    auto answer = read_answer(Bytes(received).substr(2, size), exchange.id, exchange.key.first,
                              exchange.key.second, is_truncated);
    if (answer == nullptr || is_truncated) return attempt(exchange);
    take(exchange, std::move(answer));
}

// False when the connection is of no more use.
bool Forwarder::exchange_bytes(Exchange& exchange, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0 && !exchange.to_send.empty()) {
        const ssize_t sent =
            ::send(exchange.socket.get(), exchange.to_send.data(), exchange.to_send.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (sent > 0) exchange.to_send.erase(0, std::size_t(sent));
        if (exchange.to_send.empty()) exchange.watch.change(EPOLLIN);
    }
    if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0) return true;
    std::array<char, 16384> buffer{};
    const ssize_t size = ::recv(exchange.socket.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    exchange.received.append(buffer.data(), std::size_t(size));
    return size > 0 && exchange.received.size() <= maximum_message + 2 + buffer.size();
}

void Forwarder::finish(Exchange& exchange, const std::shared_ptr<const Answer>& answer) {
    // The callbacks may ask again: the exchange is out of the table before.
    const auto found = exchanges_.find(exchange.key);
    const std::unique_ptr<Exchange> ended = std::move(found->second);
    exchanges_.erase(found);
    waiting_ -= ended->waiting.size();
    ended->watch.reset();
    for (const Done& done : ended->waiting) done(answer);
}

bool Forwarder::tick(Loop::Clock::time_point time) {
    std::vector<Key> late;
    for (const auto& [key, exchange] : exchanges_)
        if (exchange->deadline <= time) late.push_back(key);
    for (const Key& key : late)
        if (const auto found = exchanges_.find(key); found != exchanges_.end()) attempt(*found->second);
    return !exchanges_.empty();
}

}  // namespace keelson::name_server
