#include "carrier.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace keelson::userspace {
namespace {

constexpr int events_at_once = 256;
constexpr int accepts_at_once = 64;
constexpr int datagrams_at_once = 64;
constexpr std::size_t most_tries = 6;
constexpr std::size_t largest_datagram = 65'536;
constexpr std::chrono::seconds sweep_interval(1);
constexpr std::chrono::seconds retirement(3);
constexpr std::uint32_t all_edges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

// Peers that are gone without a word are noticed some day.
void keep_alive(const Descriptor& socket) {
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

using Control = std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))>;

// The address that a datagram has come to.
std::optional<Address> own_address(msghdr& message) {
    for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
        Address address;
        if (head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_PKTINFO) {
            in_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(head), sizeof info);
            std::memcpy(address.bytes.data(), &info.ipi_addr, sizeof info.ipi_addr);
            return address;
        }
        if (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_PKTINFO) {
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(head), sizeof info);
            address.family = AF_INET6;
            std::memcpy(address.bytes.data(), &info.ipi6_addr, sizeof info.ipi6_addr);
            return address;
        }
    }
    return std::nullopt;
}

template <typename Info>
void put_control(msghdr& message, Control& control, int level, int type, const Info& info) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof info);
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = level;
    head->cmsg_type = type;
    head->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(head), &info, sizeof info);
}

void send_from(const Descriptor& socket, const Address& own, SocketAddress& client, const char* data,
               std::size_t size) {
    iovec part{const_cast<char*>(data), size};
    Control control{};
    msghdr message{};
    message.msg_name = client.get();
    message.msg_namelen = client.size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (own.family == AF_INET) {
        in_pktinfo info{};
        std::memcpy(&info.ipi_spec_dst, own.bytes.data(), sizeof info.ipi_spec_dst);
        put_control(message, control, IPPROTO_IP, IP_PKTINFO, info);
    } else {
        in6_pktinfo info{};
        std::memcpy(&info.ipi6_addr, own.bytes.data(), sizeof info.ipi6_addr);
        put_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
    }
    (void)::sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

// --- what is watched ---

struct Carrier::Watched {
    enum class Kind : std::uint8_t { wake, listener, side, datagrams, session };
    explicit Watched(Kind its_kind) : kind(its_kind) {}
    virtual ~Watched() = default;
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    const Kind kind;
    bool is_closed = false;
};

struct Carrier::Listener : Watched {
    Listener(Descriptor its_socket, int its_family)
        : Watched(Kind::listener), socket(std::move(its_socket)), family(its_family) {}
    Descriptor socket;
    int family;
};

struct Carrier::Side : Watched {
    explicit Side(Connection& its_connection) : Watched(Kind::side), connection(its_connection) {}
    Connection& connection;
    Descriptor socket;
};

struct Carrier::Connection {
    Side client{*this};
    Side server{*this};
    Stream up;
    Stream down;
    Address address;  // the client's
    RoutePointer route;
    std::vector<End> candidates;
    std::size_t tried = 0;
    Clock::time_point patience;
    bool is_connected = false;
    bool is_closed = false;
    bool has_turn = false;
};

struct Carrier::Session : Watched {
    explicit Session(UdpService& its_service) : Watched(Kind::session), service(its_service) {}
    UdpService& service;
    Descriptor socket;
    SocketAddress client;
    Address own;
    End backend;
    Clock::time_point last;
};

struct Carrier::UdpService : Watched {
    UdpService(Descriptor its_socket, RoutePointer its_route)
        : Watched(Kind::datagrams), socket(std::move(its_socket)), route(std::move(its_route)) {}
    Descriptor socket;
    RoutePointer route;
    std::map<std::pair<End, Address>, std::unique_ptr<Session>> sessions;  // by client and own address
    // Whose backend is no longer one: answers that are under way still come by.
    std::vector<std::unique_ptr<Session>> retired;
};

// --- the thread ---

Carrier::Carrier(std::vector<Descriptor> tcp_listeners, const CurrentRoutes& routes, const Limits& limits)
    : routes_(routes),
      limits_(limits),
      poll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!poll_ || !wake_)
        throw Error(Code::exhausted, "no descriptors are left for the carrier of connections");
    static Watched wake(Watched::Kind::wake);
    watch(wake_.get(), wake, EPOLLIN);
    for (Descriptor& socket : tcp_listeners) {
        SocketAddress address;
        ::getsockname(socket.get(), address.get(), &address.size);
        listeners_.push_back(std::make_unique<Listener>(std::move(socket), address.end().address.family));
        watch(listeners_.back()->socket.get(), *listeners_.back(), EPOLLIN);
    }
    thread_ = std::thread([this] { run(); });
}

Carrier::~Carrier() {
    is_ending_ = true;
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
    thread_.join();
}

void Carrier::watch(int descriptor, Watched& watched, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &watched;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0)
        throw Error(Code::exhausted, std::string("cannot watch a socket: ") + std::strerror(errno));
}

void Carrier::later(std::function<void()> work) {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        work_.push_back(std::move(work));
    }
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
}

void Carrier::run_later() {
    std::uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof count);
    std::vector<std::function<void()>> work;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        work.swap(work_);
    }
    for (const auto& one : work) one();
}

void Carrier::run() {
    std::array<epoll_event, events_at_once> events{};
    next_sweep_ = Clock::now() + sweep_interval;
    while (!is_ending_) {
        const int patience_ms = turns_.empty() ? int(std::chrono::milliseconds(sweep_interval).count()) : 0;
        const int count = ::epoll_wait(poll_.get(), events.data(), int(events.size()), patience_ms);
        for (int at = 0; at < count; ++at) {
            const epoll_event& event = events[std::size_t(at)];
            auto& watched = *static_cast<Watched*>(event.data.ptr);
            if (watched.is_closed) continue;
            switch (watched.kind) {
                case Watched::Kind::wake:
                    run_later();
                    break;
                case Watched::Kind::listener:
                    accept_all(static_cast<Listener&>(watched));
                    break;
                case Watched::Kind::side:
                    on_side(static_cast<Side&>(watched), event.events);
                    break;
                case Watched::Kind::datagrams:
                    on_datagrams(static_cast<UdpService&>(watched));
                    break;
                case Watched::Kind::session:
                    on_answers(static_cast<Session&>(watched));
                    break;
            }
        }
        for (std::size_t turns = turns_.size(); turns > 0; --turns) {
            Connection& connection = *turns_.front();
            turns_.pop_front();
            connection.has_turn = false;
            if (!connection.is_closed) pump(connection);
        }
        if (Clock::now() >= next_sweep_) sweep();
        // Those that still wait for a turn are kept until it has come.
        std::erase_if(closed_connections_, [](const auto& closed) { return !closed->has_turn; });
        closed_.clear();
    }
}

// Connections that take too long to come about, and sessions that nobody uses.
void Carrier::sweep() {
    const auto now = Clock::now();
    next_sweep_ = now + sweep_interval;
    std::vector<Connection*> late;
    for (const auto& [connection, owner] : connections_)
        if (!connection->is_connected && now >= connection->patience) late.push_back(connection);
    for (Connection* connection : late) connect_next(*connection);
    std::vector<Session*> idle;
    for (const auto& [number, service] : services_) {
        for (const auto& [client, session] : service->sessions)
            if (now - session->last >= limits_.udp_idle) idle.push_back(session.get());
        for (const auto& session : service->retired)
            if (now - session->last >= retirement) idle.push_back(session.get());
    }
    for (Session* session : idle) close(*session);
    if (!is_accepting_ && connections_.size() < limits_.connections) set_accepting(true);
}

// --- connections ---

void Carrier::set_accepting(bool is_accepting) {
    if (is_accepting_ == is_accepting) return;
    is_accepting_ = is_accepting;
    for (const auto& listener : listeners_) {
        epoll_event event{};
        event.events = is_accepting ? std::uint32_t(EPOLLIN) : 0U;
        event.data.ptr = listener.get();
        ::epoll_ctl(poll_.get(), EPOLL_CTL_MOD, listener->socket.get(), &event);
    }
}

void Carrier::accept_all(Listener& listener) {
    for (int count = 0; count < accepts_at_once; ++count) {
        if (connections_.size() >= limits_.connections) return set_accepting(false);
        SocketAddress peer;
        Descriptor client(
            ::accept4(listener.socket.get(), peer.get(), &peer.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!client) {
            // Without descriptors the connections wait in the kernel's queue until the next sweep.
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                set_accepting(false);
            return;
        }
        open(std::move(client), listener.family, peer.end().address);
    }
}

void Carrier::open(Descriptor client, int family, const Address& address) {
    const auto destination = original_destination(client.get(), family);
    const RoutesPointer routes = routes_.get();
    RoutePointer route = destination ? routes->find(*destination) : nullptr;
    if (route == nullptr) return reset_on_close(client);
    keep_alive(client);
    auto owner = std::make_unique<Connection>();
    Connection& connection = *owner;
    connection.client.socket = std::move(client);
    connection.address = address;
    connection.candidates = route->candidates(address, routes->is_inside(address), most_tries);
    connection.route = std::move(route);
    connections_.emplace(&connection, std::move(owner));
    connect_next(connection);
}

void Carrier::connect_next(Connection& connection) {
    while (connection.tried < connection.candidates.size()) {
        const End& end = connection.candidates[connection.tried++];
        if (begin_connecting(end, SOCK_STREAM, connection.server.socket) != 0) continue;
        connection.patience = Clock::now() + limits_.connect_patience;
        keep_alive(connection.server.socket);
        try {
            watch(connection.server.socket.get(), connection.server, all_edges);
        } catch (const Error&) {
            break;
        }
        return;
    }
    reset_on_close(connection.client.socket);
    close(connection);
}

void Carrier::on_side(Side& side, std::uint32_t events) {
    Connection& connection = side.connection;
    if (connection.is_closed) return;
    if (!connection.is_connected) {
        if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
        if (error_of(connection.server.socket) != 0) return connect_next(connection);
        connection.is_connected = true;
        connection.route->remember(connection.address, connection.candidates[connection.tried - 1]);
        try {
            watch(connection.client.socket.get(), connection.client, all_edges);
        } catch (const Error&) {
            return close(connection);
        }
    }
    pump(connection);
}

void Carrier::pump(Connection& connection) {
    const int client = connection.client.socket.get();
    const int server = connection.server.socket.get();
    const Stream::State up = connection.up.pump(client, server, pipes_);
    const Stream::State down = connection.down.pump(server, client, pipes_);
    if (up == Stream::State::failed || down == Stream::State::failed) {
        reset_on_close(connection.client.socket);
        reset_on_close(connection.server.socket);
        return close(connection);
    }
    if (up == Stream::State::finished && down == Stream::State::finished) return close(connection);
    const bool wants_turn = connection.up.wants_turn() || connection.down.wants_turn();
    if (!wants_turn || connection.has_turn) return;
    connection.has_turn = true;
    turns_.push_back(&connection);
}

void Carrier::close(Connection& connection) {
    const auto found = connections_.find(&connection);
    if (found == connections_.end()) return;
    connection.is_closed = connection.client.is_closed = connection.server.is_closed = true;
    connection.up.release(pipes_);
    connection.down.release(pipes_);
    connection.client.socket.reset();
    connection.server.socket.reset();
    closed_connections_.push_back(std::move(found->second));
    connections_.erase(found);
    if (!is_accepting_) set_accepting(true);
}

// --- datagrams ---

std::uint64_t Carrier::add_service(Descriptor socket, RoutePointer route) {
    const std::uint64_t number = ++last_number_;
    auto shared = std::make_shared<Descriptor>(std::move(socket));
    later([this, number, shared, route = std::move(route)] {
        auto service = std::make_unique<UdpService>(std::move(*shared), route);
        try {
            watch(service->socket.get(), *service, EPOLLIN);
            services_.emplace(number, std::move(service));
        } catch (const Error&) {
            return;  // its datagrams are dropped, as in a network that is overloaded
        }
    });
    return number;
}

void Carrier::change_service(std::uint64_t number, RoutePointer route) {
    later([this, number, route = std::move(route)] {
        const auto found = services_.find(number);
        if (found == services_.end()) return;
        UdpService& service = *found->second;
        service.route = route;
        for (auto at = service.sessions.begin(); at != service.sessions.end();) {
            if (route->has(at->second->backend)) {
                ++at;
                continue;
            }
            at->second->last = Clock::now();
            service.retired.push_back(std::move(at->second));
            at = service.sessions.erase(at);
        }
    });
}

void Carrier::remove_service(std::uint64_t number) {
    later([this, number] {
        const auto found = services_.find(number);
        if (found == services_.end()) return;
        UdpService& service = *found->second;
        while (!service.sessions.empty()) close(*service.sessions.begin()->second);
        while (!service.retired.empty()) close(*service.retired.back());
        found->second->is_closed = true;
        found->second->socket.reset();
        closed_.push_back(std::move(found->second));
        services_.erase(found);
    });
}

void Carrier::on_datagrams(UdpService& service) {
    static thread_local std::array<char, largest_datagram> buffer;
    for (int count = 0; count < datagrams_at_once; ++count) {
        SocketAddress client;
        Control control{};
        iovec part{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_name = client.get();
        message.msg_namelen = client.size;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(service.socket.get(), &message, MSG_DONTWAIT);
        if (size < 0) {
            if (errno == EAGAIN) return;
            continue;  // an answer that could not be delivered
        }
        client.size = message.msg_namelen;
        const auto own = own_address(message);
        if (!own) continue;
        Session* session = session_for(service, client, *own);
        if (session == nullptr) continue;
        if (::send(session->socket.get(), buffer.data(), std::size_t(size), MSG_NOSIGNAL) >= 0 ||
            errno != ECONNREFUSED)
            continue;
        // Nobody listens there any more, as an answer to an earlier datagram has said.
        close(*session);
        session = session_for(service, client, *own);
        if (session != nullptr)
            (void)::send(session->socket.get(), buffer.data(), std::size_t(size), MSG_NOSIGNAL);
    }
}

Carrier::Session* Carrier::session_for(UdpService& service, const SocketAddress& client, const Address& own) {
    const std::pair key(client.end(), own);
    const auto found = service.sessions.find(key);
    if (found != service.sessions.end()) {
        found->second->last = Clock::now();
        return found->second.get();
    }
    if (session_count_ >= limits_.sessions) return nullptr;
    const bool is_inside = routes_.get()->is_inside(key.first.address);
    for (const End& end : service.route->candidates(key.first.address, is_inside, most_tries)) {
        auto session = std::make_unique<Session>(service);
        if (begin_connecting(end, SOCK_DGRAM, session->socket) != 0) continue;
        session->client = client;
        session->own = own;
        session->backend = end;
        session->last = Clock::now();
        try {
            watch(session->socket.get(), *session, EPOLLIN);
        } catch (const Error&) {
            return nullptr;
        }
        service.route->remember(key.first.address, end);
        ++session_count_;
        return (service.sessions[key] = std::move(session)).get();
    }
    return nullptr;
}

void Carrier::on_answers(Session& session) {
    static thread_local std::array<char, largest_datagram> buffer;
    for (int count = 0; count < datagrams_at_once; ++count) {
        const ssize_t size = ::recv(session.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size >= 0) {
            session.last = Clock::now();
            send_from(session.service.socket, session.own, session.client, buffer.data(), std::size_t(size));
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) close(session);
        return;
    }
}

void Carrier::close(Session& session) {
    UdpService& service = session.service;
    std::unique_ptr<Session> owner;
    const auto found = service.sessions.find({session.client.end(), session.own});
    if (found != service.sessions.end() && found->second.get() == &session) {
        owner = std::move(found->second);
        service.sessions.erase(found);
    } else {
        const auto retired = std::ranges::find(service.retired, &session, &std::unique_ptr<Session>::get);
        if (retired == service.retired.end()) return;
        owner = std::move(*retired);
        service.retired.erase(retired);
    }
    session.is_closed = true;
    session.socket.reset();
    closed_.push_back(std::move(owner));
    --session_count_;
}

}  // namespace keelson::userspace
