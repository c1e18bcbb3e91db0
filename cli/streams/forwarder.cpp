#include "cli/streams/forwarder.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>

#include "cli/kube/failures.h"
#include "cli/output.h"
#include "cli/streams/spdy_client.h"
#include "kernel/base/files.h"

namespace keelson::cli::streams {
namespace {

using base::FileDescriptor;

constexpr const char* kProtocol = "SPDY/3.1+portforward.k8s.io";
constexpr std::size_t kPiece = 32u << 10;
constexpr std::size_t kMostUnsent = 1u << 20;  // to the server; more is not read from here
constexpr std::size_t kMostUndelivered = 1u
                                         << 20;  // of all local connections; more is not read from the server
constexpr std::size_t kMostConnections = 500;
constexpr int kBacklog = 128;

struct Listener {
    FileDescriptor socket;
    PortPair ports;
};

// A local connection and its two streams.
struct Link {
    FileDescriptor socket;
    PortPair ports;
    std::uint32_t data_stream = 0, error_stream = 0;
    std::string to_local;
    std::string complaint;
    bool remote_ended = false;  // nothing more comes for here
    bool local_ended = false;   // nothing more goes from here
};

struct Address {
    sockaddr_storage bytes{};
    socklen_t size = 0;
    std::string text;  // "127.0.0.1", "[::1]"
};

Result<Address> address_of(const std::string& text, std::uint16_t port) {
    Address address;
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.bytes);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.bytes);
    if (::inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        address.size = sizeof *v4;
        address.text = text;
        return address;
    }
    if (::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        address.size = sizeof *v6;
        address.text = "[" + text + "]";
        return address;
    }
    return fail("error parsing addresses: " + text + " is not a valid IP");
}

std::uint16_t port_of(int socket) {
    sockaddr_storage bytes{};
    socklen_t size = sizeof bytes;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&bytes), &size);
    return ntohs(bytes.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&bytes)->sin_port
                                            : reinterpret_cast<sockaddr_in6*>(&bytes)->sin6_port);
}

Result<FileDescriptor> listen_at(const Address& address) {
    FileDescriptor socket(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int yes = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (address.bytes.ss_family == AF_INET6)
        ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (!socket ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0 ||
        ::listen(socket.get(), kBacklog) != 0) {
        std::string why = std::strerror(errno);
        if (!why.empty()) why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
        return fail("bind: " + why);
    }
    return socket;
}

class Forwarder {
  public:
    explicit Forwarder(SpdyClient client) : client_(std::move(client)) {}

    Result<void> listen(const std::vector<std::string>& addresses, const std::vector<PortPair>& ports) {
        for (const PortPair& pair : ports)
            if (auto done = listen_for(addresses, pair); !done) return done;
        if (!listeners_.empty()) return flush_output();
        std::string list;
        for (const PortPair& pair : ports)
            list += (list.empty() ? "{" : " {") + std::to_string(pair.local) + " " +
                    std::to_string(pair.remote) + "}";
        return fail("unable to listen on any of the requested ports: [" + list + "]");
    }

    Result<void> run() {
        while (true) {
            const auto events = client_.receive();
            if (!events) return fail("lost connection to pod");
            for (const SpdyEvent& event : *events) take(event);
            if (client_.socket().is_over()) return fail("lost connection to pod");
            if (auto done = wait(); !done) return done;
        }
    }

  private:
    // "localhost" is both loopback addresses, of which one will do.
    Result<void> listen_for(const std::vector<std::string>& addresses, PortPair pair) {
        std::vector<std::string> problems;
        const std::size_t before = listeners_.size();
        for (const std::string& given : addresses) {
            const std::vector<std::string> texts = given == "localhost"
                                                       ? std::vector<std::string>{"127.0.0.1", "::1"}
                                                       : std::vector<std::string>{given};
            for (const std::string& text : texts) {
                const auto address = address_of(text, pair.local);
                if (!address) return pass_on(address);
                auto socket = listen_at(*address);
                if (!socket) {
                    problems.push_back("unable to create listener: Error listen tcp" +
                                       std::string(text.find(':') == std::string::npos ? "4 " : "6 ") +
                                       address->text + ":" + std::to_string(pair.local) + ": " +
                                       socket.error().message);
                    continue;
                }
                // Where any is free, both addresses have the same.
                pair.local = port_of(socket->get());
                print("Forwarding from " + address->text + ":" + std::to_string(pair.local) + " -> " +
                      std::to_string(pair.remote) + "\n");
                listeners_.push_back({std::move(*socket), pair});
            }
        }
        if (listeners_.size() > before) return {};
        std::string all;
        for (const std::string& problem : problems) all += (all.empty() ? "" : " ") + problem;
        kube::warn("Unable to listen on port " + std::to_string(pair.local) +
                   ": Listeners failed to create with the following errors: [" + all + "]");
        return {};
    }

    void accept(const Listener& listener) {
        FileDescriptor socket(
            ::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) return;
        if (links_.size() >= kMostConnections)
            return kube::warn("error: too many connections; one was refused");
        print("Handling connection for " + std::to_string(listener.ports.local) + "\n");
        static_cast<void>(flush_output());
        const std::string request = std::to_string(next_request_++);
        const auto headers = [&](const char* type) {
            return SpdyHeaders{{"port", std::to_string(listener.ports.remote)},
                               {"requestid", request},
                               {"streamtype", type}};
        };
        auto link = std::make_unique<Link>();
        link->socket = std::move(socket);
        link->ports = listener.ports;
        link->error_stream = client_.open(headers("error"));
        // Nothing is ever said on it from here.
        client_.send(link->error_stream, {}, true);
        link->data_stream = client_.open(headers("data"));
        links_.push_back(std::move(link));
    }

    void take(const SpdyEvent& event) {
        for (const auto& link : links_) {
            if (event.stream == link->error_stream) {
                link->complaint += event.data;
                if (event.is_final && !link->complaint.empty()) {
                    kube::warn("an error occurred forwarding " + std::to_string(link->ports.local) + " -> " +
                               std::to_string(link->ports.remote) + ": " + link->complaint);
                    link->remote_ended = link->local_ended = true;
                }
            } else if (event.stream == link->data_stream) {
                link->to_local += event.data;
                undelivered_ += event.data.size();
                if (event.is_final || event.kind == SpdyEvent::Kind::reset) link->remote_ended = true;
                if (event.kind == SpdyEvent::Kind::reset) link->local_ended = true;
            }
        }
    }

    // From the local connection to the pod.
    void read_local(Link& link) {
        std::array<char, kPiece> piece{};
        const ssize_t count = ::recv(link.socket.get(), piece.data(), piece.size(), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count > 0)
            return client_.send(link.data_stream, {piece.data(), static_cast<std::size_t>(count)}, false);
        link.local_ended = true;
        client_.send(link.data_stream, {}, true);
    }

    void write_local(Link& link) {
        const ssize_t count =
            ::send(link.socket.get(), link.to_local.data(), link.to_local.size(), MSG_NOSIGNAL);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        const std::size_t gone = count < 0 ? link.to_local.size() : static_cast<std::size_t>(count);
        undelivered_ -= gone;
        link.to_local.erase(0, gone);
        if (count >= 0) return;
        client_.reset(link.data_stream);
        link.remote_ended = link.local_ended = true;
    }

    // Closes what is over: a connection whose pod has said everything, and heard or ended itself.
    void close_ended() {
        std::erase_if(links_, [this](const std::unique_ptr<Link>& link) {
            if (!link->remote_ended || !link->to_local.empty()) return false;
            if (!link->local_ended) client_.send(link->data_stream, {}, true);
            return true;
        });
    }

    Result<void> wait() {
        close_ended();
        WebSocket& socket = client_.socket();
        if (auto flushed = socket.flush(); !flushed) return fail("lost connection to pod");
        const bool has_room = socket.unsent() < kMostUnsent;
        std::vector<pollfd> watched;
        const short reads = undelivered_ < kMostUndelivered ? POLLIN : 0;
        watched.push_back(
            {socket.descriptor(), static_cast<short>(reads | (socket.unsent() > 0 ? POLLOUT : 0)), 0});
        for (const Listener& listener : listeners_) watched.push_back({listener.socket.get(), POLLIN, 0});
        for (const auto& link : links_) {
            const bool listens = !link->local_ended && has_room;
            const short wanted =
                static_cast<short>((listens ? POLLIN : 0) | (link->to_local.empty() ? 0 : POLLOUT));
            watched.push_back({wanted == 0 ? -1 : link->socket.get(), wanted, 0});
        }
        if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR)
            return fail(std::string("poll: ") + std::strerror(errno));
        for (std::size_t i = 0; i < links_.size(); ++i) {
            const short happened = watched[1 + listeners_.size() + i].revents;
            if ((happened & (POLLOUT | POLLERR)) != 0 && !links_[i]->to_local.empty())
                write_local(*links_[i]);
            if ((happened & (POLLIN | POLLHUP | POLLERR)) != 0 && !links_[i]->local_ended)
                read_local(*links_[i]);
        }
        for (std::size_t i = 0; i < listeners_.size(); ++i)
            if (watched[1 + i].revents != 0) accept(listeners_[i]);
        return {};
    }

    SpdyClient client_;
    std::vector<Listener> listeners_;
    std::vector<std::unique_ptr<Link>> links_;
    std::uint64_t next_request_ = 0;
    std::size_t undelivered_ = 0;
};

}  // namespace

Result<void> forward_ports(kube::Api& api, const kube::ApiCall& call,
                           const std::vector<std::string>& addresses, const std::vector<PortPair>& ports) {
    auto upgraded = open_websocket(api, call, {kProtocol});
    if (!upgraded) return pass_on(upgraded);
    Forwarder forwarder(SpdyClient(WebSocket(std::move(upgraded->duplex))));
    if (auto done = forwarder.listen(addresses, ports); !done) return done;
    return forwarder.run();
}

}  // namespace keelson::cli::streams
