#include "kernel/api/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <latch>
#include <utility>
#include <vector>

#include "kernel/api/connection.h"
#include "kernel/api/worker.h"
#include "kernel/base/log.h"

namespace keelson::api {
namespace {

using base::Reason;
using base::Result;
using base::Status;

// Connections above the limit that are still let in far enough to be told so.
constexpr std::size_t refusal_slots = 128;

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
};

Result<Address> parse_address(const std::string& text, std::uint16_t port) {
    Address address;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.length = sizeof *v4;
    } else if (inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.length = sizeof *v6;
    } else {
        return Status(Reason::bad_request, "'" + text + "' is not an IP address");
    }
    return address;
}

std::string describe(const sockaddr_storage& storage) {
    char text[INET6_ADDRSTRLEN] = {};
    if (storage.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
        inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
        return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    const std::string port = ":" + std::to_string(ntohs(v6.sin6_port));
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
        return text + port;
    }
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]" + port;
}

}  // namespace

Result<Listener> Listener::open(const std::string& address_text, std::uint16_t port) {
    auto address = parse_address(address_text, port);
    if (!address) return std::move(address).error();
    int fd = ::socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT && address_text == "::") return open("0.0.0.0", port);
    const auto fail = [&](const char* what) {
        Status status(Reason::internal_error, std::string(what) + " " + address_text + " port " +
                                                  std::to_string(port) + ": " +
                                                  std::generic_category().message(errno));
        if (fd >= 0) ::close(fd);
        return status;
    };
    if (fd < 0) return fail("socket for");
    const int on = 1;
    const int off = 0;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->storage.ss_family == AF_INET6)
        ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, address_text == "::" ? &off : &on, sizeof off);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->length) != 0) {
        if (errno == EADDRNOTAVAIL && address_text == "::") {
            ::close(fd);
            return open("0.0.0.0", port);
        }
        return fail("cannot listen on");
    }
    if (::listen(fd, 4096) != 0) return fail("cannot listen on");
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &length);
    const std::uint16_t bound_port = bound.ss_family == AF_INET
                                         ? ntohs(reinterpret_cast<sockaddr_in&>(bound).sin_port)
                                         : ntohs(reinterpret_cast<sockaddr_in6&>(bound).sin6_port);
    return Listener(fd, bound_port);
}

Listener::Listener(Listener&& other) noexcept : fd_(std::exchange(other.fd_, -1)), port_(other.port_) {}
Listener& Listener::operator=(Listener&& other) noexcept {
    std::swap(fd_, other.fd_);
    port_ = other.port_;
    return *this;
}
Listener::~Listener() {
    if (fd_ >= 0) ::close(fd_);
}
int Listener::release() {
    return std::exchange(fd_, -1);
}

std::string_view Worker::http_date() {
    const std::time_t second = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(loop.clock().wall_now()));
    if (second != date_second_) {
        date_second_ = second;
        std::tm parts{};
        gmtime_r(&second, &parts);
        char text[64];
        date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    }
    return date_;
}

void Worker::add(std::shared_ptr<Connection> connection) {
    Connection* added = connection.get();
    added->position_ = connections.insert(connections.end(), std::move(connection));
    schedule_sweep();
    added->start();
}

void Worker::schedule_sweep() {
    if (sweep_scheduled_ || connections.empty()) return;
    sweep_scheduled_ = true;
    const ServerLimits& limits = shared.limits;
    const base::Duration shortest =
        std::min({limits.handshake_timeout, limits.header_timeout, limits.body_timeout, limits.idle_timeout,
                  limits.write_timeout});
    const base::Duration interval = std::clamp<base::Duration>(shortest / 8, std::chrono::milliseconds(10),
                                                               std::chrono::milliseconds(500));
    loop.post_after(interval, [this] {
        sweep_scheduled_ = false;
        sweep();
        schedule_sweep();
    });
}

void Worker::sweep() {
    const base::MonotonicTime now = loop.clock().now();
    for (const auto& connection : connections) connection->check_deadline(now);
}

void Worker::begin_shutdown() {
    for (const auto& connection : connections) connection->begin_shutdown();
}

void Worker::abort_all() {
    for (const auto& connection : connections) connection->abort();
}

struct Server::Impl {
    Impl(Listener listener, ServerOptions options, base::Executor& background) : port(listener.port()) {
        for (int i = 0; i < std::max(1, options.threads); ++i)
            workers.push_back(std::make_unique<Worker>(shared, background));
        acceptor = std::make_unique<Descriptor>(workers[0]->loop, listener.release());
    }

    base::Task<void> accept_loop();
    void accept_one(int fd, const sockaddr_storage& peer);
    void make_room();
    // Runs on every worker's own thread and waits for all.
    void on_every_worker(const std::function<void(Worker&)>& action);

    ServerShared shared;
    std::vector<std::unique_ptr<Worker>> workers;
    std::unique_ptr<Descriptor> acceptor;
    std::size_t next_worker = 0;
    std::uint16_t port;
    bool running = false;
    bool out_of_descriptors_logged = false;
};

// Runs on the first worker.
base::Task<void> Server::Impl::accept_loop() {
    while (!shared.stopping.load(std::memory_order_relaxed)) {
        sockaddr_storage peer{};
        socklen_t length = sizeof peer;
        const int fd = ::accept4(acceptor->fd(), reinterpret_cast<sockaddr*>(&peer), &length,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            accept_one(fd, peer);
        } else if (errno == EAGAIN) {
            ready waiting{*acceptor, Descriptor::Readiness::readable};
            const bool good = co_await waiting;
            if (!good) break;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            if (!std::exchange(out_of_descriptors_logged, true))
                base::log_warning("cannot accept connections",
                                  {{"error", std::generic_category().message(errno)}});
            make_room();
            co_await base::sleep_for(std::chrono::milliseconds(50));
        }
    }
}

void Server::Impl::accept_one(int fd, const sockaddr_storage& peer) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    shared.accepted.fetch_add(1, std::memory_order_relaxed);
    const std::size_t open = shared.connections.fetch_add(1, std::memory_order_relaxed);
    bool refuse = false;
    if (open >= shared.limits.connections) {
        refuse = std::ranges::all_of(workers, [](const auto& worker) { return worker->idle_count == 0; });
        make_room();
    }
    if (open >= shared.limits.connections + refusal_slots) {
        shared.refused.fetch_add(1, std::memory_order_relaxed);
        shared.connections.fetch_sub(1, std::memory_order_relaxed);
        ::close(fd);
        return;
    }
    if (refuse) shared.refused.fetch_add(1, std::memory_order_relaxed);
    Worker& worker = *workers[next_worker++ % workers.size()];
    auto begin = [&worker, fd, refuse, address = describe(peer)] {
        worker.add(std::make_shared<Connection>(worker, fd, address, refuse));
    };
    if (worker.loop.on_own_thread()) {
        begin();
    } else {
        worker.loop.post(std::move(begin));
    }
}

// Asks every worker to close its longest idle connection.
void Server::Impl::make_room() {
    for (const auto& worker : workers) {
        worker->loop.post([&worker = *worker] {
            if (worker.idle.empty()) return;
            worker.shared.evicted.fetch_add(1, std::memory_order_relaxed);
            worker.idle.front()->begin_shutdown();
        });
    }
}

void Server::Impl::on_every_worker(const std::function<void(Worker&)>& action) {
    std::latch done(static_cast<std::ptrdiff_t>(workers.size()));
    for (const auto& worker : workers) {
        worker->loop.post([&, worker = worker.get()] {
            action(*worker);
            done.count_down();
        });
    }
    done.wait();
}

Server::Server(Listener listener, std::shared_ptr<const TlsContext> tls, ServerOptions options,
               base::Executor& background, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(listener), options, background)) {
    impl_->shared.limits = options.limits;
    impl_->shared.handler = std::move(handler);
    impl_->shared.tls_context = std::move(tls);
}

Server::~Server() {
    stop(base::Duration::zero());
}

void Server::start() {
    if (std::exchange(impl_->running, true)) return;
    for (const auto& worker : impl_->workers)
        worker->thread = std::thread([&worker = *worker] { worker.loop.run(); });
    Worker& first = *impl_->workers[0];
    first.loop.post([impl = impl_.get(), &first] { base::spawn(first.loop, impl->accept_loop()); });
}

std::uint16_t Server::port() const {
    return impl_->port;
}

void Server::set_tls(std::shared_ptr<const TlsContext> tls) {
    const std::lock_guard lock(impl_->shared.tls_mutex);
    impl_->shared.tls_context = std::move(tls);
}

std::size_t Server::stop(base::Duration drain) {
    if (!std::exchange(impl_->running, false)) return 0;
    ServerShared& shared = impl_->shared;
    shared.stopping = true;
    impl_->on_every_worker([this](Worker& worker) {
        if (&worker == impl_->workers[0].get()) impl_->acceptor->close();
        worker.begin_shutdown();
    });
    // The end of the last connection is rare enough to be asked for instead of signalled.
    const auto wait_for_end = [&](base::Duration limit) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (shared.connections.load() > 0 && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
    };
    wait_for_end(drain);
    const std::size_t cut_off = shared.connections.load();
    if (cut_off > 0) {
        impl_->on_every_worker([](Worker& worker) { worker.abort_all(); });
        wait_for_end(std::chrono::milliseconds(500));
    }
    for (const auto& worker : impl_->workers) worker->loop.stop();
    for (const auto& worker : impl_->workers) worker->thread.join();
    return cut_off;
}

ServerStatistics Server::statistics() const {
    const ServerShared& shared = impl_->shared;
    return {.connections = shared.connections.load(),
            .accepted = shared.accepted.load(),
            .refused = shared.refused.load(),
            .evicted = shared.evicted.load(),
            .requests = shared.requests.load(),
            .handshake_failures = shared.handshake_failures.load(),
            .buffered_body_bytes = shared.body_bytes.load()};
}

}  // namespace keelson::api
