#include "tests/plugins/network/namespaces.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace keelson::testing {
namespace {

constexpr int patience_ms = 10'000;

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

void run_in_thread(const std::function<void()>& work) {
    std::exception_ptr failure;
    std::thread([&] {
        try {
            work();
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) std::rethrow_exception(failure);
}

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

SocketAddress socket_address(const Endpoint& endpoint) {
    SocketAddress result;
    auto* six = reinterpret_cast<sockaddr_in6*>(&result.storage);
    auto* four = reinterpret_cast<sockaddr_in*>(&result.storage);
    if (::inet_pton(AF_INET6, endpoint.address.c_str(), &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(std::uint16_t(endpoint.port));
        result.size = sizeof *six;
    } else {
        if (::inet_pton(AF_INET, endpoint.address.c_str(), &four->sin_addr) != 1)
            throw std::runtime_error("no address: " + endpoint.address);
        four->sin_family = AF_INET;
        four->sin_port = htons(std::uint16_t(endpoint.port));
        result.size = sizeof *four;
    }
    return result;
}

std::string text_of(const sockaddr_storage& storage) {
    char text[INET6_ADDRSTRLEN];
    const void* address =
        storage.ss_family == AF_INET
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(storage).sin_addr)
            : &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
    return ::inet_ntop(storage.ss_family, address, text, sizeof text);
}

base::FileDescriptor listen_at(const Endpoint& endpoint) {
    const SocketAddress address = socket_address(endpoint);
    base::FileDescriptor socket(
        ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0)
        fail("bind to " + endpoint.address);
    if (::listen(socket.get(), 8) != 0) fail("listen");
    return socket;
}

void set_loopback_up() {
    const base::FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) fail("set the loopback device up");
}

bool wait_for(int descriptor, short events) {
    pollfd wait{descriptor, events, 0};
    return ::poll(&wait, 1, patience_ms) == 1;
}

}  // namespace

NetworkNamespace::NetworkNamespace() {
    run_in_thread([&] {
        if (::unshare(CLONE_NEWNET) != 0) fail("unshare");
        descriptor_ = base::FileDescriptor(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        if (!descriptor_) fail("open the namespace");
        set_loopback_up();
    });
}

void NetworkNamespace::run(const std::function<void()>& work) const {
    run_in_thread([&] {
        if (::setns(descriptor_.get(), CLONE_NEWNET) != 0) fail("setns");
        work();
    });
}

bool NetworkNamespace::is_here() const {
    struct stat here {};
    struct stat own {};
    return ::stat("/proc/thread-self/ns/net", &here) == 0 && ::fstat(descriptor_.get(), &own) == 0 &&
           here.st_ino == own.st_ino;
}

std::string NetworkNamespace::output(const std::string& command) const {
    std::string text;
    run([&] {
        FILE* pipe = ::popen((command + " 2>&1").c_str(), "re");
        if (pipe == nullptr) fail("popen");
        char buffer[4096];
        while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
            text.append(buffer, count);
        if (::pclose(pipe) != 0) throw std::runtime_error(command + ": " + text);
    });
    return text;
}

std::multiset<std::string> NetworkNamespace::sorted_lines(const std::string& command) const {
    std::multiset<std::string> lines;
    std::istringstream text(output(command));
    for (std::string line; std::getline(text, line);) lines.insert(line);
    return lines;
}

std::string connect_between(const NetworkNamespace& client, const Endpoint& target,
                            const NetworkNamespace& server, const Endpoint& endpoint) {
    base::FileDescriptor listening;
    server.run([&] { listening = listen_at(endpoint); });
    base::FileDescriptor connecting;
    client.run([&] {
        const SocketAddress address = socket_address(target);
        connecting = base::FileDescriptor(
            ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        (void)::connect(connecting.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.size);
    });
    // A link that has just come up learns its IPv6 neighbours only a second or two later.
    if (!wait_for(connecting.get(), POLLOUT)) return {};
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(connecting.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 || !wait_for(listening.get(), POLLIN)) return {};
    sockaddr_storage seen{};
    socklen_t seen_size = sizeof seen;
    const base::FileDescriptor accepted(
        ::accept4(listening.get(), reinterpret_cast<sockaddr*>(&seen), &seen_size, SOCK_CLOEXEC));
    return accepted ? text_of(seen) : std::string();
}

std::string why_no_namespaces() {
    if (::geteuid() != 0) return "network namespaces take root";
    try {
        const NetworkNamespace trial;
        trial.command("ip link add name trial type bridge");
        trial.command("iptables-legacy-save");
    } catch (const std::exception& error) {
        return std::string("no bridge and tables in a namespace of one's own: ") + error.what();
    }
    return {};
}

}  // namespace keelson::testing
