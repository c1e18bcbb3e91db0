#include "kernel/admin/transport.h"

#include <Poco/Exception.h>
#include <Poco/Net/IPAddress.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/ServerSocketImpl.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <Poco/Net/TCPServer.h>
#include <Poco/Net/TCPServerConnection.h>
#include <Poco/Net/TCPServerConnectionFactory.h>
#include <Poco/Net/TCPServerParams.h>
#include <Poco/Thread.h>
#include <Poco/ThreadPool.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernel/base/files.h"
#include "kernel/base/log.h"

namespace keelson::admin {
namespace {

using base::Reason;
using base::Result;
using base::Status;
using Poco::Net::ServerSocket;
using Poco::Net::SocketAddress;
using Poco::Net::StreamSocket;

// Descriptors must not leak into the processes of plugins, which outlive this one.
class Acceptor final : public Poco::Net::ServerSocketImpl {
  public:
    Poco::Net::SocketImpl* acceptConnection(SocketAddress&) override {
        const int descriptor = ::accept4(sockfd(), nullptr, nullptr, SOCK_CLOEXEC);
        if (descriptor >= 0) return new Poco::Net::StreamSocketImpl(descriptor);
        // Out of descriptors: asking again at once would only burn time.
        if (errno == EMFILE || errno == ENFILE) Poco::Thread::sleep(100);
        throw Poco::Net::NetException("accept", errno);
    }
};

class Listener final : public ServerSocket {
  public:
    Listener() : ServerSocket(new Acceptor, true) {}
    void listen_closing_on_exec(int waiting) {
        ::fcntl(impl()->sockfd(), F_SETFD, FD_CLOEXEC);
        listen(waiting);
    }
};

class OneConnection final : public Poco::Net::TCPServerConnection {
  public:
    OneConnection(const StreamSocket& socket, const ServeConnection& serve)
        : TCPServerConnection(socket), serve_(serve) {}
    void run() override { serve_(socket()); }

  private:
    const ServeConnection& serve_;
};

class Factory final : public Poco::Net::TCPServerConnectionFactory {
  public:
    explicit Factory(ServeConnection serve) : serve_(std::move(serve)) {}
    Poco::Net::TCPServerConnection* createConnection(const StreamSocket& socket) override {
        return new OneConnection(socket, serve_);
    }

  private:
    ServeConnection serve_;
};

// Nobody else may reach the socket, not even between bind and chmod: so says its directory.
Result<void> prepare_directory(const std::string& directory) {
    KEELSON_TRY_VOID(base::make_directory(directory, 0700));
    struct stat about {};
    if (::lstat(directory.c_str(), &about) != 0) return base::system_error(directory, errno);
    if (!S_ISDIR(about.st_mode) || about.st_uid != ::geteuid() || (about.st_mode & 077) != 0)
        return Status(Reason::bad_request, "the directory of the admin socket, " + directory +
                                               ", must belong to this user with mode 0700: chmod 700 it, or "
                                               "name another directory");
    return base::ok();
}

// A socket that nobody listens on is what an earlier process left behind.
Result<void> remove_stale_socket(const std::string& path) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) return base::ok();
    if (!S_ISSOCK(about.st_mode))
        return Status(Reason::bad_request, path + " is there and no socket: remove it, or name another path");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const base::FileDescriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
        return Status(Reason::bad_request, "another process listens on " + path + ": stop it first");
    return base::remove_file(path);
}

Result<ServerSocket> open_local(const Listening& where) {
    const std::string& path = where.socket_path;
    if (path.front() != '/' || path.size() >= sizeof(sockaddr_un::sun_path))
        return Status(Reason::bad_request, "the path of the admin socket must be absolute and shorter than " +
                                               std::to_string(sizeof(sockaddr_un::sun_path)) + " bytes");
    KEELSON_TRY_VOID(prepare_directory(base::directory_of(path)));
    KEELSON_TRY_VOID(remove_stale_socket(path));
    Listener socket;
    socket.bind(SocketAddress(SocketAddress::UNIX_LOCAL, path), false);
    if (::chmod(path.c_str(), 0600) != 0) return base::system_error("chmod " + path, errno);
    socket.listen_closing_on_exec(where.waiting);
    return ServerSocket(socket);
}

Result<ServerSocket> open_port(const Listening& where) {
    Poco::Net::IPAddress address;
    if (!Poco::Net::IPAddress::tryParse(where.address, address))
        return Status(Reason::bad_request,
                      "the address of the admin API, '" + where.address + "', is no IP address");
    Listener socket;
    if (address.family() == Poco::Net::IPAddress::IPv6)
        socket.bind6(SocketAddress(address, where.port), true, false, false);
    else
        socket.bind(SocketAddress(address, where.port), true, false);
    socket.listen_closing_on_exec(where.waiting);
    return ServerSocket(socket);
}

std::string place_of(const Listening& where) {
    return where.socket_path.empty() ? where.address + ":" + std::to_string(where.port) : where.socket_path;
}

}  // namespace

struct Transport::Impl {
    Impl(const Listening& where, const ServerSocket& listener, ServeConnection serve)
        : place(where), pool("admin", 1, where.threads, 30), socket(listener) {
        if (where.socket_path.empty()) place.port = socket.address().port();
        Poco::Net::TCPServerParams::Ptr params = new Poco::Net::TCPServerParams;
        params->setMaxThreads(where.threads);
        params->setMaxQueued(where.waiting);
        params->setThreadIdleTime(Poco::Timespan(5, 0));
        server = std::make_unique<Poco::Net::TCPServer>(new Factory(std::move(serve)), pool, socket, params);
    }

    Listening place;
    Poco::ThreadPool pool;
    ServerSocket socket;
    std::unique_ptr<Poco::Net::TCPServer> server;
    bool stopped = false;
    bool joined = false;
};

Transport::Transport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Transport::~Transport() {
    stop_accepting();
    join();
}

Result<std::unique_ptr<Transport>> Transport::open(const Listening& where, ServeConnection serve) {
    try {
        KEELSON_TRY(const ServerSocket socket,
                    where.socket_path.empty() ? open_port(where) : open_local(where));
        auto impl = std::make_unique<Impl>(where, socket, std::move(serve));
        impl->server->start();
        return std::unique_ptr<Transport>(new Transport(std::move(impl)));
    } catch (const Poco::Exception& error) {
        return Status(Reason::bad_request, "the admin API cannot listen on " + place_of(where) + ": " +
                                               error.displayText() +
                                               "; stop what listens there, or choose another place");
    }
}

std::uint16_t Transport::port() const {
    return impl_->place.port;
}

void Transport::stop_accepting() {
    if (std::exchange(impl_->stopped, true)) return;
    try {
        impl_->server->stop();
        impl_->socket.close();
    } catch (const Poco::Exception& error) {
        base::log_warning("closing the admin API", {{"error", error.displayText()}});
    }
    if (!impl_->place.socket_path.empty()) (void)!base::remove_file(impl_->place.socket_path);
}

void Transport::join() {
    if (std::exchange(impl_->joined, true)) return;
    try {
        impl_->server.reset();
        impl_->pool.joinAll();
    } catch (const Poco::Exception& error) {
        base::log_warning("ending the admin API's threads", {{"error", error.displayText()}});
    }
}

}  // namespace keelson::admin
