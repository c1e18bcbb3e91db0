#include "tests/plugins/network/proxy_world.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "tests/plugins/network/links.h"

namespace keelson::testing {
namespace {

constexpr int backlog = 1024;

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = sizeof(sockaddr_storage);

    [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
    // IPv4 also when it stands in an IPv6 address.
    [[nodiscard]] std::string address() const {
        std::array<char, INET6_ADDRSTRLEN> text{};
        if (storage.ss_family == AF_INET)
            return ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text.data(),
                               text.size());
        const auto& six = reinterpret_cast<const sockaddr_in6&>(storage);
        if (IN6_IS_ADDR_V4MAPPED(&six.sin6_addr))
            return ::inet_ntop(AF_INET, &six.sin6_addr.s6_addr[12], text.data(), text.size());
        return ::inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
    }
    [[nodiscard]] int port() const { return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port); }
};

SocketAddress socket_address(const std::string& address, int port) {
    SocketAddress result;
    auto* six = reinterpret_cast<sockaddr_in6*>(&result.storage);
    auto* four = reinterpret_cast<sockaddr_in*>(&result.storage);
    if (::inet_pton(AF_INET6, address.c_str(), &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(std::uint16_t(port));
        result.size = sizeof *six;
    } else if (::inet_pton(AF_INET, address.c_str(), &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(std::uint16_t(port));
        result.size = sizeof *four;
    } else {
        throw std::runtime_error("no address: " + address);
    }
    return result;
}

base::FileDescriptor make_socket(int family, Transport transport) {
    const int type = transport == Transport::udp ? SOCK_DGRAM : SOCK_STREAM;
    const int protocol = transport == Transport::sctp ? IPPROTO_SCTP : 0;
    base::FileDescriptor made(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    if (!made) fail("socket");
    const int on = 1;
    ::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return made;
}

bool wait_for(int descriptor, short events, int patience_ms) {
    pollfd wait{descriptor, events, 0};
    return ::poll(&wait, 1, patience_ms) == 1;
}

Heard outcome_of(int error) {
    Heard heard;
    const bool is_refused =
        error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH || error == ECONNRESET;
    heard.outcome = is_refused ? Heard::refused : Heard::silent;
    return heard;
}

Heard parse_answer(const std::string& text) {
    Heard heard;
    std::string address;
    std::string port;
    std::istringstream(text) >> heard.who >> address >> port >> heard.source;
    heard.backend = address + " " + port;
    heard.outcome = Heard::answered;
    return heard;
}

Heard receive_answer(int socket, int patience_ms) {
    if (!wait_for(socket, POLLIN, patience_ms)) return {};
    std::array<char, 512> buffer{};
    const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (size < 0) return outcome_of(errno);
    if (size == 0) return outcome_of(ECONNRESET);
    return parse_answer(std::string(buffer.data(), std::size_t(size)));
}

int begin_connecting(int socket, const Target& target, int source_port) {
    SocketAddress to = socket_address(target.address, target.port);
    if (source_port != 0) {
        SocketAddress from = socket_address(to.storage.ss_family == AF_INET ? "0.0.0.0" : "::", source_port);
        if (::bind(socket, from.get(), from.size) != 0) fail("bind");
    }
    return ::connect(socket, to.get(), to.size) == 0 ? 0 : errno;
}

Heard connect_and_hear(int socket, const Target& target, int patience_ms, int source_port) {
    const linger at_once{1, 0};
    if (target.breaks_off) ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const int begun = begin_connecting(socket, target, source_port);
    if (begun != 0 && begun != EINPROGRESS) return outcome_of(begun);
    if (target.transport == Transport::udp) {
        if (::send(socket, "?", 1, MSG_NOSIGNAL) < 0) return outcome_of(errno);
        return receive_answer(socket, patience_ms);
    }
    if (!wait_for(socket, POLLOUT, patience_ms)) return {};
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return outcome_of(error);
    return receive_answer(socket, patience_ms);
}

int family_of(const std::string& address) {
    return address.find(':') == std::string::npos ? AF_INET : AF_INET6;
}

std::string introduction(const std::string& name, const std::string& own, int port, const std::string& peer) {
    return name + " " + own + " " + std::to_string(port) + " " + peer + "\n";
}

}  // namespace

// --- servers ---

Servers::Servers() : poll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event event{EPOLLIN, {}};
    event.data.fd = wake_.get();
    ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
    thread_ = std::thread([this] { serve(); });
}

Servers::~Servers() {
    is_ending_ = true;
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
    thread_.join();
}

void Servers::listen(const NetworkNamespace& space, const std::string& name, int port) {
    listen(space, name, port, Transport::tcp);
    listen(space, name, port, Transport::udp);
    if (has_sctp()) listen(space, name, port, Transport::sctp);
}

void Servers::listen(const NetworkNamespace& space, const std::string& name, int port, Transport transport) {
    Entry entry;
    entry.name = name;
    entry.transport = transport;
    entry.is_listening = true;
    space.run([&] {
        entry.socket = make_socket(AF_INET6, transport);
        const int off = 0;
        const int on = 1;
        ::setsockopt(entry.socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        ::setsockopt(entry.socket.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
        SocketAddress address = socket_address("::", port);
        if (::bind(entry.socket.get(), address.get(), address.size) != 0) fail("bind");
        if (transport != Transport::udp && ::listen(entry.socket.get(), backlog) != 0) fail("listen");
    });
    add(std::move(entry));
}

void Servers::stop(const std::string& name) {
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const auto& entry) { return entry.second.name == name; });
}

void Servers::add(Entry entry) {
    const std::lock_guard lock(mutex_);
    const int descriptor = entry.socket.get();
    entries_[descriptor] = std::move(entry);
    epoll_event event{EPOLLIN, {}};
    event.data.fd = descriptor;
    ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event);
}

void Servers::serve() {
    std::array<epoll_event, 64> events{};
    while (!is_ending_) {
        const int count = ::epoll_wait(poll_.get(), events.data(), int(events.size()), -1);
        for (int at = 0; at < count; ++at) {
            std::unique_lock lock(mutex_);
            const auto found = entries_.find(events[std::size_t(at)].data.fd);
            if (found == entries_.end()) continue;
            if (found->second.is_listening && found->second.transport != Transport::udp) {
                // Connections come into the table while it is walked by nobody.
                Entry& entry = found->second;
                accept_all(entry);
            } else {
                handle(found->second);
            }
        }
    }
}

void Servers::accept_all(Entry& entry) {
    const std::string name = entry.name;
    const Transport transport = entry.transport;
    const int listening = entry.socket.get();
    while (true) {
        SocketAddress peer;
        base::FileDescriptor accepted(
            ::accept4(listening, peer.get(), &peer.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!accepted) return;
        SocketAddress own;
        ::getsockname(accepted.get(), own.get(), &own.size);
        const std::string text = introduction(name, own.address(), own.port(), peer.address());
        (void)::send(accepted.get(), text.data(), text.size(), MSG_NOSIGNAL);
        const int descriptor = accepted.get();
        entries_[descriptor] = {std::move(accepted), name, transport, false};
        epoll_event event{EPOLLIN, {}};
        event.data.fd = descriptor;
        ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, descriptor, &event);
    }
}

void Servers::handle(Entry& entry) {
    if (entry.transport == Transport::udp) {
        answer_all(entry);
        return;
    }
    std::array<char, 16384> buffer{};
    const ssize_t size = ::recv(entry.socket.get(), buffer.data(), buffer.size(), 0);
    if (size > 0)
        (void)::send(entry.socket.get(), buffer.data(), std::size_t(size), MSG_NOSIGNAL);
    else if (size == 0 || errno != EAGAIN)
        entries_.erase(entry.socket.get());
}

// With the address that was asked as the answer's source.
void Servers::answer_all(const Entry& entry) {
    SocketAddress bound;
    ::getsockname(entry.socket.get(), bound.get(), &bound.size);
    while (true) {
        SocketAddress peer;
        std::array<char, 2048> buffer{};
        std::array<char, 256> control{};
        iovec data{buffer.data(), buffer.size()};
        msghdr message{};
        message.msg_name = &peer.storage;
        message.msg_namelen = sizeof peer.storage;
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        if (::recvmsg(entry.socket.get(), &message, 0) < 0) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) return;
            continue;  // an error of a former answer, by ICMP
        }
        SocketAddress own;
        for (cmsghdr* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head)) {
            if (head->cmsg_level != IPPROTO_IPV6 || head->cmsg_type != IPV6_PKTINFO) continue;
            in6_pktinfo info{};
            std::memcpy(&info, CMSG_DATA(head), sizeof info);
            auto& six = reinterpret_cast<sockaddr_in6&>(own.storage);
            six.sin6_family = AF_INET6;
            six.sin6_addr = info.ipi6_addr;
            info.ipi6_ifindex = 0;
            std::memcpy(CMSG_DATA(head), &info, sizeof info);
        }
        const std::string text = introduction(entry.name, own.address(), bound.port(), peer.address());
        data = {const_cast<char*>(text.data()), text.size()};
        (void)::sendmsg(entry.socket.get(), &message, MSG_NOSIGNAL);
    }
}

// --- clients ---

Heard ask_here(const Target& target, int patience_ms, int source_port) {
    const base::FileDescriptor socket = make_socket(family_of(target.address), target.transport);
    return connect_and_hear(socket.get(), target, patience_ms, source_port);
}

Heard ask(const NetworkNamespace& from, const Target& target, int patience_ms, int source_port) {
    Heard heard;
    from.run([&] { heard = ask_here(target, patience_ms, source_port); });
    return heard;
}

std::vector<Heard> ask_many(const NetworkNamespace& from, const Target& target, int count, int patience_ms) {
    std::vector<Heard> all;
    from.run([&] {
        for (int at = 0; at < count; ++at) all.push_back(ask_here(target, patience_ms));
    });
    return all;
}

Connection::Connection(const NetworkNamespace& from, const Target& target, int source_port, int patience_ms)
    : transport_(target.transport) {
    from.run([&] {
        socket_ = make_socket(family_of(target.address), target.transport);
        heard_ = connect_and_hear(socket_.get(), target, patience_ms, source_port);
    });
}

bool Connection::echoes(const std::string& text) {
    if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) != ssize_t(text.size())) return false;
    std::string back;
    std::array<char, 4096> buffer{};
    while (back.size() < text.size()) {
        if (!wait_for(socket_.get(), POLLIN, long_patience_ms)) return false;
        const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (size <= 0) return false;
        back.append(buffer.data(), std::size_t(size));
    }
    return back == text;
}

Heard Connection::ask_again(int patience_ms) {
    if (::send(socket_.get(), "?", 1, MSG_NOSIGNAL) < 0) return outcome_of(errno);
    return receive_answer(socket_.get(), patience_ms);
}

// --- the network ---

ProxyWorld::ProxyWorld() {
    add_bridge(wire, "br0");
    join_wire(node, "n1", 1);
    join_wire(other, "n2", 2);
    join_wire(client, "c1", 3);
    add_addresses(node, "eth0", "192.0.2.11/24");
    add_route(node, "default", "192.0.2.3", "eth0");
    add_route(node, "default", "2001:db8::3", "eth0");
    add_route(node, "10.244.2.0/24", "192.0.2.2", "eth0");
    add_route(node, "fd00:2::/64", "2001:db8::2", "eth0");
    switch_forwarding_on(node);
    add_route(other, "default", "192.0.2.1", "eth0");
    add_route(other, "default", "2001:db8::1", "eth0");
    add_route(other, "10.244.1.0/24", "192.0.2.1", "eth0");
    add_route(other, "fd00:1::/64", "2001:db8::1", "eth0");
    switch_forwarding_on(other);
    // What is meant for services comes to the node.
    add_route(client, "10.96.0.0/12", "192.0.2.1", "eth0");
    add_route(client, "198.51.100.0/24", "192.0.2.1", "eth0");
    add_route(client, "fd00:96::/64", "2001:db8::1", "eth0");
    add_pod(node, 1, "a", 11);
    add_pod(node, 1, "b", 12);
    add_pod(node, 1, "c", 13);
    add_pod(node, 1, "farm", 14);
    add_pod(other, 2, "x", 21);
    add_pod(other, 2, "y", 22);
    add_local_prefix(pod("farm").space, "10.245.0.0/16");
    add_route(node, "10.245.0.0/16", "10.244.1.14", "pfarm");
}

Pod& ProxyWorld::pod(const std::string& name) {
    return *pods_.at(name);
}

void ProxyWorld::join_wire(const NetworkNamespace& space, const std::string& port, int number) {
    const std::string end = std::to_string(number);
    join(wire, port, "", space, "eth0", "192.0.2." + end + "/24 2001:db8::" + end + "/64");
    set_master(wire, port, "br0");
}

// A pod sends everything by its node.
void ProxyWorld::add_pod(const NetworkNamespace& host, int host_number, const std::string& name, int number) {
    auto pod = std::make_unique<Pod>();
    const std::string part = std::to_string(host_number);
    pod->name = name;
    pod->address = "10.244." + part + "." + std::to_string(number);
    pod->address6 = "fd00:" + part + "::" + std::to_string(number);
    pod->is_local = host_number == 1;
    const std::string gateway = "10.244." + part + ".1";
    const std::string gateway6 = "fd00:" + part + "::1";
    join(host, "p" + name, gateway + "/32 " + gateway6 + "/128", pod->space, "eth0",
         pod->address + "/32 " + pod->address6 + "/128");
    add_route(host, pod->address + "/32", "", "p" + name);
    add_route(host, pod->address6 + "/128", "", "p" + name);
    add_route(pod->space, gateway + "/32", "", "eth0");
    add_route(pod->space, "default", gateway, "eth0");
    add_route(pod->space, gateway6 + "/128", "", "eth0");
    add_route(pod->space, "default", gateway6, "eth0");
    serve(*pod);
    pods_[name] = std::move(pod);
}

void ProxyWorld::serve(const Pod& pod) {
    servers.listen(pod.space, pod.name, port);
    servers.listen(pod.space, pod.name + "'", port + 1);
}

std::string ProxyWorld::rules_of_node() const {
    std::string text;
    for (const std::string& line : node.sorted_lines("iptables-legacy-save; ip6tables-legacy-save")) {
        const bool is_chain = line.starts_with(":") && line.find(" ACCEPT ") == std::string::npos;
        if (line.starts_with("-A")) text += line + "\n";
        if (is_chain) text += line.substr(0, line.find(" [")) + "\n";
    }
    return text;
}

bool has_sctp() {
    static const bool answer = [] {
        const base::FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP));
        return bool(socket);
    }();
    return answer;
}

}  // namespace keelson::testing
